import { assert } from '../errors.js';
import { Decider, Fate } from './decide.js';
import type { PacketFilter } from './filter.js';
import { Held, META, SLOT_BYTES } from './held.js';
import type { Impairment } from './types.js';

/** A datagram leaves the line; x, y, z and w are what it came with. `copy`: it left before. */
export type Emit = (
  bytes: Uint8Array,
  off: number,
  len: number,
  x: number,
  y: number,
  z: number,
  w: number,
  nowUs: number,
) => void;

/** One impairment that is on: which datagrams it concerns, and who decides. */
export interface Stage {
  readonly decider: Decider;
  readonly concerns: PacketFilter | null;
  /** By the other party's address; null: any. */
  readonly peer: ((ip: number) => boolean) | null;
}

export function stage(
  seed: number,
  impairment: Impairment,
  concerns: PacketFilter | null = null,
  peer: Stage['peer'] = null,
): Stage {
  const decider = new Decider(seed);
  decider.set(impairment);
  return { decider, concerns, peer };
}

/** A datagram that waits for later ones of its flow. */
interface Waiting {
  slot: number;
  stage: Stage;
  flow: number;
  /** It goes after the datagram of this index. */
  until: number;
  /** When it would have left. */
  dueUs: number;
}

/** Datagrams that wait for their flow at once; the next are not held back. */
const WAITING_MAX = 1024;

/**
 * One direction of a link, of a relay or of a queue: datagrams go in, and come out later, twice, in another order or not
 * at all, by the stages that are on. Without any it is a comparison of a length.
 */
export class Line {
  /** Datagrams that found every slot taken: our loss, not the fault's. */
  noRoom = 0;
  readonly #stages: Stage[] = [];
  readonly #held = new Held();
  readonly #fate = new Fate();
  readonly #waiting: Waiting[] = [];
  /** Datagrams that may wait while nothing leaves; below 0: it flows. */
  #room = -1;

  /** `skip`: bytes of a header of ours in front of each datagram, which no filter sees. */
  constructor(
    private readonly emit: Emit,
    private readonly skip = 0,
  ) {}

  get stages(): number {
    return this.#stages.length;
  }
  /** Datagrams that wait. */
  get held(): number {
    return this.#held.size;
  }

  add(stage: Stage): void {
    this.#stages.push(stage);
  }

  has(stage: Stage): boolean {
    return this.#stages.includes(stage);
  }

  remove(stage: Stage): void {
    const at = this.#stages.indexOf(stage);
    if (at >= 0) this.#stages.splice(at, 1);
  }

  /** Nothing leaves from now on; of what comes, `room` datagrams wait and the others are lost. */
  freeze(room: number): void {
    this.#room = room;
  }

  /** It flows again, and what waits leaves at once. */
  thaw(nowUs: number): void {
    this.#room = -1;
    while (this.#held.size > 0) this.#leave(nowUs);
  }

  /** What waits is lost. */
  clear(): void {
    while (this.#held.size > 0) this.#held.release(this.#held.shift());
    this.#waiting.length = 0;
  }

  get isFrozen(): boolean {
    return this.#room >= 0;
  }

  /**
   * True: nothing happens to this datagram, its owner hands it on. False: the line has it, or it is lost.
   * (a, b) names its flow, `peerIp` the other party; x, y, z, w come out with it.
   */
  pass(
    bytes: Uint8Array,
    off: number,
    len: number,
    a: number,
    b: number,
    peerIp: number,
    x: number,
    y: number,
    z: number,
    w: number,
    nowUs: number,
  ): boolean {
    if (this.#room >= 0) {
      if (this.#held.size < this.#room) this.#hold(bytes, off, len, x, y, z, w, Number.POSITIVE_INFINITY);
      else this.noRoom++;
      return false;
    }
    if (this.#stages.length === 0) return true;
    const fate = this.#fate;
    fate.clear();
    let holder: Stage | null = null;
    let flow = 0;
    let until = 0;
    let ready = 0;
    for (const s of this.#stages) {
      if (s.peer !== null && !s.peer(peerIp)) continue;
      if (s.concerns !== null && !s.concerns(bytes, off + this.skip, len - this.skip)) continue;
      fate.gap = 0;
      s.decider.decide(a, b, len - this.skip, nowUs, fate);
      if (this.#waiting.length > 0) ready += this.#ready(s, fate);
      if (fate.lost) break;
      if (fate.gap === 0 || this.#waiting.length >= WAITING_MAX) continue;
      holder = s;
      flow = fate.flow;
      until = fate.index + fate.gap;
    }
    if (!fate.lost) {
      const dueUs = nowUs + fate.delayUs;
      if (holder === null && !fate.twice && dueUs <= nowUs && ready === 0) return true;
      if (holder === null) this.#send(bytes, off, len, x, y, z, w, dueUs, nowUs);
      else {
        const slot = this.#hold(bytes, off, len, x, y, z, w, dueUs + fate.gapUs);
        if (slot >= 0) this.#waiting.push({ slot, stage: holder, flow, until, dueUs });
      }
      if (fate.twice) this.#send(bytes, off, len, x, y, z, w, dueUs, nowUs);
    }
    if (ready > 0) this.#letGo(nowUs + fate.delayUs, nowUs);
    return false;
  }

  /** Lets out what is due; the next instant. */
  tick(nowUs: number): number {
    if (this.#room >= 0) return Number.POSITIVE_INFINITY;
    while (this.#held.firstUs <= nowUs) this.#leave(nowUs);
    return this.#held.firstUs;
  }

  #send(
    bytes: Uint8Array,
    off: number,
    len: number,
    x: number,
    y: number,
    z: number,
    w: number,
    dueUs: number,
    nowUs: number,
  ): void {
    if (dueUs <= nowUs) this.emit(bytes, off, len, x, y, z, w, nowUs);
    else this.#hold(bytes, off, len, x, y, z, w, dueUs);
  }

  /** The slot, or -1. */
  #hold(
    bytes: Uint8Array,
    off: number,
    len: number,
    x: number,
    y: number,
    z: number,
    w: number,
    dueUs: number,
  ): number {
    assert(len <= SLOT_BYTES, 'a datagram longer than a slot');
    const held = this.#held;
    const slot = held.take();
    if (slot < 0) {
      this.noRoom++;
      return slot;
    }
    const to = slot * SLOT_BYTES;
    // Not set(): a subarray would be an object per packet.
    for (let i = 0; i < len; i++) held.bytes[to + i] = bytes[off + i]!;
    held.length[slot] = len;
    const at = slot * META;
    held.meta[at] = x;
    held.meta[at + 1] = y;
    held.meta[at + 2] = z;
    held.meta[at + 3] = w;
    held.put(slot, dueUs);
    return slot;
  }

  /** How many of its flow have waited long enough; their stage is told apart by having none to wait for. */
  #ready(stage: Stage, fate: Fate): number {
    let n = 0;
    for (const w of this.#waiting) {
      if (w.stage !== stage || w.flow !== fate.flow || w.until > fate.index) continue;
      w.until = -1;
      n++;
    }
    return n;
  }

  /** Those leave right after the datagram that leaves at `dueUs`. */
  #letGo(dueUs: number, nowUs: number): void {
    for (let i = 0; i < this.#waiting.length; i++) {
      const w = this.#waiting[i]!;
      if (w.until >= 0) continue;
      this.#waiting.splice(i--, 1);
      this.#held.move(w.slot, Math.max(dueUs, w.dueUs));
    }
    this.tick(nowUs);
  }

  #leave(nowUs: number): void {
    const held = this.#held;
    const slot = held.shift();
    const at = slot * META;
    const { meta } = held;
    if (this.#waiting.length > 0) {
      const i = this.#waiting.findIndex((w) => w.slot === slot);
      if (i >= 0) this.#waiting.splice(i, 1);
    }
    this.emit(
      held.bytes,
      slot * SLOT_BYTES,
      held.length[slot]!,
      meta[at]!,
      meta[at + 1]!,
      meta[at + 2]!,
      meta[at + 3]!,
      nowUs,
    );
    held.release(slot);
  }
}
