import { draw } from '../harness/plan/dist.js';
import { KeyedPrng } from '../harness/prng.js';
import { ArrivalTurn, STARTS_PER_TICK } from './arrival-turn.js';
import { CallAgent } from './call/agent.js';
import type { IncomingOptions } from './call/incoming.js';
import { CALL, TIMER } from './call/table.js';
import type { CallerOptions } from './caller-options.js';
import { bucketOf, COUNTER_INDEX } from './counters.js';
import { O } from './leg.js';
import { ROLE } from './record.js';
import type { PhoneCallHandler } from './registrant-options.js';
import { METHOD } from './sip/names.js';
import type { UdpPort, Wire } from './wire/types.js';

/** Places the plan's calls, each at its instant, and hangs up when its talk is over. Registered phones answer too. */
export class Caller extends CallAgent implements PhoneCallHandler {
  readonly #o: CallerOptions;
  readonly #chance: KeyedPrng;
  readonly #holdUs: Float64Array;
  #next: number;
  /** After this no further arrival is started. */
  #stopped = false;
  readonly #turn: ArrivalTurn;

  constructor(wire: Wire, options: CallerOptions) {
    const n = options.maxCalls;
    // Timer K keeps a BYE's transaction for 5 s after the call: room for that at a thousand calls a second and more.
    const transactions = Math.min(1 << 19, Math.max(4096, n * 8));
    super(
      wire,
      {
        ...options,
        plan: options.call,
        party: options.phones?.party ?? null,
        ...(options.phones === undefined ? {} : { msg: options.phones.msg }),
        // A refused INVITE keeps its ACK for timer D, 32 s after the call: a message for every transaction, and the CANCELs
        // of the calls that are up. So what runs out first are transactions, and that blocks arrivals before they start.
        limits: {
          clientTransactions: transactions,
          // Timer J keeps a BYE for 32 s after the call.
          serverTransactions: Math.max(4096, n * (options.phones === undefined ? 2 : 16)),
          messages: transactions + n,
        },
      },
      incomingOf(options),
    );
    this.#o = options;
    this.#turn = new ArrivalTurn(wire);
    this.#chance = new KeyedPrng(options.seed);
    this.#holdUs = new Float64Array(n);
    this.#next = options.first;
  }

  get exhausted(): boolean {
    return this.#stopped || this.#next >= this.#o.arrivals.length;
  }

  /** No further arrivals; those that are due later were never offered. Calls that are up are hung up. */
  hangUpAll(nowUs: number): void {
    this.#stopped = true;
    const { state } = this.table;
    for (let slot = 0; slot < state.length; slot++) {
      if (state[slot] !== CALL.FREE) this.table.turnTo(slot);
      if (state[slot] === CALL.UP) this.sessions.hangUp(slot, 'completed', 'us', null, nowUs);
      else if (state[slot] === CALL.CALLING) this.outgoing.giveUp(slot, nowUs);
    }
  }

  override tick(nowUs: number): number {
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
    const due = super.tick(nowUs);
    if (this.exhausted) return due;
    const arrivalUs = o.t0Us + o.arrivals[this.#next]! * 1000;
    return Math.min(due, this.#turn.nextUs(arrivalUs, nowUs, started));
  }

  #arrive(callNo: number, nowUs: number): void {
    const o = this.#o;
    const { stack, table, values } = this;
    const party = o.phones?.party;
    const phone = party === undefined ? -1 : party.callerOf(callNo);
    if (party !== undefined) stack.port = party.portOf(phone);
    values[COUNTER_INDEX.offered]!++;
    const tx = stack.client.open(-1, METHOD.INVITE);
    const slot = tx < 0 ? -1 : table.take(CALL.CALLING, ROLE.CALLER);
    if (slot < 0) {
      if (tx >= 0) stack.client.drop(tx);
      values[tx >= 0 && table.lacks === 'port' ? COUNTER_INDEX.blockedNoPort : COUNTER_INDEX.blockedMaxCalls]!++;
      return;
    }
    table.callNo[slot] = callNo;
    this.#holdUs[slot] = draw(o.call.holdMs, this.#chance.at(callNo)) * 1000;
    table.store.setF64(table.record[slot]!, O.intendedMs, o.arrivals[callNo]!);
    if (o.tenant !== undefined) table.store.setU16(table.record[slot]!, O.tenant, o.tenant(callNo));
    const lateUs = nowUs - o.t0Us - o.arrivals[callNo]! * 1000;
    o.counters.callLateness[bucketOf(lateUs)]!++;
    values[COUNTER_INDEX.started]!++;
    table.arm(slot, TIMER.CALL, nowUs + o.call.patienceMs * 1000);
    table.phone[slot] = phone;
    if (party === undefined) {
      this.outgoing.place(slot, tx, null, o.hopIp, o.hopPort, nowUs);
      return;
    }
    table.store.setU32(table.record[slot]!, O.phone, party.number(phone) + 1);
    const { hopIp, hopPort } = party.inviting(phone);
    this.outgoing.place(slot, tx, null, hopIp, hopPort, nowUs);
  }

  /** What the phones' registrant has read. */
  receive(port: UdpPort, srcIp: number, srcPort: number, nowUs: number): void {
    this.stack.port = port;
    this.stack.handle(srcIp, srcPort, nowUs);
  }
  lost(port: UdpPort, peerIp: number, peerPort: number, why: string, nowUs: number): void {
    this.stack.client.failAll(port, peerIp, peerPort, why, nowUs);
  }

  protected override onUp(slot: number, nowUs: number): void {
    const { table } = this;
    const endUs = nowUs + this.#holdUs[slot]!;
    table.store.setF64(table.record[slot]!, O.plannedEndMs, table.ms(endUs));
    table.arm(slot, TIMER.CALL, endUs);
  }
}

function incomingOf({ phones, seed, salt }: CallerOptions): IncomingOptions | null {
  if (phones === undefined) return null;
  const { party, ringMs, ordinaryFailures } = phones;
  return { party, ringMs, ordinaryFailures, seed, salt };
}
