/**
 * Fisher's exact test, one-sided: how likely chance alone splits `a` bad of `n` and `b` bad of `m` as far apart as they are,
 * when both are drawn from one urn. Right for few samples too, where a normal approximation is not.
 */
export function chanceOfSplit(a: number, n: number, b: number, m: number): number {
  // Whoever has the larger share of bad ones is asked: how likely is it to draw that many, or more?
  const [x, size, rest] = a * m >= b * n ? [a, n, m] : [b, m, n];
  const bad = a + b;
  let p = 0;
  for (let k = x; k <= Math.min(size, bad); k++) {
    if (bad - k > rest) continue;
    p += Math.exp(logChoose(size, k) + logChoose(rest, bad - k) - logChoose(size + rest, bad));
  }
  return Math.min(1, p);
}

function logChoose(n: number, k: number): number {
  return logFactorial(n) - logFactorial(k) - logFactorial(n - k);
}

/** Exact sums up to 256, Stirling's series above: its error there is below 1e-10. */
function logFactorial(n: number): number {
  if (n > 256) return n * Math.log(n) - n + 0.5 * Math.log(2 * Math.PI * n) + 1 / (12 * n) - 1 / (360 * n ** 3);
  let sum = 0;
  for (let i = 2; i <= n; i++) sum += Math.log(i);
  return sum;
}
