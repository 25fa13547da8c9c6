import type { BudgetResult } from '../verdict/types.js';

/** kept; crossed; warned: crossed, and the run does not fail for it. */
export function wordOf(b: Pick<BudgetResult, 'ok' | 'warn'>): 'kept' | 'crossed' | 'warned' {
  if (b.ok) return 'kept';
  return b.warn ? 'warned' : 'crossed';
}

/** For the terminal: what is wrong stands out. */
export function budgetLine(b: BudgetResult): string {
  const word = wordOf(b);
  return `${(word === 'kept' ? word : word.toUpperCase()).padEnd(7)} ${b.text}  (${b.reason})`;
}

/** What is crossed first, then what is doubtful: the others are only there to be seen. */
export function byNeed(budgets: readonly BudgetResult[]): BudgetResult[] {
  const need = (b: BudgetResult): number => (b.ok ? (b.undecided ? 2 : 3) : b.warn ? 1 : 0);
  return [...budgets].sort((x, y) => need(x) - need(y));
}
