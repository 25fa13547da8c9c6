import { createSocket, type Socket } from 'node:dgram';
import type { Readings } from './rtpengine.js';

/**
 * A pulse of our own: one question at a time to one part, and how long it has had no answer. It sees what a caller would, whatever the part
 * says of itself; and it is no proof of health: OPTIONS is answered while INVITEs are stuck.
 */
export class Pulse {
  #askedMs = Number.NaN;
  #tookMs = Number.NaN;
  #failed = 0;
  #repeatMs = 0;

  /** `ask` sends the question; `answered` is called when the answer came. */
  constructor(
    private readonly name: 'options' | 'sql',
    private readonly ask: () => void,
    private readonly nowMs: () => number,
    private readonly giveUpMs: number,
  ) {}

  /** Asks anew when the answer is there, or is given up. */
  read(): Readings {
    const nowMs = this.nowMs();
    const waitingMs = Number.isNaN(this.#askedMs) ? 0 : nowMs - this.#askedMs;
    if (Number.isNaN(this.#askedMs)) {
      this.#askedMs = nowMs;
      this.#repeatMs = nowMs + this.giveUpMs;
      this.ask();
    } else if (nowMs >= this.#repeatMs) {
      // The silence is one, however often it is asked into.
      this.#failed++;
      this.#repeatMs = nowMs + this.giveUpMs;
      this.ask();
    }
    const out: Readings = { [`${this.name}_waiting_ms`]: waitingMs, [`${this.name}_failed_total`]: this.#failed };
    if (!Number.isNaN(this.#tookMs)) out[`${this.name}_ms`] = this.#tookMs;
    return out;
  }

  answered(): void {
    if (Number.isNaN(this.#askedMs)) return;
    this.#tookMs = this.nowMs() - this.#askedMs;
    this.#askedMs = Number.NaN;
  }

  failed(): void {
    this.#failed++;
  }
}

const GIVE_UP_MS = 5_000;

/** OPTIONS over UDP (RFC 3261 11), to a host's SIP port. */
export class OptionsPulse {
  readonly #socket: Socket;
  readonly #pulse: Pulse;
  #cseq = 0;

  constructor(
    private readonly host: string,
    private readonly port: number,
    private readonly tag: string,
    nowMs: () => number,
  ) {
    this.#socket = createSocket('udp4');
    this.#socket.on('error', () => this.#pulse.failed());
    this.#pulse = new Pulse('options', () => this.#send(), nowMs, GIVE_UP_MS);
    this.#socket.on('message', (message) => {
      if (/^SIP\/2\.0 [2-6]/.test(message.toString('latin1', 0, 16))) this.#pulse.answered();
    });
    this.#socket.unref();
  }

  read(): Readings {
    return this.#pulse.read();
  }

  close(): void {
    this.#socket.close();
  }

  #send(): void {
    const n = ++this.#cseq;
    const at = `${this.host}:${this.port}`;
    const text = [
      `OPTIONS sip:${at} SIP/2.0`,
      `Via: SIP/2.0/UDP 0.0.0.0:5060;rport;branch=z9hG4bKpulse${this.tag}${n}`,
      'Max-Forwards: 70',
      `From: <sip:pulse@invalid>;tag=${this.tag}`,
      `To: <sip:${at}>`,
      `Call-ID: pulse-${this.tag}-${n}`,
      `CSeq: ${n} OPTIONS`,
      'User-Agent: deadair',
      'Content-Length: 0',
      '',
      '',
    ].join('\r\n');
    this.#socket.send(text, this.port, this.host, (error) => {
      if (error !== null) this.#pulse.failed();
    });
  }
}
