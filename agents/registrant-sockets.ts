import { type Local, localOf } from './sip/local.js';
import type { UdpPort, Wire } from './wire/types.js';

export interface SocketUser {
  receive(
    port: UdpPort,
    bytes: Uint8Array,
    off: number,
    len: number,
    srcIp: number,
    srcPort: number,
    nowUs: number,
  ): void;
  /** RFC 5626 4.2.1: the flow of phones [first, end) from a port of theirs failed, and their bindings over it with it. */
  lost(flow: Flow, first: number, end: number, why: string, nowUs: number): void;
}

/** A connection. */
export interface Flow {
  port: UdpPort;
  peerIp: number;
  peerPort: number;
}

/** The ports of one worker's phones: `perSocket` of them share one, which over a stream is one connection. */
export class PhoneSockets {
  readonly #ports: UdpPort[] = [];

  constructor(
    wire: Wire,
    ip: number,
    phones: number,
    private readonly perSocket: number,
    user: SocketUser,
  ) {
    for (let first = 0; first < phones; first += perSocket) {
      const end = Math.min(phones, first + perSocket);
      const port: UdpPort = wire.bind(
        ip,
        0,
        (bytes, off, len, srcIp, srcPort, us) => user.receive(port, bytes, off, len, srcIp, srcPort, us),
        (peerIp, peerPort, why, us) => user.lost({ port, peerIp, peerPort }, first, end, why, us),
      );
      this.#ports.push(port);
    }
  }

  portOf(phone: number): UdpPort {
    return this.#ports[Math.floor(phone / this.perSocket)]!;
  }
  localOf(phone: number): Local {
    return localOf(this.portOf(phone));
  }
}
