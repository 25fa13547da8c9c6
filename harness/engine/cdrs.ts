import type { CdrRecord } from '../collect/cdrs.js';
import type { CdrRow } from '../lab/embedded/cdr.js';

/** Rows of the embedded platform, which keeps time in milliseconds of the run. */
export function* billedBy(rows: readonly CdrRow[]): Generator<CdrRecord> {
  for (const { callId, node, tenant, from, to, startMs, answeredMs, endedMs } of rows) {
    yield {
      ...{ callId, tenant, caller: from, callee: to, instance: `node-${node}` },
      ...{ startMs, answeredMs, endedMs, resolutionMs: 1 },
    };
  }
}
