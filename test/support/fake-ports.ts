import type { MediaPorts } from '../../agents/wire/types.js';

export interface Sent {
  bytes: Uint8Array;
  srcPort: number;
  dstIp: number;
  dstPort: number;
}

/** Media ports that go nowhere: what was committed is kept, or only counted. */
export class FakePorts implements MediaPorts {
  readonly kind = 'memory';
  readonly tx = new Uint8Array(4096);
  readonly sent: Sent[] = [];
  readonly closed: number[] = [];
  count = 0;
  #next: number;

  constructor(
    readonly ip: number,
    portMin: number,
    readonly portMax: number,
    readonly keep = true,
  ) {
    this.#next = portMin;
  }

  openPair(): number {
    if (this.#next + 1 > this.portMax) return this.closed.shift() ?? 0;
    this.#next += 2;
    return this.#next - 2;
  }
  closePair(evenPort: number): void {
    this.closed.push(evenPort);
  }
  slot(): number {
    return 64;
  }
  commit(len: number, srcPort: number, dstIp: number, dstPort: number): void {
    this.count++;
    if (this.keep) this.sent.push({ bytes: this.tx.slice(64, 64 + len), srcPort, dstIp, dstPort });
  }
  close(): void {
    this.#next = this.portMax + 1;
  }
}
