import { describe, expect, it } from 'vitest';
import { type Credential, CredentialCache } from '../harness/lab/embedded/credentials.js';
import { REGISTRAR_DEFAULTS, Registrar, type RegistrarOptions } from '../harness/lab/embedded/registrar.js';
import type { RegistrationPlan } from '../harness/plan/types.js';
import { Counters } from './counters.js';
import { identityOf, Population } from './identity.js';
import { Registrant } from './registrant.js';
import { retryDelayMs, scheduleOf } from './registrant-schedule.js';
import { REGISTRATION_OUTCOMES, type Registration } from './registration-record.js';
import { ALGORITHM } from './sip/digest.js';
import { RegistrationStore } from './store.js';
import { MemoryWorld } from './wire/memory.js';
import { ipFromString } from './wire/types.js';

const SERVER = ipFromString('10.0.0.1');
const SITE = ipFromString('10.0.1.1');
const SEED = 7;

const PLAN: RegistrationPlan = {
  phones: 40,
  tenants: 4,
  phonesPerSocket: 8,
  expiresS: 120,
  refreshMin: 0.5,
  refreshMax: 0.9,
  retry: { kind: 'rfc5626', baseMs: 2000, maxMs: 60_000 },
  waves: [{ name: 'boot', atMs: 0, overMs: 2000, order: 'shuffled', restart: true }],
};

class Lab {
  readonly world: MemoryWorld;
  readonly registrar: Registrar;
  readonly registrant: Registrant;
  readonly counters = new Counters();
  readonly rows: Registration[] = [];
  readonly store: RegistrationStore;

  constructor(
    readonly plan: RegistrationPlan = PLAN,
    options: Partial<RegistrarOptions> = {},
    { loss = 0, passwords = true, capacity = 256 } = {},
  ) {
    this.world = new MemoryWorld({ seed: 3, impairments: { loss } });
    const credentials: Credential[] = Array.from({ length: plan.phones }, (_, i) => {
      const { user, domain, password } = identityOf(i, plan.phones, plan.tenants, SEED);
      return { user, realm: domain, password: passwords ? password : 'other' };
    });
    const there = this.world.wire('registrar');
    this.registrar = new Registrar(there, {
      ...REGISTRAR_DEFAULTS,
      ip: SERVER,
      port: 5060,
      seed: 1,
      cache: new CredentialCache(credentials),
      ...options,
    });
    this.world.add(this.registrar, there);
    this.store = RegistrationStore.create(capacity).store;
    const here = this.world.wire('phones');
    this.registrant = new Registrant(here, {
      plan,
      first: 0,
      stride: 1,
      ip: SITE,
      hopIp: SERVER,
      hopPort: 5060,
      seed: SEED,
      salt: 0x1234,
      runTag: 'test',
      worker: 0,
      t0Us: 0,
      untilMs: 1e9,
      store: this.store,
      counters: this.counters,
    });
    this.world.add(this.registrant, here);
  }

  /** To that second of the run. */
  until(s: number): this {
    for (let ms = this.world.nowUs / 1000; ms < s * 1000; ms += 250) {
      this.world.runUntil(Math.min(s * 1000, ms + 250) * 1000);
      this.store.drain((row) => this.rows.push(row));
    }
    return this;
  }
  count(outcome: string): number {
    return this.rows.filter((r) => REGISTRATION_OUTCOMES[r.outcome] === outcome).length;
  }
  get metrics(): Registrar['metrics'] {
    return this.registrar.metrics;
  }
  get up(): number {
    return this.counters.get('registeredPhones');
  }
  conserve(): void {
    const c = (name: Parameters<Counters['get']>[0]): number => this.counters.get(name);
    let open = 0;
    this.store.readOpen(() => {
      open++;
    });
    expect(c('registrationsOffered')).toBe(c('registrationsStarted') + c('registrationsBlocked'));
    expect(c('registrationsStarted')).toBe(c('registrationsEnded') + open);
    expect(this.rows.length).toBe(c('registrationsEnded'));
  }
}

describe('a population of phones', () => {
  it.each([
    ['MD5', [ALGORITHM.MD5]],
    ['SHA-256', [ALGORITHM.SHA_256, ALGORITHM.MD5]],
  ])('registers with digest (%s), each with a contact of its own', (_, algorithms) => {
    const lab = new Lab(PLAN, { algorithms }).until(5);
    expect([lab.up, lab.metrics.bindings, lab.count('registered')]).toEqual([40, 40, 40]);
    expect(lab.metrics).toMatchObject({ challenged401Total: 40, failed403Total: 0, ok200Total: 40 });
    const found = Array.from({ length: 40 }, (__, i) => {
      const { user, domain } = identityOf(i, 40, 4, SEED);
      return lab.registrar.lookup(`${user}@${domain}`, lab.world.nowUs)[0]!;
    });
    expect(new Set(found.map((b) => b.uri)).size).toBe(40);
    expect(found[1]!.uri).toMatch(/^sip:100001@10\.0\.1\.1:\d+;line=\d+;ob$/);
    expect(found[1]!.params).toContain('+sip.instance="<urn:uuid:00000001-');
    expect(new Set(found.map((b) => b.receivedPort)).size).toBe(5);
    expect(lab.rows.every((r) => r.n401 === 1 && r.grantedExpiresS === 120 && r.finalCode === 200)).toBe(true);
    expect(lab.rows.map((r) => r.tenant).filter((t) => t === 3)).toHaveLength(10);
    lab.conserve();
  });

  it('refreshes before its binding ends, with the nonce that it has, and stays registered', () => {
    const lab = new Lab().until(55);
    expect(lab.metrics.registersTotal).toBe(80);
    lab.until(250);
    const refreshes = lab.rows.filter((r) => r.reason === 1);
    expect(refreshes.length).toBeGreaterThan(80);
    expect(refreshes.every((r) => r.n401 === 0)).toBe(true);
    expect(lab.metrics).toMatchObject({ challenged401Total: 40, bindings: 40, expiredTotal: 0 });
    const gaps = refreshes.map((r) => r.startedMs).sort((a, b) => a - b);
    expect(gaps[39]! - gaps[0]!).toBeGreaterThan(30_000); // jitter: not all at once
    expect(lab.up).toBe(40);
    lab.conserve();
  });

  it('goes on with the new nonce when the old one is stale', () => {
    const lab = new Lab(PLAN, { nonceLifeS: 30 }).until(120);
    const refreshes = lab.rows.filter((r) => r.reason === 1);
    expect(refreshes.length).toBeGreaterThan(39);
    expect(refreshes.every((r) => r.n401 === 1 && r.finalCode === 200)).toBe(true);
    expect(lab.metrics.staleTotal).toBeGreaterThan(39);
    expect(lab.up).toBe(40);
  });

  it('asks for longer when it is told to (423), and takes what is granted', () => {
    const lab = new Lab(PLAN, { minExpiresS: 300 }).until(5);
    expect(lab.rows.every((r) => r.n423 === 1 && r.grantedExpiresS === 300)).toBe(true);
    expect(lab.up).toBe(40);
    const short = new Lab({ ...PLAN, expiresS: 3600 }, { maxExpiresS: 90 }).until(90);
    expect(short.rows.every((r) => r.grantedExpiresS === 90)).toBe(true);
    expect(short.count('registered')).toBeGreaterThan(79);
    short.conserve();
  });

  it('waits as Retry-After says', () => {
    const rateLimit = { perSecond: 10, retryAfterS: 5 };
    const plan: RegistrationPlan = { ...PLAN, retry: { kind: 'fixed', ms: 60_000 } };
    const lab = new Lab({ ...plan, waves: [{ ...PLAN.waves[0]!, overMs: 0 }] }, { rateLimit }).until(4.9);
    const refused = lab.count('rejected');
    expect(refused).toBeGreaterThan(30);
    expect(lab.counters.get('register503')).toBe(refused);
    lab.until(5.5);
    const retries = lab.rows.filter((r) => r.reason === 2);
    expect(retries.length).toBe(refused);
    expect(retries.every((r) => r.failures === 1 && r.intendedMs >= 5000 && r.intendedMs < 5100)).toBe(true);
    lab.until(300);
    expect(lab.up).toBe(40);
    lab.conserve();
  });

  it('does not guess: a wrong password is refused, and tried again as the policy says', () => {
    const lab = new Lab({ ...PLAN, retry: { kind: 'fixed', ms: 10_000 } }, {}, { passwords: false }).until(25);
    expect(lab.up).toBe(0);
    expect(lab.rows.every((r) => r.finalCode === 403 && r.n401 <= 1)).toBe(true);
    expect(lab.rows.filter((r) => r.reason === 2).length).toBeGreaterThan(40);
    lab.conserve();
  });

  it('is gone in an outage, and comes back after it', () => {
    const wave = { name: 'outage', atMs: 10_000, overMs: 100, order: 'shuffled', restart: true } as const;
    const lab = new Lab(
      { ...PLAN, waves: [...PLAN.waves, wave] },
      { outages: [{ fromUs: 10_000_000, toUs: 50_000_000 }] },
    ).until(41.9);
    expect([lab.up, lab.count('timeout'), lab.metrics.unreachable]).toEqual([0, 0, 1]);
    expect(lab.metrics.bindings).toBe(40); // the registrar has not noticed
    lab.until(49);
    expect([lab.up, lab.count('timeout')]).toEqual([0, 40]);
    lab.until(120);
    expect([lab.up, lab.metrics.unreachable]).toEqual([40, 0]);
    expect(lab.rows.filter((r) => r.outcome === 3 && r.retransmissions === 10)).toHaveLength(40);
    lab.conserve();
  });

  it('starts anew when a wave meets it in the middle of an attempt', () => {
    const again = { ...PLAN.waves[0]!, atMs: 1000, overMs: 0 };
    const lab = new Lab(
      { ...PLAN, waves: [{ ...again, atMs: 0 }, again] },
      { outages: [{ fromUs: 0, toUs: 1_500_000 }] },
    ).until(4);
    expect([lab.count('superseded'), lab.count('registered'), lab.up]).toEqual([40, 40, 40]);
    lab.conserve();
  });

  it('counts what it has no room for, and tries it later', () => {
    const plan: RegistrationPlan = { ...PLAN, waves: [{ ...PLAN.waves[0]!, overMs: 0 }] };
    const lab = new Lab(plan, {}, { capacity: 16 }).until(30);
    expect(lab.counters.get('registrationsBlocked')).toBeGreaterThan(20);
    expect(lab.up).toBe(40);
    lab.conserve();
  });

  it('gets through a bad network, the same way every time', () => {
    const run = (): Lab => new Lab(PLAN, {}, { loss: 0.2 }).until(100);
    const [one, two] = [run(), run()];
    expect(one.up).toBe(40);
    expect(one.counters.get('registerRetransmits')).toBeGreaterThan(20);
    expect(one.rows).toEqual(two.rows);
    one.conserve();
  });
});

it('waits as its policy says', () => {
  const rfc = { kind: 'rfc5626', baseMs: 30_000, maxMs: 1_800_000 } as const;
  expect(retryDelayMs(rfc, 1, -1, 0)).toBe(30_000);
  expect(retryDelayMs(rfc, 3, -1, 1)).toBe(240_000);
  expect(retryDelayMs(rfc, 60_000, -1, 0.5)).toBe(1_350_000);
  expect(retryDelayMs(rfc, 1, 300, 0)).toBe(300_000);
  expect(retryDelayMs({ kind: 'fixed', ms: 30_000 }, 9, -1, 0)).toBe(30_000);
  expect(retryDelayMs({ kind: 'fixed', ms: 30_000 }, 9, 5, 0)).toBe(5_000);
  expect(retryDelayMs({ kind: 'immediate' }, 1, -1, 0)).toBe(100);
});

it('a wave goes through all phones, or tenant by tenant; workers share them without a gap', () => {
  const waves = [
    { name: 'storm', atMs: 100, overMs: 1000, order: 'shuffled', restart: true },
    { name: 'roll', atMs: 5000, overMs: 4000, order: 'by-tenant', restart: true },
  ] as const;
  const plan: RegistrationPlan = { ...PLAN, waves: [...waves] };
  const all = scheduleOf(plan, new Population(plan, SEED), 0, 1, 1);
  expect([...all.dueMs.subarray(0, 40)]).toEqual(Array.from({ length: 40 }, (_, i) => 100 + i * 25));
  expect([...all.phone.subarray(0, 40)].sort((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, i) => i));
  expect([...all.phone.subarray(40)]).toEqual(Array.from({ length: 40 }, (_, i) => i));
  expect([...all.dueMs.subarray(49, 51)]).toEqual([5000, 6000]);
  const shares = [0, 1, 2].flatMap((w) => [...scheduleOf(plan, new Population(plan, SEED), w, 3, 1).dueMs]);
  expect(shares.sort((a, b) => a - b)).toEqual([...all.dueMs]);
});
