import { existsSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import type { EnvRecord } from '../collect/schema.js';
import { quoted } from '../collect/store.js';
import { HarnessError } from '../errors.js';
import { CALLS_VIEWS, LEGS_SELECT } from './calls.js';
import { MOS_MACROS } from './mos.js';

export type Cell = number | string | boolean | null;
export type Row = Record<string, Cell>;

/** A finished run, open for questions. Close it: the instance holds memory of its own. */
export class OpenRun {
  readonly runDir: string;
  readonly env: EnvRecord;
  readonly connection: DuckDBConnection;
  readonly #instance: DuckDBInstance;

  constructor(runDir: string, env: EnvRecord, instance: DuckDBInstance, connection: DuckDBConnection) {
    this.runDir = runDir;
    this.env = env;
    this.#instance = instance;
    this.connection = connection;
  }

  async exec(sql: string): Promise<void> {
    await this.connection.run(sql);
  }

  /** Rows as plain objects; 64-bit integers come as numbers (counts stay far below 2^53). */
  async query(sql: string): Promise<Row[]> {
    const reader = await this.connection.runAndReadAll(sql);
    const rows = reader.getRowObjectsJS() as Record<string, unknown>[];
    for (const row of rows) {
      for (const key in row) if (typeof row[key] === 'bigint') row[key] = Number(row[key]);
    }
    return rows as Row[];
  }

  /** The only row of an aggregate. */
  async one(sql: string): Promise<Row> {
    return (await this.query(sql))[0] ?? {};
  }

  close(): void {
    this.connection.closeSync();
    this.#instance.closeSync();
  }
}

export function readEnv(runDir: string): EnvRecord {
  const path = join(runDir, 'env.json');
  if (!existsSync(path) || !existsSync(join(runDir, 'legs.parquet')))
    throw new HarnessError('NO_SUCH_RUN', `no recorded run in ${runDir}: env.json and legs.parquet are expected there`);
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as EnvRecord;
  } catch (cause) {
    throw new HarnessError('NO_SUCH_RUN', `env.json of run ${basename(runDir)} cannot be read`, { cause });
  }
}

/** DuckDB's own tables; beyond it they spill to the disk. A million calls stay below 2 GiB with what it does not count. */
const MEMORY_MB = 1400;

/** What the diagnosis may open: its evidence, and the file that it writes. */
const PARQUET = [
  'legs',
  'registrations',
  'telemetry',
  'frames',
  'causes',
  'webphones',
  'webphone_registrations',
  'cdrs',
  'logs',
];

/** Which files are the views legs and registrations; `media`: audio is judged, whatever the engine's plan was. */
export interface RunFiles {
  legs: string;
  registrations: string;
  media?: boolean;
}
const ENGINE_FILES: RunFiles = { legs: 'legs', registrations: 'registrations' };

/** A run without phones has no such file; the columns that are asked for, typed. */
const NO_REGISTRATION =
  'NULL::UINTEGER AS phone, NULL::USMALLINT AS tenant, NULL::UTINYINT AS wave, NULL::DOUBLE AS intendedMs, NULL::DOUBLE AS startedMs, NULL::DOUBLE AS doneMs, NULL::USMALLINT AS n401, NULL::USMALLINT AS n503, NULL::USMALLINT AS retransmissions, NULL::VARCHAR AS outcome_name, NULL::VARCHAR AS reason_name';

/**
 * Opens results/<run-id>/ for SQL: views legs, registrations, telemetry, frames, webphones, causes (empty until the run was judged) and calls
 * (one row per call; calls.ts has its columns),
 * and run_env with one row. plan.json and faults.jsonl are not opened here, and DuckDB is told to refuse every file but the
 * run's own Parquet: no rule can see what was injected, however it is written.
 */
export async function openRun(runDir: string, files: RunFiles = ENGINE_FILES): Promise<OpenRun> {
  const env = readEnv(runDir);
  // One thread: sums of doubles come out in one order, so the same run gives the same verdict, digit by digit.
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
  const connection = await instance.connect();
  const run = new OpenRun(runDir, env, instance, connection);
  try {
    const path = (name: string): string => quoted(resolve(runDir, `${name}.parquet`));
    const file = (name: string): string => `read_parquet(${path(name)})`;
    await run.exec(`SET allowed_paths = [${PARQUET.map(path).join(', ')}]`);
    await run.exec(`SET memory_limit = '${MEMORY_MB}MB'`);
    await run.exec(`SET temp_directory = ${quoted(join(tmpdir(), `deadair-${process.pid}`))}`);
    await run.exec('SET enable_external_access = false');
    for (const macro of MOS_MACROS) await run.exec(macro);
    await run.exec(`CREATE TEMP VIEW legs AS SELECT ${LEGS_SELECT} FROM ${file(files.legs)}`);
    for (const [name, columns, from = name] of [
      [
        'telemetry',
        'NULL::DOUBLE AS tMs, NULL::VARCHAR AS source, NULL::VARCHAR AS instance, NULL::VARCHAR AS metric, NULL::DOUBLE AS value',
      ],
      ['registrations', NO_REGISTRATION, files.registrations],
      ['frames', 'NULL::DOUBLE AS tMs, NULL::VARCHAR AS worker, NULL::VARCHAR AS name, NULL::DOUBLE AS value'],
      [
        'cdrs',
        'NULL::VARCHAR AS callId, NULL::VARCHAR AS callee, NULL::VARCHAR AS caller, NULL::VARCHAR AS tenant, NULL::VARCHAR AS instance, NULL::DOUBLE AS startMs, NULL::DOUBLE AS answeredMs, NULL::DOUBLE AS endedMs, NULL::DOUBLE AS resolutionMs',
      ],
      ['logs', 'NULL::DOUBLE AS tMs, NULL::VARCHAR AS instance, NULL::VARCHAR AS callId, NULL::VARCHAR AS line'],
      ['causes', 'NULL::BIGINT AS callNo, NULL::VARCHAR AS cause, NULL::DOUBLE AS confidence'],
    ] as const) {
      const there = existsSync(join(runDir, `${from}.parquet`));
      const select = there ? `* FROM ${file(from)}` : `${columns} WHERE false`;
      await run.exec(`CREATE TEMP VIEW ${name} AS SELECT ${select}`);
    }
    // Beside the engine's, in the same columns.
    for (const [name, like] of [
      ['webphones', 'legs'],
      ['webphone_registrations', 'registrations'],
    ] as const) {
      const there = existsSync(join(runDir, `${name}.parquet`));
      const select = name === 'webphones' ? LEGS_SELECT : '*';
      await run.exec(
        `CREATE TEMP VIEW ${name} AS SELECT ${there ? `${select} FROM ${file(name)}` : `* FROM ${like} WHERE false`}`,
      );
    }
    await run.exec(
      `CREATE TEMP TABLE run_env AS SELECT ${Number(env.durationMs)}::DOUBLE AS duration_ms, ${files.media ?? env.media === 'rtp'} AS media`,
    );
    await run.exec(`CREATE TEMP TABLE billed_run AS SELECT ${existsSync(join(runDir, 'cdrs.parquet'))} AS billed`);
    for (const view of CALLS_VIEWS) await run.exec(view);
    return run;
  } catch (cause) {
    run.close();
    throw cause;
  }
}
