import { type DuckDBConnection, StatementType } from '@duckdb/node-api';
import { HarnessError } from '../errors.js';
import { openBilling } from './billing.js';
import { type Cell, openRun } from './read.js';

export interface QueryResult {
  columns: string[];
  rows: Cell[][];
}

/** What a question can be put to: a file of the run each, and `calls`, both legs of a call in one row, with its grades; `billing` has what was billed wrongly. */
export const QUERY_TABLES = [
  'calls',
  'legs',
  'causes',
  'telemetry',
  'frames',
  'registrations',
  'cdrs',
  'billing',
  'logs',
  'webphones',
  'webphone_registrations',
] as const;

/**
 * One SELECT over results/<run-id>/, in DuckDB's SQL. It can read the run's Parquet and nothing else: no other file, no network,
 * no extension, and it writes nothing. Throws BAD_QUERY with one line.
 */
export async function queryRun(runDir: string, sql: string): Promise<QueryResult> {
  const run = await openRun(runDir);
  try {
    if (/\bbilling\b/i.test(sql)) await openBilling(run, 'calls');
    await run.exec('SET lock_configuration = true');
    return await ask(run.connection, sql);
  } finally {
    run.close();
  }
}

/** Columns of a table as (column, type). */
export async function describeTables(runDir: string): Promise<Record<string, [column: string, type: string][]>> {
  const run = await openRun(runDir);
  try {
    await openBilling(run, 'calls');
    const out: Record<string, [string, string][]> = {};
    for (const table of QUERY_TABLES) {
      const rows = await run.query(`SELECT column_name, column_type FROM (DESCRIBE ${table})`);
      out[table] = rows.map((r) => [String(r.column_name), String(r.column_type)]);
    }
    return out;
  } finally {
    run.close();
  }
}

async function ask(connection: DuckDBConnection, sql: string): Promise<QueryResult> {
  if (sql.trim() === '') throw bad('one SELECT is wanted');
  try {
    const statements = await connection.extractStatements(sql);
    if (statements.count !== 1) throw bad(`one statement is wanted, and this has ${statements.count}`);
    const prepared = await statements.prepare(0);
    if (prepared.statementType !== StatementType.SELECT)
      throw bad('only SELECT, FROM, WITH, DESCRIBE and SUMMARIZE are allowed: a run is read, never changed');
    const reader = await prepared.runAndReadAll();
    return { columns: reader.deduplicatedColumnNames(), rows: reader.getRowsJS().map((row) => row.map(cell)) };
  } catch (error) {
    if (error instanceof HarnessError) throw error;
    throw bad(oneLine((error as Error).message), error);
  }
}

function bad(why: string, cause?: unknown): HarnessError {
  return new HarnessError('BAD_QUERY', `query: ${why}`, { cause });
}

/** DuckDB answers with the kind of error, a sentence, candidates, and the statement with a caret below it. */
function oneLine(message: string): string {
  const lines = message
    .replace(/^Failed to extract statements: /, '')
    .split('\n')
    .map((line) => line.trim());
  const end = lines.findIndex((line) => /^LINE \d+:/.test(line));
  return lines
    .slice(0, end < 0 ? undefined : end)
    .filter((line) => line !== '')
    .join(' ');
}

function cell(value: unknown): Cell {
  if (value === null || value === undefined) return null;
  if (typeof value === 'bigint') {
    return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : String(value);
  }
  if (typeof value === 'number' || typeof value === 'string' || typeof value === 'boolean') return value;
  if (value instanceof Date) return value.toISOString();
  return JSON.stringify(value, (_, x: unknown) => (typeof x === 'bigint' ? Number(x) : x));
}
