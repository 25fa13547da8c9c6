/**
 * The signalling threads of one PBX node and the queue in front of them. A datagram is handled as soon as a thread is
 * free; a thread that waits for the database is not. Datagrams that find the queue full are lost, as in a full socket
 * buffer.
 */
interface Waiting {
  bytes: Uint8Array;
  srcIp: number;
  srcPort: number;
}

export class ThreadPool {
  /** Threads that wait for the database. */
  busy = 0;
  droppedTotal = 0;
  #blocked = false;
  readonly #inbox: Waiting[] = [];
  #head = 0;

  constructor(
    readonly threads: number,
    public inboxLimit: number,
    private readonly handle: (bytes: Uint8Array, off: number, len: number, srcIp: number, srcPort: number) => void,
  ) {}

  get depth(): number {
    return this.#inbox.length - this.#head;
  }

  /** Threads that take nothing. */
  get taken(): number {
    return this.#blocked ? this.threads : this.busy;
  }

  /** All threads wait for one thing: what comes lies in the queue. */
  block(): void {
    this.#blocked = true;
  }

  unblock(): void {
    this.#blocked = false;
    this.#serve(Number.POSITIVE_INFINITY);
  }

  /** Between two waits for that thing each thread takes one datagram. */
  serveOnce(): void {
    this.#serve(this.threads);
  }

  receive(bytes: Uint8Array, off: number, len: number, srcIp: number, srcPort: number): void {
    if (!this.#blocked && this.busy < this.threads && this.depth === 0) {
      this.handle(bytes, off, len, srcIp, srcPort);
      return;
    }
    if (this.depth >= this.inboxLimit) {
      this.droppedTotal++;
      return;
    }
    this.#inbox.push({ bytes: bytes.slice(off, off + len), srcIp, srcPort });
  }

  /** The thread that handles the current datagram will wait; release() when its wait is over. */
  occupy(): void {
    this.busy++;
  }

  release(): void {
    this.busy--;
    if (!this.#blocked) this.#serve(Number.POSITIVE_INFINITY);
  }

  #serve(most: number): void {
    for (let n = 0; n < most && this.busy < this.threads && this.depth > 0; n++) {
      const next = this.#inbox[this.#head++]!;
      if (this.#head > 256 && this.#head * 2 > this.#inbox.length) {
        this.#inbox.splice(0, this.#head);
        this.#head = 0;
      }
      this.handle(next.bytes, 0, next.bytes.length, next.srcIp, next.srcPort);
    }
  }
}

/**
 * Lets INVITEs out to the trunks one by one at a steady rate (a leaky bucket): what comes faster waits its turn.
 * Rate 0: no pacing.
 */
export class Pacer {
  readonly #waiting: (() => void)[] = [];
  #nextUs = 0;
  constructor(private readonly cps: number) {}

  get depth(): number {
    return this.#waiting.length;
  }

  submit(nowUs: number, go: () => void): void {
    if (this.cps <= 0) {
      go();
      return;
    }
    if (this.#waiting.length === 0 && nowUs >= this.#nextUs) {
      this.#nextUs = nowUs + 1e6 / this.cps;
      go();
    } else this.#waiting.push(go);
  }

  tick(nowUs: number): number {
    while (this.#waiting.length > 0 && nowUs >= this.#nextUs) {
      // From now, not from when it was due: after a stall there must be no burst.
      this.#nextUs = Math.max(this.#nextUs, nowUs - 1e6 / this.cps) + 1e6 / this.cps;
      this.#waiting.shift()!();
    }
    return this.#waiting.length > 0 ? this.#nextUs : Number.POSITIVE_INFINITY;
  }
}
