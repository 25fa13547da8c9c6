/**
 * The wire for SIP over TCP, TLS and WebSocket: ports look like those of UDP, and a port finds or opens the connection to
 * where it is told to send (RFC 3261 18.1.1: one that is there is used again). Media goes over the wire that lies below.
 * It runs on Node's event loop, so its thread does too (runEvented).
 */
import { assert, type HarnessError } from '../../harness/errors.js';
import { Connection, type ConnectionOwner } from './connection.js';
import type { DgramWire } from './dgram.js';
import { LinuxWire } from './linux.js';
import { Listener } from './listener.js';
import { dial, type Pipe, type PipeEvents } from './pipe.js';
import { CONNECTIONS_MAX, type StreamPlan, streamCounters } from './stream-options.js';
import {
  type Actor,
  hostPort,
  ipFromString,
  ipToString,
  type Lost,
  type MediaPorts,
  type MediaRange,
  type MediaSink,
  type Sink,
  type StreamTransport,
  type UdpPort,
  type Wire,
} from './types.js';

const SWEEP_US = 1_000_000;
/** What can be written in one go; longer messages can be received. */
const TX_BYTES = 16_384;

export class StreamWire implements Wire, Actor {
  readonly kind = 'stream';
  readonly counters = streamCounters();
  readonly keepAliveUs: number;
  /** Called when something came: an event-driven loop ticks its actors then. */
  onReceive: () => void = () => undefined;
  /** Reads the sockets that the event loop does not watch; absent when there are none. */
  readonly poll: (() => void) | undefined;
  readonly #ports = new Set<StreamPort>();
  readonly #listeners: Listener[] = [];
  readonly #dirty: Connection[] = [];
  /** Told in the next tick: whoever sends must not be told of a loss in the middle of it. */
  readonly #lost: (() => void)[] = [];
  #failure: HarnessError | null = null;
  #sweepAtUs = 0;
  #names = 0;

  private constructor(
    readonly plan: StreamPlan,
    readonly below: LinuxWire | DgramWire,
  ) {
    this.keepAliveUs = plan.keepAliveMs * 1000;
    this.poll = below instanceof LinuxWire ? () => void below.poll(0) : undefined;
    if (!(below instanceof LinuxWire)) below.onReceive = () => this.onReceive();
  }

  /** With its listeners listening: bind() finds its port there. Rejects with PORT_IN_USE or the like. */
  static async open(plan: StreamPlan, below: LinuxWire | DgramWire): Promise<StreamWire> {
    const wire = new StreamWire(plan, below);
    for (const at of plan.listen) {
      const listener = new Listener(plan, at);
      await listener.listen();
      wire.#listeners.push(listener);
    }
    return wire;
  }

  nowUs(): number {
    return this.below.nowUs();
  }

  /**
   * On a port that is listened on, the first to bind owns what is accepted there; port 0 takes any of that address, and
   * more may bind to it, each for connections of its own. A WebSocket client needs none: it has a name instead.
   */
  bind(ip: number, port: number, sink: Sink, lost: Lost = () => undefined): UdpPort {
    const fitting = this.#listeners.filter((l) => l.ip === ip && (port === 0 || l.port === port));
    const listener = fitting.find((l) => l.user === null) ?? fitting.at(-1) ?? null;
    const name = listener === null ? `${this.plan.label}-${this.#names++}.invalid` : undefined;
    const made = new StreamPort(this, ip, listener, name, sink, lost);
    this.#ports.add(made);
    if (listener !== null && listener.user === null) listener.user = made;
    else assert(port === 0, `nothing listens on ${hostPort(ip, port)}`);
    return made;
  }

  openMedia(range: MediaRange, sink: MediaSink): MediaPorts {
    return this.below.openMedia(range, sink);
  }

  tick(nowUs: number): number {
    if (this.#failure !== null) throw this.#failure;
    for (let i = 0; i < this.#lost.length; i++) this.#lost[i]!();
    this.#lost.length = 0;
    if (nowUs >= this.#sweepAtUs) {
      this.#sweepAtUs = nowUs + SWEEP_US;
      for (const port of this.#ports) port.sweep(nowUs);
    }
    return this.#sweepAtUs;
  }

  flush(): void {
    for (const connection of this.#dirty) connection.flush();
    this.#dirty.length = 0;
    this.below.flush();
  }

  close(): void {
    this.flush();
    for (const listener of this.#listeners) listener.close();
    for (const port of this.#ports) port.close();
  }

  markDirty(connection: Connection): void {
    this.#dirty.push(connection);
  }
  later(what: () => void): void {
    this.#lost.push(what);
    this.onReceive();
  }
  forget(port: StreamPort): void {
    this.#ports.delete(port);
  }
  hasRoom(): boolean {
    const { open, connecting } = this.counters;
    if (open + connecting < CONNECTIONS_MAX) return true;
    this.counters.noRoom++;
    return false;
  }
  /** After an outage. A port that somebody else took meanwhile ends the run. */
  relisten(listener: Listener): void {
    listener.listen().catch((error: HarnessError) => {
      this.#failure = error;
      this.onReceive();
    });
  }
}

export class StreamPort implements UdpPort, ConnectionOwner {
  readonly tx = new Uint8Array(TX_BYTES);
  readonly transport: StreamTransport;
  /** The connection, of several to one peer, that the next commit goes over, and that the last message came over. */
  lane = 0;
  /** By lane, then by address. */
  readonly #dialled: Map<number, Connection>[] = [];
  readonly #accepted = new Map<number, Connection>();
  /** By lane, where a connection that we had dialled is gone. */
  readonly #gone: Set<number>[] = [];
  #open = true;

  constructor(
    private readonly wire: StreamWire,
    readonly ip: number,
    private readonly listener: Listener | null,
    private readonly name: string | undefined,
    private readonly sink: Sink,
    private readonly lost: Lost,
  ) {
    this.transport = wire.plan.transport;
  }

  get port(): number {
    return this.listener?.port ?? 0;
  }
  get sentBy(): string {
    return this.name ?? hostPort(this.ip, this.port);
  }
  get counters(): StreamWire['counters'] {
    return this.wire.counters;
  }
  get keepAliveUs(): number {
    return this.wire.keepAliveUs;
  }
  nowUs(): number {
    return this.wire.nowUs();
  }
  markDirty(connection: Connection): void {
    this.wire.markDirty(connection);
  }

  slot(): number {
    return 0;
  }
  commit(len: number, dstIp: number, dstPort: number): void {
    this.send(this.tx, 0, len, dstIp, dstPort);
  }
  send(bytes: Uint8Array, off: number, len: number, dstIp: number, dstPort: number): void {
    if (!this.#open) return;
    const key = dstIp * 65_536 + dstPort;
    const connection = this.#accepted.get(key) ?? this.#lane(this.lane).get(key) ?? this.#dial(dstIp, dstPort, key);
    connection?.send(bytes, off, len);
  }

  #lane(lane: number): Map<number, Connection> {
    this.#dialled[lane] ??= new Map();
    return this.#dialled[lane];
  }

  #dial(ip: number, port: number, key: number): Connection | undefined {
    const { transport, tls, path } = this.wire.plan;
    if (!this.wire.hasRoom()) {
      this.wire.later(() => this.lost(ip, port, 'no room', this.nowUs()));
      return undefined;
    }
    if (this.#gone[this.lane]?.has(key)) this.wire.counters.redialled++;
    const to = { transport, host: ipToString(ip), port, localHost: ipToString(this.ip), tls, path };
    const connection = new Connection(this, ip, port, true, this.lane, (events) => dial(to, events));
    this.#lane(this.lane).set(key, connection);
    return connection;
  }

  onConnection(host: string, port: number, connect: (events: PipeEvents) => Pipe): void {
    const ip = ipFromString(host);
    // Without a number its answers could not find it.
    if (!this.#open || Number.isNaN(ip) || !this.wire.hasRoom()) {
      connect({ onOpen: nothing, onBytes: nothing, onMessage: nothing, onGone: nothing }).destroy();
      return;
    }
    this.#accepted.set(ip * 65_536 + port, new Connection(this, ip, port, false, 0, connect));
  }

  onRefused(why: 'TLS' | 'WebSocket'): void {
    this.counters[why === 'TLS' ? 'tlsFailed' : 'webSocketFailed']++;
  }

  onMessage(connection: Connection, bytes: Uint8Array, off: number, len: number): void {
    this.lane = connection.lane;
    this.sink(bytes, off, len, connection.ip, connection.port, this.nowUs());
    this.wire.onReceive();
  }

  onGone(connection: Connection, why: string): void {
    this.#drop(connection);
    this.wire.later(() => this.lost(connection.ip, connection.port, why, this.nowUs()));
  }

  #drop(connection: Connection): void {
    const flows = connection.dialled ? this.#lane(connection.lane) : this.#accepted;
    const key = connection.ip * 65_536 + connection.port;
    if (flows.get(key) === connection) flows.delete(key);
    if (!connection.dialled) return;
    this.#gone[connection.lane] ??= new Set();
    this.#gone[connection.lane]!.add(key);
  }

  *#connections(): Generator<Connection> {
    yield* this.#accepted.values();
    for (const flows of this.#dialled) if (flows !== undefined) yield* flows.values();
  }

  sweep(nowUs: number): void {
    for (const connection of [...this.#connections()]) connection.sweep(nowUs);
  }

  get listening(): boolean {
    return this.listener?.listening ?? false;
  }

  /** As a server that went away and came back: every connection is cut, and new ones are refused until then. */
  setListening(on: boolean): void {
    const { listener } = this;
    if (listener === null || listener.listening === on) return;
    if (on) {
      this.wire.relisten(listener);
      return;
    }
    listener.close();
    for (const connection of [...this.#connections()]) {
      connection.destroy();
      this.#drop(connection);
    }
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    for (const connection of [...this.#connections()]) connection.destroy();
    this.wire.forget(this);
  }
}

function nothing(): void {
  // a connection that is closed as soon as it came
}
