import type { CallerOptions } from '../../agents/caller-options.js';
import { Counters } from '../../agents/counters.js';
import type { Leg } from '../../agents/record.js';
import { ENDED_BY, OUTCOMES } from '../../agents/record.js';
import { LegStore } from '../../agents/store.js';
import { Caller } from '../../agents/uac.js';
import { Callee, type CalleeOptions } from '../../agents/uas.js';
import { MemoryWorld } from '../../agents/wire/memory.js';
import type { Actor, Wire } from '../../agents/wire/types.js';
import { ScriptedPeer } from './scripted-peer.js';

export const OURS = 0x0a000001;
export const PEER = 0x0a000002;
const START_US = 1_000_000;

export type Ended = Leg & { how: string; by: string };

/** A caller or callee and a scripted peer, alone in a world where a datagram takes 100 us and nothing is lost. */
export class AgentBench<A extends Actor> {
  readonly world = new MemoryWorld({ seed: 1, latencyUs: 0, jitterUs: 0, startUs: START_US });
  readonly peer = new ScriptedPeer(this.world, PEER, 5060);
  readonly counters = new Counters();
  readonly store: LegStore;
  readonly agent: A;
  readonly #legs: Ended[] = [];

  constructor(make: (wire: Wire, store: LegStore, counters: Counters) => A, capacity = 64) {
    this.store = LegStore.create(capacity).store;
    const wire = this.world.wire('ours');
    this.agent = make(wire, this.store, this.counters);
    this.world.add(this.agent, wire);
  }

  /** Until `ms` after t0. */
  until(ms: number): void {
    this.world.runUntil(START_US + Math.round(ms * 1000));
  }
  get nowMs(): number {
    return (this.world.nowUs - START_US) / 1000;
  }
  run(ms: number): void {
    this.until(this.nowMs + ms);
  }
  act(what: () => void): void {
    what();
    this.world.wake(this.agent);
  }

  /** Records of all legs that are over, in the order in which they ended. */
  get legs(): readonly Ended[] {
    this.store.drain((leg) => this.#legs.push({ ...leg, how: OUTCOMES[leg.outcome]!, by: ENDED_BY[leg.endedBy]! }));
    return this.#legs;
  }
  /** The only one. */
  get leg(): Ended {
    if (this.legs.length !== 1) throw new Error(`${this.legs.length} legs are over`);
    return this.legs[0]!;
  }
}

export function callerBench(options: Partial<CallerOptions> = {}, holdMs = 10_000, capacity = 64): AgentBench<Caller> {
  return new AgentBench(
    (wire, store, counters) =>
      new Caller(wire, {
        ip: OURS,
        port: 5060,
        hopIp: PEER,
        hopPort: 5060,
        domain: 'target.example',
        user: null,
        arrivals: Float64Array.of(0),
        first: 0,
        stride: 1,
        call: {
          ringMs: { kind: 'fixed', ms: 0 },
          holdMs: { kind: 'fixed', ms: holdMs },
          patienceMs: 60_000,
          media: 'none',
          rtcp: false,
        },
        seed: 1,
        worker: 3,
        salt: 0xcafe,
        runTag: 'run',
        maxCalls: 16,
        t0Us: START_US,
        store,
        counters,
        media: null,
        ...options,
      }),
    capacity,
  );
}

export function calleeBench(options: Partial<CalleeOptions> = {}, ringMs = 1000, capacity = 64): AgentBench<Callee> {
  return new AgentBench(
    (wire, store, counters) =>
      new Callee(wire, {
        ip: OURS,
        port: 5060,
        ringMs: { kind: 'fixed', ms: ringMs },
        seed: 1,
        worker: 3,
        salt: 0xcafe,
        maxCalls: 16,
        t0Us: START_US,
        store,
        counters,
        media: null,
        ...options,
      }),
    capacity,
  );
}

export const SDP = 'v=0\r\no=- 1 1 IN IP4 10.0.0.9\r\ns=-\r\nc=IN IP4 10.0.0.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n';
