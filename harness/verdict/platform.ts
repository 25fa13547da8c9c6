import type { OpenRun } from './read.js';

/**
 * Telemetry as tables that a rule can read: one per source (nat, edge, node, relay, trunk, cdr, registrar, cpu, ...), one row per reading and
 * instance, one column per metric. A cumulative counter `x_total` gives a column `x`: how much it rose since the reading
 * before (`t_prev`). The first reading has risen by nothing: a platform may have counted for months before the run, and
 * ours is read before its first call. A metric that was never read is NULL, so a rule that needs it finds nothing.
 */
const METRICS = {
  nat: ['sessions', 'sessions_max', 'refused_total', 'expired_total', 'no_session_total'],
  edge: [
    'requests_total',
    'no_node_total',
    'stray_in_dialog_total',
    'capped_total',
    'nodes_down',
    'nodes_up',
    'memory_used',
    'memory_max',
  ],
  node: [
    'calls',
    'threads_busy',
    'threads_max',
    'inbox_depth',
    'inbox_dropped_total',
    'rtp_timeout_total',
    'session_expired_total',
    'reloads_total',
    'reloading',
    'taskprocessor_depth',
  ],
  relay: ['ports_used', 'ports_max', 'alloc_failed_total', 'unanchored_total', 'request_errors_total'],
  trunk: ['calls', 'attempts_total', 'rejected_total', 'queue_depth', 'refused_cps_total', 'refused_channels_total'],
  cdr: ['pending', 'pending_max', 'committed_total', 'oldest_pending_ms', 'commit_ms', 'dropped_total'],
  registrar: [
    'registers_total',
    'refused_total',
    'limit_per_s',
    'retransmits_total',
    'threads_busy',
    'threads_max',
    'inbox_depth',
    'inbox_max',
    'inbox_dropped_total',
    'socket_dropped_total',
    'queued_bytes',
    'db_latency_ms',
    'unreachable',
    'unheard_total',
  ],
  cpu: ['cpu_ms_total', 'wait_ms_total', 'throttled_ms_total', 'backlog', 'dropped_total'],
  host: ['cpus', 'busy_ms_total', 'idle_ms_total', 'steal_ms_total', 'running', 'pressure_ms_total'],
  own: ['cpu_ms_total', 'wait_ms_total', 'throttled_ms_total'],
  net: ['conntrack', 'conntrack_drops_total', 'udp_received_total', 'udp_dropped_total'],
  db: ['active', 'waiting', 'locks_waiting', 'connections', 'connections_max', 'commits_total'],
  queue: ['length', 'pending', 'latency_ms'],
  pulse: ['options_ms', 'options_waiting_ms', 'options_failed_total', 'sql_ms', 'sql_waiting_ms', 'sql_failed_total'],
} as const;
export type Source = keyof typeof METRICS;

const TOTAL = '_total';

export async function readPlatform(run: OpenRun): Promise<void> {
  for (const source of Object.keys(METRICS) as Source[]) {
    const metrics: readonly string[] = METRICS[source];
    const gauges = metrics.map((m) => `max(value) FILTER (metric = '${m}') AS ${m}`).join(', ');
    const rises = metrics
      .filter((m) => m.endsWith(TOTAL))
      .map((m) => `greatest(0, ${m} - coalesce(lag(${m}) OVER readings, ${m})) AS ${m.slice(0, -TOTAL.length)}`);
    await run.exec(`CREATE OR REPLACE TEMP TABLE ${source} AS
      SELECT *, coalesce(lag(t) OVER readings, 0) AS t_prev${rises.map((r) => `, ${r}`).join('')}
      FROM (SELECT tMs AS t, instance, ${gauges} FROM telemetry WHERE source = '${source}' GROUP BY tMs, instance)
      WINDOW readings AS (PARTITION BY instance ORDER BY t)
      ORDER BY t, instance`);
  }
}

/**
 * Stretches of the run in which `where` held, as (since, until): neighbouring readings are joined, and gaps of up to
 * `joinMs` are bridged, because a counter that rises in bursts is one incident.
 */
export function stretches(
  source: Source,
  where: string,
  { since = 't_prev', until = 't', joinMs = 1000 } = {},
): string {
  return `(
    SELECT min(a) AS since, max(b) AS until FROM (
      SELECT a, b, sum(fresh) OVER (ORDER BY a, b ROWS UNBOUNDED PRECEDING) AS stretch FROM (
        SELECT a, b, CASE WHEN a > max(b) OVER (ORDER BY a, b ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) + ${joinMs}
          THEN 1 ELSE 0 END AS fresh
        FROM (SELECT ${since} AS a, ${until} AS b FROM ${source} WHERE ${where})))
    GROUP BY stretch)`;
}

/** Sources that gave at least one reading. */
export async function sourcesSeen(run: OpenRun): Promise<Set<string>> {
  return new Set((await run.query('SELECT DISTINCT source FROM telemetry')).map((r) => String(r.source)));
}

/** What rules read of a call: everything derived, and the raw fields that tell causes apart. In a table, read many times. */
const RAW_BOTH =
  'worker tenant outcome_name ended_by_name answeredMs startedMs byeMs ackCount rtpSent rtpSendLate rtpLost rtpReceived lossEvents heardOther heardCallNo mediaPort remoteMediaPort firstRtpMs lastRtpMs maxGapMs answerRetransmits inviteRetransmits byeRetransmits ' +
  'midCode midMethod sessionExpiresS refresher refreshes reinvitesSent updatesSent holds glares transfers transferCode pracks';
const RAW_CALLER =
  'intendedMs tryingMs ringingMs rejectedMs endedMs byeCode remoteMediaIp reasonText retryAfterS tenant callId count100 count180 count183 redirects challenges forks';
const DERIVED = `callNo has_caller has_callee started_ms answered_ms bye_ms ended_ms outcome final_code q850 sip_cause answered
  lateness_ms talk_end_ms talk_ms pdd_ms srd_ms srd_failed_ms setup_ms sdd_ms mos media
  dead_air one_way poor_mos crossed_audio completed dropped failed cancelled_slow no_ack bye_failed bad`;
const PER_DIRECTION =
  'expected_pkts recv judged loss seq_loss late burst_r jitter_ms max_gap_ms silence first_ms mos dead'.split(' ');

export async function gradeCalls(run: OpenRun): Promise<void> {
  const columns = [
    ...DERIVED.split(/\s+/),
    ...PER_DIRECTION.flatMap((c) => [`a2b_${c}`, `b2a_${c}`]),
    ...RAW_BOTH.split(' ').flatMap((c) => [`caller_${c}`, `callee_${c}`]),
    ...RAW_CALLER.split(' ').map((c) => `caller_${c}`),
  ];
  await run.exec(`CREATE OR REPLACE TEMP TABLE graded AS SELECT ${columns.join(', ')} FROM calls`);
  const judged = (where: string): string => `
    -- Where calls with good audio send theirs: the relay, on a platform that has one.
    WITH anchors AS (SELECT DISTINCT caller_remoteMediaIp AS ip FROM graded
                     WHERE answered AND NOT bad AND a2b_judged AND b2a_judged)
    SELECT *,
      -- The SDP went through unchanged: each end was told the other's own port, or an address that no good call has.
      answered AND coalesce((caller_remoteMediaPort = callee_mediaPort AND caller_remoteMediaPort > 0)
        OR (callee_remoteMediaPort = caller_mediaPort AND callee_remoteMediaPort > 0)
        OR ((SELECT count(*) FROM anchors) > 0 AND caller_remoteMediaIp NOT IN (FROM anchors)), false) AS unanchored,
      -- No audio at all in a direction, or none for the first second.
      dead_air OR one_way AS starved,
      poor_mos AND (coalesce(a2b_first_ms, 0) > 1000 OR coalesce(b2a_first_ms, 0) > 1000) AS late_audio,
      -- When it went wrong: the answer without audio, the refusal, or the moment it was given up.
      CASE WHEN answered AND (dead_air OR one_way OR poor_mos OR crossed_audio) THEN answered_ms
           ELSE coalesce(bye_ms, caller_rejectedMs, ended_ms, started_ms) END AS wrong_ms
    FROM graded WHERE ${where} ORDER BY callNo`;
  await run.exec(`CREATE OR REPLACE TEMP TABLE suspects AS ${judged('bad')}`);
  // Not bad, and yet not the users' doing: the platform itself said no, and whoever was called never heard of it.
  await run.exec(
    `CREATE OR REPLACE TEMP TABLE policed AS ${judged("NOT bad AND outcome = 'rejected' AND NOT has_callee AND final_code >= 400")}`,
  );
  await run.exec('CREATE OR REPLACE TEMP VIEW cases AS FROM suspects UNION ALL FROM policed');
}
