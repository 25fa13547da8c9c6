import { Latest } from './phone-book.js';
import type { Challenge } from './sip/auth.js';
import { equal } from './sip/digest.js';

/** Longest nonce that lies among the others; Kamailio's have up to 72 characters. */
const ROOM = 80;

/** As many realms as are shared (auth.ts); phones beyond have each its own. */
const REALMS_MAX = 4096;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * What each phone of a worker was last challenged with. All challenges of a realm are alike but for their nonces, so a phone
 * has a reference to one of them and its own nonce. What get() returns is good until it is called again.
 */
export class ChallengeBook {
  readonly #kind: (Challenge | null)[];
  readonly #nonces: Uint8Array;
  readonly #lengths: Uint8Array;
  /** By realm, which challenges of one realm share. */
  readonly #kinds = new Map<Uint8Array, Challenge>();
  /** Of phones whose nonce is longer than the room for it. */
  readonly #own = new Map<number, Challenge>();
  readonly #nonce = new Latest();
  #latest: Mutable<Challenge> | null = null;

  constructor(phones: number) {
    this.#kind = new Array<Challenge | null>(phones).fill(null);
    this.#nonces = new Uint8Array(phones * ROOM);
    this.#lengths = new Uint8Array(phones);
  }

  /** Null: none yet. */
  get(phone: number): Challenge | null {
    const kind = this.#kind[phone]!;
    if (kind === null) return null;
    const len = this.#lengths[phone]!;
    if (len === 0) return this.#own.get(phone)!;
    this.#latest ??= { ...kind };
    const c = this.#latest;
    c.algorithm = kind.algorithm;
    c.named = kind.named;
    c.qop = kind.qop;
    c.realm = kind.realm;
    c.opaque = kind.opaque;
    c.nonce = this.#nonce.of(this.#nonces, phone * ROOM, len);
    return c;
  }

  keep(phone: number, challenge: Challenge): void {
    const { nonce } = challenge;
    if (nonce.length > ROOM || nonce.length === 0) {
      this.#own.set(phone, challenge);
      this.#kind[phone] = challenge;
      this.#lengths[phone] = 0;
      return;
    }
    if (this.#lengths[phone] === 0) this.#own.delete(phone);
    this.#kind[phone] = this.#kindOf(challenge);
    this.#nonces.set(nonce, phone * ROOM);
    this.#lengths[phone] = nonce.length;
  }

  forget(phone: number): void {
    this.#kind[phone] = null;
  }

  #kindOf(c: Challenge): Challenge {
    const known = this.#kinds.get(c.realm);
    if (known !== undefined && isAlike(known, c)) return known;
    if (this.#kinds.size < REALMS_MAX) this.#kinds.set(c.realm, c);
    return c;
  }
}

function isAlike(a: Challenge, b: Challenge): boolean {
  const opaque = a.opaque === b.opaque || (a.opaque !== null && b.opaque !== null && equal(a.opaque, b.opaque));
  return a.algorithm === b.algorithm && a.named === b.named && a.qop === b.qop && opaque;
}
