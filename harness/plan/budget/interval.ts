/** How far chance alone may have moved what was measured. */

/** 95 %, two-sided. */
const Z = 1.959964;

export interface Interval {
  low: number;
  high: number;
}

/**
 * Wilson's score interval of a share (Wilson 1927): right for few samples and for shares near 0 and 1, where the
 * normal approximation is not.
 */
export function wilson(hit: number, total: number, z: number = Z): Interval {
  const p = hit / total;
  const zz = (z * z) / total;
  const middle = (p + zz / 2) / (1 + zz);
  const half = (z / (1 + zz)) * Math.sqrt((p * (1 - p)) / total + zz / (4 * total));
  // The ends of 0 of n and n of n are exact; only rounding takes them off.
  return { low: hit === 0 ? 0 : middle - half, high: hit === total ? 1 : middle + half };
}

/** How many samples of the same share would part it from `limit`; null when it lies on it. */
export function samplesToDecide(hit: number, total: number, limit: number): number | null {
  const share = hit / total;
  if (share === limit) return null;
  const decides = (n: number): boolean => !holds(wilson(share * n, n), limit);
  let high = total;
  while (!decides(high)) high *= 2;
  let low = high / 2;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (decides(middle)) high = middle;
    else low = middle;
  }
  return Math.ceil(high);
}

/** The limit is within it: chance may have put what was measured on either side. */
export function holds({ low, high }: Interval, limit: number): boolean {
  return low <= limit && limit <= high;
}

/**
 * Of a quantile, whatever the distribution: the samples whose ranks enclose it (binomial, normal approximation). Null: there
 * are too few for such ranks, so that the true quantile may be beyond the largest or the smallest.
 */
export function quantileInterval(sorted: Float64Array, q: number): { low: number | null; high: number | null } {
  const n = sorted.length;
  const half = Z * Math.sqrt(n * q * (1 - q));
  const low = Math.floor(n * q - half) - 1;
  const high = Math.ceil(n * q + half);
  return { low: low < 0 ? null : sorted[low]!, high: high >= n ? null : sorted[high]! };
}
