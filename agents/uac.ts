import { draw } from '../harness/plan/dist.js';
import { KeyedPrng } from '../harness/prng.js';
import type { CallerOptions } from './caller-options.js';
import { bucketOf, COUNTER_INDEX } from './counters.js';
import { notePeerAgent, noteProvisional, noteReason, noteTransportError, O } from './leg.js';
import { ENDED_BY, type EndedBy, LEG_FIELDS, OUTCOMES, type Outcome, ROLE } from './record.js';
import { InDialog } from './sip/in-dialog.js';
import { InviteWriter } from './sip/invite.js';
import { localOf } from './sip/local.js';
import { H, METHOD } from './sip/names.js';
import type { SipMessage } from './sip/parse.js';
import { SdpView } from './sip/sdp.js';
import { SipStack } from './sip/stack.js';
import { slotOfTag } from './sip/tag.js';
import { ascii } from './sip/text.js';
import { IndexPool, TimerWheel } from './sip/timers.js';
import { QuietUser } from './sip/user.js';
import type { Actor, Wire } from './wire/types.js';

/** A call's life at the caller (RFC 3261 12 and 13, seen from the UAC core). */
const FREE = 0;
const CALLING = 1;
const UP = 2;
const HANGING_UP = 3;

/** At most this many INVITEs between two looks at the network: a burst must not deafen us. */
const STARTS_PER_TICK = 64;
/** On a real wire arrivals share a turn: one wake-up for all of two milliseconds, each at most that much late. */
const GATHER_US = 2000;

export class Caller extends QuietUser implements Actor {
  readonly stack: SipStack;
  readonly #o: CallerOptions;
  readonly #salt: number;
  readonly #pool: IndexPool;
  readonly #state: Uint8Array;
  readonly #generation: Uint16Array;
  readonly #record: Int32Array;
  readonly #callNo: Uint32Array;
  readonly #tx: Int32Array;
  readonly #leg: Int32Array;
  readonly #cancel: Uint8Array;
  readonly #holdUs: Float64Array;
  readonly #timers: TimerWheel;
  readonly #fire: (slot: number) => void;
  readonly #dialogs: InDialog;
  readonly #sdp = new SdpView();
  readonly #chance: KeyedPrng;
  readonly #values: Float64Array;
  readonly #writer: InviteWriter;
  #next: number;
  #nowUs = 0;
  /** After this no further arrival is started. */
  #stopped = false;
  readonly #gatherUs: number;

  constructor(wire: Wire, options: CallerOptions) {
    super();
    this.#o = options;
    this.#gatherUs = wire.kind === 'memory' ? 0 : GATHER_US;
    const n = options.maxCalls;
    const nowUs = wire.nowUs();
    this.#salt = options.salt & 0xffff;
    this.#pool = new IndexPool(n);
    this.#state = new Uint8Array(n);
    this.#generation = new Uint16Array(n);
    this.#record = new Int32Array(n);
    this.#callNo = new Uint32Array(n);
    this.#tx = new Int32Array(n).fill(-1);
    this.#leg = new Int32Array(n).fill(-1);
    this.#cancel = new Uint8Array(n);
    this.#holdUs = new Float64Array(n);
    this.#timers = new TimerWheel(n, nowUs);
    this.#fire = (slot) => this.#onTimer(slot);
    this.#chance = new KeyedPrng(options.seed);
    this.#values = options.counters.values;
    this.#next = options.first;
    // Timer K keeps a BYE's transaction for 5 s after the call: room for that at a thousand calls a second and more.
    const transactions = Math.min(1 << 19, Math.max(4096, n * 8));
    this.stack = new SipStack(
      this,
      options.counters,
      // A refused INVITE keeps its ACK for timer D, 32 s after the call: a message for every transaction, and the CANCELs
      // of the calls that are up. So what runs out first are transactions, and that blocks arrivals before they start.
      { clientTransactions: transactions, serverTransactions: Math.max(4096, n * 2), messages: transactions + n },
      this.#salt,
      nowUs,
    );
    this.#dialogs = new InDialog(this.stack, n, this.#salt);
    this.stack.bind(wire, options.ip, options.port);
    this.#writer = new InviteWriter({
      ip: options.ip,
      local: localOf(this.stack.port),
      domain: options.domain,
      user: options.user,
      salt: this.#salt,
      runTag: options.runTag,
    });
  }

  get callsUp(): number {
    return this.#pool.used;
  }
  get exhausted(): boolean {
    return this.#stopped || this.#next >= this.#o.arrivals.length;
  }

  /** No further arrivals; those that are due later were never offered. Calls that are up are hung up. */
  hangUpAll(nowUs: number): void {
    this.#stopped = true;
    for (let slot = 0; slot < this.#state.length; slot++) {
      if (this.#state[slot] === UP) this.#hangUp(slot, nowUs);
      else if (this.#state[slot] === CALLING) this.#giveUp(slot, nowUs);
    }
  }

  tick(nowUs: number): number {
    this.#nowUs = nowUs;
    const o = this.#o;
    const nowMs = (nowUs - o.t0Us) / 1000;
    let started = 0;
    if (!this.#stopped) {
      while (this.#next < o.arrivals.length && o.arrivals[this.#next]! <= nowMs && started < STARTS_PER_TICK) {
        this.#arrive(this.#next, nowUs);
        this.#next += o.stride;
        started++;
      }
    }
    this.#timers.advance(nowUs, this.#fire);
    const due = Math.min(this.stack.tick(nowUs), this.#timers.nextUs());
    if (this.exhausted) return due;
    const arrivalUs = o.t0Us + o.arrivals[this.#next]! * 1000;
    const soonestUs = this.#gatherUs > 0 && started < STARTS_PER_TICK ? nowUs + this.#gatherUs : 0;
    return Math.min(due, Math.max(arrivalUs, soonestUs));
  }

  #arrive(callNo: number, nowUs: number): void {
    const o = this.#o;
    this.#values[COUNTER_INDEX.offered]!++;
    const slot = this.#pool.take();
    if (slot < 0) {
      this.#values[COUNTER_INDEX.blockedMaxCalls]!++;
      return;
    }
    let leg = -1;
    if (o.media !== null) {
      leg = o.media.open();
      if (leg < 0) {
        this.#pool.give(slot);
        this.#values[COUNTER_INDEX.blockedNoPort]!++;
        return;
      }
    }
    const tx = this.stack.client.open(slot, METHOD.INVITE);
    const record = tx < 0 ? -1 : o.store.take();
    if (record < 0) {
      if (tx >= 0) this.stack.client.drop(tx);
      if (leg >= 0) o.media!.close(leg);
      this.#pool.give(slot);
      this.#values[COUNTER_INDEX.blockedMaxCalls]!++;
      return;
    }
    const generation = (this.#generation[slot]! + 1) & 0xffff;
    this.#generation[slot] = generation;
    this.#state[slot] = CALLING;
    this.#record[slot] = record;
    this.#callNo[slot] = callNo;
    this.#leg[slot] = leg;
    this.#tx[slot] = tx;
    this.#cancel[slot] = 0;
    const chance = this.#chance.at(callNo);
    this.#holdUs[slot] = draw(o.call.holdMs, chance) * 1000;

    const { port } = this.stack;
    const at = port.slot();
    this.#dialogs.use(tx);
    const mediaPort = leg >= 0 ? o.media!.port(leg) : 9;
    const w = this.#writer;
    const len = w.write(port.tx, at, callNo, slot, generation, mediaPort, this.#dialogs.branch) - at;
    const { store } = o;
    store.setF64(record, O.intendedMs, o.arrivals[callNo]!);
    store.setF64(record, O.startedMs, (nowUs - o.t0Us) / 1000);
    store.setU32(record, O.callNo, callNo);
    store.setU8(record, O.role, ROLE.CALLER);
    store.setU8(record, O.worker, o.worker);
    store.setU16(record, O.mediaPort, mediaPort);
    store.setText(record, O.callId, LEG_FIELDS.callId.text, port.tx, w.callIdOff, w.callIdLen);
    const lateUs = nowUs - o.t0Us - o.arrivals[callNo]! * 1000;
    o.counters.callLateness[bucketOf(lateUs)]!++;
    this.#values[COUNTER_INDEX.started]!++;
    this.#values[COUNTER_INDEX.sipSent]!++;
    this.#timers.set(slot, nowUs + o.call.patienceMs * 1000);
    if (!this.stack.client.send(tx, at, len, o.hopIp, o.hopPort, nowUs)) {
      this.stack.client.drop(tx);
      this.#values[COUNTER_INDEX.transactionsFull]!++;
      this.#end(slot, 'timeout', 'nobody', nowUs);
    }
  }

  override onResponse(slot: number, tx: number, msg: SipMessage, nowUs: number): void {
    const { status } = msg;
    const record = this.#record[slot]!;
    const { store } = this.#o;
    if (msg.method === METHOD.BYE) {
      if (status < 200) return;
      store.setU16(record, O.byeCode, status);
      this.#end(slot, status < 300 ? 'completed' : 'bye-failed', 'us', nowUs);
      return;
    }
    if (status < 200) {
      this.#provisional(slot, tx, msg, nowUs);
      return;
    }
    this.#tx[slot] = -1;
    store.setU16(record, O.finalCode, status);
    notePeerAgent(store, record, msg);
    if (status >= 300) {
      store.setF64(record, O.rejectedMs, (nowUs - this.#o.t0Us) / 1000);
      const retryAfter = msg.numberOf(H.RETRY_AFTER);
      if (retryAfter > 0) store.setU16(record, O.retryAfterS, retryAfter);
      noteReason(store, record, msg);
      const cancelled = this.#cancel[slot] !== 0;
      this.#end(slot, cancelled ? 'cancelled' : 'rejected', cancelled ? 'us' : 'them', nowUs);
      return;
    }
    this.#answered(slot, msg, nowUs);
  }

  #provisional(slot: number, tx: number, msg: SipMessage, nowUs: number): void {
    noteProvisional(this.#o.store, this.#record[slot]!, msg.status, (nowUs - this.#o.t0Us) / 1000);
    // RFC 3261 9.1: the CANCEL that had to wait for a provisional response goes now.
    if (this.#cancel[slot] === 1 && this.stack.client.cancel(tx, nowUs)) this.#cancel[slot] = 2;
  }

  #answered(slot: number, msg: SipMessage, nowUs: number): void {
    const o = this.#o;
    const record = this.#record[slot]!;
    o.store.setF64(record, O.answeredMs, (nowUs - o.t0Us) / 1000);
    this.#values[COUNTER_INDEX.answered]!++;
    this.#state[slot] = UP;
    if (!this.#dialogs.dialogs.openAsCaller(slot, msg, msg.cseq)) {
      // A 2xx without a usable Contact cannot be acknowledged in a dialog: it ends here.
      this.#end(slot, 'dropped', 'us', nowUs);
      return;
    }
    if (this.#dialogs.dialogs.hopIp(slot) < 0) this.#dialogs.dialogs.setHop(slot, o.hopIp, o.hopPort);
    if (this.#sdp.read(msg.bytes, msg.bodyOff, msg.bodyLen)) {
      o.store.setU32(record, O.remoteMediaIp, this.#sdp.ip);
      o.store.setU16(record, O.remoteMediaPort, this.#sdp.port);
      const leg = this.#leg[slot]!;
      if (leg >= 0 && this.#sdp.port > 0) {
        const callNo = this.#callNo[slot]!;
        o.media!.start(
          leg,
          {
            slot: record,
            callNo,
            role: ROLE.CALLER,
            remoteIp: this.#sdp.ip,
            remotePort: this.#sdp.port,
            ssrc: (Math.imul(callNo + 1, 0x9e3779b1) ^ o.seed) >>> 0,
          },
          nowUs,
        );
      }
    }
    this.#ack(slot, msg.cseq);
    o.store.setF64(record, O.ackedMs, (nowUs - o.t0Us) / 1000);
    if (this.#cancel[slot] !== 0) {
      // The answer crossed our CANCEL (RFC 3261 15): the call is up, so it is ended by BYE.
      this.#hangUp(slot, nowUs);
      return;
    }
    o.store.setF64(record, O.plannedEndMs, (nowUs + this.#holdUs[slot]! - o.t0Us) / 1000);
    this.#timers.set(slot, nowUs + this.#holdUs[slot]!);
  }

  #ack(slot: number, cseq: number): void {
    this.#dialogs.ack(slot, cseq);
    this.#values[COUNTER_INDEX.sipSent]!++;
    this.#o.store.incU16(this.#record[slot]!, O.ackCount);
  }

  #hangUp(slot: number, nowUs: number): void {
    this.#timers.clear(slot);
    this.#stopMedia(slot, nowUs);
    this.#o.store.setF64(this.#record[slot]!, O.byeMs, (nowUs - this.#o.t0Us) / 1000);
    this.#state[slot] = HANGING_UP;
    const tx = this.#dialogs.bye(slot, slot, null, nowUs);
    this.#values[COUNTER_INDEX.sipSent]!++;
    if (tx < 0) this.#end(slot, 'bye-failed', 'us', nowUs);
    else this.#tx[slot] = tx;
  }

  /** Patience is over. Without a provisional response the CANCEL waits for one, or for timer B (RFC 3261 9.1). */
  #giveUp(slot: number, nowUs: number): void {
    if (this.#cancel[slot] !== 0) return;
    this.#cancel[slot] = 1;
    if (this.stack.client.cancel(this.#tx[slot]!, nowUs)) this.#cancel[slot] = 2;
  }

  #onTimer(slot: number): void {
    if (this.#state[slot] === CALLING) this.#giveUp(slot, this.#nowUs);
    else if (this.#state[slot] === UP) this.#hangUp(slot, this.#nowUs);
  }

  onRequest(msg: SipMessage, tx: number, srcIp: number, srcPort: number, nowUs: number): void {
    const slot = slotOfTag(msg.bytes, msg.toTagOff, msg.toTagLen, this.#salt, this.#generation);
    const state = slot < 0 || !this.#dialogs.dialogs.isCallId(slot, msg) ? FREE : this.#state[slot]!;
    if (msg.method === METHOD.OPTIONS && msg.toTagLen === 0) {
      this.stack.reply(tx, 200, srcIp, srcPort, PLAIN_TAG, null, nowUs);
      return;
    }
    if (state !== UP && state !== HANGING_UP) {
      const status = msg.toTagLen > 0 ? 481 : msg.method === 0 ? 501 : 405;
      this.stack.reply(tx, status, srcIp, srcPort, PLAIN_TAG, ALLOW, nowUs);
      return;
    }
    if (!this.#dialogs.dialogs.acceptCseq(slot, msg.cseq)) {
      this.stack.reply(tx, 500, srcIp, srcPort, null, null, nowUs);
      return;
    }
    if (msg.method !== METHOD.BYE) {
      // A re-INVITE that changes nothing is legal to refuse (RFC 3261 14.2); OPTIONS in a dialog is a ping.
      const status = msg.method === METHOD.OPTIONS ? 200 : msg.method === METHOD.INVITE ? 488 : 501;
      this.stack.reply(tx, status, srcIp, srcPort, null, null, nowUs);
      return;
    }
    this.stack.reply(tx, 200, srcIp, srcPort, null, null, nowUs);
    if (state === HANGING_UP) return; // both hung up: our own BYE decides
    const record = this.#record[slot]!;
    this.#o.store.setF64(record, O.byeMs, (nowUs - this.#o.t0Us) / 1000);
    noteReason(this.#o.store, record, msg);
    this.#end(slot, 'dropped', 'them', nowUs);
  }

  override onStrayResponse(msg: SipMessage): void {
    // A 2xx that comes again: the ACK was lost, send it again (RFC 3261 13.2.2.4).
    const slot = slotOfTag(msg.bytes, msg.fromTagOff, msg.fromTagLen, this.#salt, this.#generation);
    const accepted = msg.method === METHOD.INVITE && msg.status >= 200 && msg.status < 300;
    if (slot < 0 || !accepted || this.#state[slot] === FREE || this.#state[slot] === CALLING) {
      this.#values[COUNTER_INDEX.strayMessages]!++;
      return;
    }
    this.#o.store.incU16(this.#record[slot]!, O.answerRetransmits);
    this.#values[COUNTER_INDEX.retransmitsSeen]!++;
    this.#ack(slot, msg.cseq);
  }

  override onTimeout(slot: number, _tx: number, method: number, nowUs: number): void {
    if (method === METHOD.BYE) this.#end(slot, 'bye-failed', 'timer', nowUs);
    else this.#end(slot, this.#cancel[slot] === 2 ? 'cancelled' : 'timeout', 'timer', nowUs);
  }

  /** RFC 3261 8.1.3.1: as a 503 would be, with our word for the reason. */
  override onTransportError(slot: number, _tx: number, method: number, why: string, nowUs: number): void {
    if (method === METHOD.BYE) this.#end(slot, 'bye-failed', 'nobody', nowUs);
    else {
      noteTransportError(this.#o.store, this.#record[slot]!, why, (nowUs - this.#o.t0Us) / 1000);
      this.#end(slot, this.#cancel[slot] === 2 ? 'cancelled' : 'rejected', 'nobody', nowUs);
    }
  }

  override onRetransmit(slot: number, method: number): void {
    this.#values[COUNTER_INDEX.retransmitsSent]!++;
    const record = this.#record[slot]!;
    if (method === METHOD.INVITE) this.#o.store.incU16(record, O.inviteRetransmits);
    else if (method === METHOD.BYE) this.#o.store.incU16(record, O.byeRetransmits);
  }

  override stray(): void {
    this.#values[COUNTER_INDEX.strayMessages]!++;
  }

  #stopMedia(slot: number, nowUs: number): void {
    const leg = this.#leg[slot]!;
    if (leg < 0) return;
    this.#o.media!.stop(leg, nowUs);
    this.#o.media!.close(leg);
    this.#leg[slot] = -1;
  }

  #end(slot: number, outcome: Outcome, by: EndedBy, nowUs: number): void {
    const { store } = this.#o;
    const record = this.#record[slot]!;
    this.#stopMedia(slot, nowUs);
    store.setF64(record, O.endedMs, (nowUs - this.#o.t0Us) / 1000);
    store.setU8(record, O.outcome, OUTCOMES.indexOf(outcome));
    store.setU8(record, O.endedBy, ENDED_BY.indexOf(by));
    store.done(record);
    this.#timers.clear(slot);
    this.#dialogs.dialogs.close(slot);
    this.#state[slot] = FREE;
    this.#pool.give(slot);
    this.#values[COUNTER_INDEX.ended]!++;
  }
}

const PLAIN_TAG = ascii('deadair');
const ALLOW = ascii('Allow: INVITE, ACK, BYE, CANCEL, OPTIONS\r\n');
