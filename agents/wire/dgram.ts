/**
 * The wire for platforms without batched system calls: node:dgram. A third of the speed, and blind to two things: an
 * unconnected dgram socket is not told of ICMP errors, nor of datagrams that the kernel dropped, so `unreachable` and
 * `receiveDropped` stay 0.
 *
 * Binding is made synchronous by a `lookup` that answers at once (addresses are numbers, there is nothing to look up):
 * an occupied port is then known on return. ready() is for the errors that come later all the same.
 */
import { createSocket, type Socket } from 'node:dgram';
import { monotonicUs } from '../../harness/clock.js';
import { assert, HarnessError } from '../../harness/errors.js';
import { isIp6 } from './ip6.js';
import { type Hold, type PairHolder, PairPool } from './pair-pool.js';
import {
  DATAGRAM_MAX,
  hostPort,
  ipFromString,
  ipToString,
  type MediaPorts,
  type MediaRange,
  type MediaSink,
  type Sink,
  type UdpPort,
  type Wire,
  type WireCounters,
} from './types.js';

export interface DgramWireOptions {
  nowUs?: () => number;
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error;
}

function bindFailure(error: unknown, ip: number, port: number): HarnessError {
  const at = hostPort(ip, port);
  const code = isSystemError(error) ? error.code : undefined;
  const cause = { cause: error };
  if (code === 'EADDRINUSE')
    return new HarnessError('PORT_IN_USE', `${at} is in use: stop what listens there, or choose another port`, cause);
  if (code === 'EACCES' || code === 'EMFILE' || code === 'ENFILE')
    return new HarnessError('NO_CAPABILITY', `${at} cannot be bound: ${code}`, cause);
  return new HarnessError('BAD_PLAN', `${at} cannot be bound: ${code ?? String(error)}`, cause);
}

export class DgramWire implements Wire {
  readonly kind = 'dgram';
  readonly counters: WireCounters = { sent: 0, received: 0, sendDropped: 0, receiveDropped: 0, unreachable: 0 };
  readonly nowUs: () => number;
  /** Called after every datagram: an event-driven loop ticks its actors then. */
  onReceive: () => void = () => undefined;
  readonly #closers = new Set<{ close(): void }>();
  readonly #pending = new Set<Promise<void>>();
  #failure: HarnessError | undefined;

  constructor(options: DgramWireOptions = {}) {
    this.nowUs = options.nowUs ?? monotonicUs;
  }

  /** Resolves when every port is bound; rejects with PORT_IN_USE or the like when one could not be. */
  async ready(): Promise<void> {
    await Promise.all(this.#pending);
    if (this.#failure) throw this.#failure;
  }

  bind(ip: number, port: number, sink: Sink): UdpPort {
    const udp = new DgramPort(this, ip, port, sink, () => this.#closers.delete(udp));
    this.#closers.add(udp);
    return udp;
  }

  openMedia(range: MediaRange, sink: MediaSink): MediaPorts {
    const media = new DgramMedia(this, range, sink, () => this.#closers.delete(media));
    this.#closers.add(media);
    return media;
  }

  flush(): void {
    // Each datagram left when it was committed.
  }

  close(): void {
    for (const closer of this.#closers) closer.close();
  }

  /** A bound socket. Throws what the bind failed with, where it failed at once. */
  open(ip: number, port: number, onMessage: (bytes: Buffer, srcIp: number, srcPort: number) => void): Socket {
    const address = ipToString(ip);
    const is6 = isIp6(ip);
    // The type wants dns.lookup's overloads; dgram calls this one only.
    const lookup = (host: string, _family: unknown, done: (e: null, ip: string, family: number) => void) =>
      done(null, host, is6 ? 6 : 4);
    const type = is6 ? 'udp6' : 'udp4';
    const socket = createSocket({ type, ipv6Only: is6, lookup: lookup as never });
    let bound = false;
    let returned = false;
    let failure: unknown;
    const settled = new Promise<void>((resolve) => {
      socket.once('listening', () => {
        bound = true;
        resolve();
      });
      socket.on('error', (error) => {
        failure ??= error;
        if (returned && !bound) this.#failure ??= bindFailure(error, ip, port);
        resolve();
      });
    });
    this.#pending.add(settled);
    settled.then(() => this.#pending.delete(settled));
    socket.on('message', (bytes, from) => {
      const srcIp = ipFromString(from.address);
      // The table of addresses has no room for it.
      if (Number.isNaN(srcIp)) this.counters.receiveDropped++;
      else onMessage(bytes, srcIp, from.port);
      this.onReceive();
    });
    socket.bind({ address, port, exclusive: true });
    returned = true;
    if (failure === undefined) return socket;
    socket.close();
    throw failure;
  }

  sendFrom(socket: Socket, srcIp: number, tx: Uint8Array, len: number, dstIp: number, dstPort: number): void {
    if (isIp6(srcIp) !== isIp6(dstIp)) {
      this.counters.unreachable++;
      return;
    }
    this.counters.sent++;
    // A copy: the socket may keep it until the kernel has room.
    socket.send(Buffer.from(tx.subarray(0, len)), dstPort, ipToString(dstIp), (error) => {
      if (!error) return;
      this.counters.sent--;
      this.counters.sendDropped++;
    });
  }
}

class DgramPort implements UdpPort {
  readonly tx = new Uint8Array(DATAGRAM_MAX);
  readonly #socket: Socket;
  readonly #wanted: number;
  #bound = 0;
  #open = true;
  constructor(
    readonly wire: DgramWire,
    readonly ip: number,
    port: number,
    sink: Sink,
    readonly onClose: () => void,
  ) {
    this.#wanted = port;
    try {
      this.#socket = wire.open(ip, port, (bytes, srcIp, srcPort) => {
        if (!this.#open || bytes.length > DATAGRAM_MAX) return;
        wire.counters.received++;
        sink(bytes, 0, bytes.length, srcIp, srcPort, wire.nowUs());
      });
    } catch (error) {
      throw bindFailure(error, ip, port);
    }
  }
  get port(): number {
    if (this.#wanted !== 0) return this.#wanted;
    if (this.#bound === 0) this.#bound = this.#socket.address().port;
    return this.#bound;
  }
  slot(): number {
    return 0;
  }
  commit(len: number, dstIp: number, dstPort: number): void {
    if (this.#open) this.wire.sendFrom(this.#socket, this.ip, this.tx, len, dstIp, dstPort);
  }
  send(bytes: Uint8Array, off: number, len: number, dstIp: number, dstPort: number): void {
    assert(len <= DATAGRAM_MAX, 'a datagram longer than DATAGRAM_MAX');
    this.tx.set(bytes.subarray(off, off + len));
    this.commit(len, dstIp, dstPort);
  }
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#socket.close();
    this.onClose();
  }
}

class DgramMedia implements MediaPorts, PairHolder {
  readonly kind = 'dgram';
  readonly ip: number;
  readonly tx = new Uint8Array(DATAGRAM_MAX);
  readonly #sockets = new Map<number, Socket>();
  readonly #pool: PairPool;
  #open = true;
  constructor(
    readonly wire: DgramWire,
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
    this.#pool.close(evenPort);
  }
  slot(): number {
    return 0;
  }
  commit(len: number, srcPort: number, dstIp: number, dstPort: number): void {
    const socket = this.#sockets.get(srcPort);
    if (socket) this.wire.sendFrom(socket, this.ip, this.tx, len, dstIp, dstPort);
    else this.wire.counters.sendDropped++;
  }
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#pool.closeAll();
    this.onClose();
  }

  hold(even: number): Hold {
    for (let port = even; port <= even + 1; port++) {
      try {
        this.#sockets.set(port, this.#listen(port));
      } catch (error) {
        if (port !== even) this.#closeSocket(even);
        const code = isSystemError(error) ? error.code : undefined;
        if (code === 'EADDRINUSE') return 'busy';
        if (code === 'EMFILE' || code === 'ENFILE') return 'refused';
        throw bindFailure(error, this.ip, port);
      }
    }
    return 'held';
  }
  release(even: number): void {
    this.#closeSocket(even);
    this.#closeSocket(even + 1);
  }
  reuse(): void {
    // What was waiting was read, and swallowed, by the event loop.
  }
  #listen(port: number): Socket {
    return this.wire.open(this.ip, port, (bytes, srcIp, srcPort) => {
      if (!this.#pool.isOpen(port) || bytes.length > DATAGRAM_MAX) return;
      this.wire.counters.received++;
      this.sink(bytes, 0, bytes.length, port, srcIp, srcPort, this.wire.nowUs());
    });
  }
  #closeSocket(port: number): void {
    this.#sockets.get(port)?.close();
    this.#sockets.delete(port);
  }
}
