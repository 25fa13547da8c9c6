/**
 * How the control plane drives agents that it shares no memory with: frames over two byte streams, such as the attached
 * streams of a process in a container. Nothing here needs a network, so nothing has to lead out of the lab.
 *
 *      +----------------+------+-----------------+
 *      | length, 4 (LE) | kind |     payload     |   length: of kind and payload
 *      +----------------+------+-----------------+
 *
 *      harness                                agents
 *         <------------------------------ HELLO      what it speaks
 *      CLOCK ---------------------------->           the same clock on both sides?
 *         <------------------------------ CLOCK
 *      PLAN, ARRIVALS ------------------->           loads its code
 *         <------------------------------ SAID       ready, or why not (WorkerMessage)
 *      GO t0 ---------------------------->
 *         <------------------------------ COUNTERS, LEGS..., SNAPSHOT      once a second, and when its state changes
 *      HANG_UP, STOP -------------------->
 *         <------------------------------ the last of them, GONE
 */
import { createHash } from 'node:crypto';
import { COUNTERS, SHARED_BYTES } from './counters.js';
import { LEG_BYTES, LEG_FIELDS } from './record.js';
import { REGISTRATION_FIELDS, REGISTRATION_LAYOUT } from './registration-record.js';

export const FRAME = {
  /** JSON Assignment. */
  PLAN: 1,
  /** Float64s: instants of all arrivals, ms since t0. */
  ARRIVALS: 2,
  /** Float64: t0, microseconds of CLOCK_MONOTONIC. */
  GO: 3,
  HANG_UP: 4,
  STOP: 5,
  /** Float64: microseconds of the sender's clock. */
  CLOCK: 6,
  /** JSON Hello. */
  HELLO: 16,
  /** JSON WorkerMessage. */
  SAID: 17,
  /** STATE_BYTES of state and times, then Counters as they lie in memory. */
  COUNTERS: 18,
  /** Finished records as they lie in memory, one after the other: each comes once. */
  LEGS: 19,
  REGISTRATIONS: 20,
  /** Records that are still open: copies, in case that the agents end without a word. One byte before each: over? */
  OPEN_LEGS: 21,
  OPEN_REGISTRATIONS: 22,
  /** All open records have been sent: they replace those before. */
  SNAPSHOT: 23,
  /** JSON Gone: the last frame. */
  GONE: 24,
} as const;
const KINDS: ReadonlySet<number> = new Set(Object.values(FRAME));

/** The longest frame: arrivals are limited to 10,000,000 doubles by the plan; records are cut into pieces of this. */
export const FRAME_BYTES_MAX = 96 * 1024 * 1024;
export const PIECE_BYTES = 256 * 1024;
/** In front of the counters: state as a Uint32, 4 bytes of nothing, busyUs and idleUs as Float64s. */
export const STATE_BYTES = 24;
const HEADER_BYTES = 5;

export interface Hello {
  protocol: string;
  version: string;
  node: string;
}

export interface Gone {
  /** Why the worker ended before it was told to; null when it was told to. */
  died: string | null;
}

/** Changes when anything does that both sides have to read alike. */
export function protocolOf(): string {
  const layout = [
    1,
    FRAME,
    LEG_FIELDS,
    LEG_BYTES,
    REGISTRATION_FIELDS,
    REGISTRATION_LAYOUT.bytes,
    COUNTERS,
    SHARED_BYTES,
  ];
  return createHash('sha256').update(JSON.stringify(layout)).digest('hex').slice(0, 12);
}

/** Both directions of one agents' process. */
export interface Channel {
  /** Of the container or process, for messages. */
  readonly name: string;
  send(bytes: Uint8Array): void;
  onBytes(take: (chunk: Uint8Array) => void): void;
  /** Settles when the other side is gone, with its last words. */
  readonly closed: Promise<string>;
  close(): void;
}

export function frame(kind: number, ...payload: readonly Uint8Array[]): Buffer {
  const length = payload.reduce((n, part) => n + part.byteLength, 1);
  const head = Buffer.allocUnsafe(HEADER_BYTES);
  head.writeUInt32LE(length, 0);
  head[4] = kind;
  return Buffer.concat([head, ...payload]);
}

export function jsonFrame(kind: number, value: object): Buffer {
  return frame(kind, Buffer.from(JSON.stringify(value)));
}

export function f64Frame(kind: number, value: number): Buffer {
  const payload = Buffer.allocUnsafe(8);
  payload.writeDoubleLE(value);
  return frame(kind, payload);
}

/** Cuts a stream of bytes, in pieces of any length, into frames. A payload is the taker's own. */
export class FrameReader {
  #chunks: Uint8Array[] = [];
  #have = 0;
  constructor(private readonly take: (kind: number, payload: Buffer) => void) {}

  /** Throws when what comes is no frame of ours: then nothing after it can be trusted. */
  push(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#have += chunk.byteLength;
    while (this.#have >= HEADER_BYTES) {
      if (this.#chunks[0]!.byteLength < HEADER_BYTES) this.#join();
      const first = Buffer.from(this.#chunks[0]!.buffer, this.#chunks[0]!.byteOffset, HEADER_BYTES);
      const length = first.readUInt32LE(0);
      if (length < 1 || length > FRAME_BYTES_MAX || !KINDS.has(first[4]!)) {
        throw new Error(`not a frame: length ${length}, kind ${first[4]}`);
      }
      if (this.#have < 4 + length) return;
      this.#join();
      const all = this.#chunks[0]!;
      const payload = Buffer.from(all.subarray(HEADER_BYTES, 4 + length));
      const rest = all.subarray(4 + length);
      this.#chunks = rest.byteLength > 0 ? [rest] : [];
      this.#have = rest.byteLength;
      this.take(first[4]!, payload);
    }
  }

  #join(): void {
    if (this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks)];
  }
}
