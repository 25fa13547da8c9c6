import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { CDR_COLUMNS, type CdrRecord, LOG_COLUMNS, type LogRecord } from './cdrs.js';
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

const legTable = (): ColumnTable => new ColumnTable([...LEG_COLUMNS, ...NAME_COLUMNS]);
const registrationTable = (): ColumnTable => new ColumnTable([...REGISTRATION_COLUMNS, ...REGISTRATION_NAME_COLUMNS]);

function addLegTo(table: ColumnTable, leg: Leg): void {
  const row = table.addRow();
  const width = LEG_COLUMNS.length;
  for (let c = 0; c < width; c++) {
    const value = leg[LEG_COLUMNS[c]!.name as keyof Leg];
    if (typeof value === 'number') table.setNumber(c, row, value);
    else table.setText(c, row, value);
  }
  const names = namesOf(leg);
  for (let n = 0; n < names.length; n++) table.setText(width + n, row, names[n]!);
}

/** A record whose keys are the columns' names. */
function addTo(table: ColumnTable, columns: readonly Column[], record: object): void {
  const row = table.addRow();
  for (const [c, { name, type }] of columns.entries()) {
    const value = (record as Record<string, string | number>)[name]!;
    if (type === 'VARCHAR') table.setText(c, row, String(value));
    else table.setNumber(c, row, Number(value));
  }
}

function addRegistrationTo(table: ColumnTable, registration: Registration): void {
  const row = table.addRow();
  const width = REGISTRATION_COLUMNS.length;
  for (let c = 0; c < width; c++) {
    table.setNumber(c, row, registration[REGISTRATION_COLUMNS[c]!.name as keyof Registration]);
  }
  const names = registrationNamesOf(registration);
  for (let n = 0; n < names.length; n++) table.setText(width + n, row, names[n]!);
}

/**
 * Writes results/<run-id>/. Rows wait in memory until `finish`: nothing is encoded while calls are up. JSON and fault
 * records are written at once, so that a killed run still says what was done to the platform.
 */
export class RunStore {
  readonly runDir: string;
  readonly #legs = legTable();
  /** Made with the first row: a run without phones that register has no such file. */
  #registrations: ColumnTable | null = null;
  #webphoneLegs: ColumnTable | null = null;
  #webphoneRegistrations: ColumnTable | null = null;
  #cdrs: ColumnTable | null = null;
  #logs: ColumnTable | null = null;
  readonly #telemetry = new ColumnTable(TELEMETRY_COLUMNS);
  readonly #frames = new ColumnTable(FRAME_COLUMNS);

  constructor(runDir: string) {
    this.runDir = runDir;
    makeDir(runDir);
  }

  addLeg(leg: Leg): void {
    addLegTo(this.#legs, leg);
  }

  addRegistration(registration: Registration): void {
    this.#registrations ??= registrationTable();
    addRegistrationTo(this.#registrations, registration);
  }

  /** Made with the first registration: a run without webphones has neither file. */
  addWebphoneLeg(leg: Leg): void {
    this.#webphoneLegs ??= legTable();
    addLegTo(this.#webphoneLegs, leg);
  }

  addWebphoneRegistration(registration: Registration): void {
    this.#webphoneLegs ??= legTable();
    this.#webphoneRegistrations ??= registrationTable();
    addRegistrationTo(this.#webphoneRegistrations, registration);
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

  /** What the platform billed; called with none, it says that its records were read and that there are none. */
  addCdrs(records: Iterable<CdrRecord>): void {
    this.#cdrs ??= new ColumnTable(CDR_COLUMNS);
    for (const record of records) addTo(this.#cdrs, CDR_COLUMNS, record);
  }

  addLogs(records: Iterable<LogRecord>): void {
    this.#logs ??= new ColumnTable(LOG_COLUMNS);
    for (const record of records) addTo(this.#logs, LOG_COLUMNS, record);
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
      await this.#webphoneLegs?.copyTo(connection, 'webphones');
      await this.#webphoneRegistrations?.copyTo(connection, 'webphone_registrations');
      await this.#telemetry.copyTo(connection, 'telemetry');
      await this.#frames.copyTo(connection, 'frames');
      await this.#cdrs?.copyTo(connection, 'cdrs');
      await this.#logs?.copyTo(connection, 'logs');
      const write = (table: string, order: string): Promise<unknown> =>
        connection.run(
          `COPY (SELECT * FROM ${table} ORDER BY ${order}) TO ${quoted(join(this.runDir, `${table}.parquet`))}
           (FORMAT parquet, COMPRESSION zstd)`,
        );
      const [asCalls, asAttempts] = ['"callNo", role, "startedMs", "callId"', '"startedMs", phone'];
      await write('legs', asCalls);
      if (this.#registrations !== null) await write('registrations', asAttempts);
      if (this.#webphoneLegs !== null) await write('webphones', asCalls);
      if (this.#webphoneRegistrations !== null) await write('webphone_registrations', asAttempts);
      if (this.#cdrs !== null) await write('cdrs', '"startMs", "callId", callee, instance');
      if (this.#logs !== null) await write('logs', '"tMs", instance, line');
      await write('telemetry', '"tMs", source, instance, metric, value');
      await write('frames', '"tMs", worker, name, value');
      connection.closeSync();
    } finally {
      instance.closeSync();
    }
  }
}
