import { rmSync } from 'node:fs';
import { diagnose } from './diagnose.js';
import { openRun } from './read.js';
import { deafen, goodCall, type Pair, platformBye, SyntheticRun } from './testing.js';
import type { CauseFinding } from './types.js';

/** Runs for tests of single causes, and what the diagnosis says of them. */

/** 20 good calls, then `n` made by `bad` from 20 s on. */
export function run(n: number, bad: (callNo: number, atMs: number) => Pair | Pair['caller']): SyntheticRun {
  const made = new SyntheticRun();
  for (let i = 0; i < 20; i++) made.addPair(goodCall(i + 1, 500 * i));
  for (let i = 0; i < n; i++) {
    const legs = bad(100 + i, 20_000 + 100 * i);
    if ('caller' in legs) made.addPair(legs);
    else made.add(legs);
  }
  return made;
}

/** Its files are gone afterwards. Throws when a finding has no evidence, or a hole in it. */
export async function diagnosed(made: SyntheticRun): Promise<{ findings: CauseFinding[]; bad: number }> {
  const dir = await made.finish();
  const open = await openRun(dir);
  try {
    const findings = await diagnose(open);
    for (const { cause, evidence } of findings) {
      const text = JSON.stringify(evidence.map((e) => e.text));
      if (evidence.length === 0 || /NaN|undefined|null/.test(text)) throw new Error(`${cause}: evidence ${text}`);
    }
    return { findings, bad: (await open.query('FROM suspects')).length };
  } finally {
    open.close();
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Calls by cause. */
export async function causes(made: SyntheticRun): Promise<Record<string, number>> {
  const { findings } = await diagnosed(made);
  return Object.fromEntries(findings.map((f) => [f.cause, f.calls]));
}

/** Answered, no audio either way, hung up by the platform after 30 s. */
export function deadCall(callNo: number, atMs: number): Pair {
  const pair = goodCall(callNo, atMs);
  platformBye(pair, 30_000, 44);
  deafen(pair.caller);
  deafen(pair.callee);
  return pair;
}

export const fullNat = (tMs: number) => ({
  sessions: tMs < 20_000 ? 900 : 1000,
  sessions_max: 1000,
  refused_total: tMs < 20_000 ? 0 : tMs - 19_999,
});
