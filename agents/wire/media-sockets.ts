/**
 * Media ports as one UDP socket each, without privileges: one epoll set for all, and per packet one recvfrom or one sendto.
 * Costs about 1.5 times the raw pair, most of it system calls that cannot be batched across sockets.
 */
import { type ErrorQueue, STRIDE } from './batch.js';
import { IP6_NONE, ip6Number, isIp6 } from './ip6.js';
import {
  bswap16,
  bswap32,
  EAGAIN,
  ECONNREFUSED,
  EINTR,
  EMFILE,
  ENFILE,
  ENOBUFS,
  EPOLL_CTL_ADD,
  EPOLL_DATA_OFFSET,
  EPOLLIN,
  libc,
  MSG_DONTWAIT,
  SOCKADDR_BYTES,
  SOCKADDR6_BYTES,
} from './libc.js';
import { type Hold, type PairHolder, PairPool } from './pair-pool.js';
import { bindError, kernelDrops, openUdp, putName6, reportErrors } from './socket.js';
import { DATAGRAM_MAX, type MediaPorts, type MediaRange, type MediaSink, type WireCounters } from './types.js';

/** How many stale datagrams a reused socket may hold before we stop emptying it. */
const STALE_MAX = 64;

/** Owned by a LinuxWire, whose epoll set carries (index of this pool, port) with each socket. */
export class SocketsMedia implements MediaPorts, PairHolder {
  readonly kind = 'sockets';
  readonly ip: number;
  readonly tx = new Uint8Array(new ArrayBuffer(STRIDE));
  readonly #txAt = libc().address(this.tx);
  readonly #rx = new Uint8Array(new ArrayBuffer(STRIDE));
  readonly #rxAt = libc().address(this.#rx);
  /** Words 0-6: source of what was received, 7: its length, 8-14: where to send. */
  readonly #names = new Int32Array(new ArrayBuffer(64));
  readonly #nameBytes: number;
  readonly #is6: boolean;
  readonly #srcAt = libc().address(this.#names);
  readonly #event = new Uint8Array(new ArrayBuffer(64));
  readonly #libc = libc();
  readonly #sink: MediaSink;
  readonly #counters: WireCounters;
  readonly #errors: ErrorQueue;
  readonly #epfd: number;
  readonly #pool: PairPool;
  readonly #fds = new Int32Array(65536).fill(-1);
  readonly #onClose: (media: SocketsMedia) => void;
  #closed = false;

  constructor(
    range: MediaRange,
    sink: MediaSink,
    shared: {
      counters: WireCounters;
      errors: ErrorQueue;
      epfd: number;
      index: number;
      onClose: (media: SocketsMedia) => void;
    },
  ) {
    this.ip = range.ip;
    this.#is6 = isIp6(range.ip);
    this.#nameBytes = this.#is6 ? SOCKADDR6_BYTES : SOCKADDR_BYTES;
    this.#sink = sink;
    this.#counters = shared.counters;
    this.#errors = shared.errors;
    this.#epfd = shared.epfd;
    this.#onClose = shared.onClose;
    const data = new DataView(this.#event.buffer);
    data.setUint32(0, EPOLLIN, true);
    data.setUint32(EPOLL_DATA_OFFSET + 4, shared.index, true);
    // An address that is not this machine's would otherwise look like a range that is used up.
    const probe = openUdp(range.ip, 0);
    if (probe < 0) throw bindError(-probe, range.ip, 0);
    this.#libc.close(probe);
    this.#pool = new PairPool(range, this);
  }

  openPair(): number {
    return this.#closed ? 0 : this.#pool.open();
  }
  closePair(evenPort: number): void {
    this.#pool.close(evenPort);
  }
  slot(): number {
    return 0;
  }

  commit(len: number, srcPort: number, dstIp: number, dstPort: number): void {
    const fd = this.#fds[srcPort]!;
    if (fd < 0) {
      this.#counters.sendDropped++;
      return;
    }
    if (this.#is6) {
      // There is no way from IPv6 to IPv4, and none to an address that found no room.
      if (!isIp6(dstIp) || dstIp === IP6_NONE) {
        this.#counters.unreachable++;
        return;
      }
      putName6(this.#names, 8, dstIp, dstPort);
    } else {
      this.#names[8] = 2 | (bswap16(dstPort) << 16);
      this.#names[9] = bswap32(dstIp);
    }
    // Once for an error that an earlier datagram left behind, once for a full queue, and a spare.
    for (let tries = 0; tries < 3; tries++) {
      if (this.#libc.sendto(fd, this.#txAt, len, MSG_DONTWAIT, this.#srcAt + 32, this.#nameBytes) >= 0) {
        this.#counters.sent++;
        return;
      }
      const errno = this.#libc.errno();
      if (errno === ECONNREFUSED) this.#counters.unreachable += this.#errors.drain(fd) || 1;
      else if (errno !== EAGAIN && errno !== ENOBUFS && errno !== EINTR) break;
    }
    this.#counters.sendDropped++;
  }

  /** One datagram; what else waits at this port is reported by the next epoll_wait. */
  receive(port: number, nowUs: number): number {
    const fd = this.#fds[port]!;
    if (fd < 0) return 0;
    this.#names[7] = this.#nameBytes;
    const n = this.#libc.recvfrom(fd, this.#rxAt, STRIDE, MSG_DONTWAIT, this.#srcAt, this.#srcAt + 28);
    if (n < 0) {
      if (this.#libc.errno() === ECONNREFUSED) this.takeErrors(port);
      return 0;
    }
    if (!this.#pool.isOpen(port)) return 0;
    if (n > DATAGRAM_MAX) {
      this.#counters.receiveDropped++;
      return 0;
    }
    this.#counters.received++;
    const srcIp = this.#is6 ? ip6Number(this.#names, 2) : bswap32(this.#names[1]!);
    this.#sink(this.#rx, 0, n, port, srcIp, bswap16(this.#names[0]! >>> 16), nowUs);
    return 1;
  }

  takeErrors(port: number): void {
    const fd = this.#fds[port]!;
    if (fd >= 0) this.#counters.unreachable += this.#errors.drain(fd);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#onClose(this);
    this.#pool.closeAll();
  }

  hold(even: number): Hold {
    for (let port = even; port <= even + 1; port++) {
      const fd = openUdp(this.ip, port);
      if (fd < 0) {
        if (port !== even) this.#closeSocket(even);
        return -fd === EMFILE || -fd === ENFILE ? 'refused' : 'busy';
      }
      reportErrors(fd, this.ip);
      this.#fds[port] = fd;
      this.#event[EPOLL_DATA_OFFSET] = port & 255;
      this.#event[EPOLL_DATA_OFFSET + 1] = port >> 8;
      this.#libc.epollCtl(this.#epfd, EPOLL_CTL_ADD, fd, this.#libc.address(this.#event));
    }
    return 'held';
  }
  release(even: number): void {
    this.#closeSocket(even);
    this.#closeSocket(even + 1);
  }
  reuse(even: number): void {
    for (let port = even; port <= even + 1; port++) {
      for (let i = 0; i < STALE_MAX; i++) {
        if (this.#libc.recvfrom(this.#fds[port]!, this.#rxAt, STRIDE, MSG_DONTWAIT, 0, 0) < 0) break;
      }
    }
  }
  /** Closing the only descriptor of a socket also takes it out of the epoll set (epoll(7)). */
  #closeSocket(port: number): void {
    const fd = this.#fds[port]!;
    if (fd < 0) return;
    this.#counters.receiveDropped += kernelDrops(fd);
    this.#libc.close(fd);
    this.#fds[port] = -1;
  }
}
