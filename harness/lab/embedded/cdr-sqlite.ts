import { Worker } from 'node:worker_threads';
import { entryArgs } from '../../entry.js';
import { assert, HarnessError } from '../../errors.js';
import { type CdrDone, type CdrMetrics, type CdrRow, type CdrStore, QUEUE_FULL } from './cdr.js';
import { CdrRing, CLOSE_DRAIN, CLOSE_NOW, CLOSING, DONE, READY, STARTING, STATE, TAIL } from './cdr-ring.js';

const START_MS = 10_000;
/** How often the ring is looked at while a row is pending; a commit takes some 50 us. */
const POLL_US = 1_000;
const CLOSE_MS = 2_000;

/** CDRs in a SQLite file, committed by a thread of their own. */
export class SqliteCdrStore implements CdrStore {
  readonly metrics: CdrMetrics = { pending: 0, committedTotal: 0, oldestPendingMs: 0, commitMs: 0, droppedTotal: 0 };
  readonly #ring: CdrRing;
  readonly #worker: Worker;
  readonly #nowUs: () => number;
  readonly #limit: number;
  readonly #waiting: (CdrDone | null)[];
  readonly #writtenUs: Float64Array;
  #tail = 0;
  #acked = 0;

  /** Makes the file when it is not there, and waits until its thread is ready. */
  static open(options: { file: string; limit: number; nowUs: () => number }): SqliteCdrStore {
    const ring = CdrRing.create(options.limit);
    const [entry, ...argv] = entryArgs('cdr-worker', import.meta.url);
    const worker = new Worker(entry, { argv, execArgv: [], workerData: { shared: ring.shared, file: options.file } });
    Atomics.wait(ring.words, STATE, STARTING, START_MS);
    const state = Atomics.load(ring.words, STATE);
    if (state !== READY) {
      void worker.terminate();
      const why = state === STARTING ? `no answer in ${START_MS / 1000} s` : ring.text(0);
      throw new HarnessError('LAB_NOT_READY', `CDR database ${options.file}: ${why}`);
    }
    return new SqliteCdrStore(ring, worker, options.limit, options.nowUs);
  }

  private constructor(ring: CdrRing, worker: Worker, limit: number, nowUs: () => number) {
    assert(limit <= ring.slots, 'the ring holds the limit');
    this.#ring = ring;
    this.#worker = worker;
    this.#limit = limit;
    this.#nowUs = nowUs;
    this.#waiting = new Array<CdrDone | null>(ring.slots).fill(null);
    this.#writtenUs = new Float64Array(ring.slots);
    worker.unref();
  }

  write(row: CdrRow, done: CdrDone): void {
    if (this.metrics.pending >= this.#limit) {
      this.#refuse(done, QUEUE_FULL);
      return;
    }
    const { callId, node, tenant, from, to, startMs, answeredMs, endedMs, code } = row;
    const text = JSON.stringify([callId, node, tenant, from, to, startMs, answeredMs, endedMs, code]);
    if (!this.#ring.put(this.#tail, text)) {
      this.#refuse(done, 'cdr row is too long');
      return;
    }
    const slot = this.#tail & (this.#ring.slots - 1);
    this.#waiting[slot] = done;
    this.#writtenUs[slot] = this.#nowUs();
    this.metrics.pending++;
    this.#tail = (this.#tail + 1) | 0;
    Atomics.store(this.#ring.words, TAIL, this.#tail);
    Atomics.notify(this.#ring.words, TAIL);
  }

  /** Reports the rows that are committed. Call it again after write(). */
  tick(nowUs: number): number {
    const ring = this.#ring;
    const finished = Atomics.load(ring.words, DONE);
    while (this.#acked !== finished) {
      const row = this.#acked;
      const slot = row & (ring.slots - 1);
      const error = ring.failed(row) ? ring.text(row) : null;
      this.metrics.commitMs = ring.commitUs(row) / 1000;
      this.metrics.pending--;
      if (error === null) this.metrics.committedTotal++;
      else this.metrics.droppedTotal++;
      this.#acked = (row + 1) | 0;
      const done = this.#waiting[slot]!;
      this.#waiting[slot] = null;
      done(error);
    }
    if (this.metrics.pending === 0) {
      this.metrics.oldestPendingMs = 0;
      return Number.POSITIVE_INFINITY;
    }
    this.metrics.oldestPendingMs = (nowUs - this.#writtenUs[this.#acked & (ring.slots - 1)]!) / 1000;
    return nowUs + POLL_US;
  }

  /** Commits what is written, for up to 2 s; then gives up on the rest. Rows that it got through are reported. */
  async close(): Promise<void> {
    const ended = new Promise<void>((resolve) => {
      this.#worker.once('exit', () => resolve());
    });
    this.#worker.ref();
    this.#order(CLOSE_DRAIN);
    const timer = setTimeout(() => this.#order(CLOSE_NOW), CLOSE_MS);
    await ended;
    clearTimeout(timer);
    this.tick(this.#nowUs());
  }

  #order(how: number): void {
    Atomics.store(this.#ring.words, CLOSING, how);
    Atomics.notify(this.#ring.words, TAIL);
  }

  #refuse(done: CdrDone, why: string): void {
    this.metrics.droppedTotal++;
    done(why);
  }
}
