import { connect, type Socket } from 'node:net';
import type { Readings } from './rtpengine.js';

/**
 * A Redis stream of call records: how many are in it, how many were handed out and not acknowledged, and how long Redis takes to say so.
 * Readings of source `queue`. Its protocol is lines; three commands need no library.
 */
const command = (...words: string[]): string =>
  `*${words.length}\r\n${words.map((w) => `$${Buffer.byteLength(w)}\r\n${w}\r\n`).join('')}`;

/** First number of each of the three answers: `:12`, `*4 :3 ...`, `*0`; null until all are there. */
export function streamReadings(text: string): { length: number; pending: number } | null {
  const match = /^(?::(\d+)|-[^\r\n]*)\r\n(?:\*\d+\r\n:(\d+)|\*0|-[^\r\n]*|\*-1)\r\n/.exec(text);
  return match === null ? null : { length: Number(match[1] ?? 0), pending: Number(match[2] ?? 0) };
}

export class RedisReader {
  readonly #socket: Socket;
  readonly #nowMs: () => number;
  readonly #ask: string;
  #text = '';
  #askedMs = Number.NaN;
  #last: Readings | null = null;
  #open = false;

  constructor(host: string, port: number, stream: string, group: string, nowMs: () => number) {
    this.#nowMs = nowMs;
    this.#ask = command('XLEN', stream) + command('XPENDING', stream, group);
    this.#socket = connect({ host, port });
    this.#socket.setEncoding('latin1');
    this.#socket.on('connect', () => {
      this.#open = true;
    });
    this.#socket.on('data', (chunk: string) => this.#take(chunk));
    this.#socket.on('error', () => this.close());
    this.#socket.on('close', () => {
      this.#open = false;
    });
  }

  /** What it said to the question before; asks the next. While an answer is owed, only how long it has been owed. */
  read(): Readings | null {
    if (!this.#open) return null;
    if (!Number.isNaN(this.#askedMs)) return { latency_ms: this.#nowMs() - this.#askedMs };
    this.#askedMs = this.#nowMs();
    this.#text = '';
    this.#socket.write(this.#ask);
    const last = this.#last;
    this.#last = null;
    return last;
  }

  close(): void {
    this.#open = false;
    this.#socket.destroy();
  }

  #take(chunk: string): void {
    this.#text += chunk;
    const readings = streamReadings(this.#text);
    if (readings === null) return;
    this.#last = { ...readings, latency_ms: this.#nowMs() - this.#askedMs };
    this.#askedMs = Number.NaN;
  }
}
