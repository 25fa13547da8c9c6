import type { AbortRecord } from '../collect/schema.js';
import { evaluate } from '../plan/budget/evaluate.js';
import { type Budget, parseBudget } from '../plan/budget/parse.js';
import { LiveCalls } from './live-calls.js';

/** Sorting what was seen so far is not free: once a second is soon enough to end a run. */
const EVERY_MS = 1000;

/** Budgets that end the run when they are crossed (k6's abortOnFail), judged on the calls that are over. */
export class BudgetWatch {
  readonly live: LiveCalls;
  readonly #budgets: Budget[];
  #nextMs = 0;

  constructor(texts: readonly string[]) {
    this.#budgets = texts.map(parseBudget).filter((b) => b.abortAfterMs !== null);
    this.live = new LiveCalls(this.#budgets.map((b) => b.metric));
  }

  /**
   * The first that is crossed; null while there is none. Its delay has to be over, and a share has to be crossed by more
   * than chance: the first bad call of three says nothing of the run.
   */
  poll(tMs: number, blocked: number): AbortRecord | null {
    if (tMs < this.#nextMs) return null;
    this.#nextMs = tMs + EVERY_MS;
    for (const budget of this.#budgets) {
      if (tMs < budget.abortAfterMs!) continue;
      const value = this.live.value(budget.metric, blocked);
      const result = evaluate(budget, value);
      if (result.ok || result.actual === null || result.undecided) continue;
      const figure = `${budget.metric} ${budget.aggregation} was ${Number(result.actual.toPrecision(6))}`;
      const reason = `${figure} at ${(tMs / 1000).toFixed(1)} s, not ${budget.operator} ${budget.limit}`;
      return { budget: budget.text, atMs: Math.round(tMs), reason };
    }
    return null;
  }
}
