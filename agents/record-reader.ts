import { assert } from '../harness/errors.js';
import type { FieldType, Layout } from './record.js';

/** Decodes records of one layout that lie in a buffer. For the control plane: a decoded record is an object. */
export class RecordReader<F extends string, R> {
  readonly #bytes: Buffer;
  readonly #u16: Uint16Array;
  readonly #u32: Uint32Array;
  readonly #f64: Float64Array;
  /** Made once: a copy of it has all its fields, in one shape. */
  readonly #blank: Record<string, number | string>;
  readonly #names: F[];
  readonly #offsets: Int32Array;
  /** 8, 4, 2, 1: a number of so many bytes; negative: text of so many. */
  readonly #kinds: Int32Array;

  constructor(layout: Layout<F>, buffer: ArrayBuffer | SharedArrayBuffer) {
    this.#bytes = Buffer.from(buffer as ArrayBuffer);
    this.#u16 = new Uint16Array(buffer);
    this.#u32 = new Uint32Array(buffer);
    this.#f64 = new Float64Array(buffer);
    this.#names = Object.keys(layout.fields) as F[];
    this.#offsets = Int32Array.from(this.#names, (name) => layout.offsets[name]);
    this.#kinds = Int32Array.from(this.#names, (name) => kindOf(layout.fields[name]));
    this.#blank = Object.fromEntries(this.#names.map((name, i) => [name, this.#kinds[i]! < 0 ? '' : 0]));
  }

  /** `at`: where the record begins, in bytes. */
  read(at: number): R {
    const out = { ...this.#blank };
    for (let i = 0; i < this.#names.length; i++) {
      const name = this.#names[i]!;
      const from = at + this.#offsets[i]!;
      const kind = this.#kinds[i]!;
      if (kind === 8) out[name] = this.#f64[from >> 3]!;
      else if (kind === 4) out[name] = this.#u32[from >> 2]!;
      else if (kind === 2) out[name] = this.#u16[from >> 1]!;
      else if (kind === 1) out[name] = this.#bytes[from]!;
      else if (this.#bytes[from] !== 0) {
        let end = from;
        while (end < from - kind && this.#bytes[end] !== 0) end++;
        out[name] = this.#bytes.toString('utf8', from, end);
      }
    }
    return out as unknown as R;
  }
}

const SIZES = { f64: 8, u32: 4, u16: 2, u8: 1 };
const kindOf = (type: FieldType): number => (typeof type === 'object' ? -type.text : SIZES[type]);

/** 2,048 legs. */
const CHUNK_BYTES = 1 << 20;

/**
 * Finished records as they lay in memory, in the order in which they came. Copying one costs a hundredth of decoding it:
 * while calls are up nothing is decoded.
 */
export class RecordLog<F extends string, R> {
  size = 0;
  readonly #layout: Layout<F>;
  readonly #perChunk: number;
  #chunks: Uint8Array<ArrayBuffer>[] = [];

  constructor(layout: Layout<F>) {
    assert(CHUNK_BYTES % layout.bytes === 0, 'records fill a chunk');
    this.#layout = layout;
    this.#perChunk = CHUNK_BYTES / layout.bytes;
  }

  append(from: Uint8Array, at: number): void {
    const n = this.size++ % this.#perChunk;
    if (n === 0) this.#chunks.push(new Uint8Array(CHUNK_BYTES));
    const { bytes } = this.#layout;
    this.#chunks[this.#chunks.length - 1]!.set(from.subarray(at, at + bytes), n * bytes);
  }

  /** Decodes and forgets all, a chunk at a time. */
  takeAll(take: (record: R) => void): void {
    const chunks = this.#chunks;
    let left = this.size;
    this.#chunks = [];
    this.size = 0;
    for (let chunk = chunks.shift(); chunk !== undefined; chunk = chunks.shift()) {
      const reader = new RecordReader<F, R>(this.#layout, chunk.buffer);
      for (let n = 0; n < this.#perChunk && left > 0; n++, left--) take(reader.read(n * this.#layout.bytes));
    }
  }
}
