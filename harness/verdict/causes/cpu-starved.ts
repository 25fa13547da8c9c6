import { type CauseRule, nice, num, seconds, span } from '../rule.js';

/**
 * A part of the platform did not get the processor in time: its quota was used up, the hypervisor took its turn (steal), or more
 * threads wanted to run than there are processors. It is a cliff: a little less, and audio comes in clumps seconds apart. A B2BUA
 * numbers packets anew, so that sequence numbers show no loss at all: packets per second and gaps do.
 *
 * Ruled out by: readings that show no shortage while the call was up; audio that was lost evenly, with gaps in its numbers, while
 * processors were merely busy (packet-loss); a full NAT table.
 */

/** Of a reading's time, so much is a shortage and no hiccup. */
const SHARE = 0.1;
/** Threads of a service wait for half of the time that they want to run, and the machine has no idle time to speak of. */
const WAITING = 0.5;
const IDLE = 0.15;

const chopped = (d: 'a2b' | 'b2a'): string =>
  `coalesce((${d}_loss >= 0.03 AND ${d}_seq_loss < 0.02) OR ${d}_late >= 0.02 OR ${d}_max_gap_ms >= 200 OR ${d}_jitter_ms >= 20, false)`;

export const cpuStarved: CauseRule = {
  name: 'cpu-starved',
  summary: 'A part of the platform did not get the processor in time',
  needs: ['cpu'],
  cure: 'Give relay and PBX processors of their own (cpuset, or a reservation without a quota), keep neighbours off them, and size for half the load at which packets begin to wait; alarm on throttled time, steal and run-queue wait, not on average use.',
  prepare: [
    `CREATE OR REPLACE TEMP TABLE shortages AS
       WITH idle AS (SELECT t_prev, t, idle_ms / greatest(1, busy_ms + idle_ms) AS share FROM host WHERE t > t_prev)
       SELECT t_prev AS since, t AS until, instance, 'quota' AS kind, throttled_ms / (t - t_prev) AS share
       FROM cpu WHERE t > t_prev AND throttled_ms >= ${SHARE} * (t - t_prev)
       UNION ALL
       SELECT t_prev, t, instance, 'steal', steal_ms / (t - t_prev) / greatest(1, cpus)
       FROM host WHERE t > t_prev AND steal_ms >= ${SHARE} * (t - t_prev) * greatest(1, cpus)
       UNION ALL
       SELECT c.t_prev, c.t, instance, 'contention', wait_ms / (wait_ms + cpu_ms)
       FROM cpu c JOIN idle i ON i.t = c.t
       WHERE c.t > c.t_prev AND wait_ms >= ${SHARE} * (c.t - c.t_prev) AND wait_ms >= ${WAITING} * (wait_ms + cpu_ms) AND i.share < ${IDLE}`,
    // Seconds in which one kind or another held, each once.
    `CREATE OR REPLACE TEMP TABLE short_time AS
       SELECT since, until, bool_or(kind = 'quota') AS quota FROM shortages GROUP BY since, until`,
  ],
  rule: `
    WITH met AS (
      SELECT callNo, sum(least(until, coalesce(talk_end_ms, ended_ms)) - greatest(since, started_ms)) AS short_ms, bool_or(quota) AS quota
      FROM suspects JOIN short_time ON since < coalesce(talk_end_ms, ended_ms) AND until > started_ms GROUP BY callNo),
    marked AS (SELECT s.*, short_ms, quota, ${chopped('a2b')} OR ${chopped('b2a')} AS chopped,
      short_ms >= 0.2 * greatest(1, coalesce(talk_end_ms, ended_ms) - started_ms) AS long_enough FROM suspects s JOIN met USING (callNo))
    SELECT callNo, CASE
        WHEN poor_mos AND quota THEN 0.94
        WHEN poor_mos THEN 0.91
        WHEN starved AND a2b_recv + b2a_recv > 0 THEN 0.8
        WHEN starved THEN 0.6
        ELSE 0.65 END AS confidence
    FROM marked
    WHERE (answered AND long_enough AND NOT unanchored AND (starved OR (poor_mos AND (quota OR chopped))))
      -- Too slow to answer: a shortage while it was set up or taken down, and no other word from the platform.
      OR (short_ms >= 1000 AND (outcome = 'timeout' OR cancelled_slow OR bye_failed OR no_ack
        OR (failed AND final_code IN (408, 500, 503, 504) AND q850 IN (0, 38, 41))))`,
  evidence: [
    {
      source: 'cpu',
      sql: `SELECT instance, max(share) AS most, quantile_cont(share, 0.5) AS share, min(since) AS since, max(until) AS until
            FROM shortages WHERE kind = 'quota' GROUP BY instance ORDER BY sum(share) DESC LIMIT 1`,
      text: (r) =>
        r.instance === undefined
          ? null
          : `${r.instance} was held back by its processor quota for ${nice(100 * num(r, 'share'))} % of the time (at most ${nice(100 * num(r, 'most'))} %) ${span(r)}`,
    },
    {
      source: 'cpu',
      sql: `SELECT instance, quantile_cont(share, 0.5) AS share, min(since) AS since, max(until) AS until, count(DISTINCT instance) OVER () AS others
            FROM shortages WHERE kind = 'contention' GROUP BY instance ORDER BY sum(share) DESC LIMIT 1`,
      text: (r) =>
        r.instance === undefined
          ? null
          : `threads of ${r.instance} that wanted to run waited ${nice(100 * num(r, 'share'))} % of that time in the run queue ${span(r)}`,
    },
    {
      source: 'host',
      sql: `SELECT 100 * sum(idle_ms) / greatest(1, sum(busy_ms) + sum(idle_ms)) AS idle, 100 * sum(steal_ms) / greatest(1, sum(busy_ms) + sum(idle_ms)) AS steal,
              max(running) AS running, max(cpus) AS cpus FROM host WHERE EXISTS (FROM short_time s WHERE s.until = host.t) HAVING count(*) > 0`,
      text: (r) =>
        r.cpus === undefined
          ? null
          : `the machine's ${nice(num(r, 'cpus'))} processors were ${nice(num(r, 'idle'))} % idle meanwhile, up to ${nice(num(r, 'running'))} threads wanted one${num(r, 'steal') > 1 ? `, and ${nice(num(r, 'steal'))} % was stolen by the hypervisor` : ''}`,
    },
    {
      source: 'cpu',
      sql: `SELECT string_agg(instance || ' ' || round(share, 1)::VARCHAR || ' %', ', ' ORDER BY share DESC) AS eaters FROM (
              SELECT instance, 100 * sum(cpu_ms) / (SELECT greatest(1, max(until) - min(since)) FROM shortages) AS share FROM (FROM cpu UNION ALL BY NAME FROM own)
              WHERE t BETWEEN (SELECT min(since) FROM shortages) AND (SELECT max(until) FROM shortages) GROUP BY instance ORDER BY share DESC LIMIT 4)
            WHERE share > 1 HAVING count(*) > 0`,
      text: (r) => (typeof r.eaters === 'string' ? `most of it went to ${r.eaters} of a processor` : null),
    },
    {
      source: 'legs',
      sql: `SELECT quantile_cont(1000 * b2a_recv / greatest(1, talk_ms), 0.5) AS caller_pps, quantile_cont(1000 * a2b_recv / greatest(1, talk_ms), 0.5) AS callee_pps,
              max(greatest(coalesce(a2b_max_gap_ms, 0), coalesce(b2a_max_gap_ms, 0))) AS gap_ms,
              100 * avg(greatest(coalesce(a2b_seq_loss, 0), coalesce(b2a_seq_loss, 0))) AS seq_pct, count(*) AS n FROM mine WHERE answered`,
      text: (r) =>
        num(r, 'n') === 0 || r.caller_pps === null
          ? null
          : `of 50 packets a second callers heard ${nice(num(r, 'caller_pps'))} and callees ${nice(num(r, 'callee_pps') || 0)} in the middle case, the longest gap was ${seconds(num(r, 'gap_ms'))}; by sequence numbers ${nice(num(r, 'seq_pct'))} % were lost`,
    },
    {
      source: 'net',
      sql: 'SELECT instance, sum(udp_dropped) AS dropped FROM net GROUP BY instance HAVING sum(udp_dropped) > 0 ORDER BY dropped DESC LIMIT 1',
      text: (r) =>
        r.instance === undefined
          ? null
          : `${nice(num(r, 'dropped'))} datagrams were dropped at full receive buffers of ${r.instance}`,
    },
  ],
};
