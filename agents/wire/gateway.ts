/**
 * Subscribers behind a router, on loopback, where nothing forces a packet through a router: so each datagram carries the
 * UDP request header of SOCKS5 (RFC 1928 section 7) and goes to the router, which takes it off, translates and sends on.
 * What comes back is wrapped the same way, with its true source. A datagram from anybody but the router never arrives:
 * these addresses are private.
 *
 *      +-----+------+------+----------+----------+----------+
 *      | RSV | FRAG | ATYP | DST.ADDR | DST.PORT |   DATA   |
 *      |  2  |  1=0 | 1=1  |    4     |    2     | variable |
 *      +-----+------+------+----------+----------+----------+
 */
import { Copier } from './copier.js';
import type { MediaPorts, MediaPortsKind, MediaRange, MediaSink, Sink, UdpPort, Wire, WireCounters } from './types.js';

/** Length of the header with an IPv4 address. */
export const WRAP_BYTES = 10;

export function putWrap(b: Uint8Array, o: number, ip: number, port: number): void {
  b[o] = 0;
  b[o + 1] = 0;
  b[o + 2] = 0;
  b[o + 3] = 1;
  b[o + 4] = ip >>> 24;
  b[o + 5] = ip >>> 16;
  b[o + 6] = ip >>> 8;
  b[o + 7] = ip;
  b[o + 8] = port >>> 8;
  b[o + 9] = port;
}

/** Whole datagrams to IPv4 only: a fragment or another address type is dropped, as RFC 1928 allows. */
export function isWrapped(b: Uint8Array, o: number, len: number): boolean {
  return len >= WRAP_BYTES && b[o] === 0 && b[o + 1] === 0 && b[o + 2] === 0 && b[o + 3] === 1;
}

export function wrapIp(b: Uint8Array, o: number): number {
  return ((b[o + 4]! << 24) | (b[o + 5]! << 16) | (b[o + 6]! << 8) | b[o + 7]!) >>> 0;
}

export function wrapPort(b: Uint8Array, o: number): number {
  return (b[o + 8]! << 8) | b[o + 9]!;
}

class GatewayPort implements UdpPort {
  readonly #copier = new Copier();
  readonly ip: number;
  readonly port: number;
  readonly tx: Uint8Array;
  constructor(
    readonly inner: UdpPort,
    readonly gatewayIp: number,
    readonly gatewayPort: number,
  ) {
    this.ip = inner.ip;
    this.port = inner.port;
    this.tx = inner.tx;
  }
  slot(): number {
    return this.inner.slot() + WRAP_BYTES;
  }
  commit(len: number, dstIp: number, dstPort: number): void {
    putWrap(this.tx, this.inner.slot(), dstIp, dstPort);
    this.inner.commit(len + WRAP_BYTES, this.gatewayIp, this.gatewayPort);
  }
  send(bytes: Uint8Array, off: number, len: number, dstIp: number, dstPort: number): void {
    const to = this.slot();
    this.#copier.copy(bytes, off, this.tx, to, len);
    this.commit(len, dstIp, dstPort);
  }
  close(): void {
    this.inner.close();
  }
}

class GatewayMedia implements MediaPorts {
  readonly kind: MediaPortsKind;
  readonly ip: number;
  readonly tx: Uint8Array;
  constructor(
    readonly inner: MediaPorts,
    readonly gatewayIp: number,
    readonly gatewayPort: number,
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
    return this.inner.slot() + WRAP_BYTES;
  }
  commit(len: number, srcPort: number, dstIp: number, dstPort: number): void {
    putWrap(this.tx, this.inner.slot(), dstIp, dstPort);
    this.inner.commit(len + WRAP_BYTES, srcPort, this.gatewayIp, this.gatewayPort);
  }
  close(): void {
    this.inner.close();
  }
}

class GatewayWire implements Wire {
  readonly kind: Wire['kind'];
  readonly counters: WireCounters;
  constructor(
    readonly inner: Wire,
    readonly gatewayIp: number,
    readonly gatewayPort: number,
  ) {
    this.kind = inner.kind;
    this.counters = inner.counters;
  }
  nowUs(): number {
    return this.inner.nowUs();
  }
  bind(ip: number, port: number, sink: Sink): UdpPort {
    const { gatewayIp, gatewayPort } = this;
    const unwrap: Sink = (b, off, len, srcIp, srcPort, nowUs) => {
      if (srcIp !== gatewayIp || srcPort !== gatewayPort || !isWrapped(b, off, len)) return;
      sink(b, off + WRAP_BYTES, len - WRAP_BYTES, wrapIp(b, off), wrapPort(b, off), nowUs);
    };
    return new GatewayPort(this.inner.bind(ip, port, unwrap), gatewayIp, gatewayPort);
  }
  openMedia(range: MediaRange, sink: MediaSink): MediaPorts {
    const { gatewayIp, gatewayPort } = this;
    const unwrap: MediaSink = (b, off, len, localPort, srcIp, srcPort, nowUs) => {
      if (srcIp !== gatewayIp || srcPort !== gatewayPort || !isWrapped(b, off, len)) return;
      sink(b, off + WRAP_BYTES, len - WRAP_BYTES, localPort, wrapIp(b, off), wrapPort(b, off), nowUs);
    };
    return new GatewayMedia(this.inner.openMedia(range, unwrap), gatewayIp, gatewayPort);
  }
  flush(): void {
    this.inner.flush();
  }
  close(): void {
    this.inner.close();
  }
}

/** The same wire, seen from behind the router at gatewayIp:gatewayPort. Datagrams may be 10 bytes shorter at most. */
export function behindGateway(wire: Wire, gatewayIp: number, gatewayPort: number): Wire {
  return new GatewayWire(wire, gatewayIp, gatewayPort);
}
