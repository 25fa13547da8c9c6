import { assert } from '../harness/errors.js';
import type { RegistrationPlan } from '../harness/plan/types.js';
import { KeyedPrng } from '../harness/prng.js';
import { ascii } from './sip/text.js';

/** Who a phone of the population is: generated, so that phone and registrar agree without a file between them. */
export interface Identity {
  user: string;
  /** Its tenant's domain, which is the realm. */
  domain: string;
  password: string;
}

/** One of a file: its tenants are its domains, in order of appearance. */
export interface User extends Identity {
  tenant?: number;
  /** Name that it proves itself with, where that is another than `user`. */
  authUser?: string;
}

/** Tenants are equal but for the remainder: phone i belongs to tenant floor(i * tenants / phones). */
export function tenantOf(phone: number, phones: number, tenants: number): number {
  return Math.floor((phone * Math.min(tenants, phones)) / phones);
}

const FIRST_NUMBER = 100_000;
/** Keeps who is called apart from every other chance of a run. */
const DIAL_KEY = 0x0d1a1;

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

/** Who each phone is: generated from the seed, or as a file of users says. */
export class Population {
  readonly tenants: number;
  #byTenant: Map<number, number[]> | null = null;

  constructor(
    private readonly plan: RegistrationPlan,
    private readonly seed: number,
    /** One for each phone; null: generated. */
    private readonly users: readonly User[] | null = null,
  ) {
    assert(users === null || users.length === plan.phones, 'a user for each phone');
    this.tenants = Math.min(plan.tenants, plan.phones);
  }

  /** By number in the population. */
  user(phone: number): User {
    return this.users?.[phone] ?? identityOf(phone, this.plan.phones, this.plan.tenants, this.seed);
  }

  tenant(phone: number): number {
    return this.users?.[phone]?.tenant ?? tenantOf(phone, this.plan.phones, this.plan.tenants);
  }

  /** The numbers of a tenant's phones, ascending. */
  members(tenant: number): Members {
    if (this.users === null) {
      const { phones } = this.plan;
      const first = Math.ceil((tenant * phones) / this.tenants);
      const length = Math.ceil(((tenant + 1) * phones) / this.tenants) - first;
      return { length, at: (i) => first + i, indexOf: (phone) => phone - first };
    }
    this.#byTenant ??= listed(this.plan.phones, (phone) => this.tenant(phone));
    const list = this.#byTenant.get(tenant) ?? [];
    return { length: list.length, at: (i) => list[i]!, indexOf: (phone) => list.indexOf(phone) };
  }
}

export interface Members {
  length: number;
  at(index: number): number;
  indexOf(phone: number): number;
}

function listed(phones: number, tenantOf: (phone: number) => number): Map<number, number[]> {
  const lists = new Map<number, number[]>();
  for (let phone = 0; phone < phones; phone++) {
    const tenant = tenantOf(phone);
    const list = lists.get(tenant);
    if (list === undefined) lists.set(tenant, [phone]);
    else list.push(phone);
  }
  return lists;
}

/**
 * Whom each call from outside calls: a phone by the seed, each as likely, and the same one whoever places the call.
 */
export interface Dialled {
  /** As user@host, where host is what callers dial. */
  dial: (callNo: number) => Uint8Array;
  /** Of the phone that is called. */
  tenant: (callNo: number) => number;
}
export function dialer(population: Population, phones: number, seed: number, host: string): Dialled {
  const chance = new KeyedPrng(seed ^ DIAL_KEY);
  const phone = (callNo: number): number => chance.at(callNo).below(phones);
  return {
    dial: (callNo) => ascii(`${population.user(phone(callNo)).user}@${host}`),
    tenant: (callNo) => population.tenant(phone(callNo)),
  };
}

export const WEBPHONE_DOMAIN = 'webphones.test';
const FIRST_WEBPHONE = 900_000;

/** The nth webphone: of a tenant of its own, so that no phone of the engine has its number. */
export function webphoneIdentityOf(n: number, seed: number): Identity {
  const chance = new KeyedPrng(seed ^ 0x3eb).at(n);
  const word = (): string => chance.below(0x1000000).toString(36);
  return { user: String(FIRST_WEBPHONE + n), domain: WEBPHONE_DOMAIN, password: `${word()}-${word()}` };
}
