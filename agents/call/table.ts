import { COUNTER_INDEX, type Counters } from '../counters.js';
import { O } from '../leg.js';
import type { LegMedia } from '../media.js';
import { ENDED_BY, type EndedBy, OUTCOMES, type Outcome, ROLE } from '../record.js';
import { InDialog } from '../sip/in-dialog.js';
import type { SipMessage } from '../sip/parse.js';
import { DIRECTION, SdpView } from '../sip/sdp.js';
import type { SipStack } from '../sip/stack.js';
import { slotOfTag } from '../sip/tag.js';
import { IndexPool, TimerWheel } from '../sip/timers.js';
import type { LegStore } from '../store.js';
import type { UdpPort } from '../wire/types.js';

/** A call's life at one end (RFC 3261 12, 13). */
export const CALL = {
  FREE: 0,
  /** UAC: INVITE sent. */
  CALLING: 1,
  /** UAS: INVITE received. */
  RINGING: 2,
  /** UAS: 2xx sent, no ACK yet. */
  ANSWERED: 3,
  UP: 4,
  /** BYE sent. */
  HANGING_UP: 5,
} as const;

/** Timers of a call: number = slot * TIMERS + kind. */
export const TIMERS = 4;
export const TIMER = {
  /** Patience, ringing, hold time. */
  CALL: 0,
  /** The next step of the plan, or a request that has to be sent again. */
  STEP: 1,
  /** Session refresh (RFC 4028); before the answer: a provisional response that waits for its PRACK (RFC 3262). */
  REFRESH: 2,
  /** Session expiry. */
  EXPIRY: 3,
} as const;

/** What the calls of one socket have in common. */
export interface CallParts {
  ip: number;
  worker: number;
  seed: number;
  salt: number;
  maxCalls: number;
  t0Us: number;
  store: LegStore;
  counters: Counters;
  media: LegMedia | null;
}

/** Of one SSRC for each role. */
const SSRC_KEYS = [0x9e3779b1, 0x85ebca6b, 0xc2b2ae35];

/**
 * The calls of one socket, in arrays by slot: nothing is allocated per call. Dialog, tag and timers of a call go by its
 * slot too. Dialog number `capacity` is one to spare, for requests in a dialog that is to end at once (forks).
 */
export class CallTable {
  readonly capacity: number;
  readonly state: Uint8Array;
  readonly role: Uint8Array;
  readonly generation: Uint16Array;
  readonly record: Int32Array;
  readonly callNo: Uint32Array;
  /** Of the INVITE that opens the dialog: client's or server's transaction; -1 when it is over. */
  readonly tx: Int32Array;
  readonly leg: Int32Array;
  /** Whose call it is, of a party of phones; -1. */
  readonly phone: Int32Array;
  readonly timers: TimerWheel;
  readonly calls: InDialog;
  readonly sdp = new SdpView();
  readonly store: LegStore;
  readonly values: Float64Array;
  readonly media: LegMedia | null;
  /** Told when a slot is free again. */
  onEnd: (slot: number) => void = () => undefined;
  readonly #pool: IndexPool;
  readonly #o: CallParts;
  /** Since when the other side is to send nothing, us; NaN when it may. */
  readonly #heldUs: Float64Array;
  readonly #started: Uint8Array;
  /** Of an agent with several ports: the one that the call's messages come and go by. */
  readonly #ports: UdpPort[] | null;

  constructor(
    readonly stack: SipStack,
    o: CallParts,
    nowUs: number,
    severalPorts = false,
  ) {
    const n = o.maxCalls;
    this.#ports = severalPorts ? [] : null;
    this.capacity = n;
    this.#o = o;
    this.#pool = new IndexPool(n);
    this.state = new Uint8Array(n);
    this.role = new Uint8Array(n);
    this.generation = new Uint16Array(n);
    this.record = new Int32Array(n);
    this.callNo = new Uint32Array(n);
    this.tx = new Int32Array(n).fill(-1);
    this.leg = new Int32Array(n).fill(-1);
    this.phone = new Int32Array(n).fill(-1);
    this.#heldUs = new Float64Array(n).fill(Number.NaN);
    this.#started = new Uint8Array(n);
    this.timers = new TimerWheel(n * TIMERS, nowUs);
    this.calls = new InDialog(stack, n + 1, o.salt & 0xffff);
    this.store = o.store;
    this.values = o.counters.values;
    this.media = o.media;
  }

  get used(): number {
    return this.#pool.used;
  }
  get ip(): number {
    return this.#o.ip;
  }
  /** ms of the run. */
  ms(nowUs: number): number {
    return (nowUs - this.#o.t0Us) / 1000;
  }

  /**
   * A slot with an audio port and a record, in state `state`; -1 when one of them cannot be had, and then nothing is kept.
   * `lacks` says which.
   */
  take(state: number, role: number): number {
    const slot = this.#pool.take();
    if (slot < 0) return this.#lacking('slot');
    const leg = this.media === null ? -1 : this.media.open();
    if (this.media !== null && leg < 0) {
      this.#pool.give(slot);
      return this.#lacking('port');
    }
    const record = this.store.take();
    if (record < 0) {
      if (leg >= 0) this.media!.close(leg);
      this.#pool.give(slot);
      return this.#lacking('record');
    }
    this.generation[slot] = (this.generation[slot]! + 1) & 0xffff;
    this.state[slot] = state;
    this.role[slot] = role;
    this.record[slot] = record;
    this.leg[slot] = leg;
    this.tx[slot] = -1;
    this.phone[slot] = -1;
    this.stay(slot);
    this.store.setU8(record, O.role, role);
    this.store.setU8(record, O.worker, this.#o.worker);
    this.store.setU16(record, O.mediaPort, this.mediaPort(slot));
    return slot;
  }
  lacks: 'slot' | 'port' | 'record' = 'slot';
  #lacking(what: CallTable['lacks']): -1 {
    this.lacks = what;
    return -1;
  }

  /** The call's messages go by the port at hand from now on. */
  stay(slot: number): void {
    if (this.#ports !== null) this.#ports[slot] = this.stack.port;
  }
  /** What is written and sent next is this call's. */
  turnTo(slot: number): void {
    if (this.#ports !== null) this.stack.port = this.#ports[slot]!;
  }

  mediaPort(slot: number): number {
    const leg = this.leg[slot]!;
    return leg >= 0 ? this.media!.port(leg) : 9;
  }

  /** Does the message's tag name a call of ours, and are its Call-ID and the other tag that call's? Else -1. */
  inDialog(msg: SipMessage): number {
    const slot = slotOfTag(msg.bytes, msg.toTagOff, msg.toTagLen, this.#o.salt & 0xffff, this.generation);
    return slot >= 0 && this.state[slot] !== CALL.FREE && this.calls.dialogs.matches(slot, msg) ? slot : -1;
  }
  /** The call whose From tag a response has; -1 when it is over. */
  ofResponse(msg: SipMessage): number {
    const slot = slotOfTag(msg.bytes, msg.fromTagOff, msg.fromTagLen, this.#o.salt & 0xffff, this.generation);
    return slot >= 0 && this.state[slot] !== CALL.FREE ? slot : -1;
  }

  arm(slot: number, kind: number, dueUs: number): void {
    this.timers.set(slot * TIMERS + kind, dueUs);
  }
  disarm(slot: number, kind: number): void {
    this.timers.clear(slot * TIMERS + kind);
  }

  /**
   * Audio as the SDP in `sdp` wants it: to its address, and only if `direction` (ours, DIRECTION) lets us send.
   */
  hear(slot: number, direction: number, nowUs: number): void {
    const { media, sdp, store } = this;
    const record = this.record[slot]!;
    const leg = this.leg[slot]!;
    if (sdp.port > 0) {
      store.setU32(record, O.remoteMediaIp, sdp.ip);
      store.setU16(record, O.remoteMediaPort, sdp.port);
    }
    if (leg < 0) return;
    if (this.#started[slot] === 0) {
      if (sdp.port === 0) return;
      this.#started[slot] = 1;
      const callNo = this.callNo[slot]!;
      const role = this.role[slot]!;
      media!.start(
        leg,
        {
          slot: record,
          callNo,
          role: role === ROLE.CALLEE ? ROLE.CALLEE : ROLE.CALLER,
          remoteIp: sdp.ip,
          remotePort: sdp.port,
          ssrc: (Math.imul(callNo + 1, SSRC_KEYS[role]!) ^ this.#o.seed) >>> 0,
        },
        nowUs,
      );
    } else if (sdp.port > 0 && sdp.ip > 0) media!.setRemote(leg, sdp.ip, sdp.port);
    this.speak(slot, (direction & DIRECTION.SENDONLY) !== 0, (direction & DIRECTION.RECVONLY) !== 0, nowUs);
  }

  /** Sends audio or does not; and is there any to be heard from now on? */
  speak(slot: number, sends: boolean, hears: boolean, nowUs: number): void {
    const leg = this.leg[slot]!;
    const held = !Number.isNaN(this.#heldUs[slot]!);
    if (leg < 0 || this.#started[slot] === 0) return;
    this.media!.direct(leg, sends, hears && held);
    if (hears === !held) return;
    if (hears) this.#unhold(slot, nowUs);
    else this.#heldUs[slot] = nowUs;
  }

  #unhold(slot: number, nowUs: number): void {
    const { store } = this;
    const record = this.record[slot]!;
    store.setF64(record, O.heldMs, store.getF64(record, O.heldMs) + (nowUs - this.#heldUs[slot]!) / 1000);
    this.#heldUs[slot] = Number.NaN;
  }

  stopMedia(slot: number, nowUs: number): void {
    const leg = this.leg[slot]!;
    if (leg < 0) return;
    if (!Number.isNaN(this.#heldUs[slot]!)) this.#unhold(slot, nowUs);
    this.media!.stop(leg, nowUs);
    this.media!.close(leg);
    this.leg[slot] = -1;
    this.#started[slot] = 0;
  }

  /** It is over: the record is handed over, and the slot is free. */
  end(slot: number, outcome: Outcome, by: EndedBy, nowUs: number): void {
    const { store, timers } = this;
    const record = this.record[slot]!;
    this.onEnd(slot);
    this.stopMedia(slot, nowUs);
    store.setF64(record, O.endedMs, this.ms(nowUs));
    store.setU8(record, O.outcome, OUTCOMES.indexOf(outcome));
    store.setU8(record, O.endedBy, ENDED_BY.indexOf(by));
    store.done(record);
    for (let kind = 0; kind < TIMERS; kind++) timers.clear(slot * TIMERS + kind);
    this.calls.dialogs.close(slot);
    this.state[slot] = CALL.FREE;
    this.#pool.give(slot);
    const role = this.role[slot]!;
    if (role === ROLE.CALLER) this.values[COUNTER_INDEX.ended]!++;
    else if (role === ROLE.CALLEE) this.values[COUNTER_INDEX.calleeEnded]!++;
  }
}
