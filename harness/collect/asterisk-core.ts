import { connect, type Socket } from 'node:net';
import { AmiReader } from './asterisk.js';
import type { Readings } from './rtpengine.js';

/**
 * Asterisk's inner life over AMI: the queues of its taskprocessors, how channels ended, and when it was reloaded. Readings of source
 * `node`, and of `cdr`: the queue in which call records wait (stasis/m:cdr:aggregator), at whose high-water mark it stops answering SIP.
 */

/** `core show taskprocessors`: name, processed, in queue, most in queue, low water, high water; since 22 two times. */
export function taskprocessors(lines: string): { name: string; depth: number; highWater: number }[] {
  const out: { name: string; depth: number; highWater: number }[] = [];
  for (const line of lines.split('\n')) {
    const match = /^(\S+)\s+\d+\s+(\d+)\s+\d+\s+\d+\s+(\d+)(?:\s+\d+)*$/.exec(line.trim());
    if (match !== null) out.push({ name: match[1]!, depth: Number(match[2]), highWater: Number(match[3]) });
  }
  return out;
}

/** Q.850 causes with which a call ends as its parties wished: normal, busy, no answer, rejected, normal unspecified. */
const NORMAL = new Set(['16', '17', '18', '19', '21', '31']);
const CDR_QUEUE = /cdr/;

export interface NodeReadings {
  node: Readings;
  cdr: Readings;
}

export class AsteriskCore {
  readonly #socket: Socket;
  readonly #node: Readings = { hangups_total: 0, hangups_abnormal_total: 0, reloads_total: 0 };
  #cdr: Readings = {};
  #live = false;
  #owed = 0;

  constructor(host: string, port: number, user: string, secret: string) {
    this.#socket = connect({ host, port });
    this.#socket.setEncoding('utf8');
    const reader = new AmiReader((message, lines) => this.#take(message, lines));
    this.#socket.on('data', (chunk: string) => reader.push(chunk));
    this.#socket.on('error', () => this.close());
    this.#socket.on('close', () => {
      this.#live = false;
    });
    this.#act({ Action: 'Login', Username: user, Secret: secret, ActionID: 'login' });
  }

  /** null: it does not answer. Asks for the next one. */
  read(): NodeReadings | null {
    if (!this.#live) return null;
    this.#act({ Action: 'Command', ActionID: 'queues', Command: 'core show taskprocessors' });
    if (++this.#owed > 2) return null;
    return { node: { ...this.#node }, cdr: { ...this.#cdr } };
  }

  close(): void {
    this.#live = false;
    this.#socket.destroy();
  }

  #act(fields: Record<string, string>): void {
    const lines = Object.entries(fields).map(([key, value]) => `${key}: ${value}\r\n`);
    this.#socket.write(`${lines.join('')}\r\n`);
  }

  #take(message: Map<string, string>, output: string): void {
    const id = message.get('ActionID');
    if (id === 'login') this.#live = message.get('Response') === 'Success';
    if (id === 'queues') {
      this.#owed = 0;
      this.#queues(output);
    }
    const event = message.get('Event');
    if (event === 'Reload') this.#node.reloads_total!++;
    if (event !== 'Hangup') return;
    this.#node.hangups_total!++;
    if (!NORMAL.has(message.get('Cause') ?? '16')) this.#node.hangups_abnormal_total!++;
  }

  #queues(output: string): void {
    const queues = taskprocessors(output);
    if (queues.length === 0) return;
    this.#node.taskprocessor_depth = Math.max(...queues.map((q) => q.depth));
    const waiting = queues
      .filter((q) => CDR_QUEUE.test(q.name))
      .sort((a, b) => b.depth / b.highWater - a.depth / a.highWater)[0];
    this.#cdr = waiting === undefined ? {} : { pending: waiting.depth, pending_max: waiting.highWater };
  }
}
