/**
 * Files of results/<run-id>/ and their columns. Verdict, report and autopsy read these and nothing else.
 *
 *   plan.json          RunPlan (the diagnosis never reads it)
 *   faults.jsonl       FaultRecord per line (the diagnosis never reads it)
 *   env.json           EnvRecord
 *   legs.parquet       one row per leg: the columns of agents/record.ts LEG_FIELDS, plus outcome_name, ended_by_name, role_name
 *   registrations.parquet  one row per attempt to register: agents/registration-record.ts, plus outcome_name, reason_name; only with phones
 *   webphones.parquet  one row per leg of a webphone, as in legs.parquet; webphone_registrations.parquet as registrations.parquet; only with webphones
 *   telemetry.parquet  TelemetryRow: what the platform said of itself
 *   cdrs.parquet       CdrRecord (collect/cdrs.ts): what the platform billed; only where its records could be read
 *   logs.parquet       LogRecord: the platform's own log lines; only of a stack
 *   frames.parquet     FrameRow: the generator's counters, once a second and worker
 *   verdict.json       deadair.verdict/1
 *   report.html, junit.xml, summary.md
 */

/** One reading. Cumulative counters end in `_total`; everything else is a gauge at that instant. */
export interface TelemetryRow {
  tMs: number;
  /** nat, edge, node, relay, trunk, cdr, registrar, cpu, host, db, queue, net, pulse */
  source: string;
  /** node-1, trunk-2, ... */
  instance: string;
  metric: string;
  value: number;
}

/**
 * The embedded platform's metrics, `source: metric, ...`:
 *   nat:   sessions, sessions_max, refused_total (flows dropped at a full table), expired_total, no_session_total (inbound, no entry),
 *          idle_timeout_ms, ports_used, ports_max, no_port_total (flows dropped for want of a public port)
 *   edge:  requests_total, no_node_total, stray_in_dialog_total (no transaction or dialog known at the node: 481), capped_total (a tenant's limit)
 *   node:  up (1 while its process runs; without it the others are NaN), calls, threads_busy, threads_max, inbox_depth,
 *          inbox_dropped_total, rtp_timeout_total, reloading (1 while it reads its configuration), reloads_total, starts_total
 *   relay: ports_used, ports_max, alloc_failed_total, unanchored_total (SDP passed on without an audio path)
 *   trunk: calls, attempts_total, rejected_total (503s that the node got from it), queue_depth (INVITEs that wait for their pace)
 *   cpu:   throttled_ms_total, backlog, dropped_total (packets that the relay's share of the processor was not enough for)
 *   cdr:   pending, pending_max, committed_total, oldest_pending_ms, commit_ms (last), dropped_total
 * and where phones register
 *   registrar: registers_total, ok_total, challenged_total, stale_total, refused_total (503 of its limit), limit_per_s, forbidden_total,
 *          rejected_total, retransmits_total (seen), bindings, expired_total, threads_busy, threads_max, inbox_depth, inbox_max,
 *          inbox_dropped_total, socket_dropped_total (by the kernel), transactions_full_total, db_pending, db_latency_ms,
 *          unreachable (1 in an outage), heard_total (datagrams), unheard_total
 *          of a --target on this machine, from /proc/net/udp: socket_dropped_total and queued_bytes
 */
/**
 * A stack in Docker says of itself, once a second, `source: metric, ...` (instance: the service):
 *   relay: calls, ports_used, ports_max, packets_total, packet_errors_total, one_way_total, zero_packet_streams_total,
 *          closed_by_timeout_total (RTPengine)
 *   nat:   sessions, sessions_max, refused_total (packets that found the table full)
 *   node:  calls, legs_total (channels that ended), and of those rtp_received_total, rtp_sent_total, rtp_lost_total (Asterisk)
 */
/**
 * And of the machines under them (host also where nothing is in Docker):
 *   cpu:   cpu_ms_total, wait_ms_total (threads that were runnable and did not run), throttled_ms_total, periods_total,
 *          throttled_periods_total, memory_bytes; instance: a service, or `deadair` for our own process
 *   host:  cpus, busy_ms_total, idle_ms_total, steal_ms_total, running (threads that run or want to), load1, pressure_ms_total (PSI)
 *   net:   conntrack, conntrack_drops_total, udp_received_total, udp_dropped_total (full receive buffers): of a service's network namespace
 *   edge:  dialogs, dialogs_early, replies_5xx_total, replies_4xx_total, nodes_up, nodes_down, limited_total, memory_used, memory_max
 *   node:  taskprocessor_depth (the longest queue), reloads_total, hangups_total, hangups_abnormal_total; cdr: pending, pending_max
 *   db:    active, waiting, locks_waiting, connections, connections_max, commits_total, rollbacks_total
 *   queue: length, pending, latency_ms (Redis)
 *   pulse: options_ms, options_waiting_ms, options_failed_total, sql_ms, sql_waiting_ms, sql_failed_total: probes of our own, by what
 *          they are sent to; waiting: how long the present one has had no answer
 */
/** Those that a run of calls wants. */
export const TELEMETRY_SOURCES = ['nat', 'edge', 'node', 'relay', 'trunk', 'cdr'] as const;

export interface FrameRow {
  tMs: number;
  worker: string;
  name: string;
  value: number;
}

export interface FaultRecord {
  kind: string;
  /** Of one occurrence on one target, unique in its run. */
  id?: string;
  /** node-1 */
  on?: string;
  /** What did it: nft, toxiproxy, docker... */
  backend?: string;
  intendedAtMs: number;
  /** 0 for what happens at an instant. */
  intendedForMs?: number;
  appliedAtMs: number | null;
  removedAtMs: number | null;
  /** Was its removal seen, not merely asked for? */
  provenRemoved: boolean;
  /** Why it did not happen as planned, or not all of the time; absent when it did. */
  failed?: string;
  note: string;
}

/** How the generator fared; INVALID is decided from this. */
export interface GeneratorRecord {
  /** What a reader must know before he trusts the run: `name: text`. */
  warnings?: string[];
  mediaBackend: string;
  wire: string;
  workers: { name: string; died: boolean; cpuBusy: number }[];
  /** Lateness of INVITEs from their intended instant, ms. */
  callLatenessMs: { p50: number; p99: number; max: number };
  /** Lateness of RTP sends from their 20 ms instants, ms. */
  rtpLatenessMs: { p50: number; p99: number; max: number };
  /**
   * What a phone that registers took of the workers' memory when the run was over, bytes: heap, tables and records of the
   * workers, over the phones; without sockets. Absent in a run with calls, or with fewer than 1,000 phones.
   */
  bytesPerPhone?: number;
  /**
   * Turns of the embedded platform's loop, ms, weighted by time: in 1 % of the run every packet through it waited for p99
   * and more. Only on real sockets.
   */
  platformTurnMs?: { p99: number; max: number };
  rtpSent: number;
  rtpReceived: number;
  sendDropped: number;
  receiveDropped: number;
  unreachable: number;
  parseRejected: number;
}

/** Conservation: offered = started + blocked; started = ended + open. */
export interface LoadRecord {
  offered: number;
  blocked: number;
  started: number;
  ended: number;
  open: number;
  /** Why arrivals were blocked: reason -> count. */
  blockedBy: Record<string, number>;
}

/** Attempts of phones to register, with the same conservation; those that are blocked had no room in the generator. */
export interface RegistrationLoad {
  offered: number;
  blocked: number;
  started: number;
  ended: number;
  open: number;
}

/** A budget that was crossed while calls were up, and told to end the run then. */
export interface AbortRecord {
  /** As it was written. */
  budget: string;
  atMs: number;
  reason: string;
}

export interface EnvRecord {
  schema: 'deadair.env/1';
  runId: string;
  startedAt: string;
  /** Wall time of the run (virtual, when simulated), ms. */
  durationMs: number;
  node: string;
  os: string;
  cpus: number;
  cpuModel: string;
  deadair: string;
  /** SIGINT, or why the run was ended early; null when it ran to its end. */
  interrupted: string | null;
  /** The budget that ended it (abortOnFail); absent when none did. */
  abortedBy?: AbortRecord;
  /** Domains of the tenants, by number; absent where there are none. */
  tenants?: string[];
  load: LoadRecord;
  /** Absent in a run without phones that register. */
  registrations?: RegistrationLoad;
  generator: GeneratorRecord;
  /** Telemetry sources that were there. */
  sources: string[];
  /** What the callee side was: 'agents' (ours: both ends seen) or 'target' (only the caller's end). */
  callee: 'agents' | 'target';
  media: 'rtp' | 'none';
  /** IPv6 addresses that were met; the nth stands in the records as 127.240.0.0 + n. Absent in a run without any. */
  ipv6?: string[];
}
