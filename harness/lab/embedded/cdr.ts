import type { Actor } from '../../../agents/wire/types.js';

/** One call detail record: what the platform bills. Times are ms since the run's t0; NaN becomes NULL. */
export interface CdrRow {
  callId: string;
  node: number;
  /** Who pays: the site that the call came from, its host in From. */
  tenant: string;
  from: string;
  to: string;
  startMs: number;
  answeredMs: number;
  endedMs: number;
  /** Final status of the INVITE. */
  code: number;
}

export interface CdrMetrics {
  /** Rows written and not yet committed. */
  pending: number;
  committedTotal: number;
  oldestPendingMs: number;
  /** How long the last commit took. */
  commitMs: number;
  /** Rows refused at the limit, or that the database would not take. */
  droppedTotal: number;
}

/** `err` is null when the row is committed. */
export type CdrDone = (err: string | null) => void;

/**
 * Rows are committed one by one, in order. `done` is called from write() itself when the row is refused, else from
 * tick(): the platform decides whether a thread of it waits for that (inline) or not (queue).
 */
export interface CdrStore extends Actor {
  readonly metrics: Readonly<CdrMetrics>;
  write(row: CdrRow, done: CdrDone): void;
  close(): Promise<void>;
}

/**
 * A node that hears nothing while too many rows wait, as Asterisk's taskprocessors do it: from the high-water mark on, until a
 * tenth of the queue is worked off.
 */
export class CdrBrake {
  #on = false;

  constructor(
    private readonly cdr: CdrStore,
    private readonly limit: number,
    private readonly stops: boolean,
  ) {}

  get isOn(): boolean {
    if (!this.stops) return false;
    const { pending } = this.cdr.metrics;
    this.#on = pending >= (this.#on ? 0.9 * this.limit : this.limit);
    return this.#on;
  }
}

export const QUEUE_FULL = 'cdr queue is full';

/** Virtual time, for simulation: each commit takes a millisecond, and none begins while the database is locked. */
export class MemoryCdrStore implements CdrStore {
  /** What is committed. */
  readonly rows: CdrRow[] = [];
  readonly metrics: CdrMetrics = { pending: 0, committedTotal: 0, oldestPendingMs: 0, commitMs: 0, droppedTotal: 0 };
  readonly #nowUs: () => number;
  readonly #limit: number;
  readonly #locks: { fromUs: number; toUs: number }[] = [];
  readonly #queue: { row: CdrRow; atUs: number; done: CdrDone }[] = [];
  /** When the commit at the head of the queue is through; NaN when there is none. */
  #headUs = Number.NaN;

  static readonly COMMIT_US = 1_000;

  constructor(options: { nowUs: () => number; limit: number }) {
    this.#nowUs = options.nowUs;
    this.#limit = options.limit;
  }

  /** Nothing commits from `fromUs` until `toUs`. Told before `fromUs`. */
  lockBetween(fromUs: number, toUs: number): void {
    this.#locks.push({ fromUs, toUs });
    this.#locks.sort((a, b) => a.fromUs - b.fromUs);
  }

  write(row: CdrRow, done: CdrDone): void {
    if (this.#queue.length >= this.#limit) {
      this.metrics.droppedTotal++;
      done(QUEUE_FULL);
      return;
    }
    const nowUs = this.#nowUs();
    this.#queue.push({ row, atUs: nowUs, done });
    this.metrics.pending++;
    if (this.#queue.length === 1) this.#begin(nowUs);
  }

  /** Reports the commits that are through. Call it again after write(): the next deadline may have come nearer. */
  tick(nowUs: number): number {
    while (this.#headUs <= nowUs) {
      const { row, done } = this.#queue.shift()!;
      this.rows.push(row);
      const committedUs = this.#headUs;
      this.metrics.pending--;
      this.metrics.committedTotal++;
      this.#begin(committedUs);
      done(null);
    }
    const oldest = this.#queue[0];
    this.metrics.oldestPendingMs = oldest ? (nowUs - oldest.atUs) / 1000 : 0;
    return oldest ? this.#headUs : Number.POSITIVE_INFINITY;
  }

  async close(): Promise<void> {
    this.#queue.length = 0;
    this.#headUs = Number.NaN;
  }

  #begin(fromUs: number): void {
    if (this.#queue.length === 0) {
      this.#headUs = Number.NaN;
      return;
    }
    let startUs = fromUs;
    for (const lock of this.#locks) if (startUs >= lock.fromUs && startUs < lock.toUs) startUs = lock.toUs;
    this.#headUs = startUs + MemoryCdrStore.COMMIT_US;
    this.metrics.commitMs = (this.#headUs - fromUs) / 1000;
  }
}
