import { Copier } from '../../../agents/wire/copier.js';
import type { Actor, MediaPorts, MediaSink, Wire } from '../../../agents/wire/types.js';
import type { CpuQuota } from './cpu-quota.js';

export const SIDE = { A: 0, B: 1 } as const;
export type Side = (typeof SIDE)[keyof typeof SIDE];

export interface RelayOptions {
  wire: Wire;
  ip: number;
  /** Even. The pool is portMin ... portMin + ports - 1. */
  portMin: number;
  /** RelayConfig.ports; a call takes four. */
  ports: number;
  /** What the machine leaves it to forward with. */
  quota?: CpuQuota;
  /** Can this address from an SDP be sent to? A subscriber's private one cannot, until it is heard from. */
  isRoutable: (ip: number) => boolean;
}

/** UDP ports of one call: RTP and RTCP on each side. */
export const PORTS_PER_CALL = 4;

/**
 * A media relay with a port pool. Each side is symmetric RTP (RFC 4961): it answers to where the first packet came from;
 * until then to the SDP's address, if that can be reached at all. So a subscriber behind a router who cannot be heard
 * cannot be spoken to either: both directions are dead.
 */
export class MediaRelay implements Actor {
  readonly metrics = {
    portsUsed: 0,
    portsMax: 0,
    allocFailedTotal: 0,
    forwardedTotal: 0,
    /** Nobody's port, or a call that is over. */
    strayTotal: 0,
    /** Nowhere to send it yet. */
    unroutableTotal: 0,
    /** Found its receive buffer full, for want of processor time. */
    overflowTotal: 0,
  };
  readonly ip: number;
  readonly #media: MediaPorts;
  readonly #isRoutable: (ip: number) => boolean;
  /** By local port: the local port that it leaves from on the other side; 0 = not in use. */
  readonly #peer = new Uint16Array(65_536);
  /** By local port: where the party of this side is reached; port 0 = not known, or not routable. */
  readonly #toIp = new Uint32Array(65_536);
  readonly #toPort = new Uint16Array(65_536);
  readonly #latched = new Uint8Array(65_536);
  readonly #count = new Uint32Array(65_536);
  readonly #lastUs = new Float64Array(65_536);
  readonly #copier = new Copier();
  readonly #quota: CpuQuota | null;

  constructor(options: RelayOptions) {
    this.ip = options.ip;
    this.#isRoutable = options.isRoutable;
    const ports = options.ports & ~1;
    this.metrics.portsMax = ports;
    const range = { ip: options.ip, portMin: options.portMin, portMax: options.portMin + ports - 1 };
    this.#quota = options.quota?.limited ? options.quota : null;
    this.#media = options.wire.openMedia(range, this.#receive);
  }

  /** Time in which packets waited though the socket was readable, ms: the quota was used up. */
  get throttledMs(): number {
    return this.#quota?.throttledMs ?? 0;
  }
  /** Packets that wait. */
  get backlog(): number {
    return this.#quota?.waiting ?? 0;
  }

  /** Four ports, or null when the pool (or the system) has no more. Freed ports go to the back of the wire's queue. */
  allocate(): RelaySession | null {
    const full = this.metrics.portsUsed + PORTS_PER_CALL > this.metrics.portsMax;
    const a = full ? 0 : this.#media.openPair();
    const b = a === 0 ? 0 : this.#media.openPair();
    if (b === 0) {
      if (a !== 0) this.#media.closePair(a);
      this.metrics.allocFailedTotal++;
      return null;
    }
    for (let kind = 0; kind < 2; kind++) {
      this.#open(a + kind, b + kind);
      this.#open(b + kind, a + kind);
    }
    this.metrics.portsUsed += PORTS_PER_CALL;
    return new RelaySession(this, a, b);
  }

  /** Ports of the pool from now on; those in use stay. */
  setPorts(ports: number): void {
    this.metrics.portsMax = ports;
  }

  /** What waited for the quota's next period. */
  tick(nowUs: number): number {
    return this.#quota === null ? Number.POSITIVE_INFINITY : this.#quota.drain(nowUs, this.#forward);
  }

  close(): void {
    this.#media.close();
  }

  /** For RelaySession. */
  setRemote(rtpPort: number, ip: number, port: number, forgetLatch: boolean): void {
    const routable = this.#isRoutable(ip);
    for (let kind = 0; kind < 2; kind++) {
      const local = rtpPort + kind;
      if (forgetLatch) this.#latched[local] = 0;
      if (this.#latched[local] === 1) continue;
      this.#toIp[local] = ip;
      this.#toPort[local] = routable && port !== 0 ? port + kind : 0;
    }
  }
  lastUs(rtpPort: number): number {
    return this.#lastUs[rtpPort]!;
  }
  count(rtpPort: number): number {
    return this.#count[rtpPort]!;
  }
  isLatched(rtpPort: number): boolean {
    return this.#latched[rtpPort] === 1;
  }
  free(a: number, b: number): void {
    for (let kind = 0; kind < 2; kind++) {
      this.#peer[a + kind] = 0;
      this.#peer[b + kind] = 0;
    }
    this.#media.closePair(a);
    this.#media.closePair(b);
    this.metrics.portsUsed -= PORTS_PER_CALL;
  }

  readonly #receive: MediaSink = (bytes, off, len, localPort, srcIp, srcPort, nowUs) => {
    const quota = this.#quota;
    if (quota === null || quota.take(nowUs)) this.#forward(bytes, off, len, localPort, srcIp, srcPort, nowUs);
    else if (!quota.keep(bytes, off, len, localPort, srcIp, srcPort)) this.metrics.overflowTotal++;
  };

  readonly #forward: MediaSink = (bytes, off, len, localPort, srcIp, srcPort, nowUs) => {
    const peer = this.#peer[localPort]!;
    if (peer === 0) {
      this.metrics.strayTotal++;
      return;
    }
    this.#count[localPort]!++;
    this.#lastUs[localPort] = nowUs;
    if (this.#latched[localPort] === 0) {
      this.#latched[localPort] = 1;
      this.#toIp[localPort] = srcIp;
      this.#toPort[localPort] = srcPort;
    }
    const toPort = this.#toPort[peer]!;
    if (toPort === 0) {
      this.metrics.unroutableTotal++;
      return;
    }
    const tx = this.#media.tx;
    const to = this.#media.slot();
    this.#copier.copy(bytes, off, tx, to, len);
    this.#media.commit(len, peer, this.#toIp[peer]!, toPort);
    this.metrics.forwardedTotal++;
  };

  #open(local: number, peer: number): void {
    this.#peer[local] = peer;
    this.#toIp[local] = 0;
    this.#toPort[local] = 0;
    this.#latched[local] = 0;
    this.#count[local] = 0;
    this.#lastUs[local] = Number.NaN;
  }
}

/** The relay's part in one call. */
export class RelaySession {
  #released = false;
  readonly #sdp = [0, 0];

  constructor(
    readonly relay: MediaRelay,
    /** RTP ports of the two sides; RTCP is one above. */
    readonly portA: number,
    readonly portB: number,
  ) {}

  port(side: Side): number {
    return side === SIDE.A ? this.portA : this.portB;
  }

  /** The party's address from its SDP. Another one than before (re-INVITE) makes the side listen anew. */
  setRemote(side: Side, ip: number, port: number): void {
    if (this.#released) return;
    const key = ip * 65_536 + port;
    const known = this.#sdp[side]!;
    if (known === key) return;
    this.#sdp[side] = key;
    this.relay.setRemote(this.port(side), ip, port, known !== 0);
  }

  /** Instant of the last RTP that came in from this side; NaN when none did. */
  lastRtpUs(side: Side): number {
    return this.#released ? Number.NaN : this.relay.lastUs(this.port(side));
  }
  /** RTP packets that came in from this side. */
  rtpCount(side: Side): number {
    return this.#released ? 0 : this.relay.count(this.port(side));
  }
  /** Has this side been heard from? */
  isLatched(side: Side): boolean {
    return !this.#released && this.relay.isLatched(this.port(side));
  }
  /** Gives the four ports back; a second time does nothing. */
  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.relay.free(this.portA, this.portB);
  }
}
