import { performance } from 'node:perf_hooks';

/**
 * Microseconds on CLOCK_MONOTONIC, the same in every thread and process of this machine.
 * performance.now() counts from each thread's own start, so the offset to hrtime is taken once per thread.
 */
const offsetUs = Number(process.hrtime.bigint()) / 1000 - performance.now() * 1000;

export function monotonicUs(): number {
  return performance.now() * 1000 + offsetUs;
}
