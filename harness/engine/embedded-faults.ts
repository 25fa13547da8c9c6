import type { FaultRecord } from '../collect/schema.js';
import { FaultBoard } from '../lab/embedded/fault-board.js';
import { embeddedOccurrences } from '../lab/embedded/faults.js';
import type { FaultPlan } from '../plan/types.js';

/** What the embedded platform did to itself, as it saw it happen. */
export class EmbeddedFaultLog {
  readonly board: FaultBoard;
  readonly #plans: readonly FaultPlan[];

  constructor(plans: readonly FaultPlan[]) {
    this.#plans = plans;
    this.board = FaultBoard.create(embeddedOccurrences(plans).length);
  }

  /** When the platform is gone, at `endMs` of the run's clock. */
  records(t0Us: number, endMs: number): FaultRecord[] {
    return embeddedOccurrences(this.#plans).map(({ id, plan, atMs, forMs }, i) => {
      const { appliedAtUs, removedAtUs, clear, seen, hit } = this.board.read(i);
      const ms = (us: number): number => (us - t0Us) / 1000;
      const never = Number.isNaN(appliedAtUs);
      const packets = Number.isNaN(seen) ? '' : `; done to ${hit} of ${seen} packets`;
      // Its end is the platform's own: nothing of it is left.
      const over = never || clear || Number.isNaN(removedAtUs);
      return {
        kind: plan.kind,
        ...{ id, on: plan.on, backend: 'embedded' },
        intendedAtMs: atMs,
        intendedForMs: forMs,
        appliedAtMs: never ? null : ms(appliedAtUs),
        removedAtMs: never ? null : Number.isNaN(removedAtUs) ? endMs : ms(removedAtUs),
        provenRemoved: over,
        note: never
          ? 'never applied: the run ended before'
          : `${Number.isNaN(removedAtUs) ? 'the run ended before it did, and the platform with it' : 'its part was seen to be as before'}${packets}`,
      };
    });
  }
}
