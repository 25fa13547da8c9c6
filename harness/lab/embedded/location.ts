import { H } from '../../../agents/sip/names.js';
import type { SipMessage } from '../../../agents/sip/parse.js';
import { uriOf } from '../../../agents/sip/scan.js';
import { ascii, equalsIgnoreCase, latin1 } from '../../../agents/sip/text.js';
import { UriView } from '../../../agents/sip/uri.js';
import { ipToString } from '../../../agents/wire/types.js';
import type { Prng } from '../../prng.js';
import type { BindingRow } from './credentials.js';

/** A contact that an address-of-record is bound to (RFC 3261 10.3). */
export interface Binding {
  readonly uri: string;
  /** Contact parameters other than q and expires, as they came, each with its semicolon. */
  params: string;
  q: number;
  callId: string;
  cseq: number;
  expiresUs: number;
  /** Path header values, topmost first (RFC 3327): how to reach it, when there are any. */
  path: readonly string[];
  /** Where the REGISTER came from: for a phone behind a NAT, the only address that reaches it. */
  receivedIp: number;
  receivedPort: number;
}

export interface ContactWish {
  uri: string;
  params: string;
  q: number;
  /** NaN when the contact has no expires of its own; 0 removes the binding. */
  expiresS: number;
}

export interface RegisterWish {
  callId: string;
  cseq: number;
  /** Null: `Contact: *`, every binding is to go. */
  contacts: readonly ContactWish[] | null;
  path: readonly string[];
  receivedIp: number;
  receivedPort: number;
}

/** RFC 3261 10.2.1.1: a malformed expires is an hour. */
const MALFORMED_S = 3600;

export interface ExpiryPolicy {
  /** When neither Contact nor Expires says. */
  defaultExpiresS: number;
  /** Less than this is refused with 423 (RFC 3261 10.3 step 7). */
  minExpiresS: number;
  /** More than this is cut. */
  maxExpiresS: number;
  /** Staggered expiry: what is granted is uniform in [1 - expiresSpread, 1] of that. */
  expiresSpread: number;
}

export const EXPIRY_DEFAULTS = { defaultExpiresS: 3600, minExpiresS: 60, maxExpiresS: 3600, expiresSpread: 0 } as const;

/** Seconds granted to each contact; null when one asks for too few. `headerS`: Expires, -1 without one. */
export function grant(
  contacts: readonly ContactWish[],
  headerS: number,
  policy: ExpiryPolicy,
  chance: Prng,
): number[] | null {
  const granted: number[] = [];
  for (const { expiresS } of contacts) {
    const wanted = Number.isNaN(expiresS) ? (headerS < 0 ? policy.defaultExpiresS : headerS) : expiresS;
    if (wanted > 0 && wanted < policy.minExpiresS) return null;
    const spread = Math.min(wanted, policy.maxExpiresS) * (1 - policy.expiresSpread * chance.next());
    granted.push(wanted === 0 ? 0 : Math.max(policy.minExpiresS, Math.round(spread)));
  }
  return granted;
}

const uri = new UriView();
const range = new Int32Array(2);

/** An address-of-record. */
export interface Aor {
  user: string;
  domain: string;
  /** user@domain */
  aor: string;
}

/** RFC 3261 10.3 step 5: To's URI without parameters, the user unescaped; a domain has no case. False: there is none. */
export function readAor(msg: SipMessage, to: Aor): boolean {
  const { bytes, toOff, toLen } = msg;
  if (!uriOf(bytes, toOff, toLen, range) || !uri.parse(bytes, range[0]!, range[1]!) || uri.userLen === 0) return false;
  to.user = latin1(bytes, uri.userOff, uri.userLen).replace(/%([0-9a-f]{2})/gi, (_, hex) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  to.domain = latin1(bytes, uri.hostOff, uri.hostLen).toLowerCase();
  to.aor = `${to.user}@${to.domain}`;
  return true;
}

/** The request's contacts with `expires` and `q`; null for `*`; 'bad' when they cannot be read, or `*` is not alone. */
export function readContacts(msg: SipMessage): ContactWish[] | null | 'bad' {
  const contacts: ContactWish[] = [];
  let star = false;
  for (let n = 0, i = msg.find(H.CONTACT); i >= 0; i = msg.find(H.CONTACT, ++n)) {
    for (const value of split(msg.text(msg.valueOff[i]!, msg.valueLen[i]!), ',')) {
      if (value === '*') star = true;
      else {
        const contact = readContact(value);
        if (contact === null) return 'bad';
        contacts.push(contact);
      }
    }
  }
  if (star) return contacts.length === 0 ? null : 'bad';
  return contacts;
}

const PATH = ascii('path');

/** The values of Path, topmost first (RFC 3327 5.3). */
export function readPath(msg: SipMessage): string[] {
  const path: string[] = [];
  for (let i = headerNamed(msg, PATH); i >= 0; i = headerNamed(msg, PATH, i + 1)) {
    path.push(...split(msg.text(msg.valueOff[i]!, msg.valueLen[i]!), ','));
  }
  return path;
}

/** Index of the first header with that name (lower case), known to the parser or not, at or after `from`; -1 if none. */
export function headerNamed(msg: SipMessage, lower: Uint8Array, from = 0): number {
  for (let i = from; i < msg.headerCount; i++) {
    const at = msg.nameOff[i]!;
    if (!equalsIgnoreCase(msg.bytes, at, lower.length, lower)) continue;
    const after = msg.bytes[at + lower.length];
    if (after === 58 || after === 32 || after === 9) return i;
  }
  return -1;
}

/** Option tags of Supported or Require, in lower case. */
export function optionTags(msg: SipMessage, header: number): string[] {
  const tags: string[] = [];
  for (let n = 0, i = msg.find(header); i >= 0; i = msg.find(header, ++n)) {
    for (const tag of split(msg.text(msg.valueOff[i]!, msg.valueLen[i]!), ',')) {
      if (tag !== '') tags.push(tag.toLowerCase());
    }
  }
  return tags;
}

function readContact(value: string): ContactWish | null {
  // name-addr or addr-spec: without brackets every parameter is the header's (RFC 3261 20.10).
  const m = /^(?:"(?:[^"\\]|\\.)*"|[^"<>;]*)\s*<([^<>]+)>(.*)$/s.exec(value);
  const parts = split(m === null ? value : (m[2] ?? ''), ';');
  const uri = m === null ? parts[0]! : m[1]!.trim();
  if (!/^[a-z][a-z0-9+.-]*:[^\s<>"]+$/i.test(uri)) return null;
  let q = Number.NaN;
  let expiresS = Number.NaN;
  let params = '';
  for (const param of parts.slice(1)) {
    const [name, text] = pair(param);
    if (name === 'q') q = /^(0(\.\d{0,3})?|1(\.0{0,3})?)$/.test(text) ? Number(text) : Number.NaN;
    else if (name === 'expires') expiresS = /^\d{1,10}$/.test(text) ? Number(text) : MALFORMED_S;
    else if (name !== '') params += `;${param}`;
  }
  return { uri, params, q, expiresS };
}

/** At separators outside of quotes and brackets; white space around the parts is dropped. */
function split(text: string, separator: string): string[] {
  const parts: string[] = [];
  let start = 0;
  let quoted = false;
  let bracketed = false;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (quoted && c === '\\') i++;
    else if (c === '"') quoted = !quoted;
    else if (!quoted && c === '<') bracketed = true;
    else if (!quoted && c === '>') bracketed = false;
    else if (c === separator && !quoted && !bracketed) {
      parts.push(text.slice(start, i).trim());
      start = i + 1;
    }
  }
  parts.push(text.slice(start).trim());
  return parts;
}

function pair(param: string): [name: string, value: string] {
  const at = param.indexOf('=');
  return at < 0 ? [param.toLowerCase(), ''] : [param.slice(0, at).trim().toLowerCase(), param.slice(at + 1).trim()];
}

/** Parameters that make two URIs differ even when only one of them has it (RFC 3261 19.1.4). */
const DECISIVE = new Set(['user', 'ttl', 'method', 'maddr', 'transport']);

/** RFC 3261 19.1.4 for sip and sips; other schemes by their letters. Escapes are compared as they stand. */
export function sameUri(a: string, b: string): boolean {
  if (a === b) return true;
  const [x, y] = [
    /^(sips?):(?:([^@]*)@)?([^;?]+)([^?]*)(.*)$/i.exec(a),
    /^(sips?):(?:([^@]*)@)?([^;?]+)([^?]*)(.*)$/i.exec(b),
  ];
  if (x === null || y === null) return false;
  // Scheme and host without case, the user with; a port that is written is not the same as none.
  if (x[1]!.toLowerCase() !== y[1]!.toLowerCase() || x[2] !== y[2] || x[3]!.toLowerCase() !== y[3]!.toLowerCase()) {
    return false;
  }
  if (x[5] !== y[5]) return false;
  const [p, r] = [new Map(split(x[4]!, ';').map(pair)), new Map(split(y[4]!, ';').map(pair))];
  for (const [one, other] of [
    [p, r],
    [r, p],
  ] as const) {
    for (const [name, value] of one) {
      const there = other.get(name);
      if (there === undefined ? DECISIVE.has(name) : there.toLowerCase() !== value.toLowerCase()) return false;
    }
  }
  return true;
}

/** As it is told in a 200 (RFC 3261 10.3 step 8). */
export function contactLine({ uri, params, q, expiresUs }: Binding, nowUs: number): string {
  const left = Math.ceil((expiresUs - nowUs) / 1e6);
  return `Contact: <${uri}>;expires=${left}${Number.isNaN(q) ? '' : `;q=${q}`}${params}\r\n`;
}

/** As it is written to the database. */
export function rowOf(aor: string, binding: Binding): BindingRow {
  const { uri, callId, cseq, expiresUs, path, receivedIp, receivedPort } = binding;
  const received = `sip:${ipToString(receivedIp)}:${receivedPort}`;
  return { aor, contact: uri, callId, cseq, expiresMs: expiresUs / 1000, path: path.join(','), received };
}

/** The location service: which contacts an address-of-record has now. */
export class Location {
  bindings = 0;
  expiredTotal = 0;
  /** What the last update() changed; `expiresUs` 0 is a removal. */
  readonly changed: Binding[] = [];
  readonly #records = new Map<string, Binding[]>();
  /** Addresses-of-record to look at, by the second in which something of theirs may expire. */
  readonly #due = new Map<number, Set<string>>();
  #second: number;

  constructor(
    private readonly maxContacts: number,
    nowUs: number,
  ) {
    this.#second = Math.floor(nowUs / 1e6);
  }

  /** Bindings that are valid now, preferred ones first (RFC 3261 16.6 step 10: higher q), then the latest. */
  find(aor: string, nowUs: number): Binding[] {
    const record = this.#records.get(aor);
    if (record === undefined) return [];
    return record.filter((b) => b.expiresUs > nowUs).sort((a, b) => rank(b) - rank(a) || b.expiresUs - a.expiresUs);
  }

  /**
   * RFC 3261 10.3 steps 6 and 7, all or nothing. `expiresS` has each contact's granted lifetime. 200; 500 when a binding
   * of this Call-ID has seen this CSeq or a later one; 503 beyond the contacts that one may have.
   */
  update(aor: string, wish: RegisterWish, expiresS: readonly number[], nowUs: number): 200 | 500 | 503 {
    const record = this.#records.get(aor) ?? [];
    const now = record.filter((b) => b.expiresUs > nowUs);
    const meant = wish.contacts === null ? now : wish.contacts.map((c) => now.find((b) => sameUri(b.uri, c.uri)));
    this.changed.length = 0;
    for (const b of meant) if (b !== undefined && b.callId === wish.callId && b.cseq >= wish.cseq) return 500;
    const next = now.filter((b) => !meant.includes(b));
    wish.contacts?.forEach((contact, i) => {
      const { uri, params, q } = contact;
      const old = meant[i];
      const removes = expiresS[i] === 0;
      // The same URI may have been written another way.
      if (old !== undefined && (removes || old.uri !== uri)) this.changed.push({ ...old, expiresUs: 0 });
      // One URI twice in a request: the last one counts.
      const twice = next.findIndex((b) => sameUri(b.uri, uri));
      if (twice >= 0) next.splice(twice, 1);
      if (removes) return;
      const { callId, cseq, path, receivedIp, receivedPort } = wish;
      const expiresUs = nowUs + expiresS[i]! * 1e6;
      const binding = { uri, params, q, callId, cseq, expiresUs, path, receivedIp, receivedPort };
      next.push(binding);
      this.changed.push(binding);
    });
    if (next.length > this.maxContacts) {
      this.changed.length = 0;
      return 503;
    }
    if (wish.contacts === null) for (const b of now) this.changed.push({ ...b, expiresUs: 0 });
    this.expiredTotal += record.length - now.length;
    this.#keep(aor, next);
    for (const b of this.changed) if (b.expiresUs > 0) this.#watch(aor, b.expiresUs);
    return 200;
  }

  /** Drops what has expired, once a second. */
  tick(nowUs: number): number {
    for (const second = Math.floor(nowUs / 1e6); this.#second < second; ) {
      this.#second++;
      const due = this.#due.get(this.#second);
      if (due === undefined) continue;
      this.#due.delete(this.#second);
      for (const aor of due) {
        const record = this.#records.get(aor);
        if (record === undefined) continue;
        const left = record.filter((b) => b.expiresUs > nowUs);
        this.expiredTotal += record.length - left.length;
        this.#keep(aor, left);
      }
    }
    return this.bindings > 0 ? (this.#second + 1) * 1e6 : Number.POSITIVE_INFINITY;
  }

  #keep(aor: string, next: Binding[]): void {
    this.bindings += next.length - (this.#records.get(aor)?.length ?? 0);
    if (next.length === 0) this.#records.delete(aor);
    else this.#records.set(aor, next);
  }

  #watch(aor: string, expiresUs: number): void {
    const second = Math.max(this.#second + 1, Math.ceil(expiresUs / 1e6));
    let due = this.#due.get(second);
    if (due === undefined) {
      due = new Set();
      this.#due.set(second, due);
    }
    due.add(aor);
  }
}

/** RFC 3261 leaves open what no q means; it is 1, as everywhere. */
function rank(binding: Binding): number {
  return Number.isNaN(binding.q) ? 1 : binding.q;
}
