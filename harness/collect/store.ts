import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { type Column, LEG_COLUMNS, type Leg, NAME_COLUMNS, namesOf } from './legs.js';
import { makeDir } from './make-dir.js';
import {
  REGISTRATION_COLUMNS,
  REGISTRATION_NAME_COLUMNS,
  type Registration,
  registrationNamesOf,
} from './registrations.js';
import type { FaultRecord, FrameRow, TelemetryRow } from './schema.js';
import { ColumnTable } from './table.js';

const TELEMETRY_COLUMNS: readonly Column[] = [
  { name: 'tMs', type: 'DOUBLE' },
  { name: 'source', type: 'VARCHAR' },
  { name: 'instance', type: 'VARCHAR' },
  { name: 'metric', type: 'VARCHAR' },
  { name: 'value', type: 'DOUBLE' },
];
const FRAME_COLUMNS: readonly Column[] = [
  { name: 'tMs', type: 'DOUBLE' },
  { name: 'worker', type: 'VARCHAR' },
  { name: 'name', type: 'VARCHAR' },
  { name: 'value', type: 'DOUBLE' },
];

/** SQL string literal. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/**
 * Writes results/<run-id>/. Rows wait in memory until `finish`: nothing is encoded while calls are up. JSON and fault
 * records are written at once, so that a killed run still says what was done to the platform.
 */
export class RunStore {
  readonly runDir: string;
  readonly #legs = new ColumnTable([...LEG_COLUMNS, ...NAME_COLUMNS]);
  /** Made with the first row: a run without phones that register has no such file. */
  #registrations: ColumnTable | null = null;
  readonly #telemetry = new ColumnTable(TELEMETRY_COLUMNS);
  readonly #frames = new ColumnTable(FRAME_COLUMNS);

  constructor(runDir: string) {
    this.runDir = runDir;
    makeDir(runDir);
  }

  get legCount(): number {
    return this.#legs.rows;
  }

  addLeg(leg: Leg): void {
    const row = this.#legs.addRow();
    const width = LEG_COLUMNS.length;
    for (let c = 0; c < width; c++) {
      const value = leg[LEG_COLUMNS[c]!.name as keyof Leg];
      if (typeof value === 'number') this.#legs.setNumber(c, row, value);
      else this.#legs.setText(c, row, value);
    }
    const names = namesOf(leg);
    for (let n = 0; n < names.length; n++) this.#legs.setText(width + n, row, names[n]!);
  }

  addRegistration(registration: Registration): void {
    this.#registrations ??= new ColumnTable([...REGISTRATION_COLUMNS, ...REGISTRATION_NAME_COLUMNS]);
    const table = this.#registrations;
    const row = table.addRow();
    const width = REGISTRATION_COLUMNS.length;
    for (let c = 0; c < width; c++) {
      table.setNumber(c, row, registration[REGISTRATION_COLUMNS[c]!.name as keyof Registration]);
    }
    const names = registrationNamesOf(registration);
    for (let n = 0; n < names.length; n++) table.setText(width + n, row, names[n]!);
  }

  addTelemetry(r: TelemetryRow): void {
    const row = this.#telemetry.addRow();
    this.#telemetry.setNumber(0, row, r.tMs);
    this.#telemetry.setText(1, row, r.source);
    this.#telemetry.setText(2, row, r.instance);
    this.#telemetry.setText(3, row, r.metric);
    this.#telemetry.setNumber(4, row, r.value);
  }

  addFrame(r: FrameRow): void {
    const row = this.#frames.addRow();
    this.#frames.setNumber(0, row, r.tMs);
    this.#frames.setText(1, row, r.worker);
    this.#frames.setText(2, row, r.name);
    this.#frames.setNumber(3, row, r.value);
  }

  writeJson(name: string, value: unknown): void {
    writeFileSync(join(this.runDir, name), `${JSON.stringify(value, null, 2)}\n`);
  }

  appendFault(record: FaultRecord): void {
    appendFileSync(join(this.runDir, 'faults.jsonl'), `${JSON.stringify(record)}\n`);
  }

  /**
   * Writes the Parquet files. Rows are sorted, and one thread writes: legs finish in the order in which workers
   * are drained, and the same calls shall be the same bytes.
   */
  async finish(): Promise<void> {
    const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
    try {
      const connection = await instance.connect();
      await this.#legs.copyTo(connection, 'legs');
      await this.#registrations?.copyTo(connection, 'registrations');
      await this.#telemetry.copyTo(connection, 'telemetry');
      await this.#frames.copyTo(connection, 'frames');
      const write = (table: string, order: string): Promise<unknown> =>
        connection.run(
          `COPY (SELECT * FROM ${table} ORDER BY ${order}) TO ${quoted(join(this.runDir, `${table}.parquet`))}
           (FORMAT parquet, COMPRESSION zstd)`,
        );
      await write('legs', '"callNo", role, "startedMs", "callId"');
      if (this.#registrations !== null) await write('registrations', '"startedMs", phone');
      await write('telemetry', '"tMs", source, instance, metric, value');
      await write('frames', '"tMs", worker, name, value');
      connection.closeSync();
    } finally {
      instance.closeSync();
    }
  }
}
