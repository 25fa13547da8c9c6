/**
 * The wire for load: Linux UDP in batches of 64. One epoll set tells which sockets are readable; each is then read with
 * recvmmsg until it is empty. What is committed leaves with a full batch or on flush(). Single-threaded: one per worker.
 */
import { monotonicUs } from '../../harness/clock.js';
import { assert, HarnessError } from '../../harness/errors.js';
import { BATCH, ErrorQueue, RxBatch, STRIDE, TxBatch } from './batch.js';
import { RxBatch6, TxBatch6 } from './batch6.js';
import { IP6_NONE, isIp6 } from './ip6.js';
import {
  ECONNREFUSED,
  EPOLL_CLOEXEC,
  EPOLL_CTL_ADD,
  EPOLL_DATA_OFFSET,
  EPOLL_EVENT_BYTES,
  EPOLLERR,
  EPOLLIN,
  libc,
  MSG_TRUNC,
  POLLIN,
} from './libc.js';
import { chooseMedia, type MediaChoice, type MediaWish } from './media.js';
import { RawMedia } from './media-raw.js';
import { SocketsMedia } from './media-sockets.js';
import { bindError, boundPort, kernelDrops, openUdp, reportErrors, setBuffers } from './socket.js';
import type { Sink, UdpPort, Wire, WireCounters } from './types.js';
import { DATAGRAM_MAX, type MediaPorts, type MediaRange, type MediaSink } from './types.js';

/** Sockets reported by one epoll_wait. */
const EVENTS_MAX = 128;
/** Rounds of epoll_wait per poll, and batches per socket and round: beyond that, the caller's timers come first. */
const ROUNDS = 32;
const DROPS_EVERY_US = 1_000_000;

/** Second word of an event's data; media pools with a socket per port follow from FIRST_POOL on. */
const IS_UDP = 0;
const IS_RAW = 1;
const FIRST_POOL = 2;

export interface LinuxWireOptions {
  /** Default `auto`. `dgram` is another wire: see openWire. */
  media?: Exclude<MediaWish, 'dgram'>;
  /** Kernel buffers of each bound port and of a raw pair, each way. Default 8 MiB. */
  bufferBytes?: number;
  /** Default: the machine's monotonic clock. */
  nowUs?: () => number;
}

class LinuxUdpPort implements UdpPort {
  readonly tx: Uint8Array;
  dropsSeen = 0;
  constructor(
    readonly wire: LinuxWire,
    readonly index: number,
    readonly fd: number,
    readonly ip: number,
    readonly port: number,
    readonly sink: Sink,
    readonly batch: TxBatch,
    readonly rx: RxBatch,
  ) {
    this.tx = batch.bytes;
  }
  slot(): number {
    return this.batch.slot();
  }
  commit(len: number, dstIp: number, dstPort: number): void {
    if (this.batch.commit(len, dstIp, dstPort)) this.wire.markDirty(this.batch);
  }
  send(bytes: Uint8Array, off: number, len: number, dstIp: number, dstPort: number): void {
    assert(len <= DATAGRAM_MAX, 'a datagram longer than DATAGRAM_MAX');
    this.tx.set(off === 0 && len === bytes.length ? bytes : bytes.subarray(off, off + len), this.batch.slot());
    this.commit(len, dstIp, dstPort);
  }
  drops(): number {
    return this.batch.open ? kernelDrops(this.fd) : this.dropsSeen;
  }
  close(): void {
    if (!this.batch.open) return;
    this.batch.flush();
    this.batch.open = false;
    this.wire.forget(this);
    libc().close(this.fd);
  }
}

export class LinuxWire implements Wire {
  readonly kind = 'linux';
  readonly counters: WireCounters = { sent: 0, received: 0, sendDropped: 0, receiveDropped: 0, unreachable: 0 };
  readonly nowUs: () => number;
  readonly media: MediaChoice;
  /** Time spent waiting in poll(), microseconds. */
  idleUs = 0;
  readonly #libc = libc();
  readonly #bufferBytes: number;
  readonly #epfd: number;
  readonly #events = new Uint32Array(new ArrayBuffer(EVENTS_MAX * 16));
  readonly #eventsAt = this.#libc.address(this.#events);
  /** Words 0-1: struct pollfd; 2-5: struct timespec. */
  readonly #wait = new Int32Array(new ArrayBuffer(64));
  readonly #waitAt = this.#libc.address(this.#wait);
  readonly #rx = new RxBatch();
  #rx6: RxBatch6 | undefined;
  readonly #errors = new ErrorQueue();
  readonly #ports: (LinuxUdpPort | undefined)[] = [];
  readonly #raws: (RawMedia | undefined)[] = [];
  readonly #pools: (SocketsMedia | undefined)[] = [];
  readonly #freePorts: number[] = [];
  readonly #dirty: TxBatch[] = [];
  #dirtyCount = 0;
  #dropsAtUs: number;
  #open = true;

  constructor(options: LinuxWireOptions = {}) {
    this.nowUs = options.nowUs ?? monotonicUs;
    this.media = chooseMedia(options.media ?? 'auto');
    this.#bufferBytes = options.bufferBytes ?? 8 << 20;
    this.#dropsAtUs = this.nowUs();
    this.#epfd = this.#libc.epollCreate(EPOLL_CLOEXEC);
    if (this.#epfd < 0) throw new HarnessError('NO_CAPABILITY', 'too many open files; raise ulimit -n');
    this.#wait[0] = this.#epfd;
    this.#wait[1] = POLLIN;
  }

  bind(ip: number, port: number, sink: Sink): UdpPort {
    const fd = openUdp(ip, port);
    if (fd < 0) throw bindError(-fd, ip, port);
    setBuffers(fd, this.#bufferBytes, this.#bufferBytes);
    reportErrors(fd, ip);
    const index = this.#freePorts.pop() ?? this.#ports.length;
    const local = port === 0 ? boundPort(fd) : port;
    const udp = isIp6(ip)
      ? new LinuxUdpPort(this, index, fd, ip, local, this.#known(sink), this.#batch6(fd), this.#receiver6())
      : new LinuxUdpPort(this, index, fd, ip, local, sink, this.#batch4(fd), this.#rx);
    this.#ports[index] = udp;
    this.#watch(fd, index, IS_UDP);
    return udp;
  }

  #batch4(fd: number): TxBatch {
    return new TxBatch(fd, this.counters, this.#errors, 0, 0);
  }
  #batch6(fd: number): TxBatch {
    return new TxBatch6(fd, this.counters, this.#errors);
  }
  #receiver6(): RxBatch {
    this.#rx6 ??= new RxBatch6();
    return this.#rx6;
  }
  /** A datagram from an address that found no room is one that we had no room for. */
  #known(sink: Sink): Sink {
    return (bytes, off, len, srcIp, srcPort, nowUs) => {
      if (srcIp === IP6_NONE) this.counters.receiveDropped++;
      else sink(bytes, off, len, srcIp, srcPort, nowUs);
    };
  }

  openMedia(range: MediaRange, sink: MediaSink): MediaPorts {
    const counters = this.counters;
    if (this.media.kind === 'raw' && !isIp6(range.ip)) {
      const index = this.#raws.length;
      const raw = new RawMedia(range, sink, {
        counters,
        rx: this.#rx,
        errors: this.#errors,
        bufferBytes: this.#bufferBytes,
        markDirty: (batch) => this.markDirty(batch),
        onClose: () => {
          this.#raws[index] = undefined;
        },
      });
      this.#raws.push(raw);
      this.#watch(raw.errors.fd, index, IS_RAW);
      return raw;
    }
    const index = this.#pools.length;
    const pool = new SocketsMedia(range, sink, {
      counters,
      errors: this.#errors,
      epfd: this.#epfd,
      index: index + FIRST_POOL,
      onClose: () => {
        this.#pools[index] = undefined;
      },
    });
    this.#pools.push(pool);
    return pool;
  }

  markDirty(batch: TxBatch): void {
    this.#dirty[this.#dirtyCount++] = batch;
  }

  flush(): void {
    for (let i = 0; i < this.#dirtyCount; i++) this.#dirty[i]!.flush();
    this.#dirtyCount = 0;
  }

  /** Waits up to waitUs for something to read, reads it, calls the sinks. Returns datagrams handled. */
  poll(waitUs: number): number {
    const nowUs = this.nowUs();
    if (nowUs - this.#dropsAtUs >= DROPS_EVERY_US) this.sampleDrops(nowUs);
    let ready = this.#libc.epollWait(this.#epfd, this.#eventsAt, EVENTS_MAX, 0);
    if (ready <= 0) {
      if (waitUs <= 0) return this.#drainRings();
      // epoll_wait counts in milliseconds and epoll_pwait2 is missing from older libcs; an epoll set can itself be polled.
      this.#sleep(waitUs, 1);
      this.idleUs += this.nowUs() - nowUs;
      ready = this.#libc.epollWait(this.#epfd, this.#eventsAt, EVENTS_MAX, 0);
    }
    // Rings wake nobody: they have room for longer than any wait, and the kernel noted when each packet came.
    let handled = this.#drainRings();
    for (let round = 1; ready > 0; round++) {
      handled += this.#dispatch(ready);
      if (ready < EVENTS_MAX || round === ROUNDS || !this.#open) break;
      ready = this.#libc.epollWait(this.#epfd, this.#eventsAt, EVENTS_MAX, 0);
    }
    return handled;
  }

  #drainRings(): number {
    let handled = 0;
    for (let i = 0; i < this.#raws.length && this.#open; i++) handled += this.#raws[i]?.receive(this.nowUs) ?? 0;
    return handled;
  }

  /** Lets packets gather for so long; nothing is read. */
  rest(us: number): void {
    if (us <= 0) return;
    const nowUs = this.nowUs();
    this.#sleep(us, 0);
    this.idleUs += this.nowUs() - nowUs;
  }

  #sleep(us: number, fds: number): void {
    this.#wait[2] = Math.floor(us / 1_000_000);
    this.#wait[4] = Math.floor((us % 1_000_000) * 1000);
    this.#libc.ppoll(this.#waitAt, fds, this.#waitAt + 8, 0);
  }

  /** Reads after an error as well: that clears a pending error whose entry found no room in the error queue. */
  #dispatch(ready: number): number {
    const nowUs = this.nowUs();
    const stride = EPOLL_EVENT_BYTES >> 2;
    const data = EPOLL_DATA_OFFSET >> 2;
    let handled = 0;
    for (let i = 0; i < ready && this.#open; i++) {
      const mask = this.#events[i * stride]!;
      const index = this.#events[i * stride + data]!;
      const owner = this.#events[i * stride + data + 1]!;
      if (owner === IS_UDP) {
        const port = this.#ports[index];
        if (port === undefined) continue;
        if (mask & EPOLLERR) this.counters.unreachable += this.#errors.drain(port.fd);
        handled += this.#receive(port);
      } else if (owner === IS_RAW) {
        this.#raws[index]?.takeErrors();
      } else {
        const pool = this.#pools[owner - FIRST_POOL];
        if (pool === undefined) continue;
        if (mask & EPOLLERR) pool.takeErrors(index);
        handled += pool.receive(index, nowUs);
      }
    }
    return handled;
  }

  #receive(port: LinuxUdpPort): number {
    const { rx } = port;
    let handled = 0;
    for (let round = 0; round < ROUNDS && port.batch.open; round++) {
      const n = rx.receive(port.fd);
      if (n < 0) {
        if (this.#libc.errno() !== ECONNREFUSED) break;
        this.counters.unreachable += this.#errors.drain(port.fd);
        continue;
      }
      const nowUs = this.nowUs();
      // A sink may close its own port: what is left of the batch was then never received.
      for (let i = 0; i < n && port.batch.open; i++) {
        const len = rx.length(i);
        if (len > DATAGRAM_MAX || rx.flags(i) & MSG_TRUNC) {
          this.counters.receiveDropped++;
          continue;
        }
        handled++;
        port.sink(rx.bytes, i * STRIDE, len, rx.srcIp(i), rx.srcPort(i), nowUs);
      }
      if (n < BATCH) break;
    }
    this.counters.received += handled;
    return handled;
  }

  /** Asks the kernel what it dropped: once a second by itself, and when a port closes. */
  sampleDrops(nowUs = this.nowUs()): void {
    this.#dropsAtUs = nowUs;
    for (const port of this.#ports) if (port) this.#sampleDrops(port);
    for (const raw of this.#raws) raw?.sampleDrops();
  }
  #sampleDrops(port: LinuxUdpPort): void {
    const drops = kernelDrops(port.fd);
    this.counters.receiveDropped += drops - port.dropsSeen;
    port.dropsSeen = drops;
  }

  forget(port: LinuxUdpPort): void {
    this.#sampleDrops(port);
    this.#ports[port.index] = undefined;
    this.#freePorts.push(port.index);
  }

  close(): void {
    if (!this.#open) return;
    this.flush();
    for (const port of this.#ports) port?.close();
    for (const raw of this.#raws) raw?.close();
    for (const pool of this.#pools) pool?.close();
    this.#open = false;
    this.#libc.close(this.#epfd);
  }

  #watch(fd: number, index: number, owner: number): void {
    const event = new DataView(new ArrayBuffer(64));
    event.setUint32(0, EPOLLIN, true);
    event.setUint32(EPOLL_DATA_OFFSET, index, true);
    event.setUint32(EPOLL_DATA_OFFSET + 4, owner, true);
    this.#libc.epollCtl(this.#epfd, EPOLL_CTL_ADD, fd, this.#libc.address(event));
  }
}
