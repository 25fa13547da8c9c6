import { H } from '../../../agents/sip/names.js';
import type { SipMessage } from '../../../agents/sip/parse.js';
import { EMPTY_BODY, statusLine, writeEcho } from '../../../agents/sip/respond.js';
import { uriOf } from '../../../agents/sip/scan.js';
import { DIRECTION, sdpLength, writeSdp } from '../../../agents/sip/sdp.js';
import type { SipStack } from '../../../agents/sip/stack.js';
import { TAG_LENGTH, writeTag } from '../../../agents/sip/tag.js';
import { ascii, writeBytes, writeRange, writeUint } from '../../../agents/sip/text.js';
import type { UriView } from '../../../agents/sip/uri.js';
import { ipToString } from '../../../agents/wire/types.js';
import type { Endpoint } from './addresses.js';
import type { CdrRow } from './cdr.js';
import type { RelaySession } from './relay.js';

/** The two legs of a call: A is the subscriber's, B goes to the trunk. Dialog and tag number = call * 2 + leg. */
export const A = 0;
export const B = 1;

export const FREE = 0;
export const SETUP = 1;
export const UP = 2;
export const ENDING = 3;

export interface Call {
  state: number;
  /** Server transaction of the INVITE while it has no final answer; -1 after. */
  aTx: number;
  bTx: number;
  trunk: number;
  head: Uint8Array;
  offer: Uint8Array;
  user: string;
  /** Of the caller, as in its From: the caller's number. */
  caller: string;
  /** Whose call it is: the site's address, from the same From. */
  tenant: string;
  callId: string;
  relay: RelaySession | null;
  startUs: number;
  answerUs: number;
  cancelled: boolean;
  /** B's side was answered: it wants a BYE. */
  bUp: boolean;
  bCseq: number;
  /** Header lines of the subscriber's INVITE that are the parties' own affair: session timers, 100rel. */
  lines: Uint8Array;
  /** Of the SDPs that the node wrote. */
  version: number;
  /** Since when each side is to send audio, us; NaN while it is on hold. */
  speaksSinceUs: [number, number];
  /** Display name of the caller's From, with its quotes; a PBX shows that too. Empty: it has none. */
  callerName: string;
}

const range = new Int32Array(2);

/** User of the From, which a PBX shows to the called, and its host: the site that pays. `uri` is used up. */
export function callerOf(msg: SipMessage, uri: UriView): { user: string; site: string } {
  const found = uriOf(msg.bytes, msg.fromOff, msg.fromLen, range) && uri.parse(msg.bytes, range[0]!, range[1]!);
  if (!found) return { user: 'anonymous', site: '' };
  const user = uri.userLen > 0 ? msg.text(uri.userOff, uri.userLen) : 'anonymous';
  return { user, site: msg.text(uri.hostOff, uri.hostLen) };
}

/** Header fields that a node passes on between the legs, in requests and in answers. */
export const SIGNALLED: readonly number[] = [
  H.SUPPORTED,
  H.REQUIRE,
  H.ALLOW,
  H.SESSION_EXPIRES,
  H.MIN_SE,
  H.RSEQ,
  H.REFER_TO,
  H.REFERRED_BY,
  H.EVENT,
  H.SUBSCRIPTION_STATE,
  H.RETRY_AFTER,
  H.REASON,
];

/** Whole lines of those headers, as they came. */
export function copyLines(msg: SipMessage, ids: readonly number[]): Uint8Array {
  const lines: Uint8Array[] = [];
  for (let i = 0; i < msg.headerCount; i++) {
    if (ids.includes(msg.headerId[i]!)) lines.push(msg.bytes.slice(msg.nameOff[i]!, msg.lineEnd[i]!));
  }
  return lines.length === 0 ? NOTHING : new Uint8Array(Buffer.concat(lines));
}
const NOTHING = new Uint8Array(0);
const TYPE = ascii('Content-Type: ');
const LENGTH = ascii('\r\nContent-Length: ');

/** What an answer repeats of its request, kept for when it is sent. */
export function echoOf(msg: SipMessage, srcIp: number, srcPort: number, tag: Uint8Array | null): Uint8Array {
  const echo = new Uint8Array(2048);
  return echo.slice(0, writeEcho(msg, srcIp, srcPort, tag, echo, 0));
}

export function newCall(
  msg: SipMessage,
  tx: number,
  head: Uint8Array,
  user: string,
  caller: { user: string; site: string },
  relay: RelaySession | null,
  nowUs: number,
): Call {
  return {
    state: SETUP,
    aTx: tx,
    bTx: -1,
    trunk: 0,
    head,
    offer: msg.bytes.slice(msg.bodyOff, msg.bodyOff + msg.bodyLen),
    user,
    caller: caller.user,
    tenant: caller.site,
    callId: msg.text(msg.callIdOff, msg.callIdLen),
    relay,
    startUs: nowUs,
    answerUs: Number.NaN,
    cancelled: false,
    bUp: false,
    bCseq: 1,
    lines: copyLines(msg, SIGNALLED),
    version: 1,
    speaksSinceUs: [Number.NaN, Number.NaN],
    callerName: nameOf(msg),
  };
}

const QUOTE = 34;
function nameOf(msg: SipMessage): string {
  const quoted = msg.fromLen > 0 && msg.bytes[msg.fromOff] === QUOTE;
  return quoted && uriOf(msg.bytes, msg.fromOff, msg.fromLen, range)
    ? msg.text(msg.fromOff, range[0]! - 1 - msg.fromOff)
    : '';
}

/** An answer without a body, from what was kept of its request. */
export function answerEmpty(stack: SipStack, tx: number, status: number, echo: Uint8Array, nowUs: number): void {
  const { port } = stack;
  const at = port.slot();
  const p = writeBytes(port.tx, writeBytes(port.tx, at, statusLine(status)), echo);
  stack.server.send(tx, status, at, writeBytes(port.tx, p, EMPTY_BODY) - at, nowUs);
}

export function newTag(leg: number, generation: number, salt: number): Uint8Array {
  const tag = new Uint8Array(TAG_LENGTH);
  writeTag(tag, 0, leg, generation, salt & 0xffff);
  return tag;
}

export function cdrOf(call: Call, o: { number: number; t0Us: number }, code: number, nowUs: number): CdrRow {
  return {
    callId: call.callId,
    node: o.number,
    tenant: call.tenant,
    from: call.caller,
    to: call.user,
    startMs: (call.startUs - o.t0Us) / 1000,
    answeredMs: (call.answerUs - o.t0Us) / 1000,
    endedMs: (nowUs - o.t0Us) / 1000,
    code,
  };
}

/** A body as it came, with its type. */
export function writePlain(msg: SipMessage, to: Uint8Array, at: number): number {
  const i = msg.find(H.CONTENT_TYPE);
  let p = writeBytes(to, at, TYPE);
  if (i < 0) p = writeBytes(to, p, SDP);
  else p = writeRange(to, p, msg.bytes, msg.valueOff[i]!, msg.valueLen[i]!);
  p = writeUint(to, writeBytes(to, p, LENGTH), msg.bodyLen);
  p = writeBytes(to, p, CRLF2);
  return writeRange(to, p, msg.bytes, msg.bodyOff, msg.bodyLen);
}
const SDP = ascii('application/sdp');

const SDP_HEAD = ascii('Content-Type: application/sdp\r\nContent-Length: ');
const CRLF2 = ascii('\r\n\r\n');

/** SDP towards a leg: the relay's address; without a relay the other party's SDP as it came. */
export function writeBody(
  call: Call,
  leg: 0 | 1,
  to: Uint8Array,
  at: number,
  direction: number = DIRECTION.SENDRECV,
): number {
  const { relay, version } = call;
  const length = relay === null ? call.offer.length : sdpLength(relay.relay.ip, relay.port(leg), 1, version);
  let p = writeBytes(to, at, SDP_HEAD);
  p = writeUint(to, p, length);
  p = writeBytes(to, p, CRLF2);
  if (relay === null) return writeBytes(to, p, call.offer);
  return writeSdp(to, p, relay.relay.ip, relay.port(leg), 1, version, direction);
}

/** The INVITE towards the call's current trunk: a new dialog of our own (RFC 7092), the called number kept. */
export function writeTrunkInvite(
  call: Call,
  from: Endpoint,
  trunk: Endpoint,
  tag: Uint8Array,
  branch: (to: Uint8Array, at: number) => number,
  contact: Uint8Array,
  to: Uint8Array,
  at: number,
): number {
  const host = `${ipToString(from.ip)}:${from.port}`;
  const target = `${ipToString(trunk.ip)}:${trunk.port}`;
  let p = writeBytes(
    to,
    at,
    ascii(`INVITE sip:${call.user}@${target} SIP/2.0\r\nVia: SIP/2.0/UDP ${host};rport;branch=`),
  );
  p = branch(to, p);
  const headers =
    `\r\nMax-Forwards: 69\r\nFrom: ${call.callerName}<sip:${call.caller}@${host}>;tag=${Buffer.from(tag).toString('latin1')}\r\n` +
    `To: <sip:${call.user}@${target}>\r\nCall-ID: b2b-${call.callId}\r\nCSeq: ${call.bCseq} INVITE\r\n`;
  p = writeBytes(to, p, ascii(headers));
  p = writeBytes(to, writeBytes(to, p, contact), call.lines);
  return writeBody(call, B, to, p);
}

/** How long the quieter side that is not on hold has sent no audio, us; 0 when the media does not come by us. */
export function quietUs(call: Call, nowUs: number): number {
  const { relay, speaksSinceUs } = call;
  if (relay === null) return 0;
  let longest = 0;
  for (const side of [A, B] as const) {
    const since = speaksSinceUs[side];
    if (Number.isNaN(since)) continue;
    const last = relay.lastRtpUs(side);
    longest = Math.max(longest, nowUs - (last > since ? last : since));
  }
  return longest;
}

/** What the node knows of its trunks: the platform's own view of the carrier. */
export interface TrunkView {
  calls: number;
  attemptsTotal: number;
  rejectedTotal: number;
}
