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
  /** RFC 5626 4.2.1: the flow of phones [first, end) failed, and their bindings over it with it. */
  lost(first: number, end: number, why: string, nowUs: number): void;
}

/** The ports of one worker's phones: `perSocket` of them share one, which over a stream is one connection. */
export class PhoneSockets {
  readonly #ports: UdpPort[] = [];
  readonly #locals: Local[] = [];

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
        (_ip, _port, why, us) => user.lost(first, end, why, us),
      );
      this.#ports.push(port);
      this.#locals.push(localOf(port));
    }
  }

  portOf(phone: number): UdpPort {
    return this.#ports[Math.floor(phone / this.perSocket)]!;
  }
  localOf(phone: number): Local {
    return this.#locals[Math.floor(phone / this.perSocket)]!;
  }
}
