import { Counters } from '../../agents/counters.js';
import { ENDED_BY, type Leg, OUTCOMES, ROLE } from '../../agents/record.js';
import { LegStore } from '../../agents/store.js';
import { Caller } from '../../agents/uac.js';
import { Callee } from '../../agents/uas.js';
import { type Impairments, MemoryWorld } from '../../agents/wire/memory.js';
import { ipFromString } from '../../agents/wire/types.js';
import type { CallPlan } from '../../harness/plan/types.js';

export const CALLER = ipFromString('127.0.0.1');
export const CALLEE = ipFromString('127.0.0.2');
const START_US = 1_000_000;

export type Told = Leg & { how: string; by: string; log: string[] };

export interface PairOptions {
  /** What both ends do in the call. */
  call?: Partial<CallPlan>;
  /** What the callee does, where that differs. */
  callee?: Partial<CallPlan>;
  holdMs?: number;
  calls?: number;
  impairments?: Partial<Impairments>;
  seed?: number;
}

/** One caller and one callee of ours, face to face, without a platform between them. */
export class PairBench {
  readonly world: MemoryWorld;
  readonly caller: Caller;
  readonly callee: Callee;
  readonly counters = new Counters();
  readonly #stores = [LegStore.create(256).store, LegStore.create(256).store];
  readonly legs: Told[] = [];

  constructor(o: PairOptions = {}) {
    this.world = new MemoryWorld({ seed: o.seed ?? 1, startUs: START_US, impairments: o.impairments ?? {} });
    const [a, b] = [this.world.wire('caller'), this.world.wire('callee')];
    const call: CallPlan = {
      ringMs: { kind: 'fixed', ms: 0 },
      holdMs: { kind: 'fixed', ms: o.holdMs ?? 10_000 },
      patienceMs: 60_000,
      media: 'none',
      rtcp: false,
      ...o.call,
    };
    const common = {
      seed: 1,
      worker: 0,
      t0Us: START_US,
      media: null,
      counters: this.counters,
      maxCalls: 64,
      port: 5060,
    };
    this.caller = new Caller(a, {
      ...common,
      ip: CALLER,
      hopIp: CALLEE,
      hopPort: 5060,
      domain: '127.0.0.2',
      user: null,
      arrivals: new Float64Array(o.calls ?? 1),
      first: 0,
      stride: 1,
      call,
      salt: 0xaaaa,
      runTag: 'pair',
      store: this.#stores[0]!,
    });
    this.callee = new Callee(b, {
      ...common,
      ip: CALLEE,
      ringMs: call.ringMs,
      call: { ...call, ...o.callee },
      salt: 0xbbbb,
      store: this.#stores[1]!,
    });
    this.world.add(this.caller, a);
    this.world.add(this.callee, b);
  }

  /** Until `seconds` after t0. */
  until(seconds: number): this {
    this.world.runUntil(START_US + seconds * 1_000_000);
    for (const store of this.#stores) {
      store.drain((leg) => {
        const log = leg.dialogLog.trim();
        this.legs.push({
          ...leg,
          how: OUTCOMES[leg.outcome]!,
          by: ENDED_BY[leg.endedBy]!,
          log: log === '' ? [] : log.split(' '),
        });
      });
    }
    return this;
  }

  #only(role: number): Told {
    const found = this.legs.filter((l) => l.role === role);
    if (found.length !== 1) throw new Error(`${found.length} legs of role ${role} are over`);
    return found[0]!;
  }
  get a(): Told {
    return this.#only(ROLE.CALLER);
  }
  get b(): Told {
    return this.#only(ROLE.CALLEE);
  }
}
