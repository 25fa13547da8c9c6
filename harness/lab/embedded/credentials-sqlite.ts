import { Worker } from 'node:worker_threads';
import Database from 'libsql';
import { ascii, latin1 } from '../../../agents/sip/text.js';
import { entryArgs } from '../../entry.js';
import { assert, HarnessError } from '../../errors.js';
import { CdrRing, CLOSE_DRAIN, CLOSE_NOW, CLOSING, DONE, READY, STARTING, STATE, TAIL } from './cdr-ring.js';
import {
  type BindingRow,
  type Credential,
  type Found,
  ha1sOf,
  type Saved,
  type SubscriberDb,
  type SubscriberDbMetrics,
  TOO_MANY_QUERIES,
} from './credentials.js';

const START_MS = 10_000;
/** How often the ring is looked at while a query is pending; a row read takes some 30 us. */
const POLL_US = 500;
const CLOSE_MS = 2_000;

/**
 * A rollback journal, not a WAL: readers then wait for whoever holds the database, as an auth_db behind a frozen server
 * does. In memory and without fsync, so that a slow disk does not look like a locked table.
 */
export const PRAGMAS = ['journal_mode = MEMORY', 'synchronous = OFF'];

const SCHEMA = [
  `CREATE TABLE IF NOT EXISTS subscriber (
    user TEXT NOT NULL, realm TEXT NOT NULL, ha1 TEXT NOT NULL, ha1_sha256 TEXT NOT NULL,
    PRIMARY KEY (user, realm)) WITHOUT ROWID`,
  `CREATE TABLE IF NOT EXISTS location (
    aor TEXT NOT NULL, contact TEXT NOT NULL, call_id TEXT NOT NULL, cseq INTEGER NOT NULL, expires_ms REAL NOT NULL,
    path TEXT NOT NULL, received TEXT NOT NULL, PRIMARY KEY (aor, contact)) WITHOUT ROWID`,
];

export interface SqliteCredentialsOptions {
  file: string;
  /** Queries that may be pending; at least the registrar's threads. */
  limit: number;
  nowUs: () => number;
  /** Written before the start; those that are there already are replaced. */
  credentials: Iterable<Credential>;
  /** What a network and a busier server would add to each answer; queries travel side by side. Default 0. */
  latencyUs?: number;
}

/** Subscribers and contacts in a SQLite file, behind a thread of its own. */
export class SqliteCredentials implements SubscriberDb {
  readonly metrics: SubscriberDbMetrics = { pending: 0, latencyMs: 0, answeredTotal: 0, failedTotal: 0 };
  readonly #ring: CdrRing;
  readonly #worker: Worker;
  readonly #o: SqliteCredentialsOptions;
  readonly #waiting: (((text: string, err: string | null) => void) | null)[];
  readonly #askedUs: Float64Array;
  #tail = 0;
  #answered = 0;

  /** Makes the file when it is not there, and waits until its thread is ready. */
  static open(options: SqliteCredentialsOptions): SqliteCredentials {
    const { file } = options;
    try {
      seed(file, options.credentials);
    } catch (error) {
      throw new HarnessError('LAB_NOT_READY', `subscriber database ${file}: ${String(error)}`, { cause: error });
    }
    const ring = CdrRing.create(options.limit);
    const [entry, ...argv] = entryArgs('credentials-worker', import.meta.url);
    const worker = new Worker(entry, { argv, execArgv: [], workerData: { shared: ring.shared, file } });
    Atomics.wait(ring.words, STATE, STARTING, START_MS);
    const state = Atomics.load(ring.words, STATE);
    if (state !== READY) {
      void worker.terminate();
      const why = state === STARTING ? `no answer in ${START_MS / 1000} s` : ring.text(0);
      throw new HarnessError('LAB_NOT_READY', `subscriber database ${file}: ${why}`);
    }
    return new SqliteCredentials(ring, worker, options);
  }

  private constructor(ring: CdrRing, worker: Worker, options: SqliteCredentialsOptions) {
    assert(options.limit <= ring.slots, 'the ring holds the limit');
    this.#ring = ring;
    this.#worker = worker;
    this.#o = options;
    this.#waiting = new Array(ring.slots).fill(null);
    this.#askedUs = new Float64Array(ring.slots);
    worker.unref();
  }

  find(user: string, realm: string, done: Found): void {
    this.#ask(JSON.stringify([user, realm]), (text, err) => {
      const row = err === null ? (JSON.parse(text) as string[]) : [];
      const [md5, sha256] = row;
      done(md5 === undefined || sha256 === undefined ? null : { md5: ascii(md5), sha256: ascii(sha256) }, err);
    });
  }

  save(row: BindingRow, done: Saved): void {
    const { aor, contact, callId, cseq, expiresMs, path, received } = row;
    const text = JSON.stringify([aor, contact, callId, cseq, expiresMs, path, received]);
    this.#ask(text, (_text, err) => done(err));
  }

  /** Hands out the answers that are there. Call it again after find() and save(). */
  tick(nowUs: number): number {
    const ring = this.#ring;
    const latencyUs = this.#o.latencyUs ?? 0;
    const finished = Atomics.load(ring.words, DONE);
    while (this.#answered !== finished) {
      const row = this.#answered;
      const slot = row & (ring.slots - 1);
      const askedUs = this.#askedUs[slot]!;
      if (nowUs - askedUs < latencyUs) return askedUs + latencyUs;
      const text = ring.text(row);
      const err = ring.failed(row) ? text : null;
      this.metrics.latencyMs = (nowUs - askedUs) / 1000;
      this.metrics.pending--;
      if (err === null) this.metrics.answeredTotal++;
      else this.metrics.failedTotal++;
      this.#answered = (row + 1) | 0;
      const done = this.#waiting[slot]!;
      this.#waiting[slot] = null;
      done(text, err);
    }
    return this.metrics.pending === 0 ? Number.POSITIVE_INFINITY : nowUs + POLL_US;
  }

  /** Finishes what is asked, for up to 2 s; then gives up on the rest. */
  async close(): Promise<void> {
    const ended = new Promise<void>((resolve) => {
      this.#worker.once('exit', () => resolve());
    });
    this.#worker.ref();
    this.#order(CLOSE_DRAIN);
    const timer = setTimeout(() => this.#order(CLOSE_NOW), CLOSE_MS);
    await ended;
    clearTimeout(timer);
    // What was still on its way has arrived, too.
    this.tick(this.#o.nowUs() + (this.#o.latencyUs ?? 0));
  }

  #ask(text: string, done: (text: string, err: string | null) => void): void {
    const full = this.metrics.pending >= this.#o.limit;
    if (full || !this.#ring.put(this.#tail, text)) {
      this.metrics.failedTotal++;
      done('', full ? TOO_MANY_QUERIES : 'row is too long');
      return;
    }
    const slot = this.#tail & (this.#ring.slots - 1);
    this.#waiting[slot] = done;
    this.#askedUs[slot] = this.#o.nowUs();
    this.metrics.pending++;
    this.#tail = (this.#tail + 1) | 0;
    Atomics.store(this.#ring.words, TAIL, this.#tail);
    Atomics.notify(this.#ring.words, TAIL);
  }

  #order(how: number): void {
    Atomics.store(this.#ring.words, CLOSING, how);
    Atomics.notify(this.#ring.words, TAIL);
  }
}

function seed(file: string, credentials: Iterable<Credential>): void {
  const db = new Database(file);
  try {
    for (const pragma of PRAGMAS) db.pragma(pragma);
    for (const table of SCHEMA) db.exec(table);
    const insert = db.prepare('INSERT OR REPLACE INTO subscriber VALUES (?, ?, ?, ?)');
    db.exec('BEGIN');
    for (const credential of credentials) {
      const { md5, sha256 } = ha1sOf(credential);
      insert.run([credential.user, credential.realm, latin1(md5, 0, 32), latin1(sha256, 0, 64)]);
    }
    db.exec('COMMIT');
  } finally {
    db.close();
  }
}
