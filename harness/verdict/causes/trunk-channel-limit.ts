import type { CauseRule } from '../rule.js';
import { refusalEvidence, refusedBy, TRUNK_REFUSALS } from '../trunk.js';

/**
 * All channels of the carrier's trunk are taken (Q.850 34, no circuit available).
 * Ruled out by: calls that go on rising while some are refused (trunk-cps-limit).
 */
export const trunkChannelLimit: CauseRule = {
  name: 'trunk-channel-limit',
  summary: 'All channels of the trunk were taken',
  needs: ['trunk'],
  cure: 'Buy channels for the busy hour (Erlang B at the wanted blocking), or overflow to a second trunk on 503; alarm at 80 % of the channels.',
  prepare: [TRUNK_REFUSALS],
  rule: refusedBy(34),
  evidence: refusalEvidence,
};
