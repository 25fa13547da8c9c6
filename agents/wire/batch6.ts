/** Batches whose socket is one of IPv6: the same, but for the addresses. */
import { RxBatch, TxBatch } from './batch.js';
import { IP6_NONE, ip6Number, isIp6 } from './ip6.js';
import { bswap16, SOCKADDR6_BYTES } from './libc.js';
import { putName6 } from './socket.js';

/** Room of a sockaddr_in6 among the names, in words. */
const NAME_WORDS = 8;
/** Where its address begins. */
const ADDRESS = 2;

export class RxBatch6 extends RxBatch {
  readonly #names = new Int32Array(this.names.buffer);
  constructor() {
    super(SOCKADDR6_BYTES);
  }
  /** IP6_NONE: the table of addresses has no room for it. */
  override srcIp(i: number): number {
    return ip6Number(this.#names, i * NAME_WORDS + ADDRESS);
  }
  override srcPort(i: number): number {
    return bswap16(this.#names[i * NAME_WORDS]! >>> 16);
  }
}

export class TxBatch6 extends TxBatch {
  readonly #names = new Int32Array(this.names.buffer);
  constructor(fd: number, counters: TxBatch['counters'], errors: TxBatch['errors']) {
    super(fd, counters, errors, 0, 0, SOCKADDR6_BYTES);
  }
  /** To an address of IPv4, or to one that found no room, there is no way: as if the network had said so. */
  override commit(len: number, dstIp: number, dstPort: number): boolean {
    if (!isIp6(dstIp) || dstIp === IP6_NONE) {
      this.counters.unreachable++;
      return false;
    }
    putName6(this.#names, this.count * NAME_WORDS, dstIp, dstPort);
    return this.add(len);
  }
}
