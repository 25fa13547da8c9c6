import type { Wire } from '../../../agents/wire/types.js';
import { stage } from '../../impair/line.js';
import { NO_IMPAIRMENT } from '../../impair/types.js';
import type { FaultPlan } from '../../plan/types.js';
import { subSeed } from '../../prng.js';
import { linksOf } from './fault-controls.js';
import { Link } from './link.js';

/** The links of a platform: a part that nothing is done to lies on the wire itself, and costs nothing. */
export class Links {
  readonly all = new Map<string, Link>();
  readonly #wanted: Set<string>;

  constructor(
    private readonly inner: Wire,
    plans: readonly FaultPlan[],
    counts: Record<string, number>,
  ) {
    this.#wanted = new Set(plans.flatMap((plan) => linksOf(plan, counts)));
  }

  /** What the part of this name is to bind on. */
  wire(name: string, skip = 0, wanted = this.#wanted.has(name)): Wire {
    if (!wanted && !this.#wanted.has(name)) return this.inner;
    const link = new Link(this.inner, skip);
    this.all.set(name, link);
    return link;
  }

  get(name: string): Link | null {
    return this.all.get(name) ?? null;
  }
}

/** The access link loses so much in each direction, all the time. */
export function accessLoss(links: Links, loss: number, seed: number): void {
  const link = links.get('nat-1')!;
  for (const way of ['in', 'out'] as const)
    link[way].add(stage(subSeed(seed, `access ${way}`), { ...NO_IMPAIRMENT, loss }));
}
