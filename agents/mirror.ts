import type { Layout } from './record.js';
import { type RecordLog, RecordReader } from './record-reader.js';
import { asOpen, type Begun, type RecordSource } from './store.js';

/**
 * The collector's side of a store that lies in another process: what came of it in frames. Finished records wait for the
 * next drain (100 ms); open ones are as they were in the last whole snapshot, a second ago at most.
 */
export class RecordMirror<F extends string, R extends Begun> implements RecordSource<F, R> {
  #finished: Uint8Array[] = [];
  #open: R[] = [];
  #coming: R[] = [];
  /** One record, aligned as its reader wants it. */
  readonly #aligned: Uint8Array<ArrayBuffer>;
  readonly #reader: RecordReader<F, R>;

  constructor(private readonly layout: Layout<F>) {
    this.#aligned = new Uint8Array(layout.bytes);
    this.#reader = new RecordReader(layout, this.#aligned.buffer);
  }

  /** Finished records, one after the other. The payload is ours from now on. */
  addFinished(payload: Uint8Array): void {
    this.#finished.push(payload);
  }

  /** Open ones, a byte before each. */
  addOpen(payload: Uint8Array): void {
    const { bytes } = this.layout;
    for (let at = 0; at + 1 + bytes <= payload.byteLength; at += 1 + bytes) {
      this.#aligned.set(payload.subarray(at + 1, at + 1 + bytes));
      const open = asOpen(this.#reader.read(0), payload[at] === 1);
      if (open !== null) this.#coming.push(open);
    }
  }

  /** All open records of this look have come. */
  snapshot(): void {
    this.#open = this.#coming;
    this.#coming = [];
  }

  drainTo(log: RecordLog<F, R>, seen?: (bytes: Uint8Array, at: number) => void): number {
    const { bytes } = this.layout;
    const finished = this.#finished;
    let count = 0;
    this.#finished = [];
    for (const payload of finished) {
      for (let at = 0; at + bytes <= payload.byteLength; at += bytes) {
        seen?.(payload, at);
        log.append(payload, at);
        count++;
      }
    }
    return count;
  }

  readOpen(take: (record: R) => void): number {
    for (const record of this.#open) take(record);
    return this.#open.length;
  }
}
