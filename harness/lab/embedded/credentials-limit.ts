export interface FirstLimitOptions {
  perSecond: number;
  /** What a refused phone is told to wait (RFC 3261 20.33), plus up to `retryAfterSpreadS`. */
  retryAfterS: number;
  retryAfterSpreadS?: number;
  /** Each source address has a limit of its own: with phones behind one NAT, that is the site's. */
  perSource?: boolean;
}

const SOURCES_MAX = 65_536;
/** Share of a second's allowance that may come at once. */
const BURST = 0.1;

interface Bucket {
  tokens: number;
  atUs: number;
}

/**
 * How many REGISTERs without credentials are let in: token buckets. Those that carry credentials pass, because the work
 * that was spent on their challenge would be lost.
 */
export class FirstLimit {
  /** By address, or 0 for all; the longest unused first. */
  readonly #buckets = new Map<number, Bucket>();
  readonly #burst: number;

  constructor(private readonly o: FirstLimitOptions) {
    this.#burst = Math.max(1, o.perSecond * BURST);
  }

  takes(srcIp: number, nowUs: number): boolean {
    const key = this.o.perSource === true ? srcIp : 0;
    const bucket = this.#buckets.get(key) ?? { tokens: this.#burst, atUs: nowUs };
    this.#buckets.delete(key);
    if (this.#buckets.size >= SOURCES_MAX) this.#buckets.delete(this.#buckets.keys().next().value!);
    this.#buckets.set(key, bucket);
    bucket.tokens = Math.min(this.#burst, bucket.tokens + ((nowUs - bucket.atUs) * this.o.perSecond) / 1e6);
    bucket.atUs = nowUs;
    if (bucket.tokens < 1) return false;
    bucket.tokens--;
    return true;
  }

  /** Whole seconds, as Retry-After wants them. */
  retryAfterS(chance: number): number {
    return this.o.retryAfterS + Math.floor(chance * ((this.o.retryAfterSpreadS ?? 0) + 1));
  }
}
