import { localOf } from '../../../agents/sip/local.js';
import { H, METHOD } from '../../../agents/sip/names.js';
import type { SipMessage } from '../../../agents/sip/parse.js';
import { RPORT, writeTopVia } from '../../../agents/sip/respond.js';
import { uriOf } from '../../../agents/sip/scan.js';
import {
  ascii,
  readIp,
  readUint,
  writeBytes,
  writeHex,
  writeIp,
  writeRange,
  writeUint,
} from '../../../agents/sip/text.js';
import { DATAGRAM_MAX, type UdpPort } from '../../../agents/wire/types.js';

/**
 * Stateless forwarding (RFC 3261 16.11), shared by the edge and the trunk: nothing is remembered, every decision can be
 * made again for a retransmission.
 */
export interface ForwardOptions {
  srcIp: number;
  srcPort: number;
  dstIp: number;
  dstPort: number;
  /** Whole Record-Route line to insert, or null. */
  recordRoute: Uint8Array | null;
  /** The top Route value is ours: take it out. */
  dropTopRoute: boolean;
  /** It came over a connection, and the answer must go back over the same. */
  forceRport?: boolean;
  /** Append ;alias=ip~port~1 to the Contact URI: the sender is behind a NAT and this is where it can be reached. */
  aliasContact: boolean;
  /** Cut ;alias=... out of the Request-URI. */
  stripAlias: boolean;
  /** Stands in for the Request-URI. */
  uri?: Uint8Array | null;
  /** Whole Route lines to insert (RFC 3327 5.3), or null. */
  route?: Uint8Array | null;
}

const CRLF = ascii('\r\n');
const ALIAS = ascii(';alias=');
const RECEIVED = ascii('received');
const range = new Int32Array(2);

/** Sends the request on. False when Max-Forwards is used up (the caller answers 483, or drops an ACK). */
export function forwardRequest(msg: SipMessage, port: UdpPort, o: ForwardOptions): boolean {
  if (msg.maxForwards === 0) return false;
  const { bytes } = msg;
  const at = port.slot();
  const to = port.tx;
  const uriEnd = msg.uriOff + msg.uriLen;
  let p = writeRange(to, at, bytes, msg.off, msg.uriOff - msg.off);
  const alias = o.stripAlias ? aliasOf(bytes, msg.uriOff, msg.uriLen) : -1;
  if (o.uri) p = writeBytes(to, p, o.uri);
  else if (alias >= 0) {
    p = writeRange(to, p, bytes, msg.uriOff, alias - msg.uriOff);
    let rest = alias + ALIAS.length;
    while (rest < uriEnd && bytes[rest] !== 59) rest++;
    p = writeRange(to, p, bytes, rest, uriEnd - rest);
  } else p = writeRange(to, p, bytes, msg.uriOff, msg.uriLen);
  p = writeRange(to, p, bytes, uriEnd, msg.headersOff - uriEnd);
  p = writeVia(msg, port, to, p);
  if (o.recordRoute !== null) p = writeBytes(to, p, o.recordRoute);
  if (o.route) p = writeBytes(to, p, o.route);
  let topVia = true;
  let topRoute = o.dropTopRoute;
  for (let i = 0; i < msg.headerCount; i++) {
    const id = msg.headerId[i]!;
    const line = msg.nameOff[i]!;
    const value = msg.valueOff[i]!;
    const end = value + msg.valueLen[i]!;
    if (id === H.VIA && topVia) {
      topVia = false;
      p = writeRange(to, p, bytes, line, msg.viaOff - line);
      p = writeTopVia(msg, o.srcIp, o.srcPort, to, p, o.forceRport);
      p = writeRange(to, p, bytes, msg.viaOff + msg.viaLen, msg.lineEnd[i]! - msg.viaOff - msg.viaLen);
    } else if (id === H.ROUTE && topRoute) {
      topRoute = false;
      let comma = value;
      let angle = false;
      while (comma < end && (angle || bytes[comma] !== 44)) {
        if (bytes[comma] === 60) angle = true;
        else if (bytes[comma] === 62) angle = false;
        comma++;
      }
      if (comma < end) {
        p = writeRange(to, p, bytes, line, value - line);
        p = writeRange(to, p, bytes, comma + 1, msg.lineEnd[i]! - comma - 1);
      }
    } else if (id === H.MAX_FORWARDS && msg.maxForwards > 0) {
      p = writeRange(to, p, bytes, line, value - line);
      p = writeBytes(to, writeUint(to, p, msg.maxForwards - 1), CRLF);
    } else if (id === H.CONTACT && o.aliasContact && uriOf(bytes, value, msg.valueLen[i]!, range)) {
      const uriStop = range[0]! + range[1]!;
      p = writeRange(to, p, bytes, line, uriStop - line);
      p = writeIp(to, writeBytes(to, p, ALIAS), o.srcIp);
      to[p++] = 126;
      p = writeUint(to, p, o.srcPort);
      to[p++] = 126;
      to[p++] = 49;
      p = writeRange(to, p, bytes, uriStop, msg.lineEnd[i]! - uriStop);
    } else p = writeRange(to, p, bytes, line, msg.lineEnd[i]! - line);
  }
  p = writeBytes(to, p, CRLF);
  p = writeRange(to, p, bytes, msg.bodyOff, msg.bodyLen);
  if (p - at > DATAGRAM_MAX) return false; // our headers made it longer than a datagram of ours can be
  port.commit(p - at, o.dstIp, o.dstPort);
  return true;
}

const VIA = ascii('Via: ');
const BRANCH = ascii(';branch=z9hG4bKfw');

/**
 * Our Via. 16.11: the branch is a function of the received one, so that a retransmission, a CANCEL and the ACK to a
 * non-2xx get the same branch as their INVITE.
 */
function writeVia(msg: SipMessage, port: UdpPort, to: Uint8Array, at: number): number {
  let a = 0x811c9dc5;
  let b = 0x9e3779b9;
  for (let i = 0; i < msg.branchLen; i++) {
    const c = msg.bytes[msg.branchOff + i]!;
    a = Math.imul(a ^ c, 0x01000193);
    b = Math.imul(b + c, 0x5bd1e995) ^ (b >>> 13);
  }
  let p = writeBytes(to, at, VIA);
  p = writeBytes(to, p, localOf(port).via);
  p = writeBytes(to, p, BRANCH);
  p = writeHex(to, writeHex(to, p, a, 8), b, 8);
  return writeBytes(to, p, CRLF);
}

/** Takes our Via off and sends the response to the next one (RFC 3261 16.7, 18.2.2; RFC 3581). False: none is left. */
export function forwardResponse(msg: SipMessage, port: UdpPort): boolean {
  const { bytes } = msg;
  const i = msg.find(H.VIA);
  const end = msg.valueOff[i]! + msg.valueLen[i]!;
  let next = msg.viaOff + msg.viaLen;
  let nextEnd = end;
  let dropLine = true;
  if (next < end) {
    next++; // several Vias in one header
    dropLine = false;
  } else {
    const j = msg.find(H.VIA, 1);
    if (j < 0) return false;
    next = msg.valueOff[j]!;
    nextEnd = next + msg.valueLen[j]!;
  }
  const dst = viaTarget(msg, next, nextEnd);
  if (dst < 0) return false;
  const at = port.slot();
  const to = port.tx;
  let p = writeRange(to, at, bytes, msg.off, msg.nameOff[i]! - msg.off);
  if (!dropLine) {
    p = writeRange(to, p, bytes, msg.nameOff[i]!, msg.valueOff[i]! - msg.nameOff[i]!);
    p = writeRange(to, p, bytes, next, msg.lineEnd[i]! - next);
  }
  p = writeRange(to, p, bytes, msg.lineEnd[i]!, msg.end - msg.lineEnd[i]!);
  port.commit(p - at, dst, targetPort);
  return true;
}

let targetPort = 0;

/** received and rport if they are there, else sent-by; -1 when it is a name. Port through targetPort. */
function viaTarget(msg: SipMessage, off: number, end: number): number {
  const { bytes } = msg;
  let stop = off;
  while (stop < end && bytes[stop] !== 44) stop++;
  let p = off;
  while (p < stop && bytes[p] !== 32) p++;
  while (p < stop && bytes[p] === 32) p++;
  const host = p;
  while (p < stop && bytes[p] !== 58 && bytes[p] !== 59 && bytes[p] !== 32) p++;
  let ip = readIp(bytes, host, p - host);
  targetPort = bytes[p] === 58 ? readUint(bytes, p + 1, stop) : 5060;
  while (p < stop && bytes[p] !== 59) p++;
  if (msg.param(p, stop, RECEIVED)) ip = readIp(bytes, msg.foundOff, msg.foundLen);
  if (msg.param(p, stop, RPORT) && msg.foundLen > 0) {
    targetPort = readUint(bytes, msg.foundOff, msg.foundOff + msg.foundLen);
  }
  return ip;
}

/** Offset of ';alias=' in a URI, -1 without. */
export function aliasOf(bytes: Uint8Array, off: number, len: number): number {
  for (let i = off; i + ALIAS.length <= off + len; i++) {
    let k = 0;
    while (k < ALIAS.length && bytes[i + k] === ALIAS[k]) k++;
    if (k === ALIAS.length) return i;
  }
  return -1;
}

/** ip and port of ;alias=ip~port~1 at `at` (as aliasOf found it), through `out`; false when it is malformed. */
export function readAlias(bytes: Uint8Array, at: number, out: Float64Array): boolean {
  const start = at + ALIAS.length;
  let p = start;
  while (bytes[p] !== 126 && p - start < 16) p++;
  const ip = readIp(bytes, start, p - start);
  const port = readUint(bytes, p + 1, p + 6);
  if (ip < 0 || port <= 0) return false;
  out[0] = ip;
  out[1] = port;
  return true;
}

/** A request that opens a dialog or stands alone (RFC 3261 12): no To tag. CANCEL and non-2xx ACKs follow their INVITE. */
export function isInitial(msg: SipMessage): boolean {
  return msg.toTagLen === 0 || msg.method === METHOD.CANCEL;
}

/** FNV-1a over the Call-ID: the same call always meets the same node. */
export function callIdHash(msg: SipMessage): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < msg.callIdLen; i++) h = Math.imul(h ^ msg.bytes[msg.callIdOff + i]!, 0x01000193);
  h ^= h >>> 15;
  return h >>> 0;
}
