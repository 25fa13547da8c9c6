import { ascii } from './text.js';

/** Methods, as small numbers. 0 is a method that we do not know: legal, answered 501 or passed on. */
export const METHODS = [
  '',
  'INVITE',
  'ACK',
  'BYE',
  'CANCEL',
  'OPTIONS',
  'REGISTER',
  'PRACK',
  'UPDATE',
  'REFER',
  'NOTIFY',
  'SUBSCRIBE',
  'MESSAGE',
  'INFO',
  'PUBLISH',
] as const;
export const METHOD = Object.fromEntries(METHODS.map((name, i) => [name, i])) as Record<
  (typeof METHODS)[number],
  number
>;
const METHOD_BYTES = METHODS.map(ascii);

/** Case matters (RFC 3261 7.1). 0 when unknown. */
export function methodAt(bytes: Uint8Array, off: number, len: number): number {
  for (let m = 1; m < METHOD_BYTES.length; m++) {
    const name = METHOD_BYTES[m]!;
    if (name.length !== len || name[0] !== bytes[off] || name[len - 1] !== bytes[off + len - 1]) continue;
    let i = 1;
    while (i < len && name[i] === bytes[off + i]) i++;
    if (i >= len) return m;
  }
  return 0;
}

/** Headers that we read, with their compact forms (RFC 3261 7.3.3). 0 is any other. */
const HEADER_FORMS: readonly (readonly [string, string?])[] = [
  [''],
  ['via', 'v'],
  ['from', 'f'],
  ['to', 't'],
  ['call-id', 'i'],
  ['cseq'],
  ['contact', 'm'],
  ['content-length', 'l'],
  ['content-type', 'c'],
  ['max-forwards'],
  ['record-route'],
  ['route'],
  ['reason'],
  ['retry-after'],
  ['user-agent'],
  ['server'],
  ['require'],
  ['supported', 'k'],
  ['www-authenticate'],
  ['proxy-authenticate'],
  ['expires'],
  ['session-expires', 'x'],
  ['min-se'],
  ['accept'],
  ['min-expires'],
  ['service-route'],
  ['path'],
  ['rseq'],
  ['rack'],
  ['refer-to', 'r'],
  ['event', 'o'],
  ['subscription-state'],
  ['allow'],
  ['referred-by', 'b'],
];
export const H = {
  OTHER: 0,
  VIA: 1,
  FROM: 2,
  TO: 3,
  CALL_ID: 4,
  CSEQ: 5,
  CONTACT: 6,
  CONTENT_LENGTH: 7,
  CONTENT_TYPE: 8,
  MAX_FORWARDS: 9,
  RECORD_ROUTE: 10,
  ROUTE: 11,
  REASON: 12,
  RETRY_AFTER: 13,
  USER_AGENT: 14,
  SERVER: 15,
  REQUIRE: 16,
  SUPPORTED: 17,
  WWW_AUTHENTICATE: 18,
  PROXY_AUTHENTICATE: 19,
  EXPIRES: 20,
  SESSION_EXPIRES: 21,
  MIN_SE: 22,
  ACCEPT: 23,
  MIN_EXPIRES: 24,
  SERVICE_ROUTE: 25,
  PATH: 26,
  RSEQ: 27,
  RACK: 28,
  REFER_TO: 29,
  EVENT: 30,
  SUBSCRIPTION_STATE: 31,
  ALLOW: 32,
  REFERRED_BY: 33,
} as const;

/** Candidates by length of the name, so that most names cost one or two compares. */
const BY_LENGTH: { id: number; name: Uint8Array }[][] = [];
HEADER_FORMS.forEach((forms, id) => {
  for (const form of forms) {
    if (!form) continue;
    BY_LENGTH[form.length] ??= [];
    BY_LENGTH[form.length]!.push({ id, name: ascii(form) });
  }
});

export function headerAt(bytes: Uint8Array, off: number, len: number): number {
  const candidates = BY_LENGTH[len];
  if (candidates === undefined) return 0;
  const first = bytes[off]! | 32;
  for (let c = 0; c < candidates.length; c++) {
    const { id, name } = candidates[c]!;
    if (name[0] !== first) continue;
    let i = 1;
    while (i < len && (bytes[off + i]! | 32) === name[i]! && bytes[off + i] !== 13) i++;
    // '-' (45) has bit 32 already set, and no control character of a name folds onto a letter that matters here.
    if (i === len) return id;
  }
  return 0;
}
