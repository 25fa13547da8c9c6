/**
 * Sessions in order of their last packet. All have the same idle timeout, so the oldest is always the next to expire:
 * no timer per session, no wheel, and the instant is exact. A doubly linked list on typed arrays.
 */
export class SessionList {
  size = 0;
  /** -1 when there is none. */
  oldest = -1;
  readonly lastUs: Float64Array;
  readonly keyA: Uint32Array;
  readonly keyB: Uint32Array;
  readonly #older: Int32Array;
  readonly #newer: Int32Array;
  #newest = -1;
  /** Head of the free ones, linked through #newer. */
  #free = 0;

  constructor(limit: number) {
    this.lastUs = new Float64Array(limit);
    this.keyA = new Uint32Array(limit);
    this.keyB = new Uint32Array(limit);
    this.#older = new Int32Array(limit);
    this.#newer = new Int32Array(limit);
    for (let i = 0; i < limit; i++) this.#newer[i] = i + 1;
  }

  /** The caller has checked that there is room. */
  add(keyA: number, keyB: number, nowUs: number): number {
    const s = this.#free;
    this.#free = this.#newer[s]!;
    this.keyA[s] = keyA;
    this.keyB[s] = keyB;
    this.lastUs[s] = nowUs;
    this.#append(s);
    this.size++;
    return s;
  }

  touch(s: number, nowUs: number): void {
    this.lastUs[s] = nowUs;
    if (s === this.#newest) return;
    this.#unlink(s);
    this.#append(s);
  }

  remove(s: number): void {
    this.#unlink(s);
    this.#newer[s] = this.#free;
    this.#free = s;
    this.size--;
  }

  #append(s: number): void {
    this.#older[s] = this.#newest;
    this.#newer[s] = -1;
    if (this.#newest >= 0) this.#newer[this.#newest] = s;
    else this.oldest = s;
    this.#newest = s;
  }

  #unlink(s: number): void {
    const older = this.#older[s]!;
    const newer = this.#newer[s]!;
    if (older >= 0) this.#newer[older] = newer;
    else this.oldest = newer;
    if (newer >= 0) this.#older[newer] = older;
    else this.#newest = older;
  }
}
