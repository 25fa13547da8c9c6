import { type CauseRule, nice, num } from '../rule.js';

/**
 * The network loses RTP packets, spread over the whole call.
 * Ruled out by: a direction that was never heard, or heard late (nat-table-full), one long gap (a mapping that expired),
 * packets that we ourselves sent late or lost (generator-limited).
 */
const lossy = (d: 'a2b' | 'b2a', at: 'callee' | 'caller'): string => `
  (${d}_mos < 3.6 AND coalesce(${d}_first_ms, 0) < 1000 AND ${d}_max_gap_ms < 2000 AND ${d}_seq_loss >= 0.02
   -- Spread: many short runs, of half a second at most in the mean.
   AND ${at}_lossEvents >= 5 AND ${at}_rtpLost < 25 * ${at}_lossEvents)`;
/** A B2BUA numbered the packets anew: fewer came than were sent, without a gap in the numbers. */
const starvedBehindB2bua = (d: 'a2b' | 'b2a'): string =>
  `(${d}_mos < 3.6 AND ${d}_loss >= 0.03 AND ${d}_seq_loss < 0.02 AND coalesce(${d}_first_ms, 0) < 1000 AND ${d}_max_gap_ms < 1000)`;

export const packetLoss: CauseRule = {
  name: 'packet-loss',
  summary: 'RTP packets were lost in the network, all through the call',
  needs: [],
  cure: 'Find the lossy link (compare loss per direction and per path, read interface drops and duplex errors on it), give voice its own queue (DSCP EF), and leave headroom; G.711 with concealment bears about 1 % without complaint.',
  rule: `
    SELECT callNo, CASE WHEN ${lossy('a2b', 'callee')} OR ${lossy('b2a', 'caller')} THEN 0.9 ELSE 0.65 END AS confidence
    FROM suspects
    WHERE poor_mos AND (${lossy('a2b', 'callee')} OR ${lossy('b2a', 'caller')}
      OR ${starvedBehindB2bua('a2b')} OR ${starvedBehindB2bua('b2a')})`,
  evidence: [
    {
      source: 'legs',
      sql: `SELECT 100 * avg(a2b_loss) AS a2b_pct, 100 * avg(b2a_loss) AS b2a_pct, quantile_cont(mos, 0.5) AS mos,
              avg(callee_lossEvents + caller_lossEvents) AS events, avg(greatest(a2b_max_gap_ms, b2a_max_gap_ms)) AS gap_ms FROM mine`,
      text: (r) =>
        `caller to callee lost ${nice(num(r, 'a2b_pct'))} %, callee to caller ${nice(num(r, 'b2a_pct'))} %, in ${nice(num(r, 'events'))} separate runs a call, longest silence ${nice(num(r, 'gap_ms'))} ms: MOS ${nice(num(r, 'mos'))} in the middle case`,
    },
    {
      source: 'frames',
      sql: 'SELECT coalesce(sum(drops), 0) AS drops FROM generator_drops',
      text: (r) => (num(r, 'drops') === 0 ? 'the generator itself dropped no packet' : null),
    },
  ],
};
