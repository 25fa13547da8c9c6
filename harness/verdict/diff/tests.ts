import { chanceOfSplit } from '../chance.js';

/** How likely chance alone makes two runs differ as they do, when nothing changed. */

/** Two shares: Fisher's exact test, two-sided by doubling; right for 3 of 20 as for 300 of 20,000. */
export function sharesDiffer(a: number, n: number, b: number, m: number): number {
  return Math.min(1, 2 * chanceOfSplit(a, n, b, m));
}

/**
 * Two quantiles: if nothing changed, samples of both runs exceed the quantile of all of them equally often (Mood's test; for
 * q = 0.5 the median test). It asks nothing of the distribution, and delays have none that is known.
 */
export function quantilesDiffer(a: Float64Array, b: Float64Array, q: number): number {
  const cut = pooledQuantile(a, b, q);
  // Many samples may be exactly the cut: on a simulated network delays are whole milliseconds. Both ways of counting them.
  const [over, from] = [countFrom(a, cut, false), countFrom(a, cut, true)];
  const [overB, fromB] = [countFrom(b, cut, false), countFrom(b, cut, true)];
  const p = Math.min(sharesDiffer(over, a.length, overB, b.length), sharesDiffer(from, a.length, fromB, b.length));
  // Two tests where they are not one.
  return over === from && overB === fromB ? p : Math.min(1, 2 * p);
}

function pooledQuantile(a: Float64Array, b: Float64Array, q: number): number {
  const all = new Float64Array(a.length + b.length);
  all.set(a);
  all.set(b, a.length);
  all.sort();
  return all[Math.min(all.length - 1, Math.floor(q * all.length))]!;
}

/** Samples above `cut`, or from it on. */
function countFrom(sorted: Float64Array, cut: number, inclusive: boolean): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (inclusive ? sorted[middle]! >= cut : sorted[middle]! > cut) high = middle;
    else low = middle + 1;
  }
  return sorted.length - low;
}

/** Holm 1979: with this, nothing is wrongly said to differ in 1 - alpha of all comparisons. */
export function holm(p: readonly number[], alpha: number): boolean[] {
  const order = [...p.keys()].sort((i, j) => p[i]! - p[j]!);
  const differs = new Array<boolean>(p.length).fill(false);
  for (const [rank, i] of order.entries()) {
    if (p[i]! > alpha / (p.length - rank)) break;
    differs[i] = true;
  }
  return differs;
}

/**
 * Benjamini and Hochberg 1995, for hundreds of tenants: of what it names, a share of at most alpha is wrong; where nothing
 * changed at all it names anything in alpha of all comparisons.
 */
export function benjaminiHochberg(p: readonly number[], alpha: number): boolean[] {
  const order = [...p.keys()].sort((i, j) => p[i]! - p[j]!);
  let last = -1;
  for (const [rank, i] of order.entries()) if (p[i]! <= (alpha * (rank + 1)) / p.length) last = rank;
  const differs = new Array<boolean>(p.length).fill(false);
  for (const i of order.slice(0, last + 1)) differs[i] = true;
  return differs;
}
