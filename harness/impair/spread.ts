import type { Distribution } from './types.js';

/** Shape of the Pareto tail: mean and variance are finite, and one datagram in a thousand waits 6 deviations. */
const PARETO_SHAPE = 3;
const PARETO_MEAN = PARETO_SHAPE / (PARETO_SHAPE - 1);
const PARETO_SD = Math.sqrt(PARETO_SHAPE / (PARETO_SHAPE - 2)) / (PARETO_SHAPE - 1);

/** A delay in ms from a uniform number in [0, 1); never below 0. */
export function delayMs(mean: number, jitter: number, distribution: Distribution, u: number): number {
  if (jitter === 0) return mean;
  if (distribution === 'uniform') return Math.max(0, mean + (2 * u - 1) * jitter);
  const z = distribution === 'normal' ? probit(u) : ((1 - u) ** (-1 / PARETO_SHAPE) - PARETO_MEAN) / PARETO_SD;
  return Math.max(0, mean + z * jitter);
}

/** Quantile of the standard normal distribution, to 4.5e-4 (Abramowitz and Stegun 26.2.23). */
function probit(u: number): number {
  const p = Math.min(Math.max(u, 1e-9), 1 - 1e-9);
  const t = Math.sqrt(-2 * Math.log(Math.min(p, 1 - p)));
  const x = t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
  return p < 0.5 ? -x : x;
}
