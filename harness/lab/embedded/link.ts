import { Copier } from '../../../agents/wire/copier.js';
import type { Actor, Lost, MediaPorts, MediaSink, Sink, UdpPort, Wire } from '../../../agents/wire/types.js';
import { Line } from '../../impair/line.js';

/** Seen from the part that the link belongs to. */
export type Way = 'in' | 'out';

/**
 * The network in front of one part of the platform: a wire like the one that it lies on, on which datagrams can be lost,
 * delayed, held, or cut off. The part knows nothing of it.
 *
 *   part --commit--> [ out: Line ] --> wire          wire --sink--> [ in: Line ] --> part
 *
 * A flow is a pair of ports and the last byte of the other address: the same in every /24 that a run happens to get.
 */
export class Link implements Wire, Actor {
  readonly kind: Wire['kind'];
  readonly counters: Wire['counters'];
  readonly in: Line;
  readonly out: Line;
  readonly #ports: LinkPort[] = [];
  readonly #media: LinkMedia[] = [];

  constructor(
    private readonly wire: Wire,
    skip = 0,
  ) {
    this.kind = wire.kind;
    this.counters = wire.counters;
    // z: which port, or the local port of which media pool; w: that number, or -1 - the pool's.
    this.in = new Line((b, off, len, ip, port, local, w, nowUs) => {
      if (w >= 0) this.#ports[w]!.sink(b, off, len, ip, port, nowUs);
      else this.#media[-1 - w]!.sink(b, off, len, local, ip, port, nowUs);
    }, skip);
    this.out = new Line((b, off, len, ip, port, local, w) => {
      if (w >= 0) this.#ports[w]!.inner.send(b, off, len, ip, port);
      else this.#media[-1 - w]!.release(b, off, len, local, ip, port);
    }, skip);
  }

  line(way: Way): Line {
    return way === 'in' ? this.in : this.out;
  }

  tick(nowUs: number): number {
    return Math.min(this.in.tick(nowUs), this.out.tick(nowUs));
  }

  nowUs(): number {
    return this.wire.nowUs();
  }

  /** Bound once more, after its process was gone: the same socket, in other hands. */
  bind(ip: number, port: number, sink: Sink, lost?: Lost): UdpPort {
    const known = this.#ports.findIndex((p) => p.ip === ip && p.port === port && port !== 0);
    if (known >= 0) {
      const { inner } = this.#ports[known]!;
      this.#ports[known]!.open = false;
      this.#ports[known] = new LinkPort(this, inner, sink, known);
      return this.#ports[known]!;
    }
    const w = this.#ports.length;
    const heard: Sink = (b, off, len, srcIp, srcPort, nowUs) => {
      const flow = ((inner.port << 16) | srcPort) >>> 0;
      if (this.in.pass(b, off, len, flow, srcIp & 255, srcIp, srcIp, srcPort, 0, w, nowUs))
        this.#ports[w]!.sink(b, off, len, srcIp, srcPort, nowUs);
    };
    const inner = this.wire.bind(ip, port, heard, lost);
    const linked = new LinkPort(this, inner, sink, w);
    this.#ports.push(linked);
    return linked;
  }

  openMedia(range: Parameters<Wire['openMedia']>[0], sink: MediaSink): MediaPorts {
    const w = -1 - this.#media.length;
    const inner = this.wire.openMedia(range, (b, off, len, local, srcIp, srcPort, nowUs) => {
      const flow = ((local << 16) | srcPort) >>> 0;
      if (this.in.pass(b, off, len, flow, srcIp & 255, srcIp, srcIp, srcPort, local, w, nowUs))
        sink(b, off, len, local, srcIp, srcPort, nowUs);
    });
    const linked = new LinkMedia(this, inner, sink, w);
    this.#media.push(linked);
    return linked;
  }

  flush(): void {
    this.wire.flush();
  }

  close(): void {
    for (const port of this.#ports) port.close();
    for (const media of this.#media) media.close();
  }
}

class LinkPort implements UdpPort {
  open = true;
  readonly #copier = new Copier();
  readonly ip: number;
  readonly port: number;
  readonly tx: Uint8Array;
  constructor(
    readonly link: Link,
    readonly inner: UdpPort,
    readonly sink: Sink,
    readonly number: number,
  ) {
    this.ip = inner.ip;
    this.port = inner.port;
    this.tx = inner.tx;
  }
  slot(): number {
    return this.inner.slot();
  }
  commit(len: number, dstIp: number, dstPort: number): void {
    if (!this.open) return;
    const { link, inner, number } = this;
    const flow = ((this.port << 16) | dstPort) >>> 0;
    const at = inner.slot();
    if (link.out.pass(this.tx, at, len, flow, dstIp & 255, dstIp, dstIp, dstPort, 0, number, link.nowUs()))
      inner.commit(len, dstIp, dstPort);
  }
  send(bytes: Uint8Array, off: number, len: number, dstIp: number, dstPort: number): void {
    this.#copier.copy(bytes, off, this.tx, this.inner.slot(), len);
    this.commit(len, dstIp, dstPort);
  }
  drops(): number {
    return this.inner.drops?.() ?? 0;
  }
  close(): void {
    this.open = false;
    this.inner.close();
  }
}

class LinkMedia implements MediaPorts {
  readonly #copier = new Copier();
  readonly kind: MediaPorts['kind'];
  readonly ip: number;
  readonly tx: Uint8Array;
  constructor(
    readonly link: Link,
    readonly inner: MediaPorts,
    readonly sink: MediaSink,
    readonly number: number,
  ) {
    this.kind = inner.kind;
    this.ip = inner.ip;
    this.tx = inner.tx;
  }
  openPair(): number {
    return this.inner.openPair();
  }
  closePair(evenPort: number): void {
    this.inner.closePair(evenPort);
  }
  slot(): number {
    return this.inner.slot();
  }
  commit(len: number, srcPort: number, dstIp: number, dstPort: number): void {
    const { link, inner, number } = this;
    const flow = ((srcPort << 16) | dstPort) >>> 0;
    const at = inner.slot();
    if (link.out.pass(this.tx, at, len, flow, dstIp & 255, dstIp, dstIp, dstPort, srcPort, number, link.nowUs()))
      inner.commit(len, srcPort, dstIp, dstPort);
  }
  /** A datagram that the line held. */
  release(b: Uint8Array, off: number, len: number, srcPort: number, dstIp: number, dstPort: number): void {
    this.#copier.copy(b, off, this.tx, this.inner.slot(), len);
    this.inner.commit(len, srcPort, dstIp, dstPort);
  }
  close(): void {
    this.inner.close();
  }
}
