/**
 * UDP datagrams of a port range as the kernel leaves them in a ring that we share with it (packet(7), TPACKET_V2). No
 * system call reads them, and no copy is ours: a frame is ours while its status word says so, and is given back by
 * clearing that word. What finds no free frame is dropped and counted.
 *
 *   frame: status, len, snaplen, mac u16, net u16, sec, nsec, ... | IP header at `net` | UDP | payload
 */
import { readFileSync } from 'node:fs';
import { HarnessError } from '../../harness/errors.js';
import { bswap16, bswap32, libc, SOCK_DGRAM } from './libc.js';
import { attachFilter, type Filter, filter, openSocket } from './socket.js';
import { DATAGRAM_MAX, type MediaRange } from './types.js';

const AF_PACKET = 17;
const SOL_PACKET = 263;
const PACKET_RX_RING = 5;
const PACKET_STATISTICS = 6;
const PACKET_VERSION = 10;
const TPACKET_V2 = 1;
const PACKET_IGNORE_OUTGOING = 23;
const ETH_P_ALL = 0x0003;
const ETH_P_IP = 0x0800;
const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;
const TP_STATUS_KERNEL = 0;
const TP_STATUS_USER = 1;
const CLOCK_REALTIME = 0;

/** Header (80 with padding), longest IP header, UDP header and DATAGRAM_MAX; 64 of them fill whole pages. */
const FRAME = 2304;
const FRAME_WORDS = FRAME / 4;
const FRAMES_PER_BLOCK = 64;
/** 8,192 frames are 80 ms of 2,000 legs: longer than any turn of a loop that is still in time. */
const BLOCKS = 128;
export const RING_FRAMES = BLOCKS * FRAMES_PER_BLOCK;
const RING_BYTES = RING_FRAMES * FRAME;
const UDP_BYTES = 8;

/** Of what the kernel knows of a packet, for loads in filters (linux/filter.h). */
const SKF_AD_PROTOCOL = 0xfffff000;
const SKF_AD_PKTTYPE = 0xfffff004;
const PACKET_OUTGOING = 4;

/** Loads are from the IP header on (SOCK_DGRAM): UDP to this address and range, received, and no fragment. */
function rangeFilter({ ip, portMin, portMax }: MediaRange): Filter {
  return filter([
    [0x28, 0, 0, SKF_AD_PROTOCOL], // ldh ethertype
    [0x15, 0, 12, ETH_P_IP], // jeq IPv4, else drop
    [0x30, 0, 0, SKF_AD_PKTTYPE], // ldb direction
    [0x15, 10, 0, PACKET_OUTGOING], // jeq sent by this machine, drop
    [0x30, 0, 0, 9], // ldb [9], protocol
    [0x15, 0, 8, 17], // jeq UDP, else drop
    [0x28, 0, 0, 6], // ldh [6], flags and fragment offset
    [0x45, 6, 0, 0x3fff], // jset MF or offset, drop
    [0x20, 0, 0, 16], // ld [16], destination
    [0x15, 0, 4, ip], // jeq ours, else drop
    [0xb1, 0, 0, 0], // ldxb 4*([0]&0xf)
    [0x48, 0, 0, 2], // ldh [x+2], destination port
    [0x35, 0, 1, portMin], // jge portMin, else drop
    [0x25, 0, 1, portMax], // jgt portMax drops, else keep
    [0x06, 0, 0, 0], // ret 0
    [0x06, 0, 0, 0xffff], // ret all
  ]);
}

/** `bytes[off, off + len)` is the payload; `ip` and the port numbers as on the wire, in host order. */
export type RingSink = (
  bytes: Uint8Array,
  off: number,
  len: number,
  localPort: number,
  srcIp: number,
  srcPort: number,
  arrivedUs: number,
) => void;

export class PacketRing {
  readonly fd: number;
  /** Cut short by the frame: longer than DATAGRAM_MAX. */
  truncated = 0;
  readonly #at: number;
  readonly #bytes: Uint8Array;
  readonly #words: Uint32Array;
  readonly #halves: Uint16Array;
  readonly #scratch = new Uint32Array(new ArrayBuffer(64));
  readonly #scratchAt = libc().address(this.#scratch);
  #next = 0;
  #open = true;

  /** Throws NO_CAPABILITY where packet sockets or their rings are refused. */
  constructor(range: MediaRange) {
    const c = libc();
    // Protocol 0: nothing is received before bind, so nobody else's packets are in the ring.
    const fd = openSocket(SOCK_DGRAM, 0, AF_PACKET);
    if (fd < 0) throw refused('a packet socket', -fd);
    this.fd = fd;
    let step = 'a filter on a packet socket';
    try {
      attachFilter(fd, rangeFilter(range));
      step = 'a packet ring';
      this.#set(PACKET_VERSION, [TPACKET_V2]);
      this.#set(PACKET_RX_RING, [FRAME * FRAMES_PER_BLOCK, BLOCKS, FRAME, RING_FRAMES]);
      step = 'mapping a packet ring';
      this.#at = c.mmap(0, RING_BYTES, PROT_READ_WRITE, MAP_SHARED, fd, 0);
      if (this.#at === -1) throw refused(step, libc().errno());
      step = 'binding a packet socket';
      const loopback = range.ip >>> 24 === 127;
      // On loopback every packet that we send comes by here as well. Taps of all protocols are asked before IP, which
      // then need not clone the packet; elsewhere that would show a bridge's packets twice.
      if (loopback) this.#set(PACKET_IGNORE_OUTGOING, [1]);
      this.#scratch.fill(0);
      this.#scratch[0] = AF_PACKET | (bswap16(loopback ? ETH_P_ALL : ETH_P_IP) << 16); // sockaddr_ll
      this.#scratch[1] = loopback ? loopbackIndex() : 0; // 0: every interface
      if (c.bind(fd, this.#scratchAt, 20) < 0) throw refused(step, libc().errno());
    } catch (error) {
      c.close(fd);
      throw error;
    }
    const ring = c.view(this.#at, RING_BYTES);
    this.#bytes = new Uint8Array(ring);
    this.#words = new Uint32Array(ring);
    this.#halves = new Uint16Array(ring);
  }

  /** Hands on up to `max` datagrams. Arrival is the kernel's instant, on the run's clock. Returns frames taken. */
  drain(nowUs: number, max: number, sink: RingSink): number {
    const words = this.#words;
    const bytes = this.#bytes;
    let offsetUs = Number.NaN;
    let taken = 0;
    for (; taken < max && this.#open; taken++) {
      const w = this.#next * FRAME_WORDS;
      // Acquire: the frame was written before its status.
      if ((Atomics.load(words, w) & TP_STATUS_USER) === 0) break;
      if (taken === 0) offsetUs = nowUs - this.#realUs();
      const snapLen = words[w + 2]!;
      const ip = this.#next * FRAME + this.#halves[w * 2 + 7]!;
      const udp = ip + ((bytes[ip]! & 15) << 2);
      const len = ((bytes[udp + 4]! << 8) | bytes[udp + 5]!) - UDP_BYTES;
      if (len < 0 || len > DATAGRAM_MAX || udp - ip + UDP_BYTES + len > snapLen) {
        this.truncated++;
      } else {
        const at = words[w + 4]! * 1e6 + words[w + 5]! / 1000 + offsetUs;
        sink(
          bytes,
          udp + UDP_BYTES,
          len,
          (bytes[udp + 2]! << 8) | bytes[udp + 3]!,
          bswap32(words[(ip >> 2) + 3]!),
          (bytes[udp]! << 8) | bytes[udp + 1]!,
          // A packet that came in during this turn has not arrived after it.
          at < nowUs ? at : nowUs,
        );
        if (!this.#open) break;
      }
      Atomics.store(words, w, TP_STATUS_KERNEL);
      this.#next = this.#next + 1 === RING_FRAMES ? 0 : this.#next + 1;
    }
    return taken;
  }

  /** Datagrams that found no free frame since the last call. */
  takeDrops(): number {
    this.#scratch[0] = 0;
    this.#scratch[1] = 0;
    this.#scratch[8] = 8;
    libc().getsockopt(this.fd, SOL_PACKET, PACKET_STATISTICS, this.#scratchAt, this.#scratchAt + 32);
    return this.#scratch[1]!;
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    libc().munmap(this.#at, RING_BYTES);
    libc().close(this.fd);
  }

  /** The clock of the frames. Asked in every turn, so that a step of it harms one turn only. */
  #realUs(): number {
    libc().clockGettime(CLOCK_REALTIME, this.#scratchAt);
    return (this.#scratch[0]! + this.#scratch[1]! * 0x100000000) * 1e6 + this.#scratch[2]! / 1000;
  }

  #set(name: number, values: number[]): void {
    this.#scratch.set(values);
    if (libc().setsockopt(this.fd, SOL_PACKET, name, this.#scratchAt, values.length * 4) === 0) return;
    throw refused('a packet ring', libc().errno());
  }
}

/** 1 in every network namespace that Linux makes, but nowhere promised. */
function loopbackIndex(): number {
  return Number(readFileSync('/sys/class/net/lo/ifindex', 'utf8'));
}

function refused(what: string, errno: number): HarnessError {
  return new HarnessError('NO_CAPABILITY', `${what} was refused (errno ${errno}): use media sockets`);
}
