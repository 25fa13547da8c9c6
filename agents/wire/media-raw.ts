/**
 * Media ports by a ring and a raw socket: the ring receives every datagram of the port range (packet-ring.ts), the raw
 * socket sends with UDP headers that we write. So thousands of legs share batches, as if they were one socket,
 * and still have ports of their own. Needs CAP_NET_RAW (packet(7), raw(7)).
 *
 *   kernel --(BPF: UDP to our address, port within the range)--> ring --drain--> sink
 *      `----> the bound UDP socket of that port, whose filter drops everything
 *
 * The bound sockets keep the ports ours, and the kernel from answering with ICMP port unreachable. The ring is filled
 * before this machine's own packet filter and routing see the datagram. Fragments are not put together.
 */
import { BATCH, type ErrorQueue, type RxBatch, STRIDE, TxBatch } from './batch.js';
import { IcmpErrors } from './icmp-errors.js';
import { bswap16, EMFILE, ENFILE, libc } from './libc.js';
import { PacketRing, type RingSink } from './packet-ring.js';
import { type Hold, type PairHolder, PairPool } from './pair-pool.js';
import { bindError, dropAll, openRawUdp, openUdp, setBuffers } from './socket.js';
import type { Gather, MediaPorts, MediaRange, MediaSink, WireCounters } from './types.js';

const UDP_BYTES = 8;
/** Payload on a cache line of its own; the header ends where it begins. */
const PAYLOAD_AT = 64;
const UDP_WORD = (PAYLOAD_AT - UDP_BYTES) / 4;
const STRIDE_WORDS = STRIDE / 4;
/** At most so many packets per poll: about 20 ms of work. A longer turn would only lose them later. */
const TURN_PACKETS = 8192;

/** Owned by a LinuxWire, which drains it in every turn and polls `errors.fd`. */
export class RawMedia implements MediaPorts, PairHolder {
  readonly kind = 'raw';
  readonly ip: number;
  readonly tx: Uint8Array;
  readonly batch: TxBatch;
  readonly errors: IcmpErrors;
  readonly #ring: PacketRing;
  readonly #ringSink: RingSink;
  readonly #words: Uint32Array;
  readonly #counters: WireCounters;
  readonly #pool: PairPool;
  readonly #holders = new Int32Array(65536).fill(-1);
  readonly #dropAll = dropAll();
  readonly #markDirty: (batch: TxBatch) => void;
  readonly #onClose: (media: RawMedia) => void;
  #handled = 0;
  /** Kept, so that it is not freed under the kernel. */
  #lent: { bytes: Uint8Array; at: number } = { bytes: new Uint8Array(0), at: 0 };
  #closed = false;

  constructor(
    range: MediaRange,
    sink: MediaSink,
    shared: {
      counters: WireCounters;
      rx: RxBatch;
      errors: ErrorQueue;
      bufferBytes: number;
      markDirty: (batch: TxBatch) => void;
      onClose: (media: RawMedia) => void;
    },
  ) {
    this.ip = range.ip;
    this.#counters = shared.counters;
    this.#markDirty = shared.markDirty;
    this.#onClose = shared.onClose;
    // First what fails when the address is not this machine's: a ring takes any.
    this.errors = new IcmpErrors(range, shared.rx);
    const sender = openRawUdp(range.ip);
    if (sender < 0) {
      this.errors.close();
      throw bindError(-sender, range.ip, range.portMin);
    }
    setBuffers(sender, 0, shared.bufferBytes);
    try {
      this.#ring = new PacketRing(range);
    } catch (error) {
      this.errors.close();
      libc().close(sender);
      throw error;
    }
    this.#ringSink = (bytes, off, len, localPort, srcIp, srcPort, nowUs) => {
      if (!this.#pool.isOpen(localPort)) return;
      this.#handled++;
      sink(bytes, off, len, localPort, srcIp, srcPort, nowUs);
    };
    this.batch = new TxBatch(sender, shared.counters, shared.errors, PAYLOAD_AT, UDP_BYTES);
    this.tx = this.batch.bytes;
    this.#words = this.batch.words;
    this.#pool = new PairPool(range, this);
  }

  openPair(): number {
    return this.#closed ? 0 : this.#pool.open();
  }
  closePair(evenPort: number): void {
    this.#pool.close(evenPort);
  }
  slot(): number {
    return this.batch.slot();
  }

  commit(len: number, srcPort: number, dstIp: number, dstPort: number): void {
    this.#head(len, srcPort, dstPort);
    if (this.batch.commit(len, dstIp, 0)) this.#markDirty(this.batch);
  }

  readonly gather: Gather = {
    lend: (bytes) => {
      this.#lent = { bytes, at: libc().address(bytes) };
    },
    commit: (len, off, more, srcPort, dstIp, dstPort) => {
      this.#head(len + more, srcPort, dstPort);
      if (this.batch.commitWith(len, this.#lent.at + off, more, dstIp, 0)) this.#markDirty(this.batch);
    },
  };

  #head(len: number, srcPort: number, dstPort: number): void {
    const w = this.batch.count * STRIDE_WORDS + UDP_WORD;
    const words = this.#words;
    words[w] = bswap16(srcPort) | (bswap16(dstPort) << 16);
    words[w + 1] = bswap16(UDP_BYTES + len); // checksum 0: none (RFC 768)
  }

  /** Called in every turn. Returns datagrams handled. */
  receive(clock: () => number): number {
    if (this.#closed) return 0;
    this.#handled = 0;
    let left = TURN_PACKETS;
    // Arrivals are told apart by the kernel's instants; the turn's own instant is taken anew for each batch.
    for (let n = BATCH; n === BATCH && left > 0 && !this.#closed; left -= n) {
      n = this.#ring.drain(clock(), BATCH, this.#ringSink);
    }
    this.#counters.received += this.#handled;
    return this.#handled;
  }

  /** Called when the errors' descriptor is readable. */
  takeErrors(): void {
    if (!this.#closed) this.#counters.unreachable += this.errors.drain();
  }

  /** Adds what the kernel dropped since the last time. */
  sampleDrops(): void {
    this.#counters.receiveDropped += this.#ring.takeDrops() + this.#ring.truncated;
    this.#ring.truncated = 0;
  }

  close(): void {
    if (this.#closed) return;
    this.batch.flush();
    this.batch.open = false;
    this.sampleDrops();
    this.#closed = true;
    this.#onClose(this);
    this.#pool.closeAll();
    this.#ring.close();
    this.errors.close();
    libc().close(this.batch.fd);
  }

  hold(even: number): Hold {
    for (let port = even; port <= even + 1; port++) {
      const fd = openUdp(this.ip, port, this.#dropAll);
      if (fd < 0) {
        if (port !== even) this.#closeHolder(even);
        return -fd === EMFILE || -fd === ENFILE ? 'refused' : 'busy';
      }
      this.#holders[port] = fd;
    }
    return 'held';
  }
  release(even: number): void {
    this.#closeHolder(even);
    this.#closeHolder(even + 1);
  }
  reuse(): void {
    // Nothing waits in a holder: its filter drops. What the ring still has is at most one poll old.
  }
  #closeHolder(port: number): void {
    if (this.#holders[port]! >= 0) libc().close(this.#holders[port]!);
    this.#holders[port] = -1;
  }
}
