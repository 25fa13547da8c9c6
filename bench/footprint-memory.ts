import type { Memory } from './task.js';

/** What this process takes now, bytes, with its garbage collected (needs --expose-gc). */
export function memory(): Memory {
  globalThis.gc?.();
  const { rss, heapUsed, external } = process.memoryUsage();
  return { rss, heap: heapUsed + external };
}
