import { Framer, type FrameSink } from './framing.js';
import type { Gone, Pipe, PipeEvents } from './pipe.js';
import { CONNECT_TIMEOUT_US, PONG_TIMEOUT_US, QUEUE_BYTES_MAX, type StreamCounters } from './stream-options.js';

/** What a connection is told of by its owner, and tells it. */
export interface ConnectionOwner {
  readonly counters: StreamCounters;
  readonly keepAliveUs: number;
  nowUs(): number;
  /** Has something to uncork at the next flush. */
  markDirty(connection: Connection): void;
  onMessage(connection: Connection, bytes: Uint8Array, off: number, len: number): void;
  onGone(connection: Connection, why: string): void;
}

const COUNTED = {
  refused: 'refused',
  reset: 'reset',
  closed: 'closed',
  'timed out': 'timedOut',
  unreachable: 'unreached',
  TLS: 'tlsFailed',
  WebSocket: 'webSocketFailed',
} as const satisfies Record<Gone, keyof StreamCounters>;

const PING = Buffer.from('\r\n\r\n');
const PONG = Buffer.from('\r\n');

/** One connection to a peer: framing, keep-alive (RFC 5626 3.5.1, 4.4.1), and a bounded queue. */
export class Connection implements PipeEvents, FrameSink {
  readonly #framer: Framer = new Framer(this);
  #pipe: Pipe | undefined;
  #open: boolean;
  #over = false;
  #corked = false;
  /** CRLFs since the last message; two of them are a ping. */
  #crlfs = 0;
  #pingAtUs = Number.POSITIVE_INFINITY;
  #pongByUs = Number.POSITIVE_INFINITY;
  /** It answered a ping once: only then is a missing answer a failure. Not every server knows RFC 5626. */
  #pongs = false;
  readonly #connectByUs: number;

  constructor(
    private readonly owner: ConnectionOwner,
    readonly ip: number,
    readonly port: number,
    /** We dialled it; else it was accepted. */
    readonly dialled: boolean,
    /** Which of several connections to one peer. */
    readonly lane: number,
    connect: (events: PipeEvents) => Pipe,
  ) {
    const { counters } = owner;
    this.#open = !dialled;
    this.#connectByUs = owner.nowUs() + CONNECT_TIMEOUT_US;
    if (dialled) {
      counters.dialled++;
      counters.connecting++;
    } else {
      counters.accepted++;
      counters.open++;
    }
    this.#pipe = connect(this);
  }

  get open(): boolean {
    return this.#open && !this.#over;
  }

  send(bytes: Uint8Array, off: number, len: number): void {
    const pipe = this.#pipe;
    const { counters } = this.owner;
    if (this.#over || pipe === undefined || pipe.waiting + len > QUEUE_BYTES_MAX) {
      counters.sendDropped++;
      return;
    }
    if (!this.#corked) {
      this.#corked = true;
      pipe.cork();
      this.owner.markDirty(this);
    }
    counters.sent++;
    // A copy: the socket keeps it until the kernel has room.
    pipe.write(Buffer.from(bytes.subarray(off, off + len)));
  }

  flush(): void {
    if (!this.#corked) return;
    this.#corked = false;
    this.#pipe?.uncork();
  }

  /** Gives up at once, without a word to the owner. */
  destroy(): void {
    this.#finish();
    this.#pipe?.destroy();
  }

  /** Once a second. */
  sweep(nowUs: number): void {
    if (this.#over) return;
    const { counters, keepAliveUs } = this.owner;
    if (!this.#open) {
      if (nowUs >= this.#connectByUs) this.#giveUp('timed out', 'timedOut');
      return;
    }
    if (nowUs >= this.#pongByUs) {
      this.#giveUp('no pong', 'pongTimeouts');
      return;
    }
    if (nowUs < this.#pingAtUs) return;
    counters.pings++;
    this.#pipe?.write(Buffer.from(PING));
    this.#pingAtUs = nowUs + this.#intervalUs(keepAliveUs);
    if (this.#pongs) this.#pongByUs = Math.min(this.#pongByUs, nowUs + PONG_TIMEOUT_US);
  }

  /** RFC 5626 4.4.1: 80 to 100 % of the interval; by the port's number, so that phones do not ping in step. */
  #intervalUs(keepAliveUs: number): number {
    return keepAliveUs * (0.8 + 0.2 * (((this.port * 31 + this.lane * 17) % 101) / 100));
  }

  onOpen(): void {
    const { counters, keepAliveUs } = this.owner;
    this.#open = true;
    counters.connecting--;
    counters.connected++;
    counters.open++;
    if (keepAliveUs > 0) this.#pingAtUs = this.owner.nowUs() + this.#intervalUs(keepAliveUs);
  }

  onBytes(chunk: Uint8Array): void {
    this.#framer.push(chunk);
  }

  onMessage(bytes: Uint8Array, off = 0, len = bytes.length): void {
    this.#crlfs = 0;
    this.owner.counters.received++;
    this.owner.onMessage(this, bytes, off, len);
  }

  onCrlf(): void {
    const { counters } = this.owner;
    if (this.dialled) {
      counters.pongs++;
      this.#pongs = true;
      this.#pongByUs = Number.POSITIVE_INFINITY;
    } else if (++this.#crlfs === 2) {
      this.#crlfs = 0;
      counters.pings++;
      this.#pipe?.write(Buffer.from(PONG));
    }
  }

  /** What was answered so far leaves first: a request without Content-Length gets its 400. */
  onBroken(why: 'too long' | 'no length'): void {
    this.owner.counters[why === 'too long' ? 'tooLong' : 'noLength']++;
    this.#finish();
    this.flush();
    this.#pipe?.end();
    this.owner.onGone(this, why);
  }

  onGone(why: Gone, detail: string): void {
    if (this.#over) return;
    this.owner.counters[COUNTED[why]]++;
    this.#finish();
    this.owner.onGone(this, detail === '' || why !== 'TLS' ? why : `TLS ${detail}`);
  }

  #giveUp(why: string, counter: 'timedOut' | 'pongTimeouts'): void {
    this.owner.counters[counter]++;
    this.destroy();
    this.owner.onGone(this, why);
  }

  #finish(): void {
    if (this.#over) return;
    this.#over = true;
    this.#framer.stop();
    if (this.#open) this.owner.counters.open--;
    else this.owner.counters.connecting--;
  }
}
