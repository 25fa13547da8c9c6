import { HarnessError } from '../errors.js';
import { type Occurrence, occurrences, paramsAt } from '../plan/fault.js';
import type { FaultPlan } from '../plan/types.js';
import { subSeed } from '../prng.js';
import { type Line, type Stage, stage } from './line.js';
import { filterOf, impairmentOf, isPacketFault, PACKET_FAULTS, type PacketFault, waysOf } from './of-fault.js';

/** A ramp is climbed in steps of this length. */
const RAMP_STEP_US = 100_000;

/** What one fault did; its removal is seen by the lines, which have it no more. */
export interface PacketFaultReport {
  id: string;
  kind: string;
  appliedAtMs: number | null;
  removedAtMs: number | null;
  provenRemoved: boolean;
  /** Datagrams that were looked at, and those that something was done to. */
  seen: number;
  hit: number;
}

interface Timed {
  fault: Occurrence;
  kind: PacketFault;
  lines: { line: Line; stage: Stage }[];
  fromUs: number;
  toUs: number;
  nextUs: number;
  appliedAtUs: number;
  removedAtUs: number;
}

/** Throws BAD_PLAN when a fault is none that is done to datagrams. */
export function checkPacketFaults(plans: readonly FaultPlan[]): void {
  for (const { kind, params } of plans) {
    const where = `--fault ${kind}`;
    if (!isPacketFault(kind)) {
      throw new HarnessError(
        'BAD_PLAN',
        `${where}: it is not done to datagrams; a relay does ${PACKET_FAULTS.join(', ')}`,
      );
    }
    impairmentOf(kind, params, where);
    filterOf(params, where);
  }
}

/** Faults on the two directions of one carrier, each at its instant. */
export class PacketClock {
  readonly #faults: Timed[];

  constructor(
    plans: readonly FaultPlan[],
    lines: { in: Line; out: Line },
    seed: number,
    private readonly t0Us: number,
  ) {
    checkPacketFaults(plans);
    this.#faults = occurrences(plans).map((fault) => {
      const { kind, params } = fault.plan as FaultPlan & { kind: PacketFault };
      const where = `--fault ${kind}`;
      const fromUs = t0Us + fault.atMs * 1000;
      return {
        ...{ fault, kind, fromUs, toUs: fromUs + fault.forMs * 1000, nextUs: fromUs },
        ...{ appliedAtUs: Number.NaN, removedAtUs: Number.NaN },
        lines: waysOf(params).map((way) => ({
          line: lines[way],
          stage: stage(subSeed(seed, `${fault.id} ${way}`), impairmentOf(kind, params, where), filterOf(params, where)),
        })),
      };
    });
  }

  /** The next instant at which something changes. */
  tick(nowUs: number): number {
    let due = Number.POSITIVE_INFINITY;
    for (const f of this.#faults) {
      if (nowUs >= f.nextUs) this.#step(f, nowUs);
      due = Math.min(due, f.nextUs);
    }
    return due;
  }

  /** Everything that is on is taken away. */
  end(nowUs: number): void {
    for (const f of this.#faults)
      if (!Number.isNaN(f.appliedAtUs) && Number.isNaN(f.removedAtUs)) this.#remove(f, nowUs);
  }

  report(): PacketFaultReport[] {
    const ms = (us: number): number | null => (Number.isNaN(us) ? null : (us - this.t0Us) / 1000);
    return this.#faults.map(({ fault, kind, lines, appliedAtUs, removedAtUs }) => {
      const counts = lines.map(({ stage }) => stage.decider.counts);
      const hit = counts.map((c) => c.lost + c.queueDropped + c.delayed + c.reordered + c.duplicated);
      return {
        ...{ id: fault.id, kind, appliedAtMs: ms(appliedAtUs), removedAtMs: ms(removedAtUs) },
        provenRemoved: lines.every(({ line, stage }) => !line.has(stage)),
        seen: counts.reduce((sum, c) => sum + c.seen, 0),
        hit: hit.reduce((sum, n) => sum + n, 0),
      };
    });
  }

  #step(f: Timed, nowUs: number): void {
    if (nowUs >= f.toUs) {
      this.#remove(f, nowUs);
      return;
    }
    const impairment = impairmentOf(f.kind, paramsAt(f.fault.plan, (nowUs - f.fromUs) / 1000), `--fault ${f.kind}`);
    for (const { line, stage } of f.lines) {
      stage.decider.set(impairment);
      if (!line.has(stage)) line.add(stage);
    }
    if (Number.isNaN(f.appliedAtUs)) f.appliedAtUs = nowUs;
    const { ramp } = f.fault.plan;
    const climbing = ramp !== undefined && nowUs < f.fromUs + ramp.overMs * 1000;
    f.nextUs = climbing ? Math.min(nowUs + RAMP_STEP_US, f.toUs) : f.toUs;
  }

  #remove(f: Timed, nowUs: number): void {
    for (const { line, stage } of f.lines) line.remove(stage);
    f.removedAtUs = nowUs;
    f.nextUs = Number.POSITIVE_INFINITY;
  }
}
