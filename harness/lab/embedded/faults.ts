import type { Actor } from '../../../agents/wire/types.js';
import { type Occurrence, occurrences, paramsAt } from '../../plan/fault.js';
import type { FaultPlan } from '../../plan/types.js';
import type { FaultBoard } from './fault-board.js';
import { type Control, controlOf, DONE_ELSEWHERE, type FaultParts } from './fault-controls.js';

/** A ramp is climbed in steps of this length. */
const RAMP_STEP_US = 100_000;
/** How often the end of what ends by itself (a reload) is looked for. */
const LOOK_US = 10_000;

/** Faults of a plan that the platform does itself, in the order of the board. */
export function embeddedOccurrences(plans: readonly FaultPlan[]): Occurrence[] {
  return occurrences(plans.filter((plan) => !DONE_ELSEWHERE.includes(plan.kind)));
}

interface Running {
  fault: Occurrence;
  control: Control;
  fromUs: number;
  toUs: number;
  nextUs: number;
  state: 'waiting' | 'on' | 'ending' | 'over';
}

/** The run's clock for faults: each comes and goes at its instant, whatever becomes of the process that ordered it. */
export class FaultTimeline implements Actor {
  readonly #faults: Running[];

  constructor(
    plans: readonly FaultPlan[],
    parts: FaultParts,
    seed: number,
    t0Us: number,
    private readonly board: FaultBoard,
  ) {
    this.#faults = embeddedOccurrences(plans).map((fault) => {
      const fromUs = t0Us + fault.atMs * 1000;
      const control = controlOf(fault.plan, fault.id, seed, parts);
      return { fault, control, fromUs, toUs: fromUs + fault.forMs * 1000, nextUs: fromUs, state: 'waiting' };
    });
  }

  tick(nowUs: number): number {
    let due = Number.POSITIVE_INFINITY;
    for (let i = 0; i < this.#faults.length; i++) {
      const f = this.#faults[i]!;
      if (nowUs >= f.nextUs) this.#step(i, f, nowUs);
      if (f.nextUs < due) due = f.nextUs;
    }
    return due;
  }

  #step(i: number, f: Running, nowUs: number): void {
    const { control, fault } = f;
    if (f.state === 'on' && nowUs >= f.toUs) {
      control.undo(nowUs);
      f.state = 'ending';
      // What happens at an instant ends by itself, later: until then it was not to be removed.
      if (fault.forMs > 0) this.board.write(i, { removedAtUs: nowUs });
    }
    if (f.state === 'ending') {
      const clear = control.isClear();
      if (clear) this.board.write(i, { removedAtUs: nowUs, clear, ...control.told?.() });
      f.state = clear ? 'over' : 'ending';
      f.nextUs = clear ? Number.POSITIVE_INFINITY : nowUs + LOOK_US;
      return;
    }
    control.apply(paramsAt(fault.plan, (nowUs - f.fromUs) / 1000), nowUs);
    if (f.state === 'waiting') this.board.write(i, { appliedAtUs: nowUs, clear: false });
    f.state = 'on';
    const { ramp } = fault.plan;
    const climbing = ramp !== undefined && nowUs < f.fromUs + ramp.overMs * 1000;
    f.nextUs = climbing ? Math.min(nowUs + RAMP_STEP_US, f.toUs) : f.toUs;
  }
}
