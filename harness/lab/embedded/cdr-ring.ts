/**
 * CDR rows between the platform's thread and the database's, in shared memory: the platform never returns to its event
 * loop while it runs, so no message could reach it. One producer, one consumer; rows are acknowledged in order.
 *
 *      platform  --- TAIL: rows written ---> [ slot ][ slot ][ slot ] --- DONE: rows finished ---> platform
 */
export const TAIL = 0;
export const DONE = 1;
export const STATE = 2;
export const CLOSING = 3;
const WORDS = 16;

export const STARTING = 0;
export const READY = 1;
export const FAILED = 2;
export const ENDED = 3;

/** Finish what is written, then end. */
export const CLOSE_DRAIN = 1;
/** End after the attempt that is under way. */
export const CLOSE_NOW = 2;

/** A row as JSON; a CDR is about 200 bytes. */
const SLOT_BYTES = 512;
const TEXT = 12;
export const TEXT_MAX = SLOT_BYTES - TEXT;

export class CdrRing {
  readonly words: Int32Array;
  readonly slots: number;
  readonly #bytes: Buffer;
  readonly #ints: Int32Array;

  static create(limit: number): CdrRing {
    let slots = 16;
    while (slots < limit) slots *= 2;
    return new CdrRing(new SharedArrayBuffer(WORDS * 4 + slots * SLOT_BYTES));
  }

  constructor(readonly shared: SharedArrayBuffer) {
    this.slots = (shared.byteLength - WORDS * 4) / SLOT_BYTES;
    this.words = new Int32Array(shared, 0, WORDS);
    this.#ints = new Int32Array(shared, WORDS * 4);
    this.#bytes = Buffer.from(shared, WORDS * 4);
  }

  /** False when the text is too long for a slot. */
  put(row: number, text: string): boolean {
    const at = this.#at(row);
    const length = Buffer.byteLength(text);
    if (length > TEXT_MAX) return false;
    this.#bytes.write(text, at + TEXT);
    this.#ints[at >> 2] = length;
    return true;
  }

  text(row: number): string {
    const at = this.#at(row);
    return this.#bytes.toString('utf8', at + TEXT, at + TEXT + this.#ints[at >> 2]!);
  }

  /** How a row ended: `error` takes the place of the row's text. */
  finish(row: number, commitUs: number, error: string | null): void {
    const at = this.#at(row);
    this.#ints[(at >> 2) + 1] = error === null ? 0 : 1;
    this.#ints[(at >> 2) + 2] = commitUs;
    if (error !== null) this.put(row, error.slice(0, TEXT_MAX / 4));
  }

  failed(row: number): boolean {
    return this.#ints[(this.#at(row) >> 2) + 1] === 1;
  }
  commitUs(row: number): number {
    return this.#ints[(this.#at(row) >> 2) + 2]!;
  }

  #at(row: number): number {
    return (row & (this.slots - 1)) * SLOT_BYTES;
  }
}
