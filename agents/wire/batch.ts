/**
 * Batches of 64 datagrams for sendmmsg(2) and recvmmsg(2): bytes, iovecs, headers and addresses are laid out once, and
 * per packet only a few 32-bit words are written. 64 is where the price per packet stops falling (the kernel's own
 * work is 97 % of it by then); all of a batch stays within the second-level cache.
 *
 *   struct mmsghdr in 32-bit words:  0-1 name*  2 namelen  4-5 iov*  6-7 iovlen  8-11 control  12 flags  14 msg_len
 */
import {
  bswap16,
  bswap32,
  EAGAIN,
  ECONNREFUSED,
  EINTR,
  ENOBUFS,
  IOVEC_BYTES,
  type Libc,
  libc,
  MMSGHDR_BYTES,
  MSG_DONTWAIT,
  MSG_ERRQUEUE,
  SOCKADDR_BYTES,
} from './libc.js';
import type { WireCounters } from './types.js';

export const BATCH = 64;
/** Room for one datagram with the longest IP header (60) and UDP header (8) before it; a multiple of the cache line. */
export const STRIDE = 2048 + 128;

const HEADER_WORDS = MMSGHDR_BYTES / 4;
const MSG_LEN_WORD = 14;
const FLAGS_WORD = 12;
const IOVLEN_WORD = 6;
/** Two iovecs for each slot; the second one is for what lies elsewhere. */
const IOVECS_WORDS = (2 * IOVEC_BYTES) / 4;

/** Slots, iovecs, headers and addresses of one batch. */
class Batch {
  readonly bytes: Uint8Array;
  readonly words: Uint32Array;
  readonly headersAt: number;
  protected readonly headers: Uint32Array;
  protected readonly iovecs: Uint32Array;
  protected readonly names: Uint32Array;
  protected readonly libc: Libc = libc();

  /** `nameBytes`: of one socket address. */
  constructor(slots: number, iovOffset: number, iovLen: number, nameBytes: number) {
    const nameStride = nameBytes <= SOCKADDR_BYTES ? SOCKADDR_BYTES : 2 * SOCKADDR_BYTES;
    const slab = new ArrayBuffer(slots * STRIDE);
    this.bytes = new Uint8Array(slab);
    this.words = new Uint32Array(slab);
    this.headers = new Uint32Array(new ArrayBuffer(slots * MMSGHDR_BYTES));
    this.iovecs = new Uint32Array(new ArrayBuffer(slots * 2 * IOVEC_BYTES));
    this.names = new Uint32Array(new ArrayBuffer(slots * nameStride));
    this.headersAt = this.libc.address(this.headers);
    const bytesAt = this.libc.address(this.bytes);
    const iovecsAt = this.libc.address(this.iovecs);
    const namesAt = this.libc.address(this.names);
    for (let i = 0; i < slots; i++) {
      putPointer(this.iovecs, i * IOVECS_WORDS, bytesAt + i * STRIDE + iovOffset);
      this.iovecs[i * IOVECS_WORDS + 2] = iovLen;
      putPointer(this.headers, i * HEADER_WORDS, namesAt + i * nameStride);
      this.headers[i * HEADER_WORDS + 2] = nameBytes;
      putPointer(this.headers, i * HEADER_WORDS + 4, iovecsAt + i * 2 * IOVEC_BYTES);
      this.headers[i * HEADER_WORDS + IOVLEN_WORD] = 1;
    }
  }
}

function putPointer(words: Uint32Array, at: number, pointer: number): void {
  // A remainder of doubles is a call; this is two multiplications.
  const high = Math.floor(pointer / 0x100000000);
  words[at] = pointer - high * 0x100000000;
  words[at + 1] = high;
}

/** Receives up to 64 datagrams. The kernel writes namelen and controllen 0 back as it found them: nothing to reset. */
export class RxBatch extends Batch {
  constructor(nameBytes = SOCKADDR_BYTES) {
    super(BATCH, 0, STRIDE, nameBytes);
  }
  /** Datagrams read; -1: see errno. */
  receive(fd: number): number {
    return this.libc.recvmmsg(fd, this.headersAt, BATCH, MSG_DONTWAIT, 0);
  }
  length(i: number): number {
    return this.headers[i * HEADER_WORDS + MSG_LEN_WORD]!;
  }
  flags(i: number): number {
    return this.headers[i * HEADER_WORDS + FLAGS_WORD]!;
  }
  srcIp(i: number): number {
    return bswap32(this.names[i * 4 + 1]!);
  }
  srcPort(i: number): number {
    return bswap16(this.names[i * 4]! >>> 16);
  }
}

/**
 * Reads the error queue that IP_RECVERR fills (ip(7)): one entry per ICMP error, each with the datagram that caused it.
 * Taking the last entry also clears the socket's pending error, which otherwise fails the next, innocent send.
 */
export class ErrorQueue {
  readonly #rx = new RxBatch();
  readonly #libc = libc();
  /** How many entries there were. */
  drain(fd: number): number {
    let counted = 0;
    for (;;) {
      const n = this.#libc.recvmmsg(fd, this.#rx.headersAt, BATCH, MSG_ERRQUEUE | MSG_DONTWAIT, 0);
      if (n <= 0) return counted;
      counted += n;
      if (n < BATCH) return counted;
    }
  }
}

/** How often one datagram is tried again when errors of earlier ones come back in its place. */
const REFUSED_RETRIES = 16;

/** Datagrams waiting to leave by one socket. */
export class TxBatch extends Batch {
  count = 0;
  /** Closed sockets forget what is still committed. */
  open = true;
  readonly #iovOffset: number;
  readonly #headroom: number;
  constructor(
    readonly fd: number,
    readonly counters: WireCounters,
    readonly errors: ErrorQueue,
    /** Where payload begins in a slot, and how many bytes before it belong to the datagram as well. */
    payloadAt: number,
    headroom: number,
    nameBytes = SOCKADDR_BYTES,
  ) {
    super(BATCH, payloadAt - headroom, 0, nameBytes);
    this.#iovOffset = payloadAt;
    this.#headroom = headroom;
  }

  slot(): number {
    return this.count * STRIDE + this.#iovOffset;
  }

  /** True when this was the first one: the wire then notes the batch as dirty. A full batch leaves at once. */
  commit(len: number, dstIp: number, dstPort: number): boolean {
    this.#name(dstIp, dstPort);
    return this.add(len);
  }

  /** The same, and after it `more` bytes at address `at`. */
  commitWith(len: number, at: number, more: number, dstIp: number, dstPort: number): boolean {
    const v = this.count * IOVECS_WORDS;
    this.#name(dstIp, dstPort);
    putPointer(this.iovecs, v + 4, at);
    this.iovecs[v + 6] = more;
    return this.add(len, 2);
  }

  #name(dstIp: number, dstPort: number): void {
    const i = this.count;
    this.names[i * 4] = 2 | (bswap16(dstPort) << 16);
    this.names[i * 4 + 1] = bswap32(dstIp);
  }

  /** The slot whose name is written already. */
  protected add(len: number, iovecs = 1): boolean {
    const i = this.count++;
    this.iovecs[i * IOVECS_WORDS + 2] = len + this.#headroom;
    this.headers[i * HEADER_WORDS + IOVLEN_WORD] = iovecs;
    if (this.count === BATCH) {
      this.flush();
      return false;
    }
    return i === 0;
  }

  flush(): void {
    const count = this.count;
    this.count = 0;
    if (!this.open) return;
    let at = 0;
    let full = false;
    let refused = 0;
    while (at < count) {
      const n = this.libc.sendmmsg(this.fd, this.headersAt + at * MMSGHDR_BYTES, count - at, 0);
      if (n > 0) {
        this.counters.sent += n;
        at += n;
        full = false;
        refused = 0;
        continue;
      }
      const errno = this.libc.errno();
      if (errno === EINTR) continue;
      if (errno === ECONNREFUSED && refused++ < REFUSED_RETRIES) {
        // An earlier datagram's ICMP error; this one has not been sent yet. Without an entry the queue was full.
        this.counters.unreachable += this.errors.drain(this.fd) || 1;
        continue;
      }
      if (errno === EAGAIN || errno === ENOBUFS) {
        if (full) {
          this.counters.sendDropped += count - at;
          return;
        }
        full = true;
        continue;
      }
      // EPERM (a packet filter), EMSGSIZE, ENETUNREACH and the like concern this datagram only.
      this.counters.sendDropped++;
      at++;
      refused = 0;
    }
  }
}
