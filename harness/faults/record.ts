import type { FaultRecord } from '../collect/schema.js';
import type { Kept } from './keeper.js';
import type { Lease } from './lease.js';

/** A line of faults.jsonl, on the run's clock. */
export function recordOf(lease: Lease, kept: Kept, t0Us: number): FaultRecord {
  const ms = (us: number | null): number | null => (us === null ? null : Math.round((us - t0Us) / 10) / 100);
  return {
    kind: lease.kind,
    id: lease.id,
    on: lease.target,
    backend: lease.backend,
    intendedAtMs: lease.atMs,
    intendedForMs: lease.forMs,
    appliedAtMs: ms(kept.appliedAtUs),
    removedAtMs: ms(kept.removedAtUs),
    provenRemoved: kept.proven,
    ...(kept.failed === null ? {} : { failed: kept.failed }),
    note: kept.note,
  };
}
