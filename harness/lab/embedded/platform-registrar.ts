import { Population, type User } from '../../../agents/identity.js';
import { ALGORITHM } from '../../../agents/sip/digest.js';
import type { Wire } from '../../../agents/wire/types.js';
import type { FaultPlan, RegistrarConfig, RegistrationPlan } from '../../plan/types.js';
import { type Credential, CredentialCache, MemoryCredentials, type SubscriberDb } from './credentials.js';
import type { Home } from './home.js';
import type { Metric } from './platform.js';
import { REGISTRAR_DEFAULTS, Registrar } from './registrar.js';

/** What a registrar stands on: where it looks secrets up, and when it cannot be reached. */
export interface RegistrarParts {
  cache?: CredentialCache;
  db?: SubscriberDb;
  outages: { fromUs: number; toUs: number }[];
  /** Calls go to registered phones: the address-of-record of a called number. Absent: to the trunks. */
  aorOf?: (user: string) => string | undefined;
}

/** The whole population, as an operator would have provisioned it. */
export function* credentialsOf(
  plan: RegistrationPlan,
  seed: number,
  users: readonly User[] | null,
): Generator<Credential> {
  const population = new Population(plan, seed, users);
  for (let i = 0; i < plan.phones; i++) {
    const { user, domain, password } = population.user(i);
    yield { user, realm: domain, password };
  }
}

/** Whose number is that? Numbers are unique in a generated population; in a file the first of a name has it. */
export function directoryOf(
  plan: RegistrationPlan,
  seed: number,
  users: readonly User[] | null,
): Pick<RegistrarParts, 'aorOf'> {
  if (!plan.called) return {};
  const aors = new Map<string, string>();
  for (const { user, realm } of credentialsOf(plan, seed, users))
    if (!aors.has(user)) aors.set(user, `${user}@${realm}`);
  return { aorOf: (user) => aors.get(user) };
}

/** What one query costs the database itself; the way there is the configuration's. */
const SERVICE_US = 50;
export const QUERY_LIMIT = 1024;

export function simulatedParts(
  config: RegistrarConfig,
  phones: RegistrationPlan,
  users: readonly User[] | null,
  seed: number,
  nowUs: () => number,
): Omit<RegistrarParts, 'outages'> {
  const credentials = credentialsOf(phones, seed, users);
  if (config.credentials === 'cached') return { cache: new CredentialCache(credentials) };
  const latencyUs = config.dbLatencyMs * 1000;
  return { db: new MemoryCredentials({ nowUs, limit: QUERY_LIMIT, credentials, serviceUs: SERVICE_US, latencyUs }) };
}

export function outagesOf(faults: readonly FaultPlan[], t0Us: number): RegistrarParts['outages'] {
  return faults
    .filter((f) => f.kind === 'registrar-outage')
    .map(({ atMs, forMs }) => ({ fromUs: t0Us + atMs * 1000, toUs: t0Us + (atMs + forMs) * 1000 }));
}

const ALGORITHMS = { MD5: ALGORITHM.MD5, 'SHA-256': ALGORITHM.SHA_256 } as const;

export function openRegistrar(
  wire: Wire,
  config: RegistrarConfig,
  at: { ip: number; port: number },
  parts: RegistrarParts,
  seed: number,
): Registrar {
  const { limitPerS, retryAfterS, retryAfterSpreadS, algorithms, dbLatencyMs: _, ...rest } = config;
  return new Registrar(wire, {
    ...REGISTRAR_DEFAULTS,
    ...rest,
    ...at,
    ...parts,
    algorithms: algorithms.map((name) => ALGORITHMS[name]),
    ...(limitPerS > 0 ? { rateLimit: { perSecond: limitPerS, retryAfterS, retryAfterSpreadS } } : {}),
    seed,
  });
}

export function homeMetrics(homes: readonly Home[]): Metric[] {
  const of = (metric: string, read: (home: Home) => number): Metric[] =>
    homes.map((home, i) => ({ source: 'home', instance: `home-${i + 1}`, metric, read: () => read(home) }));
  return [
    ...of('attempts_total', (h) => h.attemptsTotal),
    ...of('unknown_total', (h) => h.unknownTotal),
    ...of('absent_total', (h) => h.absentTotal),
  ];
}

export function registrarMetrics(registrar: Registrar, config: RegistrarConfig): Metric[] {
  const read: Record<string, (m: Registrar['metrics']) => number> = {
    registers_total: (m) => m.registersTotal,
    ok_total: (m) => m.ok200Total,
    challenged_total: (m) => m.challenged401Total,
    stale_total: (m) => m.staleTotal,
    refused_total: (m) => m.refused503Total,
    limit_per_s: () => (config.limitPerS > 0 ? config.limitPerS : Number.NaN),
    forbidden_total: (m) => m.failed403Total,
    rejected_total: (m) => m.rejectedTotal,
    retransmits_total: (m) => m.retransmitsTotal,
    bindings: (m) => m.bindings,
    expired_total: (m) => m.expiredTotal,
    threads_busy: (m) => m.threadsBusy,
    threads_max: () => config.threads,
    inbox_depth: (m) => m.inboxDepth,
    inbox_max: () => registrar.threads.inboxLimit,
    inbox_dropped_total: (m) => m.inboxDroppedTotal,
    socket_dropped_total: (m) => m.socketDropsTotal,
    transactions_full_total: (m) => m.transactionsFullTotal,
    db_pending: (m) => m.dbPending,
    db_latency_ms: (m) => m.dbLatencyMs,
    unreachable: (m) => m.unreachable,
    heard_total: (m) => m.heardTotal,
    unheard_total: (m) => m.unreachableTotal,
  };
  return Object.entries(read).map(([metric, of]) => ({
    source: 'registrar',
    instance: 'registrar-1',
    metric,
    read: () => of(registrar.metrics),
  }));
}
