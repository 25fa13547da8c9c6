import { COUNTERS, type Counters, quantileUs } from '../../agents/counters.js';
import { LEG_LAYOUT, LEG_OFFSETS, type Leg, type LegField, OUTCOMES, ROLE } from '../../agents/record.js';
import { RecordLog } from '../../agents/record-reader.js';
import { REGISTRATION_LAYOUT, type Registration, type RegistrationField } from '../../agents/registration-record.js';
import type { RecordSource } from '../../agents/store.js';
import type { FrameRow, GeneratorRecord, LoadRecord, RegistrationLoad } from '../collect/schema.js';
import type { RunStore } from '../collect/store.js';
import type { LiveCalls } from './live-calls.js';
import type { PhonesProgress } from './types.js';

const OPEN = OUTCOMES.indexOf('open');
/** Below this the tables that a worker has anyway are more than what its phones take. */
const MEMORY_PHONES = 1000;

/** One agents' worker as the collector sees it: memory that stays readable when the worker is dead. */
export interface GatheredWorker {
  name: string;
  legs: RecordSource<LegField, Leg>;
  registrations: RecordSource<RegistrationField, Registration> | null;
  counters: Counters;
  /** Arrivals of this worker, ms, so that what a dead worker never offered is known. */
  arrivals: Float64Array;
  first: number;
  stride: number;
  died: boolean;
  /** Callers' records that it handed over. */
  ended: number;
}

export interface Totals {
  offered: number;
  started: number;
  blocked: number;
  ended: number;
  open: number;
  answered: number;
  phones?: PhonesProgress;
}

/** Gathers shared memory: copies finished records as they come, counters once a second; `finish` makes rows of it. */
export class Gatherer {
  readonly workers: GatheredWorker[] = [];
  /** What has ended, until the run has: decoding it would take the CPU that the calls need. */
  readonly #legs = new RecordLog<LegField, Leg>(LEG_LAYOUT);
  readonly #registrations = new RecordLog<RegistrationField, Registration>(REGISTRATION_LAYOUT);
  #nextFrameMs = 0;

  constructor(
    private readonly store: RunStore,
    private readonly live: LiveCalls | null = null,
  ) {}

  poll(tMs: number): void {
    for (const w of this.workers) {
      w.legs.drainTo(this.#legs, (bytes, at) => {
        if (bytes[at + LEG_OFFSETS.role] !== ROLE.CALLER) return;
        w.ended++;
        this.live?.see(bytes, at);
      });
      w.registrations?.drainTo(this.#registrations);
    }
    if (tMs < this.#nextFrameMs) return;
    this.#nextFrameMs = Math.floor(tMs / 1000) * 1000 + 1000;
    for (const w of this.workers) {
      for (let i = 0; i < COUNTERS.length; i++) {
        this.store.addFrame({
          tMs,
          worker: w.name,
          name: COUNTERS[i]!,
          value: w.counters.values[i]!,
        } satisfies FrameRow);
      }
    }
  }

  /** `phones`: how many the plan has; undefined: none. */
  totals(phones?: number): Totals {
    const sum = (name: (typeof COUNTERS)[number]): number => this.workers.reduce((n, w) => n + w.counters.get(name), 0);
    const started = sum('started');
    const ended = sum('ended');
    const offered = sum('offered');
    const calls = {
      offered,
      started,
      blocked: offered - started,
      ended,
      open: started - ended,
      answered: sum('answered'),
    };
    if (phones === undefined) return calls;
    const registering = {
      phones,
      registered: sum('registeredPhones'),
      attempts: sum('registrationsStarted'),
      failed: sum('register503') + sum('registerRejected') + sum('registerTimeouts'),
      blocked: sum('registrationsBlocked'),
    };
    return { ...calls, phones: registering };
  }

  /** After finish(). */
  registrations(): RegistrationLoad {
    const [offered, started, ended] = [
      this.sum('registrationsOffered'),
      this.sum('registrationsStarted'),
      this.sum('registrationsEnded'),
    ];
    return { offered, blocked: this.sum('registrationsBlocked'), started, ended, open: started - ended };
  }

  sum(name: (typeof COUNTERS)[number]): number {
    return this.workers.reduce((n, w) => n + w.counters.get(name), 0);
  }

  /**
   * The last records, those of calls that are still up too, and the sums. The run ended at `endMs`; arrivals were due
   * until `dueUntilMs`. Whatever was due by then and no worker took in hand is offered and blocked, not forgotten.
   */
  finish(endMs: number, dueUntilMs: number = endMs): LoadRecord {
    this.#nextFrameMs = 0;
    this.poll(endMs);
    this.#legs.takeAll((leg) => this.store.addLeg(leg));
    this.#registrations.takeAll((row) => this.store.addRegistration(row));
    const blockedBy = { maxCalls: 0, noPort: 0, tooLate: 0, workerDead: 0 };
    const sum = { offered: 0, started: 0, ended: 0 };
    for (const w of this.workers) {
      const c = w.counters;
      let up = 0;
      w.legs.readOpen((leg) => {
        if (leg.role === ROLE.CALLER && leg.outcome === OPEN) up++;
        else if (leg.role === ROLE.CALLER) w.ended++;
        this.store.addLeg(leg);
      });
      w.registrations?.readOpen((row) => this.store.addRegistration(row));
      // A worker that was killed between a record and its counter is believed for the record.
      const started = w.died ? w.ended + up : c.get('started');
      const offered = Math.max(c.get('offered'), started, dueBy(w, dueUntilMs));
      const refused = c.get('blockedMaxCalls') + c.get('blockedNoPort');
      blockedBy.maxCalls += c.get('blockedMaxCalls');
      blockedBy.noPort += c.get('blockedNoPort');
      blockedBy[w.died ? 'workerDead' : 'tooLate'] += offered - started - refused;
      sum.offered += offered;
      sum.started += started;
      sum.ended += w.died ? w.ended : c.get('ended');
    }
    const { offered, started, ended } = sum;
    return { offered, blocked: offered - started, started, ended, open: started - ended, blockedBy };
  }

  /** `phones` that register. */
  generator(wire: string, mediaBackend: string, phones = 0): GeneratorRecord {
    const calls = this.workers.map((w) => w.counters.callLateness);
    const rtp = this.workers.map((w) => w.counters.rtpLateness);
    const of = (h: Float64Array[]): GeneratorRecord['callLatenessMs'] => ({
      p50: quantileUs(h, 0.5) / 1000,
      p99: quantileUs(h, 0.99) / 1000,
      max: quantileUs(h, 1) / 1000,
    });
    return {
      mediaBackend,
      wire,
      workers: this.workers.map((w) => {
        const busy = w.counters.get('busyUs');
        const all = busy + w.counters.get('idleUs');
        return { name: w.name, died: w.died, cpuBusy: all > 0 ? busy / all : 0 };
      }),
      callLatenessMs: of(calls),
      rtpLatenessMs: of(rtp),
      ...(phones >= MEMORY_PHONES && this.sum('phoneBytes') > 0
        ? { bytesPerPhone: Math.round(this.sum('phoneBytes') / phones) }
        : {}),
      rtpSent: this.sum('rtpSent'),
      rtpReceived: this.sum('rtpReceived'),
      sendDropped: this.sum('sendDropped'),
      receiveDropped: this.sum('receiveDropped'),
      unreachable: this.sum('unreachable'),
      parseRejected: this.sum('parseRejected'),
    };
  }
}

/** How many of a worker's arrivals had come due. */
function dueBy({ arrivals, first, stride }: GatheredWorker, ms: number): number {
  let due = 0;
  for (let i = first; i < arrivals.length && arrivals[i]! <= ms; i += stride) due++;
  return due;
}

/** A power of two with room for every leg that can be up, and as many that ended and were not collected yet. */
export function legCapacity(maxCalls: number, sides: number): number {
  let n = 64;
  while (n < maxCalls * sides * 2) n *= 2;
  return n;
}
