import { sdpLength, writeSdp } from '../../../agents/sip/sdp.js';
import { ascii, writeBytes, writeUint } from '../../../agents/sip/text.js';
import { ipToString } from '../../../agents/wire/types.js';
import type { Endpoint } from './addresses.js';
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
  callId: string;
  relay: RelaySession | null;
  startUs: number;
  answerUs: number;
  cancelled: boolean;
  /** B's side was answered: it wants a BYE. */
  bUp: boolean;
  bCseq: number;
}

const SDP_HEAD = ascii('Content-Type: application/sdp\r\nContent-Length: ');
const CRLF2 = ascii('\r\n\r\n');

/** SDP towards a leg: the relay's address; without a relay the other party's SDP as it came. */
export function writeBody(call: Call, leg: 0 | 1, to: Uint8Array, at: number): number {
  const { relay } = call;
  const length = relay === null ? call.offer.length : sdpLength(relay.relay.ip, relay.port(leg), 1);
  let p = writeBytes(to, at, SDP_HEAD);
  p = writeUint(to, p, length);
  p = writeBytes(to, p, CRLF2);
  if (relay === null) return writeBytes(to, p, call.offer);
  return writeSdp(to, p, relay.relay.ip, relay.port(leg), 1);
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
    `\r\nMax-Forwards: 69\r\nFrom: <sip:pbx@${host}>;tag=${Buffer.from(tag).toString('latin1')}\r\n` +
    `To: <sip:${call.user}@${target}>\r\nCall-ID: b2b-${call.callId}\r\nCSeq: ${call.bCseq} INVITE\r\n`;
  p = writeBytes(to, p, ascii(headers));
  p = writeBytes(to, p, contact);
  return writeBody(call, B, to, p);
}

/** How long the quieter side has sent no audio, us; 0 when the media does not come by us. */
export function quietUs(call: Call, nowUs: number): number {
  const { relay, answerUs } = call;
  if (relay === null) return 0;
  let longest = 0;
  for (const side of [A, B] as const) {
    const last = relay.lastRtpUs(side);
    longest = Math.max(longest, nowUs - (Number.isNaN(last) ? answerUs : last));
  }
  return longest;
}

/** What the node knows of its trunks: the platform's own view of the carrier. */
export interface TrunkView {
  calls: number;
  attemptsTotal: number;
  rejectedTotal: number;
}
