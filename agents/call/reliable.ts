import { O } from '../leg.js';
import { T1_US, TIMEOUT_US } from '../sip/client.js';
import { H } from '../sip/names.js';
import type { SipMessage } from '../sip/parse.js';
import { ascii, readUint, writeBytes, writeUint } from '../sip/text.js';
import { NOTE, noteInDialog, RECEIVED } from './log.js';
import { hasTag } from './session-timer.js';
import { type CallTable, TIMER } from './table.js';

export const REL_TAG = ascii('100rel');
const LINES = ascii('Require: 100rel\r\nRSeq: ');
const CRLF = ascii('\r\n');

/** Provisional responses that want a PRACK (RFC 3262 3, the UAS's side): one to a call, repeated until it comes. */
export class ReliableRinging {
  /** 0: none waits. */
  readonly #rseq: Uint32Array;
  readonly #cseq: Uint32Array;
  readonly #intervalUs: Float64Array;
  readonly #sinceUs: Float64Array;

  constructor(private readonly table: CallTable) {
    const n = table.capacity;
    this.#rseq = new Uint32Array(n);
    this.#cseq = new Uint32Array(n);
    this.#intervalUs = new Float64Array(n);
    this.#sinceUs = new Float64Array(n);
  }

  /** Must this INVITE's provisional responses be reliable, or, if we `like` it, may they? */
  wanted(msg: SipMessage, like: boolean): boolean {
    return hasTag(msg, H.REQUIRE, REL_TAG) || (like && hasTag(msg, H.SUPPORTED, REL_TAG));
  }

  /** The response that is about to be sent is one. */
  begin(slot: number, msg: SipMessage, nowUs: number): void {
    // 3: the first RSeq is chosen uniformly from 1 to 2^31 - 1; the call's number is as hard to guess as that has to be here.
    this.#rseq[slot] = 1 + (Math.imul(this.table.callNo[slot]! + 1, 0x9e3779b1) >>> 2);
    this.#cseq[slot] = msg.cseq;
    this.#intervalUs[slot] = T1_US;
    this.#sinceUs[slot] = nowUs;
    this.table.arm(slot, TIMER.REFRESH, nowUs + T1_US);
  }

  writeLines(slot: number, to: Uint8Array, at: number): number {
    if (this.#rseq[slot] === 0) return at;
    return writeBytes(to, writeUint(to, writeBytes(to, at, LINES), this.#rseq[slot]!), CRLF);
  }

  /** Acknowledged, or no longer needed: a final response was sent. */
  end(slot: number): void {
    if (this.#rseq[slot] === 0) return;
    this.#rseq[slot] = 0;
    this.table.disarm(slot, TIMER.REFRESH);
  }

  /** Sends it again. False: 64*T1 are over, and the INVITE is to be refused. */
  repeat(slot: number, nowUs: number): boolean {
    if (nowUs - this.#sinceUs[slot]! >= TIMEOUT_US) return false;
    this.#intervalUs[slot]! *= 2;
    this.table.stack.server.repeat(this.table.tx[slot]!);
    const next = Math.min(nowUs + this.#intervalUs[slot]!, this.#sinceUs[slot]! + TIMEOUT_US);
    this.table.arm(slot, TIMER.REFRESH, next);
    return true;
  }

  /** RAck names the response that it acknowledges (7.2): 200, or 481 when there is none such. */
  onPrack(slot: number, msg: SipMessage, nowUs: number): number {
    const { table } = this;
    const i = msg.find(H.RACK);
    let status = 481;
    if (i >= 0 && this.#rseq[slot] !== 0) {
      const end = msg.valueOff[i]! + msg.valueLen[i]!;
      let p = msg.valueOff[i]!;
      const rseq = readUint(msg.bytes, p, end);
      while (p < end && msg.bytes[p]! > 32) p++;
      while (p < end && msg.bytes[p]! <= 32) p++;
      if (rseq === this.#rseq[slot] && readUint(msg.bytes, p, end) === this.#cseq[slot]) status = 200;
    }
    noteInDialog(table, slot, RECEIVED, NOTE.PRACK, nowUs, status);
    if (status !== 200) return status;
    table.store.incU8(table.record[slot]!, O.pracks);
    this.end(slot);
    return status;
  }
}
