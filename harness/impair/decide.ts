import { ASK, chance, flowSeed } from './chance.js';
import { FlowTable } from './flow-table.js';
import { delayMs } from './spread.js';
import { type Impairment, NO_IMPAIRMENT } from './types.js';

/** Flows that one decider tells apart; those beyond share one index, and are counted. */
export const FLOWS_MAX = 65_536;
/** IPv4 and UDP header: they use bandwidth too. */
const HEADER_BYTES = 28;
/** What a token bucket lets through at once after a rest: 20 ms of the rate, and at least two full datagrams. */
const BURST_US = 20_000;
const BURST_BYTES = 3_000;

/** What becomes of one datagram. One object, reused: nothing is allocated per packet. */
export class Fate {
  lost = false;
  /** It comes twice. */
  twice = false;
  delayUs = 0;
  /** Held back until so many later datagrams of its flow went by; 0: not. */
  gap = 0;
  /** For this long at most. */
  gapUs = 0;
  /** The flow's place in the decider that spoke last, and the datagram's place in the flow. */
  flow = 0;
  index = 0;

  clear(): void {
    this.lost = false;
    this.twice = false;
    this.delayUs = 0;
    this.gap = 0;
  }
}

/** What it did; every datagram that it saw is in `seen`. */
export interface DeciderCounts {
  seen: number;
  lost: number;
  delayed: number;
  reordered: number;
  duplicated: number;
  /** Lost because the queue in front of the bandwidth was full. */
  queueDropped: number;
  /** Seen with more than FLOWS_MAX flows about. */
  flowsFull: number;
}

/** Decides for the datagrams of one direction: by seed, flow and index in the flow only, but for the bandwidth's queue. */
export class Decider {
  readonly counts: DeciderCounts = {
    ...{ seen: 0, lost: 0, delayed: 0, reordered: 0, duplicated: 0, queueDropped: 0, flowsFull: 0 },
  };
  readonly #flows = new FlowTable(FLOWS_MAX);
  readonly #seeds = new Uint32Array(FLOWS_MAX + 1);
  readonly #indexes = new Uint32Array(FLOWS_MAX + 1);
  /** Gilbert's state of the flow: 1 in a burst of losses. */
  readonly #bad = new Uint8Array(FLOWS_MAX + 1);
  /** When the flow's last datagram leaves. */
  readonly #lastUs = new Float64Array(FLOWS_MAX + 1);
  #i: Impairment = NO_IMPAIRMENT;
  /** When the last bit of what is queued will be out. */
  #freeUs = Number.NEGATIVE_INFINITY;

  constructor(private readonly seed: number) {
    this.#seeds[FLOWS_MAX] = flowSeed(seed, 0, 0);
  }

  /** From the next datagram on. */
  set(impairment: Impairment): void {
    this.#i = impairment;
  }

  /** Adds to `fate` what becomes of the next datagram of flow (a, b). */
  decide(a: number, b: number, bytes: number, nowUs: number, fate: Fate): void {
    const flow = this.#flow(a, b);
    const index = this.#indexes[flow]!++;
    const seed = this.#seeds[flow]!;
    const { counts } = this;
    const i = this.#i;
    fate.flow = flow;
    fate.index = index;
    counts.seen++;
    if (i.loss > 0 && this.#loses(flow, seed, index)) {
      counts.lost++;
      fate.lost = true;
      return;
    }
    if (i.bandwidthKbps > 0 && !this.#queue(bytes, nowUs, fate)) return;
    if (i.delayMs > 0 || i.jitterMs > 0) {
      counts.delayed++;
      fate.delayUs += Math.round(delayMs(i.delayMs, i.jitterMs, i.distribution, chance(seed, index, ASK.DELAY)) * 1000);
    }
    if (i.inOrder) {
      const dueUs = Math.max(this.#lastUs[flow]!, nowUs + fate.delayUs);
      this.#lastUs[flow] = dueUs;
      fate.delayUs = dueUs - nowUs;
    }
    if (i.reorder > 0 && chance(seed, index, ASK.REORDER) < i.reorder) {
      counts.reordered++;
      fate.gap = i.reorderGap;
      fate.gapUs = i.reorderMs * 1000;
    }
    if (i.duplicate > 0 && chance(seed, index, ASK.DUPLICATE) < i.duplicate) {
      counts.duplicated++;
      fate.twice = true;
    }
  }

  #flow(a: number, b: number): number {
    const known = this.#flows.get(a, b);
    if (known >= 0) return known;
    const flow = this.#flows.size;
    if (flow >= FLOWS_MAX) {
      this.counts.flowsFull++;
      return FLOWS_MAX;
    }
    this.#flows.add(a, b, flow);
    this.#seeds[flow] = flowSeed(this.seed, a, b);
    return flow;
  }

  /**
   * Gilbert: a burst begins with chance p and ends with chance r = 1 / its mean length; the mean loss is p / (p + r). A
   * flow begins in the state that it is in on average.
   */
  #loses(flow: number, seed: number, index: number): boolean {
    const { loss, lossBurst } = this.#i;
    const u = chance(seed, index, ASK.LOSS);
    if (lossBurst === 0 || loss >= 1) return u < loss;
    const r = 1 / lossBurst;
    const p = (loss * r) / (1 - loss);
    const bad = index === 0 ? u < loss : this.#bad[flow] === 1 ? u >= r : u < p;
    this.#bad[flow] = bad ? 1 : 0;
    return bad;
  }

  /** A token bucket in front of which datagrams wait in order; false: the queue is full. */
  #queue(bytes: number, nowUs: number, fate: Fate): boolean {
    const { bandwidthKbps, queueMs } = this.#i;
    const usPerByte = 8_000 / bandwidthKbps;
    const burstUs = Math.max(BURST_US, BURST_BYTES * usPerByte);
    const free = Math.max(this.#freeUs, nowUs - burstUs) + (bytes + HEADER_BYTES) * usPerByte;
    const waitUs = Math.max(0, free - nowUs);
    if (waitUs > queueMs * 1000) {
      this.counts.queueDropped++;
      fate.lost = true;
      return false;
    }
    this.#freeUs = free;
    fate.delayUs += Math.round(waitUs);
    return true;
  }
}
