import { type CauseRule, nice, num } from '../rule.js';

/**
 * Somebody heard another call. Each leg's audio carries its call's number, so this is seen, not guessed.
 * Ruled out by: less than half a second of it (stragglers on a port that was used again).
 */
export const numberCollision: CauseRule = {
  name: 'number-collision',
  summary: "Calls heard other calls' audio",
  needs: [],
  cure: 'Look for two calls with one key: overlapping numbers or tenants in the dialplan, media ports given out twice, a relay that latches on the first sender. Leave freed ports idle for some seconds.',
  rule: 'SELECT callNo, 0.9 AS confidence FROM suspects WHERE crossed_audio',
  evidence: [
    {
      source: 'legs',
      sql: `SELECT count(*) AS n, sum(coalesce(caller_heardOther, 0) + coalesce(callee_heardOther, 0)) AS packets,
              min(callNo) AS example, arg_min(CASE WHEN coalesce(caller_heardOther, 0) >= 25 THEN caller_heardCallNo ELSE callee_heardCallNo END, callNo) AS other FROM mine`,
      text: (r) =>
        `${nice(num(r, 'packets'))} packets of other calls were heard in ${nice(num(r, 'n'))} calls; call ${num(r, 'example')} heard call ${num(r, 'other')}`,
    },
  ],
};
