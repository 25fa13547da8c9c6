/** Seeded chance, uniform in [0, 1). xoshiro128** (Blackman and Vigna, 2018), seeded by splitmix32. */
export interface Prng {
  next(): number;
  /** Integer in [0, n). */
  below(n: number): number;
}

export function prng(seed: number): Prng {
  let s = seed >>> 0;
  const mix = (): number => {
    s = (s + 0x9e3779b9) >>> 0;
    let z = s;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return (z ^ (z >>> 16)) >>> 0;
  };
  let a = mix();
  let b = mix();
  let c = mix();
  let d = mix();
  const rotl = (x: number, k: number): number => (x << k) | (x >>> (32 - k));
  const next = (): number => {
    const r = Math.imul(rotl(Math.imul(b, 5), 7), 9) >>> 0;
    const t = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= t;
    d = rotl(d, 11);
    return r / 0x100000000;
  };
  return { next, below: (n) => Math.floor(next() * n) };
}

/** A seed for a named part of a run, so that adding a part does not shift the others' chance. */
export function subSeed(seed: number, name: string): number {
  let h = (2166136261 ^ seed) >>> 0;
  for (let i = 0; i < name.length; i++) h = Math.imul(h ^ name.charCodeAt(i), 16777619) >>> 0;
  return h;
}

/**
 * Chance by key: the numbers drawn after at(key) depend on seed and key only, so call 4711 has the same hold time
 * whichever worker places it and whatever happened before. One object, reused.
 */
export class KeyedPrng implements Prng {
  #state = 0;
  constructor(private readonly seed: number) {}
  at(key: number): Prng {
    this.#state = (Math.imul(key + 1, 0x9e3779b1) ^ this.seed) >>> 0;
    return this;
  }
  next(): number {
    this.#state = (this.#state + 0x9e3779b9) >>> 0;
    let z = this.#state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return ((z ^ (z >>> 15)) >>> 0) / 0x100000000;
  }
  below(n: number): number {
    return Math.floor(this.next() * n);
  }
}
