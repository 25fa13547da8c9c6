/**
 * Who gets which pair of media ports. A freed pair goes to the back of the queue, so that an old peer's late packets do
 * not meet a new call; and it stays bound while it is among the LINGER last freed, so that those packets are swallowed
 * instead of coming back as ICMP port unreachable. Lingering pairs are the first to go when nothing else is left.
 */
import type { MediaRange } from './types.js';

/** At most so many freed pairs keep their sockets. */
export const LINGER = 256;

/** `busy`: somebody else has one of the two ports. `refused`: the system gives no more sockets (EMFILE). */
export type Hold = 'held' | 'busy' | 'refused';

export interface PairHolder {
  hold(evenPort: number): Hold;
  release(evenPort: number): void;
  /** A lingering pair is taken again: whatever still waits in its sockets is not for the new owner. */
  reuse(evenPort: number): void;
}

const FREE = 0;
const LINGERING = 1;
const OPEN = 2;

/** First in, first out, of a size known beforehand. */
class Ring {
  readonly #items: Uint16Array;
  #head = 0;
  size = 0;
  constructor(capacity: number) {
    this.#items = new Uint16Array(Math.max(1, capacity));
  }
  push(item: number): void {
    this.#items[(this.#head + this.size++) % this.#items.length] = item;
  }
  shift(): number {
    const item = this.#items[this.#head]!;
    this.#head = (this.#head + 1) % this.#items.length;
    this.size--;
    return item;
  }
}

export class PairPool {
  readonly #holder: PairHolder;
  readonly #state = new Uint8Array(32768);
  readonly #free: Ring;
  readonly #lingering = new Ring(LINGER + 1);

  constructor(range: MediaRange, holder: PairHolder) {
    this.#holder = holder;
    const first = range.portMin + (range.portMin & 1);
    this.#free = new Ring((range.portMax - first + 1) >> 1);
    for (let even = first; even + 1 <= range.portMax; even += 2) this.#free.push(even);
  }

  isOpen(port: number): boolean {
    return this.#state[port >> 1] === OPEN;
  }

  open(): number {
    for (let tries = this.#free.size; tries > 0; tries--) {
      const even = this.#free.shift();
      const got = this.#holder.hold(even);
      if (got === 'held') {
        this.#state[even >> 1] = OPEN;
        return even;
      }
      this.#free.push(even);
      if (got === 'refused') break;
    }
    if (this.#lingering.size === 0) return 0;
    const even = this.#lingering.shift();
    this.#holder.reuse(even);
    this.#state[even >> 1] = OPEN;
    return even;
  }

  close(even: number): void {
    if (this.#state[even >> 1] !== OPEN) return;
    this.#state[even >> 1] = LINGERING;
    this.#lingering.push(even);
    if (this.#lingering.size > LINGER) this.#release(this.#lingering.shift());
  }

  closeAll(): void {
    for (let i = 0; i < this.#state.length; i++) if (this.#state[i] !== FREE) this.#holder.release(i * 2);
    this.#state.fill(FREE);
    this.#lingering.size = 0;
  }

  #release(even: number): void {
    this.#state[even >> 1] = FREE;
    this.#holder.release(even);
    this.#free.push(even);
  }
}
