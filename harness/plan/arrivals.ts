import { HarnessError } from '../errors.js';
import { prng, subSeed } from '../prng.js';
import type { ArrivalStage } from './types.js';

/** 80 MB of instants; more calls than that is a typing error. */
export const ARRIVALS_MAX = 10_000_000;

/** Calls that a stage adds: the integral of its rate. */
export function stageCalls(stage: ArrivalStage): number {
  return ((stage.fromCps + stage.toCps) / 2) * (stage.durationMs / 1000);
}

/** End of the last stage, ms since t0. */
export function arrivalsEndMs(stages: readonly ArrivalStage[]): number {
  return stages.reduce((sum, stage) => sum + stage.durationMs, 0);
}

/** Refuses what could not be placed; returns the expected number of calls. */
export function checkArrivals(stages: readonly ArrivalStage[]): number {
  const calls = stages.reduce((sum, stage) => sum + stageCalls(stage), 0);
  if (calls > ARRIVALS_MAX) throw tooMany(calls);
  return calls;
}

/** Seconds into the stage at which `calls` have arrived: the root of from*t + slope*t^2/2 = calls. */
function secondsAt(stage: ArrivalStage, calls: number): number {
  const lengthS = stage.durationMs / 1000;
  const slope = (stage.toCps - stage.fromCps) / lengthS;
  // This form of the root does not cancel when the slope is near 0, and needs no case for a flat stage. A ramp down to
  // 0 can put a rounding error below the square root.
  const s = (2 * calls) / (stage.fromCps + Math.sqrt(Math.max(0, stage.fromCps ** 2 + 2 * slope * calls)));
  return Math.min(s, lengthS);
}

/**
 * The instant at which each call is due, ms since t0, sorted.
 *
 * Evenly spaced stages share one integral of the rate: call i is due where it reaches i + 1/2. So the fraction of a
 * call that a stage leaves over goes to the next one, nothing drifts, and the count is the integral, rounded.
 * A Poisson stage has independent exponential gaps of that same integral; it has no memory, so it carries nothing.
 */
export function arrivalInstants(stages: readonly ArrivalStage[], seed: number): Float64Array {
  const expected = checkArrivals(stages);
  const rng = prng(subSeed(seed, 'arrivals'));
  let out = new Float64Array(Math.ceil(expected) + 16);
  let n = 0;
  const add = (ms: number): void => {
    if (n === ARRIVALS_MAX) throw tooMany(n + 1);
    if (n === out.length) {
      const grown = new Float64Array(Math.min(ARRIVALS_MAX, n * 2));
      grown.set(out);
      out = grown;
    }
    out[n++] = ms;
  };
  let startMs = 0;
  let evenCalls = 0;
  let evenDone = 0;
  for (const stage of stages) {
    const calls = stageCalls(stage);
    if (stage.poisson) {
      for (let at = gap(rng.next()); at < calls; at += gap(rng.next())) add(startMs + secondsAt(stage, at) * 1000);
    } else {
      const due = Math.floor(evenCalls + calls + 0.5);
      for (; evenDone < due; evenDone++) add(startMs + secondsAt(stage, evenDone + 0.5 - evenCalls) * 1000);
      evenCalls += calls;
    }
    startMs += stage.durationMs;
  }
  return out.slice(0, n);
}

/** Exponential with mean 1 from a uniform in [0, 1). */
function gap(u: number): number {
  return -Math.log(1 - u);
}

function tooMany(n: number): HarnessError {
  return new HarnessError(
    'BAD_PLAN',
    `arrivals: ${Math.round(n).toLocaleString('en-US')} calls are more than the 10 million of one run; lower the rate or the duration of a stage`,
  );
}
