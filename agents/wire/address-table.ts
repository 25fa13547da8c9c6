/** (ip, port) to a small integer: open addressing over two Int32Arrays, for a look-up per packet. Entries are never removed. */
export class AddressTable {
  #capacity = 1024;
  #ips = new Int32Array(this.#capacity);
  /** Port + 1; 0 is an empty place. */
  #ports = new Int32Array(this.#capacity);
  #indexes = new Int32Array(this.#capacity);
  size = 0;

  /** -1 when it is not there. */
  get(ip: number, port: number): number {
    const mask = this.#capacity - 1;
    const wanted = ip | 0;
    for (let at = hash(wanted, port) & mask; ; at = (at + 1) & mask) {
      const p = this.#ports[at]!;
      if (p === 0) return -1;
      if (p === port + 1 && this.#ips[at] === wanted) return this.#indexes[at]!;
    }
  }

  /** The pair must not be there yet. */
  add(ip: number, port: number, index: number): void {
    if (++this.size * 2 > this.#capacity) this.#grow();
    this.#insert(ip | 0, port + 1, index);
  }

  #insert(ip: number, portPlus1: number, index: number): void {
    const mask = this.#capacity - 1;
    let at = hash(ip, portPlus1 - 1) & mask;
    while (this.#ports[at] !== 0) at = (at + 1) & mask;
    this.#ips[at] = ip;
    this.#ports[at] = portPlus1;
    this.#indexes[at] = index;
  }

  #grow(): void {
    const [ips, ports, indexes] = [this.#ips, this.#ports, this.#indexes];
    this.#capacity *= 2;
    this.#ips = new Int32Array(this.#capacity);
    this.#ports = new Int32Array(this.#capacity);
    this.#indexes = new Int32Array(this.#capacity);
    for (let i = 0; i < ports.length; i++) if (ports[i] !== 0) this.#insert(ips[i]!, ports[i]!, indexes[i]!);
  }
}

function hash(ip: number, port: number): number {
  const h = Math.imul(ip ^ Math.imul(port, 0x9e3779b1), 0x85ebca6b);
  return h ^ (h >>> 15);
}
