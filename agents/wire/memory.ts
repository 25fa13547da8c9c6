/**
 * A network in memory, with virtual time and seeded chance: minutes of traffic in a second, and the same seed gives the
 * same packets in the same order. Single-threaded.
 *
 * Time stands still while anything runs. runUntil() goes from instant to instant; at each one, in this order:
 *   1. every datagram due then is handed to its sink, in the order of sending;
 *   2. every actor whose wire got one of them, or whose deadline has come, is ticked once, in the order of add().
 * Datagrams arrive at whole ticks of 100 us, deadlines are exact. An actor that wants to be called again at once is
 * called TICK_US later: so the world always moves on.
 *
 * A datagram never overtakes another one to the same port, unless an impairment reorders it.
 */
import { assert } from '../../harness/errors.js';
import { type Prng, prng } from '../../harness/prng.js';
import { AddressTable } from './address-table.js';
import { MemoryWire } from './memory-wire.js';
import { DELAY_MAX_US, PacketWheel, TICK_US } from './packet-wheel.js';
import { type Actor, DATAGRAM_MAX, type MediaSink, type Sink } from './types.js';

export interface Impairments {
  /** Probabilities per datagram, 0 to 1. */
  loss: number;
  duplicate: number;
  reorder: number;
  /** A reordered datagram comes up to this much later, and may be overtaken. */
  reorderUs: number;
  /** Only these; default all. */
  only?: ((dstPort: number, len: number, srcIp: number, dstIp: number) => boolean) | undefined;
}

export interface MemoryWorldOptions {
  seed: number;
  /** One way, default 200 us, plus a uniform share of jitterUs, default 100 us. */
  latencyUs?: number;
  jitterUs?: number;
  startUs?: number;
  impairments?: Partial<Impairments>;
}

/** One (ip, port). It outlives its binding, so that an index says where a datagram goes for as long as it travels. */
export interface Endpoint {
  readonly ip: number;
  readonly port: number;
  wire: MemoryWire;
  sink: Sink | undefined;
  mediaSink: MediaSink | undefined;
  /** Held but not open: datagrams are swallowed, as those to a lingering media pair. */
  lingering: boolean;
}

const NO_IMPAIRMENTS: Impairments = { loss: 0, duplicate: 0, reorder: 0, reorderUs: 0 };

export class MemoryWorld {
  /** Virtual microseconds. */
  nowUs: number;
  /** What chance did, for tests of chance. */
  readonly fate = { delivered: 0, lost: 0, duplicated: 0, reordered: 0 };
  readonly endpoints: Endpoint[] = [];
  readonly addresses = new AddressTable();
  readonly #wheel = new PacketWheel();
  readonly #chance: Prng;
  readonly #latencyUs: number;
  readonly #jitterUs: number;
  #impairments: Impairments = NO_IMPAIRMENTS;
  #impaired = false;
  /** Per endpoint, the tick of the last datagram on its way there. */
  #lastTick = new Float64Array(1024);
  readonly #actors: Actor[] = [];
  #deadlines = new Float64Array(16);
  readonly #wires: MemoryWire[] = [];

  constructor(options: MemoryWorldOptions) {
    this.nowUs = options.startUs ?? 0;
    this.#latencyUs = options.latencyUs ?? 200;
    this.#jitterUs = options.jitterUs ?? 100;
    this.#chance = prng(options.seed);
    this.impair(options.impairments ?? {});
  }

  /** Replaces the impairments, from this instant on. */
  impair(impairments: Partial<Impairments>): void {
    this.#impairments = { ...NO_IMPAIRMENTS, ...impairments };
    const { loss, duplicate, reorder, reorderUs } = this.#impairments;
    assert(this.#latencyUs + this.#jitterUs + reorderUs <= DELAY_MAX_US, `delays are at most ${DELAY_MAX_US} us`);
    this.#impaired = loss > 0 || duplicate > 0 || reorder > 0;
  }

  /** A party's wire. All wires of a world are on one network. */
  wire(name: string): MemoryWire {
    const wire = new MemoryWire(this, name);
    this.#wires.push(wire);
    return wire;
  }

  /** Ticked first at the present instant, then at its deadlines, and after every delivery to one of `wires`. */
  add(actor: Actor, ...wires: MemoryWire[]): void {
    const index = this.#actors.push(actor) - 1;
    if (index >= this.#deadlines.length) this.#deadlines = doubled(this.#deadlines);
    this.#deadlines[index] = this.nowUs;
    for (const wire of wires) wire.owners.push(index);
  }

  /** Has the actor ticked at the present instant, because something other than a datagram happened to it. */
  wake(actor: Actor): void {
    const index = this.#actors.indexOf(actor);
    assert(index >= 0, 'an actor of this world');
    this.#deadlines[index] = this.nowUs;
  }

  /** Everything up to and including the instant `us`; then it is that instant. */
  runUntil(us: number): void {
    const wheel = this.#wheel;
    for (;;) {
      const deadline = this.#firstDeadline();
      const horizon = Math.min(deadline, us);
      const tick = wheel.firstTick(Math.floor(horizon / TICK_US));
      if (tick < 0 && deadline > us) break;
      this.nowUs = Math.max(this.nowUs, tick < 0 ? deadline : tick * TICK_US);
      if (tick >= 0) this.#deliver(tick);
      this.#tickDue();
    }
    this.nowUs = Math.max(this.nowUs, us);
  }

  /** Index of the endpoint, made on first mention. */
  endpoint(ip: number, port: number, wire: MemoryWire): number {
    const known = this.addresses.get(ip, port);
    if (known >= 0) return known;
    const index = this.endpoints.length;
    this.endpoints.push({ ip, port, wire, sink: undefined, mediaSink: undefined, lingering: false });
    this.addresses.add(ip, port, index);
    if (index >= this.#lastTick.length) this.#lastTick = doubled(this.#lastTick);
    return index;
  }

  /** Sends `len` bytes from the start of `words`, which is a whole number of words long. Called by the wires. */
  send(words: Int32Array, len: number, src: number, dstIp: number, dstPort: number): void {
    const source = this.endpoints[src]!;
    const counters = source.wire.counters;
    const dst = this.addresses.get(dstIp, dstPort);
    counters.sent++;
    if (dst < 0) {
      counters.unreachable++;
      return;
    }
    const chance = this.#chance;
    let delayUs = this.#latencyUs;
    if (this.#jitterUs > 0) delayUs += chance.next() * this.#jitterUs;
    if (!this.#impaired || !this.#concerns(dstPort, len, source.ip, dstIp)) {
      this.#post(words, len, src, dst, delayUs, true);
      return;
    }
    const { loss, duplicate, reorder, reorderUs } = this.#impairments;
    if (chance.next() < loss) {
      this.fate.lost++;
      return;
    }
    const late = reorder > 0 && chance.next() < reorder;
    if (late) {
      this.fate.reordered++;
      delayUs += chance.next() * reorderUs;
    }
    this.#post(words, len, src, dst, delayUs, !late);
    if (duplicate > 0 && chance.next() < duplicate) {
      this.fate.duplicated++;
      this.#post(words, len, src, dst, this.#latencyUs + chance.next() * this.#jitterUs, !late);
    }
  }

  #concerns(dstPort: number, len: number, srcIp: number, dstIp: number): boolean {
    const only = this.#impairments.only;
    return only === undefined || only(dstPort, len, srcIp, dstIp);
  }

  #post(words: Int32Array, len: number, src: number, dst: number, delayUs: number, inOrder: boolean): void {
    const wheel = this.#wheel;
    const i = wheel.take();
    if (i < 0) {
      this.endpoints[src]!.wire.counters.sendDropped++;
      return;
    }
    const to = wheel.words;
    const at = (i * DATAGRAM_MAX) >> 2;
    const count = (len + 3) >> 2;
    for (let w = 0; w < count; w++) to[at + w] = words[w]!;
    wheel.length[i] = len;
    wheel.src[i] = src;
    wheel.dst[i] = dst;
    // Never the present tick: it may be under delivery.
    let tick = Math.max(Math.ceil((this.nowUs + delayUs) / TICK_US), Math.floor(this.nowUs / TICK_US) + 1);
    if (inOrder) {
      tick = Math.max(tick, this.#lastTick[dst]!);
      this.#lastTick[dst] = tick;
    }
    wheel.put(i, tick);
  }

  #deliver(tick: number): void {
    const wheel = this.#wheel;
    const now = this.nowUs;
    for (let i = wheel.shift(tick); i >= 0; i = wheel.shift(tick)) {
      const to = this.endpoints[wheel.dst[i]!]!;
      const from = this.endpoints[wheel.src[i]!]!;
      const counters = to.wire.counters;
      if (to.sink !== undefined) {
        counters.received++;
        this.fate.delivered++;
        to.wire.touched = true;
        to.sink(wheel.bytes, i * DATAGRAM_MAX, wheel.length[i]!, from.ip, from.port, now);
      } else if (to.mediaSink !== undefined) {
        counters.received++;
        this.fate.delivered++;
        to.wire.touched = true;
        to.mediaSink(wheel.bytes, i * DATAGRAM_MAX, wheel.length[i]!, to.port, from.ip, from.port, now);
      } else if (!to.lingering) from.wire.counters.unreachable++;
      wheel.release(i);
    }
    for (const wire of this.#wires) {
      if (!wire.touched) continue;
      wire.touched = false;
      for (const owner of wire.owners) this.#deadlines[owner] = now;
    }
  }

  #firstDeadline(): number {
    let first = Number.POSITIVE_INFINITY;
    for (let i = 0; i < this.#actors.length; i++) first = Math.min(first, this.#deadlines[i]!);
    return first;
  }

  #tickDue(): void {
    const now = this.nowUs;
    for (let i = 0; i < this.#actors.length; i++) {
      if (this.#deadlines[i]! > now) continue;
      this.#deadlines[i] = Number.POSITIVE_INFINITY;
      const next = this.#actors[i]!.tick(now);
      // Somebody may have woken it during its own tick.
      if (this.#deadlines[i]! > now) this.#deadlines[i] = next > now ? next : now + TICK_US;
    }
  }
}

function doubled(old: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> {
  const array = new Float64Array(old.length * 2);
  array.set(old);
  return array;
}
