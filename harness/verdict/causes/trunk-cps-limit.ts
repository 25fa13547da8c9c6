import type { CauseRule } from '../rule.js';
import { BUSIEST_SECOND, refusalEvidence, refusedBy, TRUNK_REFUSALS } from '../trunk.js';

/**
 * The carrier takes only so many new calls in a second (Q.850 42, switching equipment congestion).
 * Ruled out by: calls that stand at their maximum whenever one is refused (trunk-channel-limit).
 */
export const trunkCpsLimit: CauseRule = {
  name: 'trunk-cps-limit',
  summary: "The carrier's limit of new calls per second was exceeded",
  needs: ['trunk'],
  cure: 'Pace INVITEs towards the trunk below its contracted CPS with a short queue, overflow to a second trunk on 503, and honour Retry-After; or buy more CPS.',
  prepare: [TRUNK_REFUSALS],
  rule: refusedBy(42),
  evidence: [...refusalEvidence, BUSIEST_SECOND],
};
