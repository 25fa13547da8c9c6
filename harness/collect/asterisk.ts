import { connect, type Socket } from 'node:net';
import type { Readings } from './rtpengine.js';

/**
 * Asterisk over its manager interface (AMI): what each channel's RTP engine counted, told by the variable RTPAUDIOQOS that
 * it sets when the channel ends, and how many calls are up. Readings of source `node`.
 */
export const AMI_PORT = 5038;

/** `ssrc=..;lp=0;rxcount=1500;txcount=1499;...` as numbers. */
export function rtpQuality(value: string): Readings {
  const out: Readings = {};
  for (const part of value.split(';')) {
    const at = part.indexOf('=');
    if (at > 0) out[part.slice(0, at)] = Number(part.slice(at + 1));
  }
  return out;
}

/** AMI's blocks of `Key: value` lines, cut out of a stream of text; what a command printed comes in `Output:` lines. */
export class AmiReader {
  #text = '';
  constructor(private readonly take: (message: Map<string, string>, output: string) => void) {}

  push(chunk: string): void {
    this.#text += chunk;
    for (;;) {
      const end = this.#text.indexOf('\r\n\r\n');
      if (end < 0) return;
      const block = this.#text.slice(0, end);
      this.#text = this.#text.slice(end + 4);
      const message = new Map<string, string>();
      const output: string[] = [];
      for (const line of block.split('\r\n')) {
        const at = line.indexOf(': ');
        if (at <= 0) continue;
        if (line.startsWith('Output: ')) output.push(line.slice(at + 2));
        else message.set(line.slice(0, at), line.slice(at + 2));
      }
      this.take(message, output.join('\n'));
    }
  }
}

export class AsteriskReader {
  readonly #socket: Socket;
  readonly #readings: Readings = { rtp_received_total: 0, rtp_sent_total: 0, rtp_lost_total: 0, legs_total: 0 };
  #live = false;
  /** Questions without an answer: what it said before is no reading of now. */
  #owed = 0;

  constructor(host: string, port: number, user: string, secret: string) {
    this.#socket = connect({ host, port });
    this.#socket.setEncoding('utf8');
    const reader = new AmiReader((message) => this.#take(message));
    this.#socket.on('data', (chunk: string) => reader.push(chunk));
    this.#socket.on('error', () => this.close());
    this.#socket.on('close', () => {
      this.#live = false;
    });
    this.#act({ Action: 'Login', Username: user, Secret: secret, ActionID: 'login' });
  }

  /** null: it does not answer; a reading that is not there. Asks for the next one. */
  read(): Readings | null {
    if (!this.#live) return null;
    this.#act({ Action: 'CoreStatus', ActionID: 'status' });
    if (++this.#owed > 2) return null;
    return { ...this.#readings };
  }

  close(): void {
    this.#live = false;
    this.#socket.destroy();
  }

  #act(fields: Record<string, string>): void {
    const lines = Object.entries(fields).map(([key, value]) => `${key}: ${value}\r\n`);
    this.#socket.write(`${lines.join('')}\r\n`);
  }

  #take(message: Map<string, string>): void {
    if (message.get('ActionID') === 'login') this.#live = message.get('Response') === 'Success';
    if (message.get('ActionID') === 'status') {
      this.#owed = 0;
      const calls = Number(message.get('CoreCurrentCalls'));
      if (!Number.isNaN(calls)) this.#readings.calls = calls;
    }
    if (message.get('Event') !== 'VarSet' || message.get('Variable') !== 'RTPAUDIOQOS') return;
    const { rxcount = 0, txcount = 0, lp = 0 } = rtpQuality(message.get('Value') ?? '');
    this.#readings.rtp_received_total! += rxcount;
    this.#readings.rtp_sent_total! += txcount;
    this.#readings.rtp_lost_total! += lp;
    this.#readings.legs_total! += 1;
  }
}
