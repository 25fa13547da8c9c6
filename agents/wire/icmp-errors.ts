/**
 * Counts the ICMP port unreachable messages that our own datagrams brought back, from a raw ICMP socket: media sent with
 * headers of our own has no UDP socket that would be told (raw(7), RFC 792).
 */
import { BATCH, type RxBatch, STRIDE } from './batch.js';
import { IPPROTO_ICMP, libc, SOCK_RAW } from './libc.js';
import { bindError, bindSocket, openSocket, setOption } from './socket.js';
import type { MediaRange } from './types.js';

const SOL_RAW = 255;
/** A mask of the types that are not wanted. */
const ICMP_FILTER = 1;
const DEST_UNREACHABLE = 3;
const PORT_UNREACHABLE = 3;
const ICMP_BYTES = 8;

export class IcmpErrors {
  readonly fd: number;
  readonly #range: MediaRange;
  readonly #rx: RxBatch;

  constructor(range: MediaRange, rx: RxBatch) {
    this.#range = range;
    this.#rx = rx;
    const fd = openSocket(SOCK_RAW, IPPROTO_ICMP);
    if (fd < 0) throw bindError(-fd, range.ip, 0);
    setOption(fd, SOL_RAW, ICMP_FILTER, ~(1 << DEST_UNREACHABLE));
    const errno = bindSocket(fd, range.ip, 0);
    if (errno !== 0) {
      libc().close(fd);
      throw bindError(errno, range.ip, range.portMin);
    }
    this.fd = fd;
  }

  /** Messages since the last call about datagrams from our port range. */
  drain(): number {
    const { portMin, portMax } = this.#range;
    const { bytes } = this.#rx;
    let counted = 0;
    for (;;) {
      const n = this.#rx.receive(this.fd);
      for (let i = 0; i < n; i++) {
        const icmp = i * STRIDE + ((bytes[i * STRIDE]! & 15) << 2);
        if (bytes[icmp + 1] !== PORT_UNREACHABLE) continue;
        const inner = icmp + ICMP_BYTES;
        const udp = inner + ((bytes[inner]! & 15) << 2);
        const srcPort = (bytes[udp]! << 8) | bytes[udp + 1]!;
        if (srcPort >= portMin && srcPort <= portMax) counted++;
      }
      if (n < BATCH) return counted;
    }
  }

  close(): void {
    libc().close(this.fd);
  }
}
