import { type CauseRule, nice, num } from '../rule.js';

/**
 * We did it ourselves: packets sent late or dropped on our own machine, a table of ours that was full. It must win against
 * anything that merely looks like loss, so that a slow generator never blames the platform.
 * The frames hold each worker's counters, cumulative, once a second.
 */
export const GENERATOR_DROPS = `CREATE OR REPLACE TEMP TABLE generator_drops AS
  SELECT t, t_prev, sum(drops) AS drops, sum(packets) AS packets FROM (
    SELECT tMs AS t, coalesce(lag(tMs) OVER w, 0) AS t_prev,
      greatest(0, dropped - coalesce(lag(dropped) OVER w, 0)) AS drops, greatest(0, total - coalesce(lag(total) OVER w, 0)) AS packets
    -- A request that found our table of transactions full was not heard: the same as a drop.
    FROM (SELECT tMs, worker, sum(value) FILTER (name IN ('sendDropped', 'receiveDropped', 'transactionsFull')) AS dropped,
            sum(value) FILTER (name IN ('rtpSent', 'rtpReceived', 'sipSent', 'sipReceived')) AS total FROM frames GROUP BY tMs, worker)
    WINDOW w AS (PARTITION BY worker ORDER BY tMs))
  GROUP BY t, t_prev`;

export const generatorLimited: CauseRule = {
  name: 'generator-limited',
  summary: 'The generator itself was too slow or dropped packets: these calls say nothing of the platform',
  needs: [],
  cure: 'Lower the rate, spread the load over more workers or machines, raise the socket buffers (net.core.rmem_max), or stop what else runs on this machine; deadair doctor names what is short.',
  prepare: [
    // More than 1 % of a second's packets dropped by ourselves is enough to be heard.
    `CREATE OR REPLACE TEMP TABLE own_trouble AS
       SELECT t_prev AS since, t AS until FROM generator_drops WHERE drops > 0.01 * greatest(1, packets)`,
    // Our own callee had no slot left and said 503.
    `CREATE OR REPLACE TEMP TABLE own_refusals AS
       SELECT t_prev AS since, t AS until FROM (
         SELECT tMs AS t, value, coalesce(lag(tMs) OVER w, 0) AS t_prev, value - coalesce(lag(value) OVER w, 0) AS refused
         FROM frames WHERE name = 'calleeRefused' WINDOW w AS (PARTITION BY worker ORDER BY tMs)) WHERE refused > 0`,
  ],
  rule: `
    SELECT callNo, CASE WHEN never_sent THEN 0.99 WHEN late_share > 0.1 THEN 0.93 ELSE 0.92 END AS confidence FROM (
      SELECT *, greatest(coalesce(caller_rtpSendLate / greatest(1.0, caller_rtpSent), 0),
                         coalesce(callee_rtpSendLate / greatest(1.0, callee_rtpSent), 0)) AS late_share,
        -- No room for its transaction: the INVITE was never repeated, and no timer ran (agents/uac.ts).
        outcome = 'timeout' AND caller_ended_by_name = 'nobody' AS never_sent FROM suspects)
    WHERE never_sent OR (poor_mos AND late_share > 0.1)
      OR (failed AND final_code = 503 AND q850 = 0 AND EXISTS (
            FROM own_refusals WHERE caller_rejectedMs BETWEEN since - 1000 AND until + 1000))
      OR ((poor_mos OR outcome = 'timeout' OR no_ack OR bye_failed OR cancelled_slow)
          AND EXISTS (FROM own_trouble WHERE since <= coalesce(ended_ms, talk_end_ms) AND until >= started_ms))`,
  evidence: [
    {
      source: 'frames',
      sql: 'SELECT coalesce(sum(drops), 0) AS drops, coalesce(sum(packets), 0) AS packets FROM generator_drops',
      text: (r) =>
        num(r, 'drops') === 0
          ? null
          : `the generator dropped ${nice(num(r, 'drops'))} of its own ${nice(num(r, 'packets'))} packets`,
    },
    {
      source: 'frames',
      sql: "SELECT coalesce(sum(value), 0) AS n FROM (SELECT worker, max(value) AS value FROM frames WHERE name = 'calleeRefused' GROUP BY worker)",
      text: (r) =>
        num(r, 'n') === 0
          ? null
          : `our own callees had no room for ${nice(num(r, 'n'))} calls, and answered them with 503`,
    },
    {
      source: 'legs',
      sql: "SELECT count(*) FILTER (outcome = 'timeout' AND caller_ended_by_name = 'nobody') AS n FROM mine",
      text: (r) =>
        num(r, 'n') === 0
          ? null
          : `${nice(num(r, 'n'))} INVITEs found no free transaction of ours, and were never sent properly`,
    },
    {
      source: 'legs',
      sql: `SELECT 100.0 * sum(coalesce(caller_rtpSendLate, 0) + coalesce(callee_rtpSendLate, 0))
              / greatest(1, sum(coalesce(caller_rtpSent, 0) + coalesce(callee_rtpSent, 0))) AS late_pct FROM mine`,
      text: (r) =>
        num(r, 'late_pct') === 0
          ? null
          : `${nice(num(r, 'late_pct'))} % of these calls' packets left more than 10 ms late`,
    },
  ],
};
