import { H, METHOD } from './names.js';
import type { SipMessage } from './parse.js';
import { ALLOW_LINE } from './refuse.js';
import { ascii, equalsIgnoreCase, latin1 } from './text.js';
import type { UriView } from './uri.js';

/**
 * What a UAS that takes calls objects to in a request outside of a dialog (RFC 3261 8.2): the status to answer it with,
 * and header lines that say more. Nothing is allocated for a request without fault.
 */
export interface Objection {
  readonly status: number;
  readonly extra: Uint8Array | null;
}

const objection = (status: number, extra = ''): Objection => ({ status, extra: extra === '' ? null : ascii(extra) });

const BAD_URI = objection(400, 'Warning: 399 deadair "Malformed Request-URI"\r\n');
/** RFC 3261 8.1.1.8: an INVITE without a usable Contact cannot make a dialog; nor can one too long to be echoed. */
export const NO_DIALOG = objection(400, 'Warning: 399 deadair "No usable Contact, or too long"\r\n');
const UNKNOWN_METHOD = objection(501, ALLOW_LINE);
const METHOD_NOT_ALLOWED = objection(405, ALLOW_LINE);
const NO_SUCH_CALL = objection(481);
const UNSUPPORTED_SCHEME = objection(416);
const UNSUPPORTED_TYPE = objection(415, 'Accept: application/sdp\r\n');
const NOT_ACCEPTABLE = objection(406, 'Warning: 399 deadair "Accept leaves out application/sdp"\r\n');

const SIP = ascii('sip:');
const SIPS = ascii('sips:');
const SDP = ascii('application/sdp');
const MULTIPART = ascii('multipart/');
const ACCEPTED = ['application/sdp', 'application/*', '*/*'].map(ascii);
const DISPOSITION = ascii('content-disposition');
const OPTIONAL = ascii('handling=optional');

/** null: none. `uri` holds the Request-URI afterwards. */
export function objectionTo(msg: SipMessage, uri: UriView): Objection | null {
  const { bytes } = msg;
  const readable = uri.parse(bytes, msg.uriOff, msg.uriLen);
  const sip =
    readable || startsWith(bytes, msg.uriOff, msg.uriLen, SIP) || startsWith(bytes, msg.uriOff, msg.uriLen, SIPS);
  if (sip && !readable) return BAD_URI;
  // 8.2.1; 501 is for methods that are not even known (21.5.2).
  if (msg.method === 0) return UNKNOWN_METHOD;
  if (msg.method === METHOD.BYE) return NO_SUCH_CALL; // 15.1.2
  if (msg.method !== METHOD.INVITE && msg.method !== METHOD.OPTIONS) return METHOD_NOT_ALLOWED;
  if (!sip) return UNSUPPORTED_SCHEME; // 8.2.2.1
  let found: Objection | null = null;
  let accept = -1;
  for (let i = 0; i < msg.headerCount; i++) {
    const id = msg.headerId[i]!;
    if (id === H.REQUIRE && !understood(msg, i)) return unsupported(msg); // 8.2.2.3
    if (id === H.CONTENT_TYPE && msg.bodyLen > 0 && !readableBody(msg, i)) found = UNSUPPORTED_TYPE; // 8.2.3
    if (id === H.ACCEPT && accept !== 1) accept = acceptsSdp(msg, i) ? 1 : 0;
  }
  // 21.4.7; for OPTIONS our answer has no body, so nothing of it is unacceptable.
  return found ?? (accept === 0 && msg.method === METHOD.INVITE ? NOT_ACCEPTABLE : null);
}

/** The option tags that we act on: RFC 3262, RFC 4028. */
const EXTENSIONS = ['100rel', 'timer'];

/** Require is rare, so text will do. */
function understood(msg: SipMessage, header: number): boolean {
  return tagsOf(msg, header).every((tag) => EXTENSIONS.includes(tag.toLowerCase()));
}

function tagsOf(msg: SipMessage, header: number): string[] {
  const value = latin1(msg.bytes, msg.valueOff[header]!, msg.valueLen[header]!);
  return value.split(',').map((tag) => tag.trim());
}

function unsupported(msg: SipMessage): Objection {
  const tags: string[] = [];
  for (let n = 0, i = msg.find(H.REQUIRE); i >= 0; i = msg.find(H.REQUIRE, ++n)) {
    tags.push(...tagsOf(msg, i).filter((tag) => !EXTENSIONS.includes(tag.toLowerCase())));
  }
  return objection(420, `Unsupported: ${tags.join(', ')}\r\n`);
}

/** SDP, or a multipart that may have SDP in it; what is not may still be optional (RFC 3261 20.11). */
function readableBody(msg: SipMessage, type: number): boolean {
  const { bytes } = msg;
  const off = msg.valueOff[type]!;
  const len = msg.valueLen[type]!;
  const after = len > SDP.length ? bytes[off + SDP.length]! : 59;
  if (startsWith(bytes, off, len, SDP) && (after === 59 || after <= 32)) return true;
  if (startsWith(bytes, off, len, MULTIPART)) return true;
  for (let i = 0; i < msg.headerCount; i++) {
    const isDisposition = equalsIgnoreCase(bytes, msg.nameOff[i]!, DISPOSITION.length, DISPOSITION);
    if (isDisposition && contains(bytes, msg.valueOff[i]!, msg.valueLen[i]!, OPTIONAL)) return true;
  }
  return false;
}

function acceptsSdp(msg: SipMessage, header: number): boolean {
  const off = msg.valueOff[header]!;
  for (const type of ACCEPTED) if (contains(msg.bytes, off, msg.valueLen[header]!, type)) return true;
  return false;
}

function startsWith(bytes: Uint8Array, off: number, len: number, lower: Uint8Array): boolean {
  return len >= lower.length && equalsIgnoreCase(bytes, off, lower.length, lower);
}

function contains(bytes: Uint8Array, off: number, len: number, lower: Uint8Array): boolean {
  for (let at = 0; at + lower.length <= len; at++) {
    if (equalsIgnoreCase(bytes, off + at, lower.length, lower)) return true;
  }
  return false;
}
