const NONE = new Uint8Array(0);

/**
 * Copies datagrams from one buffer to another without a subarray per packet. A byte loop costs 1 ns and more a byte, a
 * loop of words a quarter of that: so it looks at both buffers as words, or as half words when their alignment differs
 * by two (a 10-byte wrap does that). The views are made when a buffer is first seen; give each pair of buffers its own.
 */
export class Copier {
  #src: Uint8Array = NONE;
  #dst: Uint8Array = NONE;
  #src32 = new Uint32Array(0);
  #dst32 = new Uint32Array(0);
  #src16 = new Uint16Array(0);
  #dst16 = new Uint16Array(0);

  copy(src: Uint8Array, off: number, dst: Uint8Array, to: number, len: number): void {
    if (src !== this.#src) {
      this.#src = src;
      this.#src32 = words(src);
      this.#src16 = new Uint16Array(this.#src32.buffer, this.#src32.byteOffset, this.#src32.length * 2);
    }
    if (dst !== this.#dst) {
      this.#dst = dst;
      this.#dst32 = words(dst);
      this.#dst16 = new Uint16Array(this.#dst32.buffer, this.#dst32.byteOffset, this.#dst32.length * 2);
    }
    let i = 0;
    // The views begin at byte 0 of the buffers, which may lie before byte 0 of the arrays.
    const a = src.byteOffset + off;
    const b = dst.byteOffset + to;
    if (((a ^ b) & 3) === 0) {
      const s = this.#src32;
      const d = this.#dst32;
      for (; ((a + i) & 3) !== 0 && i < len; i++) dst[to + i] = src[off + i]!;
      const from = (a + i) >> 2;
      const into = (b + i) >> 2;
      const count = (len - i) >> 2;
      for (let w = 0; w < count; w++) d[into + w] = s[from + w]!;
      i += count << 2;
    } else if (((a ^ b) & 1) === 0) {
      const s = this.#src16;
      const d = this.#dst16;
      if ((a & 1) !== 0 && len > 0) dst[to] = src[off]!;
      i = a & 1;
      const from = (a + i) >> 1;
      const into = (b + i) >> 1;
      const count = (len - i) >> 1;
      for (let w = 0; w < count; w++) d[into + w] = s[from + w]!;
      i += count > 0 ? count << 1 : 0;
    }
    for (; i < len; i++) dst[to + i] = src[off + i]!;
  }
}

function words(bytes: Uint8Array): Uint32Array<ArrayBuffer> {
  return new Uint32Array(bytes.buffer as ArrayBuffer, 0, bytes.buffer.byteLength >> 2);
}
