/**
 * Media ports by a pair of raw sockets: one receives every datagram of the port range, one sends with IP and UDP headers
 * that we write. So thousands of legs share batches of 64, as if they were one socket, and still have ports of their
 * own. Needs CAP_NET_RAW (raw(7)).
 *
 *   kernel --(copy, BPF: UDP destination port within the range)--> raw receive socket --recvmmsg--> sink
 *      `----> the bound UDP socket of that port, whose filter drops everything
 *
 * The bound sockets keep the ports ours, and the kernel from answering with ICMP port unreachable. A raw socket sees every
 * UDP datagram to its address before the filter does: give each worker an address of its own.
 */
import { BATCH, type ErrorQueue, type RxBatch, STRIDE, TxBatch } from './batch.js';
import { bswap16, bswap32, ECONNREFUSED, EMFILE, ENFILE, IPPROTO_RAW, IPPROTO_UDP, libc, SOCK_RAW } from './libc.js';
import { type Hold, type PairHolder, PairPool } from './pair-pool.js';
import {
  attachFilter,
  bindError,
  bindSocket,
  type Filter,
  filter,
  kernelDrops,
  openSocket,
  openUdp,
  reportErrors,
  setBuffers,
} from './socket.js';
import { DATAGRAM_MAX, type MediaPorts, type MediaRange, type MediaSink, type WireCounters } from './types.js';

const IP_BYTES = 20;
const UDP_BYTES = 8;
/** Payload on a cache line of its own; the headers end where it begins. */
const PAYLOAD_AT = 64;
const IP_WORD = (PAYLOAD_AT - IP_BYTES - UDP_BYTES) / 4;
const STRIDE_WORDS = STRIDE / 4;
/** At most so many batches per poll: 8,192 packets are about 20 ms of work. A shorter turn would only lose them later. */
const ROUNDS = 128;

/** Loads from the IP header on: X = header length; destination port at X + 2 (bpf(4), linux/filter.h). */
function portRangeFilter(portMin: number, portMax: number): Filter {
  return filter([
    [0xb1, 0, 0, 0], // ldxb 4*([0]&0xf)
    [0x48, 0, 0, 2], // ldh [x+2]
    [0x35, 0, 2, portMin], // jge portMin, else drop
    [0x25, 1, 0, portMax], // jgt portMax, drop
    [0x06, 0, 0, 0xffff], // ret all
    [0x06, 0, 0, 0], // ret 0
  ]);
}

/** Owned by a LinuxWire, which polls `fd`. */
export class RawMedia implements MediaPorts, PairHolder {
  readonly kind = 'raw';
  readonly ip: number;
  readonly tx: Uint8Array;
  readonly fd: number;
  readonly batch: TxBatch;
  readonly #words: Uint32Array;
  readonly #range: MediaRange;
  readonly #sink: MediaSink;
  readonly #counters: WireCounters;
  readonly #rx: RxBatch;
  readonly #errors: ErrorQueue;
  readonly #pool: PairPool;
  readonly #holders = new Int32Array(65536).fill(-1);
  readonly #dropAll = filter([[0x06, 0, 0, 0]]);
  readonly #markDirty: (batch: TxBatch) => void;
  readonly #onClose: (media: RawMedia) => void;
  #dropsSeen = 0;
  #id = 0;
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
    this.#range = range;
    this.#sink = sink;
    this.#counters = shared.counters;
    this.#rx = shared.rx;
    this.#errors = shared.errors;
    this.#markDirty = shared.markDirty;
    this.#onClose = shared.onClose;
    const receiver = openSocket(SOCK_RAW, IPPROTO_UDP);
    if (receiver < 0) throw bindError(-receiver, range.ip, range.portMin);
    this.fd = receiver;
    // Filter before bind: from its first moment the socket must not collect other people's datagrams.
    attachFilter(receiver, portRangeFilter(range.portMin, range.portMax));
    const errno = bindSocket(receiver, range.ip, 0);
    const sender = errno === 0 ? openSocket(SOCK_RAW, IPPROTO_RAW) : -errno;
    if (sender < 0) {
      libc().close(receiver);
      throw bindError(-sender, range.ip, range.portMin);
    }
    setBuffers(receiver, shared.bufferBytes, 0);
    setBuffers(sender, 0, shared.bufferBytes);
    reportErrors(receiver);
    this.batch = new TxBatch(sender, shared.counters, shared.errors, PAYLOAD_AT, IP_BYTES + UDP_BYTES);
    this.tx = this.batch.bytes;
    this.#words = this.batch.words;
    for (let i = 0; i < BATCH; i++) {
      const w = i * STRIDE_WORDS + IP_WORD;
      this.#words[w + 2] = 64 | (IPPROTO_UDP << 8); // TTL, protocol; the kernel writes the checksum (raw(7))
      this.#words[w + 3] = bswap32(range.ip);
    }
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
    const w = this.batch.count * STRIDE_WORDS + IP_WORD;
    const words = this.#words;
    // Identification: the kernel would hash for one if it were 0 (RFC 6864: of no meaning unless fragmented).
    this.#id = (this.#id + 1) & 0x7fff;
    words[w] = 0x45 | (bswap16(IP_BYTES + UDP_BYTES + len) << 16);
    words[w + 1] = this.#id | 0x8000;
    words[w + 4] = bswap32(dstIp);
    words[w + 5] = bswap16(srcPort) | (bswap16(dstPort) << 16);
    words[w + 6] = bswap16(UDP_BYTES + len); // checksum 0: none (RFC 768)
    if (this.batch.commit(len, dstIp, 0)) this.#markDirty(this.batch);
  }

  /** Called when `fd` is readable. Returns datagrams handled. */
  receive(clock: () => number): number {
    const rx = this.#rx;
    const bytes = rx.bytes;
    let handled = 0;
    for (let round = 0; round < ROUNDS && !this.#closed; round++) {
      const n = rx.receive(this.fd);
      if (n < 0) {
        if (libc().errno() !== ECONNREFUSED) break;
        this.takeErrors();
        continue;
      }
      const nowUs = clock();
      for (let i = 0; i < n; i++) {
        const ip = i * STRIDE;
        const udp = ip + ((bytes[ip]! & 15) << 2);
        const len = ((bytes[udp + 4]! << 8) | bytes[udp + 5]!) - UDP_BYTES;
        const localPort = (bytes[udp + 2]! << 8) | bytes[udp + 3]!;
        if (!this.#pool.isOpen(localPort)) continue;
        if (len < 0 || len > DATAGRAM_MAX || udp - ip + UDP_BYTES + len > rx.length(i)) {
          this.#counters.receiveDropped++;
          continue;
        }
        handled++;
        const srcPort = (bytes[udp]! << 8) | bytes[udp + 1]!;
        this.#sink(bytes, udp + UDP_BYTES, len, localPort, bswap32(rx.words[(ip >> 2) + 3]!), srcPort, nowUs);
        if (this.#closed) break;
      }
      if (n < BATCH) break;
    }
    this.#counters.received += handled;
    return handled;
  }

  /** A raw socket hears of every UDP sender's errors on this address; ours are those from the port range. */
  takeErrors(): void {
    this.#counters.unreachable += this.#errors.drain(this.fd, this.#range.portMin, this.#range.portMax, 0);
  }

  /** Adds what the kernel dropped since the last time. */
  sampleDrops(): void {
    const drops = kernelDrops(this.fd);
    this.#counters.receiveDropped += drops - this.#dropsSeen;
    this.#dropsSeen = drops;
  }

  close(): void {
    if (this.#closed) return;
    this.batch.flush();
    this.batch.open = false;
    this.sampleDrops();
    this.#closed = true;
    this.#onClose(this);
    this.#pool.closeAll();
    libc().close(this.fd);
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
    // Nothing waits in a holder: its filter drops. What the shared socket still has queued is at most one poll old.
  }
  #closeHolder(port: number): void {
    if (this.#holders[port]! >= 0) libc().close(this.#holders[port]!);
    this.#holders[port] = -1;
  }
}
