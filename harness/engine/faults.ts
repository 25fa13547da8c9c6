import type { Logger } from 'pino';
import { monotonicUs } from '../clock.js';
import type { FaultRecord, TelemetryRow } from '../collect/schema.js';
import type { RunStore } from '../collect/store.js';
import { type DatabaseLock, lockDatabase } from '../faults/db-lock.js';
import { occurrences } from '../plan/fault.js';
import type { FaultPlan } from '../plan/types.js';
import { OutageWatch } from './outage-watch.js';

interface Scheduled {
  atMs: number;
  plan: FaultPlan;
  applying: Promise<void> | null;
  lock: DatabaseLock | null;
  record: FaultRecord;
}

/** Applies the plan's faults on the run's clock and records when they really came and went. */
export class FaultSchedule {
  readonly #faults: Scheduled[];
  /** What the platform does to itself, on the same clock. */
  readonly #outages: OutageWatch[];
  constructor(
    plans: readonly FaultPlan[],
    private readonly databaseFile: string,
    private readonly clockMs: () => number,
    private readonly store: RunStore,
    private readonly log: Logger | undefined,
  ) {
    this.#outages = plans.filter((p) => p.kind === 'registrar-outage').map((p) => new OutageWatch(p));
    const ours = occurrences(plans).filter((f) => f.plan.kind === 'db-stall');
    this.#faults = ours.map(({ plan, atMs }) => ({
      atMs,
      plan,
      applying: null,
      lock: null,
      record: {
        kind: plan.kind,
        intendedAtMs: atMs,
        appliedAtMs: null,
        removedAtMs: null,
        provenRemoved: true,
        note: 'never applied: the run ended before',
      },
    }));
  }

  /** Starts what is due. */
  poll(): void {
    for (const fault of this.#faults) {
      if (fault.applying !== null || this.clockMs() < fault.atMs) continue;
      fault.applying = this.#apply(fault);
    }
  }

  /** A reading of the platform: it tells of outages. */
  see(row: TelemetryRow): void {
    for (const watch of this.#outages) watch.see(row);
  }

  /** Ends what is still on, and waits for the proof. */
  async undo(): Promise<void> {
    for (const fault of this.#faults) {
      await fault.applying;
      const { lock, record } = fault;
      if (lock === null) continue;
      const { releasedAtUs, proven, note } = await lock.cancel();
      record.removedAtMs = this.#ms(releasedAtUs);
      record.provenRemoved = proven;
      record.note = note;
    }
  }

  /** Writes the records, when the last reading of the platform is there. */
  finish(): void {
    for (const watch of this.#outages) this.store.appendFault(watch.finish(this.clockMs()));
    for (const { record } of this.#faults) this.store.appendFault(record);
  }

  async #apply(fault: Scheduled): Promise<void> {
    try {
      fault.lock = await lockDatabase(this.databaseFile, { forMs: fault.plan.forMs });
      fault.record.appliedAtMs = this.#ms(fault.lock.appliedAtUs);
      fault.record.provenRemoved = false;
      this.log?.info({ fault: fault.plan.kind, atMs: fault.record.appliedAtMs }, 'fault is on');
    } catch (error) {
      fault.record.note = `could not be applied: ${(error as Error).message}`;
      this.log?.error({ fault: fault.plan.kind, why: (error as Error).message }, 'fault could not be applied');
    }
  }

  /** An instant of the machine's monotonic clock, on the run's. */
  #ms(us: number): number {
    return this.clockMs() - (monotonicUs() - us) / 1000;
  }
}
