import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { quantile } from '../../plan/budget/evaluate.js';
import { wilson } from '../../plan/budget/interval.js';
import { diagnose } from '../diagnose.js';
import { type OpenRun, openRun } from '../read.js';
import type { Verdict } from '../types.js';
import { type Figure, figuresOf } from './figures.js';
import { benjaminiHochberg, holm, quantilesDiffer, sharesDiffer } from './tests.js';
import type { Diff, Moved, Side } from './types.js';

/** Together 5 %: of twenty pairs of equal runs one may differ. */
const ALPHA = 0.04;
const ALPHA_TENANTS = 0.01;
/** Of times, what a phone's user does not notice. */
const TIMES_MARGIN = 0.1;

/** Two recorded runs, from their own files. */
export async function diffRuns(before: string, after: string): Promise<Diff> {
  const run = await openRun(after);
  try {
    await diagnose(run);
    return await diffWith(before, run);
  } finally {
    run.close();
  }
}

/** `after` is diagnosed already. */
export async function diffWith(before: string, after: OpenRun): Promise<Diff> {
  const base = await openRun(before);
  try {
    await diagnose(base);
    const [old, now] = [await figuresOf(base), await figuresOf(after)];
    const { compared, moved } = compareFigures(old, now);
    return { before: base.env.runId, after: after.env.runId, compared, moved, notes: notesOf(base, after) };
  } finally {
    base.close();
  }
}

export function compareFigures(before: readonly Figure[], after: readonly Figure[]): Pick<Diff, 'compared' | 'moved'> {
  const key = (f: Figure): string => `${f.figure}\n${f.tenant}`;
  const pairs: [Figure, Figure][] = [];
  const old = new Map(before.map((f) => [key(f), f]));
  for (const now of after) {
    const was = old.get(key(now)) ?? noneOf(now, before);
    if (was !== null) pairs.push([was, now]);
    old.delete(key(now));
  }
  // A cause that is gone has no figure any more.
  for (const was of old.values()) {
    const now = noneOf(was, after);
    if (now !== null) pairs.push([was, now]);
  }
  const tested = pairs.map(([a, b]) => test(a, b));
  const moved: Moved[] = [];
  for (const [tenants, correct] of [
    [false, (p: number[]) => holm(p, ALPHA)],
    [true, (p: number[]) => benjaminiHochberg(p, ALPHA_TENANTS)],
  ] as const) {
    const family = tested.filter((t) => (t.moved.tenant !== '') === tenants);
    const sure = correct(family.map((t) => t.moved.p));
    for (const [i, t] of family.entries()) if (sure[i] && t.matters) moved.push(t.moved);
  }
  const rank = { worse: 0, better: 1, none: 2 };
  moved.sort((a, b) => rank[a.change] - rank[b.change] || a.p - b.p);
  return { compared: pairs.length, moved };
}

/** A cause that a run knows nothing of had no call there; everything else that is missing was not measured. */
function noneOf(figure: Figure, there: readonly Figure[]): Figure | null {
  if (!('hit' in figure) || !figure.figure.startsWith('cause ')) return null;
  const calls = there.find((f) => f.figure === 'bad_rate' && f.tenant === '');
  return calls !== undefined && 'total' in calls ? { ...figure, hit: 0, total: calls.total } : null;
}

function test(a: Figure, b: Figure): { moved: Moved; matters: boolean } {
  const [before, after] = [side(a), side(b)];
  const p = 'hit' in a && 'hit' in b ? sharesDiffer(a.hit, a.total, b.hit, b.total) : trendsDiffer(a, b);
  const by = after.value - before.value;
  const relative = b.unit === 'ms' ? TIMES_MARGIN * before.value : 0;
  const change = by === 0 ? 'none' : by > 0 === (b.worse === 'more') ? 'worse' : 'better';
  const { figure, tenant, unit } = b;
  return {
    moved: { figure, tenant, unit, before, after, p, change },
    matters: Math.abs(by) > Math.max(b.margin, relative),
  };
}

function trendsDiffer(a: Figure, b: Figure): number {
  return 'sorted' in a && 'sorted' in b ? quantilesDiffer(a.sorted, b.sorted, b.q) : 1;
}

function side(f: Figure): Side {
  if ('hit' in f)
    return {
      value: f.total === 0 ? 0 : f.hit / f.total,
      n: f.total,
      interval: f.total === 0 ? null : wilson(f.hit, f.total),
    };
  return { value: quantile(f.sorted, f.q), n: f.sorted.length, interval: null };
}

/** What makes two runs hard to compare, as their verdicts tell it. */
function notesOf(before: OpenRun, after: OpenRun): string[] {
  const notes: string[] = [];
  const old = verdictOf(before);
  const now = verdictOf(after);
  if (old?.outcome.word === 'INVALID')
    notes.push(`the baseline is INVALID: ${old.outcome.reasons[0] ?? 'no reason given'}`);
  if (before.env.interrupted !== null) notes.push(`the baseline ended early: ${before.env.interrupted}`);
  const [a, b] = [before.env, after.env];
  if (a.load.offered !== b.load.offered)
    notes.push(`another load: ${a.load.offered} calls offered, now ${b.load.offered}`);
  if (a.media !== b.media) notes.push(`another kind of calls: media ${a.media}, now ${b.media}`);
  if (a.cpuModel !== b.cpuModel || a.cpus !== b.cpus)
    notes.push(`another machine: ${a.cpus} × ${a.cpuModel}, now ${b.cpus} × ${b.cpuModel}`);
  if (old !== null && now !== null && old.run.scenario !== now.run.scenario)
    notes.push(`another scenario: ${old.run.scenario}, now ${now.run.scenario}`);
  return notes;
}

/** Null: it was not judged yet. */
function verdictOf({ runDir }: OpenRun): Verdict | null {
  const path = join(runDir, 'verdict.json');
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Verdict) : null;
}
