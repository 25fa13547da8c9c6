import { H } from './names.js';
import type { SipMessage } from './parse.js';
import { ascii, readIp, readUint, writeBytes, writeIp, writeRange, writeUint } from './text.js';

const TO_TAG = ascii(';tag=');
const RECEIVED = ascii(';received=');
export const RPORT = ascii('rport');
const RPORT_VALUE = ascii(';rport=');
export const EMPTY_BODY = ascii('Content-Length: 0\r\n\r\n');

/** 'SIP/2.0 486 Busy Here\r\n', encoded once per status. */
const lines = new Map<number, Uint8Array>();
const PHRASES: Record<number, string> = {
  100: 'Trying',
  180: 'Ringing',
  183: 'Session Progress',
  200: 'OK',
  202: 'Accepted',
  400: 'Bad Request',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  406: 'Not Acceptable',
  408: 'Request Timeout',
  415: 'Unsupported Media Type',
  416: 'Unsupported URI Scheme',
  420: 'Bad Extension',
  422: 'Session Interval Too Small',
  480: 'Temporarily Unavailable',
  481: 'Call/Transaction Does Not Exist',
  482: 'Loop Detected',
  483: 'Too Many Hops',
  486: 'Busy Here',
  487: 'Request Terminated',
  488: 'Not Acceptable Here',
  491: 'Request Pending',
  500: 'Server Internal Error',
  501: 'Not Implemented',
  503: 'Service Unavailable',
  504: 'Server Time-out',
};

export function statusLine(status: number): Uint8Array {
  let line = lines.get(status);
  if (line === undefined) {
    line = ascii(`SIP/2.0 ${status} ${PHRASES[status] ?? 'Other'}\r\n`);
    lines.set(status, line);
  }
  return line;
}

/**
 * What every response repeats of its request (RFC 3261 8.2.6.2): all Vias in order, Record-Routes, From, To, Call-ID,
 * CSeq. The top Via gets received and rport as RFC 3581 4 says; To gets `tag` if it has none and one is given.
 * Returns the position after it.
 */
export function writeEcho(
  msg: SipMessage,
  srcIp: number,
  srcPort: number,
  tag: Uint8Array | null,
  to: Uint8Array,
  at: number,
): number {
  const { bytes } = msg;
  let p = at;
  let topVia = true;
  for (let i = 0; i < msg.headerCount; i++) {
    const id = msg.headerId[i]!;
    if (id !== H.VIA && id !== H.FROM && id !== H.TO && id !== H.CALL_ID && id !== H.CSEQ && id !== H.RECORD_ROUTE) {
      continue;
    }
    const lineStart = msg.nameOff[i]!;
    const valueEnd = msg.valueOff[i]! + msg.valueLen[i]!;
    if (id === H.VIA && topVia) {
      topVia = false;
      p = writeTopVia(msg, srcIp, srcPort, to, writeRange(to, p, bytes, lineStart, msg.viaOff - lineStart));
      const rest = msg.viaOff + msg.viaLen;
      p = writeRange(to, p, bytes, rest, valueEnd - rest);
    } else p = writeRange(to, p, bytes, lineStart, valueEnd - lineStart);
    if (id === H.TO && tag !== null && msg.toTagLen === 0) {
      p = writeBytes(to, p, TO_TAG);
      p = writeBytes(to, p, tag);
    }
    to[p++] = 13;
    to[p++] = 10;
  }
  return p;
}

/**
 * The top Via value as a server writes it: `;rport` filled in where it was asked for (RFC 3581 4), and `;received` then,
 * or when sent-by is not the address that the request came from (RFC 3261 18.2.1). `force`: rport unasked, where only the
 * connection that it came over leads back.
 */
export function writeTopVia(
  msg: SipMessage,
  srcIp: number,
  srcPort: number,
  to: Uint8Array,
  at: number,
  force = false,
): number {
  const { bytes } = msg;
  const end = msg.viaOff + msg.viaLen;
  let p: number;
  if (msg.param(msg.sentByOff + msg.sentByLen, end, RPORT)) {
    if (msg.foundLen > 0) return writeRange(to, at, bytes, msg.viaOff, msg.viaLen);
    // '=' and white space may stand between the name and the value that is not there.
    let nameEnd = msg.foundOff;
    while (bytes[nameEnd - 1] === 61 || bytes[nameEnd - 1]! <= 32) nameEnd--;
    p = writeRange(to, at, bytes, msg.viaOff, nameEnd - msg.viaOff);
    to[p++] = 61;
    p = writeUint(to, p, srcPort);
    p = writeRange(to, p, bytes, msg.foundOff, end - msg.foundOff);
  } else {
    p = writeRange(to, at, bytes, msg.viaOff, msg.viaLen);
    if (sentByIp(msg) === srcIp && !force) return p;
    if (force) p = writeUint(to, writeBytes(to, p, RPORT_VALUE), srcPort);
  }
  // A Via that ends in ';' would get an empty parameter.
  let last = p - 1;
  while (last > at && to[last]! <= 32) last--;
  return writeIp(to, writeBytes(to, to[last] === 59 ? last : p, RECEIVED), srcIp);
}

/** -1 when sent-by is a name. */
function sentByIp(msg: SipMessage): number {
  const { bytes, sentByOff: off, sentByLen: len } = msg;
  let length = 0;
  if (bytes[off] === 91) while (length < len && bytes[off + length] !== 93) length++;
  while (length < len && bytes[off + length] !== 58) length++;
  return readIp(bytes, off, length);
}

/** Port that responses to this request go to: the source's if rport was asked (RFC 3581), else sent-by's (18.2.2). */
export function responsePort(msg: SipMessage, srcPort: number): number {
  if (msg.param(msg.sentByOff + msg.sentByLen, msg.viaOff + msg.viaLen, RPORT)) return srcPort;
  const end = msg.sentByOff + msg.sentByLen;
  // What follows the last colon, unless that colon is an IPv6 address's ("[2001:db8::9:1]").
  for (let i = end - 1; i >= msg.sentByOff && msg.bytes[i] !== 93; i--) {
    if (msg.bytes[i] !== 58) continue;
    const port = readUint(msg.bytes, i + 1, end);
    return port > 0 && port <= 65535 ? port : 5060;
  }
  return 5060;
}
