/** A party's place in the memory world: binding and sending. Delivery is the world's. */
import { assert, HarnessError } from '../../harness/errors.js';
import type { MemoryWorld } from './memory.js';
import { type Hold, type PairHolder, PairPool } from './pair-pool.js';
import {
  DATAGRAM_MAX,
  hostPort,
  type MediaPorts,
  type MediaRange,
  type MediaSink,
  type Sink,
  type UdpPort,
  type Wire,
  type WireCounters,
} from './types.js';

/** Where port 0 starts to look, as Linux does by default (ip(7), ip_local_port_range). */
const EPHEMERAL_MIN = 32_768;

export class MemoryWire implements Wire {
  readonly kind = 'memory';
  readonly counters: WireCounters = { sent: 0, received: 0, sendDropped: 0, receiveDropped: 0, unreachable: 0 };
  /** Indexes of the actors that are ticked when something was delivered here. */
  readonly owners: number[] = [];
  /** Something was delivered at the present instant. */
  touched = false;
  readonly #closers = new Set<{ close(): void }>();

  constructor(
    readonly world: MemoryWorld,
    readonly name: string,
  ) {}

  nowUs(): number {
    return this.world.nowUs;
  }

  bind(ip: number, port: number, sink: Sink): UdpPort {
    let wanted = port;
    if (wanted === 0) {
      wanted = EPHEMERAL_MIN;
      while (wanted < 65_535 && this.#taken(ip, wanted)) wanted++;
    }
    if (this.#taken(ip, wanted)) throw new HarnessError('PORT_IN_USE', `${hostPort(ip, wanted)} is in use`);
    const index = this.hold(ip, wanted);
    const endpoint = this.world.endpoints[index]!;
    endpoint.sink = sink;
    const udp = new MemoryPort(this, ip, wanted, index, () => {
      endpoint.sink = undefined;
      this.#closers.delete(udp);
    });
    this.#closers.add(udp);
    return udp;
  }

  openMedia(range: MediaRange, sink: MediaSink): MediaPorts {
    const media = new MemoryMedia(this, range, sink, () => this.#closers.delete(media));
    this.#closers.add(media);
    return media;
  }

  flush(): void {
    // What is committed is already under way.
  }

  close(): void {
    for (const closer of this.#closers) closer.close();
  }

  /** Index of an endpoint that is from now on this wire's, or -1 when it is somebody else's. */
  hold(ip: number, port: number): number {
    if (this.#taken(ip, port)) return -1;
    const index = this.world.endpoint(ip, port, this);
    this.world.endpoints[index]!.wire = this;
    return index;
  }

  #taken(ip: number, port: number): boolean {
    const index = this.world.addresses.get(ip, port);
    if (index < 0) return false;
    const { sink, mediaSink, lingering } = this.world.endpoints[index]!;
    return sink !== undefined || mediaSink !== undefined || lingering;
  }
}

class MemoryPort implements UdpPort {
  readonly tx = new Uint8Array(DATAGRAM_MAX);
  readonly #words = new Int32Array(this.tx.buffer);
  #open = true;
  constructor(
    readonly wire: MemoryWire,
    readonly ip: number,
    readonly port: number,
    readonly index: number,
    readonly onClose: () => void,
  ) {}
  slot(): number {
    return 0;
  }
  commit(len: number, dstIp: number, dstPort: number): void {
    if (this.#open) this.wire.world.send(this.#words, len, this.index, dstIp, dstPort);
  }
  send(bytes: Uint8Array, off: number, len: number, dstIp: number, dstPort: number): void {
    assert(len <= DATAGRAM_MAX, 'a datagram longer than DATAGRAM_MAX');
    this.tx.set(bytes.subarray(off, off + len));
    this.commit(len, dstIp, dstPort);
  }
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.onClose();
  }
}

class MemoryMedia implements MediaPorts, PairHolder {
  readonly kind = 'memory';
  readonly ip: number;
  readonly tx = new Uint8Array(DATAGRAM_MAX);
  readonly #words = new Int32Array(this.tx.buffer);
  readonly #pool: PairPool;
  readonly #indexes = new Int32Array(65_536).fill(-1);
  #open = true;
  constructor(
    readonly wire: MemoryWire,
    range: MediaRange,
    readonly sink: MediaSink,
    readonly onClose: () => void,
  ) {
    this.ip = range.ip;
    this.#pool = new PairPool(range, this);
  }
  openPair(): number {
    return this.#open ? this.#pool.open() : 0;
  }
  closePair(evenPort: number): void {
    if (!this.#pool.isOpen(evenPort)) return;
    // Before the pool's own step, which may end the lingering of this very pair.
    this.#set(evenPort, undefined, true);
    this.#pool.close(evenPort);
  }
  slot(): number {
    return 0;
  }
  commit(len: number, srcPort: number, dstIp: number, dstPort: number): void {
    const index = this.#indexes[srcPort]!;
    if (index >= 0) this.wire.world.send(this.#words, len, index, dstIp, dstPort);
    else this.wire.counters.sendDropped++;
  }
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#pool.closeAll();
    this.onClose();
  }

  hold(even: number): Hold {
    const rtp = this.wire.hold(this.ip, even);
    const rtcp = this.wire.hold(this.ip, even + 1);
    if (rtp < 0 || rtcp < 0) return 'busy';
    this.#indexes[even] = rtp;
    this.#indexes[even + 1] = rtcp;
    this.#set(even, this.sink, false);
    return 'held';
  }
  release(even: number): void {
    this.#set(even, undefined, false);
    this.#indexes[even] = -1;
    this.#indexes[even + 1] = -1;
  }
  reuse(even: number): void {
    this.#set(even, this.sink, false);
  }
  #set(even: number, sink: MediaSink | undefined, lingering: boolean): void {
    for (let port = even; port <= even + 1; port++) {
      const endpoint = this.wire.world.endpoints[this.#indexes[port]!]!;
      endpoint.mediaSink = sink;
      endpoint.lingering = lingering;
    }
  }
}
