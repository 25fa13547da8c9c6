import type { Logger } from 'pino';
import { monotonicUs } from '../clock.js';
import type { FaultRecord } from '../collect/schema.js';
import type { RunStore } from '../collect/store.js';
import { type DatabaseLock, lockDatabase } from '../faults/db-lock.js';
import type { FaultPlan } from '../plan/types.js';

interface Scheduled {
  plan: FaultPlan;
  applying: Promise<void> | null;
  lock: DatabaseLock | null;
  record: FaultRecord;
}

/** Applies the plan's faults on the run's clock and records when they really came and went. */
export class FaultSchedule {
  readonly #faults: Scheduled[];
  constructor(
    plans: readonly FaultPlan[],
    private readonly databaseFile: string,
    private readonly clockMs: () => number,
    private readonly store: RunStore,
    private readonly log: Logger | undefined,
  ) {
    this.#faults = plans.map((plan) => ({
      plan,
      applying: null,
      lock: null,
      record: {
        kind: plan.kind,
        intendedAtMs: plan.atMs,
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
      if (fault.applying !== null || this.clockMs() < fault.plan.atMs) continue;
      fault.applying = fault.plan.kind === 'db-lock' ? this.#apply(fault) : this.#watch(fault);
    }
  }

  /** Ends what is still on, waits for the proof, and writes the records. */
  async finish(): Promise<void> {
    for (const fault of this.#faults) {
      await fault.applying;
      const { lock, record } = fault;
      if (lock !== null) {
        const { releasedAtUs, proven, note } = await lock.cancel();
        record.removedAtMs = this.#ms(releasedAtUs);
        record.provenRemoved = proven;
        record.note = note;
      }
      this.store.appendFault(record);
    }
  }

  /** The platform itself does not hear for that long, on the same clock. */
  async #watch({ plan, record }: Scheduled): Promise<void> {
    record.appliedAtMs = plan.atMs;
    record.removedAtMs = plan.atMs + plan.forMs;
    record.note = "by the embedded registrar, on the run's clock";
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
