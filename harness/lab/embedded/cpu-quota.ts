import { DATAGRAM_MAX, type MediaSink } from '../../../agents/wire/types.js';

/** Linux's CFS quota: a group of processes gets its share in each period, and sleeps when that is used up. */
const PERIOD_US = 100_000;
/** Datagrams that fit into the receive buffers meanwhile: some 200 KB of skbs. */
const WAITING_MAX = 2_000;

/**
 * Packets that a process can forward with the processor time that its neighbours leave it. What comes when a period's share is
 * used up waits for the next period; what finds no room is lost.
 */
export class CpuQuota {
  throttledMs = 0;
  readonly limited: boolean;
  readonly #share: number;
  #left: number;
  #periodUs = Number.NaN;
  #outUs = Number.NaN;
  /** A ring of what waits. */
  readonly #bytes: Uint8Array;
  readonly #meta: Float64Array;
  #head = 0;
  waiting = 0;

  /** 0: as much as it wants. */
  constructor(packetsPerS: number) {
    this.limited = packetsPerS > 0;
    this.#share = Math.max(1, Math.round((packetsPerS * PERIOD_US) / 1e6));
    this.#left = this.#share;
    this.#bytes = new Uint8Array(this.limited ? WAITING_MAX * DATAGRAM_MAX : 0);
    this.#meta = new Float64Array(this.limited ? WAITING_MAX * 4 : 0);
  }

  /** May one more be forwarded now? Not before those that wait. */
  take(nowUs: number): boolean {
    this.#turn(nowUs);
    if (this.waiting > 0 || this.#left === 0) {
      if (Number.isNaN(this.#outUs)) this.#outUs = nowUs;
      return false;
    }
    this.#left--;
    return true;
  }

  /** False: no room. */
  keep(bytes: Uint8Array, off: number, len: number, localPort: number, srcIp: number, srcPort: number): boolean {
    if (this.waiting === WAITING_MAX) return false;
    const slot = (this.#head + this.waiting++) % WAITING_MAX;
    this.#bytes.set(bytes.subarray(off, off + len), slot * DATAGRAM_MAX);
    this.#meta[slot * 4] = len;
    this.#meta[slot * 4 + 1] = localPort;
    this.#meta[slot * 4 + 2] = srcIp;
    this.#meta[slot * 4 + 3] = srcPort;
    return true;
  }

  /** Forwards what waits, as far as the share goes; the next period's beginning, or Infinity when nothing waits. */
  drain(nowUs: number, forward: MediaSink): number {
    if (this.waiting === 0) return Number.POSITIVE_INFINITY;
    this.#turn(nowUs);
    while (this.waiting > 0 && this.#left > 0) {
      const slot = this.#head;
      const m = slot * 4;
      forward(
        this.#bytes,
        slot * DATAGRAM_MAX,
        this.#meta[m]!,
        this.#meta[m + 1]!,
        this.#meta[m + 2]!,
        this.#meta[m + 3]!,
        nowUs,
      );
      this.#head = (slot + 1) % WAITING_MAX;
      this.waiting--;
      this.#left--;
    }
    if (this.waiting > 0 && Number.isNaN(this.#outUs)) this.#outUs = nowUs;
    return this.waiting === 0 ? Number.POSITIVE_INFINITY : this.#periodUs + PERIOD_US;
  }

  #turn(nowUs: number): void {
    if (Number.isNaN(this.#periodUs)) this.#periodUs = nowUs;
    if (nowUs < this.#periodUs + PERIOD_US) return;
    if (!Number.isNaN(this.#outUs)) this.throttledMs += (this.#periodUs + PERIOD_US - this.#outUs) / 1000;
    this.#outUs = Number.NaN;
    this.#periodUs += Math.floor((nowUs - this.#periodUs) / PERIOD_US) * PERIOD_US;
    this.#left = this.#share;
  }
}
