import type { SessionTimerPlan } from '../../harness/plan/types.js';
import { O } from '../leg.js';
import { H } from '../sip/names.js';
import type { SipMessage } from '../sip/parse.js';
import { ascii, equalsIgnoreCase, readUint, writeBytes, writeUint } from '../sip/text.js';
import { type CallTable, TIMER } from './table.js';

/** RFC 4028 4: the smallest interval that anybody may ask for or insist on, unless a plan says otherwise. */
export const MIN_SE_S = 90;
/** Who refreshes, as the record says it. */
export const REFRESHER = { NOBODY: 0, US: 1, THEM: 2 } as const;

const REFRESHER_PARAM = ascii('refresher');
const UAC = ascii('uac');
const TIMER_TAG = ascii('timer');
const SESSION_EXPIRES = ascii('Session-Expires: ');
const BY_UAC = ascii(';refresher=uac\r\n');
const BY_UAS = ascii(';refresher=uas\r\n');
const MIN_SE = ascii('Min-SE: ');
const CRLF = ascii('\r\n');
const REQUIRE = ascii('Require: timer\r\n');

/** Is `tag` among the option tags of these headers (Supported, Require)? */
export function hasTag(msg: SipMessage, header: number, tag: Uint8Array): boolean {
  const { bytes } = msg;
  for (let n = 0, i = msg.find(header); i >= 0; i = msg.find(header, ++n)) {
    const end = msg.valueOff[i]! + msg.valueLen[i]!;
    let p = msg.valueOff[i]!;
    while (p < end) {
      while (p < end && (bytes[p] === 44 || bytes[p]! <= 32)) p++;
      const start = p;
      while (p < end && bytes[p] !== 44 && bytes[p]! > 32) p++;
      if (p > start && equalsIgnoreCase(bytes, start, p - start, tag)) return true;
    }
  }
  return false;
}

/**
 * Session timers (RFC 4028) of a table of calls: what was agreed, who refreshes, and until when. The requests themselves
 * are the session's.
 */
export class SessionTimers {
  readonly #intervalS: Uint32Array;
  readonly #refresher: Uint8Array;
  /** What we ask for next; a 422 raises it (RFC 4028 7.3). */
  readonly #wantedS: Uint32Array;
  readonly #minS: Uint32Array;

  constructor(
    private readonly table: CallTable,
    readonly plan: SessionTimerPlan | undefined,
  ) {
    const n = table.capacity;
    this.#intervalS = new Uint32Array(n);
    this.#refresher = new Uint8Array(n);
    this.#wantedS = new Uint32Array(n);
    this.#minS = new Uint32Array(n);
  }

  get floorS(): number {
    return this.plan?.minSeS ?? MIN_SE_S;
  }

  /** A new call. */
  reset(slot: number): void {
    this.#intervalS[slot] = 0;
    this.#refresher[slot] = REFRESHER.NOBODY;
    this.#wantedS[slot] = this.plan?.expiresS ?? 0;
    this.#minS[slot] = 0;
  }

  /** Seconds that were agreed on; 0: the session does not expire. */
  agreed(slot: number): number {
    return this.#intervalS[slot]!;
  }
  refreshes(slot: number): boolean {
    return this.#refresher[slot] === REFRESHER.US;
  }

  /** Header lines of a request of ours that asks for a session timer (7.1, 7.4). Nothing if there is nothing to ask for. */
  writeAsk(slot: number, to: Uint8Array, at: number): number {
    const known = this.#intervalS[slot]!;
    const seconds = Math.max(known > 0 ? known : this.#wantedS[slot]!, this.#minS[slot]!);
    if (seconds === 0) return at;
    let p = writeUint(to, writeBytes(to, at, SESSION_EXPIRES), seconds);
    // In the middle of a call the one who refreshes goes on doing so; before it, the plan says (7.1).
    const first = known === 0 ? this.plan?.refresher === 'caller' : this.#refresher[slot] === REFRESHER.US;
    p = writeBytes(to, p, first ? BY_UAC : BY_UAS);
    if (this.#minS[slot] === 0) return p;
    return writeBytes(to, writeUint(to, writeBytes(to, p, MIN_SE), this.#minS[slot]!), CRLF);
  }

  /** A 422 wants more (7.3); false when it says nothing that we did not know. */
  raise(slot: number, refusal: SipMessage): boolean {
    const wanted = refusal.numberOf(H.MIN_SE);
    if (wanted <= this.#minS[slot]! || wanted > 0x7fffffff) return false;
    this.#minS[slot] = wanted;
    return true;
  }

  /** Is what this request asks for too short for us (9)? Then 422 with writeFloor(). */
  isTooShort(msg: SipMessage): boolean {
    const i = msg.find(H.SESSION_EXPIRES);
    return i >= 0 && intervalOf(msg, i) < this.floorS && hasTag(msg, H.SUPPORTED, TIMER_TAG);
  }
  floorLine(): Uint8Array {
    return ascii(`Min-SE: ${this.floorS}\r\n`);
  }

  /**
   * Answers a request of theirs (INVITE, re-INVITE, UPDATE) with 2xx: what is agreed now (9, Table 2), from this instant on.
   * For the answer's header lines: writeAnswer().
   */
  accept(slot: number, msg: SipMessage, nowUs: number): void {
    const i = msg.find(H.SESSION_EXPIRES);
    const supported = hasTag(msg, H.SUPPORTED, TIMER_TAG);
    const wanted = this.#wantedS[slot]!;
    let seconds = i < 0 ? wanted : intervalOf(msg, i);
    if (i >= 0 && wanted > 0) seconds = Math.min(seconds, Math.max(wanted, msg.numberOf(H.MIN_SE)));
    if (seconds === 0) {
      this.agree(slot, 0, REFRESHER.NOBODY, nowUs);
      return;
    }
    let us = !supported;
    if (supported && i >= 0 && this.#param(msg, i)) us = !equalsIgnoreCase(msg.bytes, msg.foundOff, msg.foundLen, UAC);
    else if (supported && this.plan !== undefined) us = this.plan.refresher === 'callee';
    this.agree(slot, seconds, us ? REFRESHER.US : REFRESHER.THEM, nowUs);
  }

  /** Header lines of our 2xx after accept(). */
  writeAnswer(slot: number, to: Uint8Array, at: number): number {
    const seconds = this.#intervalS[slot]!;
    if (seconds === 0) return at;
    const us = this.#refresher[slot] === REFRESHER.US;
    const p = writeUint(to, writeBytes(to, at, SESSION_EXPIRES), seconds);
    // 9: with the UAC as refresher it has to know of timers, and Require says that it must.
    return us ? writeBytes(to, p, BY_UAS) : writeBytes(to, writeBytes(to, p, BY_UAC), REQUIRE);
  }

  /** Their 2xx to a request of ours (7.2): without Session-Expires the session does not expire. */
  answered(slot: number, msg: SipMessage, nowUs: number): void {
    const i = msg.find(H.SESSION_EXPIRES);
    const seconds = i < 0 ? 0 : intervalOf(msg, i);
    if (seconds === 0) {
      this.agree(slot, 0, REFRESHER.NOBODY, nowUs);
      return;
    }
    const us = !this.#param(msg, i) || equalsIgnoreCase(msg.bytes, msg.foundOff, msg.foundLen, UAC);
    this.agree(slot, seconds, us ? REFRESHER.US : REFRESHER.THEM, nowUs);
  }

  /** The phone rings: nothing runs yet. */
  pause(slot: number): void {
    this.table.disarm(slot, TIMER.REFRESH);
    this.table.disarm(slot, TIMER.EXPIRY);
  }
  /** What was agreed while the phone rang counts from the answer (8.1: from the 2xx). */
  start(slot: number, nowUs: number): void {
    this.agree(slot, this.#intervalS[slot]!, this.#refresher[slot]!, nowUs);
  }

  /** 10: a refresh when half of it is over; without one the session ends min(32 s, a third) before it expires. */
  agree(slot: number, seconds: number, refresher: number, nowUs: number): void {
    const { table } = this;
    this.#intervalS[slot] = seconds;
    this.#refresher[slot] = refresher;
    const record = table.record[slot]!;
    if (seconds > 0) {
      table.store.setU16(record, O.sessionExpiresS, seconds);
      table.store.setU8(record, O.refresher, refresher);
      table.arm(slot, TIMER.EXPIRY, nowUs + (seconds - Math.min(32, seconds / 3)) * 1_000_000);
    } else table.disarm(slot, TIMER.EXPIRY);
    if (refresher === REFRESHER.US) table.arm(slot, TIMER.REFRESH, nowUs + seconds * 500_000);
    else table.disarm(slot, TIMER.REFRESH);
  }

  #param(msg: SipMessage, header: number): boolean {
    const off = msg.valueOff[header]!;
    return msg.param(off, off + msg.valueLen[header]!, REFRESHER_PARAM);
  }
}

function intervalOf(msg: SipMessage, header: number): number {
  const off = msg.valueOff[header]!;
  return Math.max(0, readUint(msg.bytes, off, off + msg.valueLen[header]!));
}
