import { METHODS } from './sip/names.js';

/**
 * A leg record: what one end of one call saw, fixed layout, written in place in shared memory while the call lives.
 * So a worker that is killed loses nothing: its open records are read where they lie. All numbers little-endian.
 * Times are ms since the run's t0 as doubles, NaN until it happens.
 */

/** Who saw it. TRANSFER: the new call of a party that was asked to by REFER; it is no arrival of the plan's. */
export const ROLE = { CALLER: 0, CALLEE: 1, TRANSFER: 2 } as const;

/** Is a call between whom the plan says? `identity` of a record. */
export const IDENTITY = { UNKNOWN: 0, RIGHT: 1, WRONG: 2 } as const;

/** `midMethod` of a record, by number. */
export const METHOD_NAMES: readonly string[] = METHODS;

/** Closed list of how a leg ended. OPEN: still up when the run ended or the worker died. */
export const OUTCOMES = [
  'open',
  /** Answered and ended by BYE as intended (caller's hold time was over). */
  'completed',
  /** Answered, then the other side (or the platform) sent BYE before the intended end. */
  'dropped',
  /** Final 3xx-6xx to INVITE. */
  'rejected',
  /** No final answer in the caller's patience: CANCEL was sent. */
  'cancelled',
  /** Timer B or F: nobody answered (RFC 3261 17.1.1.2). */
  'timeout',
  /** Callee only: 200 OK was sent, ACK never came (RFC 3261 13.3.1.4). */
  'no-ack',
  /** Callee only: CANCEL came before the answer. */
  'cancelled-by-peer',
  /** Our BYE was refused or timed out. */
  'bye-failed',
  /** Our BYE, because nobody refreshed the session in time (RFC 4028 10). */
  'session-expired',
  /** Our BYE, because our refresh of the session got 481, 408 or no answer (RFC 4028 10). */
  'refresh-failed',
  /** Our BYE, because another request of ours within the dialog got 481, 408 or no answer (RFC 3261 12.2.1.2). */
  'dialog-lost',
] as const;
export type Outcome = (typeof OUTCOMES)[number];

export const ENDED_BY = ['nobody', 'us', 'them', 'timer'] as const;
export type EndedBy = (typeof ENDED_BY)[number];

export type FieldType = 'u8' | 'u16' | 'u32' | 'f64' | { text: number };

/** Field name -> type, in the order they lie in memory. The same names are the columns of legs.parquet. */
export const LEG_FIELDS = {
  // Times, ms since t0.
  intendedMs: 'f64', // open-model instant at which the call was due
  startedMs: 'f64', // INVITE sent (caller) or received (callee)
  tryingMs: 'f64', // first 100
  ringingMs: 'f64', // first 180-189 received (caller) or sent (callee)
  answeredMs: 'f64', // first 2xx to INVITE received or sent
  ackedMs: 'f64', // ACK sent (caller) or first received (callee)
  rejectedMs: 'f64', // final 3xx-6xx
  plannedEndMs: 'f64', // when the caller meant to hang up
  byeMs: 'f64', // BYE sent or received
  endedMs: 'f64', // the leg is over: BYE answered, rejected, timed out
  firstRtpMs: 'f64', // first RTP received
  lastRtpMs: 'f64', // last RTP received
  // Media received by this leg (RFC 3550 words).
  jitterMs: 'f64', // interarrival jitter, last value (RFC 3550 6.4.1)
  jitterMaxMs: 'f64',
  maxGapMs: 'f64', // longest time between two received RTP packets
  heldMs: 'f64', // how long no audio was due to this leg, since the other side was on hold
  rttMs: 'f64', // from RTCP LSR/DLSR, last; NaN if none
  rtpSent: 'u32',
  rtpReceived: 'u32',
  rtpLost: 'u32', // expected - received, from sequence numbers, not below 0
  lossEvents: 'u32', // runs of consecutive losses: mean burst length = rtpLost / lossEvents
  rtpReordered: 'u32',
  rtpDuplicate: 'u32',
  rtpLate: 'u32', // would have missed a 60 ms jitter buffer
  rtpSilence: 'u32', // payload is digital silence
  heardPeer: 'u32', // packets that carried the expected peer's identity
  heardSelf: 'u32', // our own audio came back
  heardOther: 'u32', // identity of another call: crossed audio
  heardForeign: 'u32', // no identity of ours
  heardCallNo: 'u32', // the last other call that was heard
  rtcpSent: 'u32',
  rtcpReceived: 'u32',
  rtpSendLate: 'u32', // packets we sent more than 10 ms after their instant: our own fault
  callNo: 'u32',
  mediaPort: 'u16', // our RTP port
  remoteMediaPort: 'u16', // from the peer's SDP; 0 = none
  remoteMediaIp: 'u32',
  // Signalling.
  finalCode: 'u16', // final status of the INVITE; 0 = none
  byeCode: 'u16', // final status of our BYE; 0 = none
  q850Cause: 'u16', // Reason: Q.850;cause= on BYE, CANCEL or the final response (RFC 3326)
  sipCause: 'u16', // Reason: SIP;cause=
  retryAfterS: 'u16',
  count100: 'u16',
  count180: 'u16', // all 180s, repeats too
  count181to182: 'u16',
  count183: 'u16',
  inviteRetransmits: 'u16', // sent by us (caller), seen by us (callee)
  byeRetransmits: 'u16',
  answerRetransmits: 'u16', // repeats of the final response: seen (caller), sent (callee)
  ackCount: 'u16', // ACKs of the first 2xx, sent or received
  // Within the dialog.
  reinvitesSent: 'u16',
  reinvitesReceived: 'u16',
  updatesSent: 'u16',
  updatesReceived: 'u16',
  sessionExpiresS: 'u16', // as agreed last (RFC 4028); 0 = no session timer
  refreshes: 'u16', // session refreshes of ours that were answered 2xx
  midCode: 'u16', // last refusal of a request of ours within the dialog, 408 for no answer; 0 = none
  transferCode: 'u16', // last status that a NOTIFY told of our REFER (RFC 3515)
  midMethod: 'u8', // of midCode, METHODS
  refresher: 'u8', // of the session: 0 nobody, 1 this side, 2 the other
  holds: 'u8', // sent or received
  glares: 'u8', // 491, sent or received (RFC 3261 14.1)
  transfers: 'u8', // REFERs accepted, sent or received
  pracks: 'u8', // sent or received (RFC 3262)
  invites: 'u8', // INVITEs of this call until its final answer: more than 1 after 3xx, 401, 407, 422
  redirects: 'u8', // 3xx that were followed
  challenges: 'u8', // 401 and 407 that were answered, within the dialog too
  forks: 'u8', // further 2xx of other branches, acknowledged and hung up (RFC 3261 13.2.2.4)
  peerFractionLost: 'u8', // last RTCP report about our sending, 0..255 (RFC 3550 6.4.1)
  role: 'u8',
  outcome: 'u8', // index in OUTCOMES
  endedBy: 'u8', // index in ENDED_BY
  worker: 'u8',
  tenant: 'u16',
  phone: 'u32', // whose leg it is, by its number in the population, from 1; 0 = nobody's that registers
  identity: 'u8', // callee: 1 it is the phone, and From the caller, that the plan says; 2 it is not; 0 = not known
  callId: { text: 64 },
  /** Reason phrase of the final response, or the text of the Reason header. */
  reasonText: { text: 48 },
  /** User-Agent or Server of the other side. */
  peerAgent: { text: 32 },
  /**
   * What happened within the dialog, in order, as far as there is room: '>H2000:200' is a hold that was sent 2,000 ms after
   * startedMs and answered 200; '<' was received. Letters in call/log.ts; status 0: no answer.
   */
  dialogLog: { text: 88 },
} as const satisfies Record<string, FieldType>;

export type LegField = keyof typeof LEG_FIELDS;
export type NumericLegField = {
  [K in LegField]: (typeof LEG_FIELDS)[K] extends string ? K : never;
}[LegField];

export function sizeOf(type: FieldType): number {
  if (type === 'f64') return 8;
  if (type === 'u32') return 4;
  if (type === 'u16') return 2;
  return type === 'u8' ? 1 : type.text;
}

/** Byte offset of each field; doubles first, so that every field is aligned. */
export function offsetsOf<F extends string>(fields: Record<F, FieldType>): Readonly<Record<F, number>> {
  const order = (t: FieldType): number => (t === 'f64' ? 0 : t === 'u32' ? 1 : t === 'u16' ? 2 : t === 'u8' ? 3 : 4);
  const names = (Object.keys(fields) as F[]).sort((a, b) => order(fields[a]) - order(fields[b]));
  const out = {} as Record<F, number>;
  let off = 0;
  for (const name of names) {
    out[name] = off;
    off += sizeOf(fields[name]);
  }
  return out;
}

/** How records of one kind lie in memory: what RecordStore needs to know of them. */
export interface Layout<F extends string> {
  fields: Readonly<Record<F, FieldType>>;
  offsets: Readonly<Record<F, number>>;
  /** Of one record; a power of two. */
  bytes: number;
  /** Doubles that start as NaN: did not happen. */
  times: readonly F[];
}

export const LEG_OFFSETS = offsetsOf<LegField>(LEG_FIELDS);
export const LEG_BYTES = 512;

export const LEG_LAYOUT: Layout<LegField> = {
  fields: LEG_FIELDS,
  offsets: LEG_OFFSETS,
  bytes: LEG_BYTES,
  times: (Object.keys(LEG_FIELDS) as LegField[]).filter(
    (f) => LEG_FIELDS[f] === 'f64' && !['jitterMs', 'jitterMaxMs', 'maxGapMs', 'heldMs'].includes(f),
  ),
};

/** A decoded leg, for the control plane. */
export type Leg = {
  [K in LegField]: (typeof LEG_FIELDS)[K] extends { text: number } ? string : number;
};
