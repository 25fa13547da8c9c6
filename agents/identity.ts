import { KeyedPrng } from '../harness/prng.js';
import type { RegistrantOptions } from './registrant-options.js';
import { DigestUser } from './sip/digest.js';
import { ascii } from './sip/text.js';

/** Who a phone of the population is: generated, so that phone and registrar agree without a file between them. */
export interface Identity {
  user: string;
  /** Its tenant's domain, which is the realm. */
  domain: string;
  password: string;
}

/** Tenants are equal but for the remainder: phone i belongs to tenant floor(i * tenants / phones). */
export function tenantOf(phone: number, phones: number, tenants: number): number {
  return Math.floor((phone * Math.min(tenants, phones)) / phones);
}

const FIRST_NUMBER = 100_000;

export function identityOf(phone: number, phones: number, tenants: number, seed: number): Identity {
  const chance = new KeyedPrng(seed ^ 0x5ec2e7).at(phone);
  const word = (): string => chance.below(0x1000000).toString(36);
  return {
    user: String(FIRST_NUMBER + phone),
    domain: domainOf(tenantOf(phone, phones, tenants)),
    password: `${word()}-${word()}`,
  };
}

/** RFC 2606: .test is nobody's. */
export function domainOf(tenant: number): string {
  return `t${tenant}.test`;
}

/** Names and secrets of one worker's phones, encoded when they are first needed and kept. */
export class PhoneBook {
  readonly #users: (DigestUser | undefined)[] = [];
  readonly #domains: Uint8Array[];

  constructor(private readonly o: RegistrantOptions) {
    const { tenants, phones } = o.plan;
    this.#domains = Array.from({ length: Math.min(tenants, phones) }, (_, t) => ascii(domainOf(t)));
  }

  /** By index within the worker. */
  user(phone: number): DigestUser {
    const known = this.#users[phone];
    if (known !== undefined) return known;
    const { plan, first, stride, seed } = this.o;
    const { user, password } = identityOf(first + phone * stride, plan.phones, plan.tenants, seed);
    const made = new DigestUser(ascii(user), ascii(password));
    this.#users[phone] = made;
    return made;
  }

  /** By number in the population. */
  domain(number: number): Uint8Array {
    return this.#domains[tenantOf(number, this.o.plan.phones, this.o.plan.tenants)]!;
  }
}
