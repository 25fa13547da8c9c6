import { assert } from '../harness/errors.js';
import type { Population } from './identity.js';
import { type Algorithm, type DigestSecret, equal, ha1Of, hexLength, plain } from './sip/digest.js';
import { ascii } from './sip/text.js';

/** A view of bytes must have their length, so there is one array for each length: it holds the latest. */
export class Latest {
  readonly #byLength: (Uint8Array | undefined)[] = [];
  of(from: Uint8Array, off: number, len: number): Uint8Array {
    let bytes = this.#byLength[len];
    if (bytes === undefined) {
      bytes = new Uint8Array(len);
      this.#byLength[len] = bytes;
    }
    for (let i = 0; i < len; i++) bytes[i] = from[off + i]!;
    return bytes;
  }
}

const TEXT_MIN = 4096;
/** Fields of a CSV are at most 100 characters. */
const FIELD_MAX = 255;

/**
 * Names and secrets of one worker's phones, encoded when they are first needed. Ten thousand small arrays would cost four
 * times what is in them, and the garbage collector's time: so all lie in a few large ones. What a method returns is good
 * until it is called again.
 */
export class PhoneBook implements DigestSecret {
  /** User of the address, name for digest and password of each phone, one after the other. */
  #text = new Uint8Array(TEXT_MIN);
  #used = 1;
  /** Where a phone's begins; 0: not written yet. */
  readonly #at: Uint32Array;
  readonly #lengths: Uint8Array;
  /** Room for MD5, and for SHA-256 from the first that is asked for. */
  #ha1: Uint8Array;
  #ha1Room = 32;
  readonly #ha1Of: (Uint8Array | null)[];
  readonly #domains: (Uint8Array | undefined)[] = [];
  readonly #user = new Latest();
  readonly #auth = new Latest();
  readonly #hex = new Latest();
  #current = 0;

  constructor(
    private readonly population: Population,
    private readonly first: number,
    private readonly stride: number,
    phones: number,
  ) {
    this.#at = new Uint32Array(phones);
    this.#lengths = new Uint8Array(phones * 3);
    this.#ha1 = new Uint8Array(phones * this.#ha1Room);
    this.#ha1Of = new Array<Uint8Array | null>(phones).fill(null);
  }

  /** User part of a phone's address-of-record; by index within the worker. */
  user(phone: number): Uint8Array {
    const at = this.#find(phone);
    return this.#user.of(this.#text, at, this.#lengths[phone * 3]!);
  }

  /** What a phone proves itself with: this very book, opened at the phone. */
  secret(phone: number): DigestSecret {
    this.#find(phone);
    this.#current = phone;
    return this;
  }

  get name(): Uint8Array {
    const phone = this.#current;
    return this.#auth.of(this.#text, this.#at[phone]! + this.#lengths[phone * 3]!, this.#lengths[phone * 3 + 1]!);
  }

  ha1(algorithm: Algorithm, realm: Uint8Array): Uint8Array {
    const phone = this.#current;
    const len = hexLength(algorithm);
    const known = this.#ha1Of[phone]!;
    if (len > this.#ha1Room) this.#widen(len);
    const at = phone * this.#ha1Room;
    // Which algorithm it was for: the digits of a shorter one end in a zero byte.
    const fits = known !== null && (this.#ha1Room === 32 || (this.#ha1[at + 32] === 0) === (len === 32));
    if (!fits || !(known === realm || equal(known, realm))) {
      const password = this.#at[phone]! + this.#lengths[phone * 3]! + this.#lengths[phone * 3 + 1]!;
      const secret = this.#text.subarray(password, password + this.#lengths[phone * 3 + 2]!);
      this.#ha1.fill(0, at, at + this.#ha1Room);
      this.#ha1.set(ha1Of(plain(algorithm), this.name, realm, secret), at);
      this.#ha1Of[phone] = realm;
    }
    return this.#hex.of(this.#ha1, at, len);
  }

  /** By number in the population. */
  tenant(number: number): number {
    return this.population.tenant(number);
  }

  /** By number in the population. */
  domain(number: number): Uint8Array {
    const tenant = this.population.tenant(number);
    const known = this.#domains[tenant];
    if (known !== undefined) return known;
    const made = ascii(this.population.user(number).domain);
    this.#domains[tenant] = made;
    return made;
  }

  #find(phone: number): number {
    const known = this.#at[phone]!;
    return known > 0 ? known : this.#write(phone);
  }

  #write(phone: number): number {
    const { user, password, authUser = user } = this.population.user(this.first + phone * this.stride);
    const at = this.#used;
    for (const [i, field] of [user, authUser, password].entries()) {
      const bytes = ascii(field);
      assert(bytes.length <= FIELD_MAX, 'a name or password that fits a REGISTER');
      if (this.#used + bytes.length > this.#text.length) this.#grow();
      this.#text.set(bytes, this.#used);
      this.#lengths[phone * 3 + i] = bytes.length;
      this.#used += bytes.length;
    }
    this.#at[phone] = at;
    return at;
  }

  #grow(): void {
    const more = new Uint8Array(this.#text.length * 2);
    more.set(this.#text);
    this.#text = more;
  }

  /** All are computed anew: it happens once, with the first SHA-256. */
  #widen(room: number): void {
    this.#ha1Room = room;
    this.#ha1 = new Uint8Array(this.#at.length * room);
    this.#ha1Of.fill(null);
  }
}
