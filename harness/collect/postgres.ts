import pg from 'pg';
import type { CdrRecord } from './cdrs.js';
import { Pulse } from './pulse.js';
import type { Readings } from './rtpengine.js';

/**
 * PostgreSQL from its own statistics: sessions that work, that wait, locks that are not granted, commits. Readings of source `db`. One
 * connection of ours beside the platform's; it waits for nobody: a question that is not answered is a reading that is not there.
 */
const CONNECT_MS = 2_000;
const QUERY_MS = 2_000;
const CDR_MS = 10_000;
/** More rows than that are another platform's history. */
const CDR_ROWS = 500_000;
const PULSE_MS = 5_000;

const STATISTICS = `SELECT
  (SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid() AND backend_type = 'client backend')::int AS active,
  (SELECT count(*) FROM pg_stat_activity WHERE wait_event_type IN ('Lock', 'LWLock', 'IO') AND state = 'active')::int AS waiting,
  (SELECT count(*) FROM pg_locks WHERE NOT granted)::int AS locks_waiting,
  (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')::int AS connections,
  current_setting('max_connections')::int AS connections_max,
  (SELECT xact_commit FROM pg_stat_database WHERE datname = current_database())::float8 AS commits_total,
  (SELECT xact_rollback FROM pg_stat_database WHERE datname = current_database())::float8 AS rollbacks_total`;

export interface DatabaseAddress {
  host: string;
  port: number;
  user: string;
  password: string;
  database: string;
}

export class PostgresReader {
  readonly #client: pg.Client;
  #last: Readings | null = null;
  #asked = false;
  #gone = false;

  constructor(address: DatabaseAddress) {
    this.#client = new pg.Client({ ...address, connectionTimeoutMillis: CONNECT_MS, query_timeout: QUERY_MS });
    this.#client.on('error', () => {
      this.#gone = true;
    });
    this.#client.connect().catch(() => {
      this.#gone = true;
    });
  }

  /** What it said to the question before; asks the next. */
  read(): Readings | null {
    const last = this.#last;
    this.#last = null;
    if (!this.#asked && !this.#gone) {
      this.#asked = true;
      this.#client
        .query(STATISTICS)
        .then(({ rows }) => {
          this.#last = Object.fromEntries(
            Object.entries(rows[0] as Record<string, number>).map(([k, v]) => [k, Number(v)]),
          );
        })
        .catch(() => undefined) // a stalled database is what the pulse tells
        .finally(() => {
          this.#asked = false;
        });
    }
    return last;
  }

  close(): void {
    this.#gone = true;
    this.#client.end().catch(() => undefined);
  }
}

/** A row every second through the platform's own way to its database, a proxy too. Readings of source `pulse`. */
export class SqlPulse {
  #client: pg.Client | null = null;
  readonly #pulse: Pulse;

  constructor(
    private readonly address: DatabaseAddress,
    nowMs: () => number,
  ) {
    this.#pulse = new Pulse('sql', () => this.#ask(), nowMs, PULSE_MS);
  }

  read(): Readings {
    return this.#pulse.read();
  }

  close(): void {
    this.#client?.end().catch(() => undefined);
    this.#client = null;
  }

  /** On the connection of the question before, or on a new one where that got no answer. */
  #ask(): void {
    const old = this.#client;
    const client =
      old ?? new pg.Client({ ...this.address, connectionTimeoutMillis: PULSE_MS, query_timeout: PULSE_MS });
    const lost = (): void => {
      if (this.#client === client) this.#client = null;
    };
    if (old === null) {
      this.#client = client;
      client.on('error', lost);
    }
    const ready = old === null ? client.connect() : Promise.resolve();
    ready
      .then(() => client.query('SELECT 1 FROM tenant LIMIT 1'))
      .then(() => this.#pulse.answered())
      .catch(lost); // counted when it is given up
  }
}

interface BilledRow {
  call_id: string | null;
  tenant: string | null;
  src: string | null;
  dst: string | null;
  started: number | null;
  answered: number | null;
  ended: number | null;
  coarse: boolean;
}

/** Both editions' rows: the cdr-writer's instants, or Asterisk's calldate, duration and billsec in whole seconds. */
const BILLED = `SELECT call_id, coalesce(tenant, '') AS tenant, src, dst,
    extract(epoch FROM coalesce(started, calldate))::float8 AS started,
    extract(epoch FROM coalesce(answered, CASE WHEN disposition = 'ANSWERED' THEN calldate + (duration - billsec) * interval '1 second' END))::float8 AS answered,
    extract(epoch FROM coalesce(ended, calldate + duration * interval '1 second'))::float8 AS ended,
    (started IS NULL) AS coarse
  FROM cdr ORDER BY id DESC LIMIT ${CDR_ROWS}`;

/**
 * What the platform billed since `sinceEpochMs`, on the run's clock: t0 is at `t0EpochMs` of the same clock as the database's. Null when
 * the database does not answer.
 */
export async function readBilled(address: DatabaseAddress, t0EpochMs: number): Promise<CdrRecord[] | null> {
  const client = new pg.Client({ ...address, connectionTimeoutMillis: CONNECT_MS, query_timeout: CDR_MS });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<BilledRow>(BILLED);
    return billedRecords(rows, t0EpochMs);
  } catch {
    return null; // a source that is not there
  } finally {
    client.end().catch(() => undefined);
  }
}

/** Calls that began in this run: others have no business here. */
export function billedRecords(rows: readonly BilledRow[], t0EpochMs: number): CdrRecord[] {
  const at = (epochS: number | null): number => (epochS === null ? Number.NaN : epochS * 1000 - t0EpochMs);
  return rows
    .map((r) => ({
      callId: r.call_id ?? '',
      callee: r.dst ?? '',
      caller: r.src ?? '',
      tenant: r.tenant ?? '',
      instance: r.coarse ? 'node' : 'edge',
      startMs: at(r.started),
      answeredMs: at(r.answered),
      endedMs: at(r.ended),
      resolutionMs: r.coarse ? 1000 : 1,
    }))
    .filter((r) => r.startMs >= -1000);
}
