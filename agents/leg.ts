import { LEG_FIELDS, LEG_OFFSETS } from './record.js';
import { reasonCause } from './sip/dialog.js';
import { H } from './sip/names.js';
import type { SipMessage } from './sip/parse.js';
import { ascii } from './sip/text.js';
import type { LegStore } from './store.js';

/** What callers and callees write into a record alike. `O` is the byte offset of each field. */
export const O = LEG_OFFSETS;

const TEXT = ascii('text');

/** Reason header (RFC 3326) of a BYE, CANCEL or final response, or else the reason phrase. */
export function noteReason(store: LegStore, record: number, msg: SipMessage): void {
  store.setU16(record, O.q850Cause, reasonCause(msg, 'Q.850'));
  store.setU16(record, O.sipCause, reasonCause(msg, 'SIP'));
  const i = msg.find(H.REASON);
  const max = LEG_FIELDS.reasonText.text;
  if (i >= 0 && msg.param(msg.valueOff[i]!, msg.valueOff[i]! + msg.valueLen[i]!, TEXT) && msg.foundLen > 2) {
    store.setText(record, O.reasonText, max, msg.bytes, msg.foundOff + 1, msg.foundLen - 2);
  } else if (!msg.isRequest) store.setText(record, O.reasonText, max, msg.bytes, msg.phraseOff, msg.phraseLen);
}

/** A request that never got through (RFC 3261 8.1.3.1: as a 503), with our word for why. */
export function noteTransportError(store: LegStore, record: number, why: string, nowMs: number): void {
  store.setU16(record, O.finalCode, 503);
  store.setF64(record, O.rejectedMs, nowMs);
  noteOurReason(store, record, why);
}

export function noteOurReason(store: LegStore, record: number, why: string): void {
  const bytes = ascii(why);
  store.setText(record, O.reasonText, LEG_FIELDS.reasonText.text, bytes, 0, bytes.length);
}

export function notePeerAgent(store: LegStore, record: number, msg: SipMessage): void {
  let i = msg.find(H.SERVER);
  if (i < 0) i = msg.find(H.USER_AGENT);
  if (i < 0) return;
  store.setText(record, O.peerAgent, LEG_FIELDS.peerAgent.text, msg.bytes, msg.valueOff[i]!, msg.valueLen[i]!);
}

/** First 100, first ringing, and how many of each came: repeats tell of lost packets or of an odd peer. */
export function noteProvisional(store: LegStore, record: number, status: number, nowMs: number): void {
  if (status === 100) {
    if (Number.isNaN(store.getF64(record, O.tryingMs))) store.setF64(record, O.tryingMs, nowMs);
    store.incU16(record, O.count100);
    return;
  }
  if (status === 180) store.incU16(record, O.count180);
  else if (status === 183) store.incU16(record, O.count183);
  else store.incU16(record, O.count181to182);
  if (Number.isNaN(store.getF64(record, O.ringingMs))) store.setF64(record, O.ringingMs, nowMs);
}
