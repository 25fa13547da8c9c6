import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import { HarnessError } from '../errors.js';
import { checkArrivals } from './arrivals.js';
import { parseBudget } from './budget/parse.js';
import { commandLine } from './command.js';
import { parseFault, readFault } from './fault.js';
import { checkEmbeddedFaults } from './fault-embedded.js';
import { uriHost } from './host.js';
import { callScenario, type LoadedScenario } from './load.js';
import { didYouMean } from './nearest.js';
import { parseSet } from './params.js';
import { type Incident, incidentsOf, NO_INCIDENT, type ParamValue } from './scenario.js';
import { builtSchema, checked, validatePlan, wishesSchema } from './schema.js';
import { signallingOf } from './signalling.js';
import { populate, stackTarget } from './stack.js';
import { KAMAILIO_PORTS, parseTarget } from './target.js';
import type { FaultPlan, MediaBackend, RegistrationPlan, RunPlan, TargetPlan, Transport } from './types.js';
import { readUsers } from './users.js';
import { planWebphones, WEBPHONE_BUDGETS } from './webphones.js';

/** What the command line says, still unchecked. */
export interface PlanOptions {
  stack?: string;
  /** Of a stack of the user's own: role -> service. */
  roles?: Readonly<Record<string, string>>;
  /** Variables of a stack's file: NAME=VALUE. */
  env?: readonly string[];
  target?: string;
  incident?: string;
  cured?: boolean;
  seed?: number | string;
  set?: readonly string[];
  /** What is done to the platform, beside what the scenario does: see plan/fault.ts. */
  fault?: readonly string[];
  budget?: readonly string[];
  defaultBudgets?: boolean;
  simulate?: boolean;
  mediaBackend?: string;
  authorise?: string;
}

/** What differs between two runs of one command. */
export interface Stamp {
  now: Date;
  /** Four letters or digits, so that two runs of one second get two directories. */
  suffix: string;
}

/** Platforms that need no Docker; every other name is a stack in it. */
const STACKS = ['embedded', 'kamailio'];
const BACKENDS: readonly string[] = ['auto', 'raw', 'sockets', 'dgram'] satisfies MediaBackend[];
const DEFAULT_AGENTS = { callerWorkers: 1, maxCallsPerWorker: 4096 };
export const DEFAULT_SEED = 1;

export function resolvePlan(loaded: LoadedScenario, options: PlanOptions, stamp: Stamp = freshStamp()): RunPlan {
  const { scenario, ref } = loaded;
  const where = `scenario ${ref}`;
  checkChoices(options);
  const incidentName = options.incident ?? NO_INCIDENT;
  const incident = findIncident(loaded, incidentName);
  const cured = options.cured ?? false;
  const cure = cureOf(incidentName, incident, cured);
  const seed = parseSeed(options.seed ?? DEFAULT_SEED);

  const params: Record<string, ParamValue> = {};
  for (const [key, param] of Object.entries(scenario.params)) params[key] = param.default;
  const here = onStack(options);
  Object.assign(params, here && scenario.onStack, incident.set, here && incident.onStack, cure);
  const platformParams: Record<string, ParamValue> = {};
  for (const assignment of options.set ?? []) {
    const { key, value } = parseSet(assignment, scenario.params);
    const instead = replacementOf(options);
    if (instead !== undefined && scenario.params[key]?.platform) {
      throw new HarnessError(
        'BAD_PLAN',
        `--set ${assignment}: ${key} is of the embedded platform, which ${instead} replaces`,
      );
    }
    params[key] = value;
    if (scenario.params[key]?.platform) platformParams[key] = value;
  }

  const raw: unknown = callScenario(loaded, 'build()', () => scenario.build({ ...params }));
  const built = checked(builtSchema, raw, 'BAD_PLAN', `${where}: build()`);
  checkArrivals(built.arrivals);
  const rawFaults: unknown = callScenario(loaded, 'faults()', () => incident.faults?.({ ...params }) ?? []);
  const wishes = checked(wishesSchema, rawFaults, 'BAD_PLAN', `${where}: faults() of ${incidentName}`);
  const faults = [
    ...(built.faults ?? []).map((wish, i) => readFault(wish, `${where}: build(): faults[${i}]`)),
    ...wishes.map((wish, i) => readFault(wish, `${where}: faults() of ${incidentName}[${i}]`)),
    ...(options.fault ?? []).map((text) => parseFault(text)),
  ];
  const embedded: TargetPlan = { kind: 'embedded', config: built.platform };
  const isOfPlatform = ([key]: [string, unknown]): boolean => scenario.params[key]?.platform ?? false;
  const ofPlatform = (set: object): Record<string, ParamValue> =>
    Object.fromEntries(Object.entries(set).filter(isOfPlatform));
  const target = here
    ? stackTarget(
        options,
        platformParams,
        { incident: ofPlatform({ ...incident.set, ...incident.onStack }), cure: ofPlatform(cure) },
        faults.length > 0,
      )
    : targetOf(options, incidentName, embedded, stamp, built.signalling?.transport);
  refuseFaults(faults, target, built.registrations);
  if (target.kind === 'stack') populate(target, built.registrations);
  const signalling = signallingOf(built.signalling, target, options);
  if (here && signalling.transport !== 'udp') {
    throw new HarnessError(
      'BAD_PLAN',
      `--set transport=${signalling.transport}: phones in a stack speak SIP over UDP only`,
    );
  }
  const registrations = built.registrations === undefined ? undefined : phonesOf(built.registrations, target, seed);
  const placed = built.arrivals.some((stage) => stage.fromCps > 0 || stage.toCps > 0);
  if (placed) refuseCalls(registrations, target, built.agents?.callerWorkers ?? 1);
  const webphones = planWebphones(built.webphones, target, built, options.authorise);
  const budgets =
    options.defaultBudgets === false
      ? []
      : [...defaultBudgets(loaded, params), ...(webphones === undefined ? [] : WEBPHONE_BUDGETS)];
  budgets.push(...(options.budget ?? []));
  for (const budget of budgets) parseBudget(budget);

  const time = stamp.now.toISOString().replace(/[-:]/g, '').replace('T', '-').slice(0, 15);
  const parts = [scenario.name, incidentName, ...(cured ? ['cured'] : []), time, stamp.suffix];
  return validatePlan(
    {
      schema: 'deadair.plan/1',
      runId: parts.join('-'),
      scenario: scenario.name,
      incident: incidentName,
      cured,
      injectedCause: incident.cause,
      seed,
      mode: options.simulate ? 'simulated' : 'real',
      params,
      target,
      arrivals: built.arrivals,
      drainMs: built.drainMs,
      call: built.call,
      ...(signalling.transport === 'udp' && signalling.outboundProxy === undefined ? {} : { signalling }),
      ...(registrations === undefined ? {} : { registrations }),
      ...(webphones === undefined ? {} : { webphones }),
      agents: { ...DEFAULT_AGENTS, ...built.agents, mediaBackend: (options.mediaBackend ?? 'auto') as MediaBackend },
      faults,
      budgets,
      command: commandLine(ref, { ...options, seed }),
    },
    'plan',
  );
}

/** Throws BAD_PLAN where calls of registered phones cannot be placed. */
function refuseCalls(plan: RegistrationPlan | undefined, target: TargetPlan, workers: number): void {
  if (plan === undefined || !plan.called) return;
  if (!plan.calling && target.kind !== 'embedded') {
    throw new HarnessError(
      'BAD_PLAN',
      '--set calls=outside: callers outside are of the embedded platform; leave it out',
    );
  }
  const least = Math.max(2, workers);
  if (plan.calling && plan.phones < least) {
    const why = workers > 2 ? `${workers} workers, and each wants a phone` : 'phones call each other';
    throw new HarnessError('BAD_PLAN', `${plan.phones} phones: ${why}; set at least ${least}`);
  }
}

/** What a target has no place for; what a stack cannot do is known when it is up. Throws BAD_PLAN. */
function refuseFaults(faults: readonly FaultPlan[], target: TargetPlan, phones: RegistrationPlan | undefined): void {
  const [first] = faults;
  if (first === undefined) return;
  if (target.kind === 'sip') {
    throw new HarnessError(
      'BAD_PLAN',
      `--fault ${first.kind}: is done to a platform that we bring up: leave ${target.stack === undefined ? '--target' : `--stack ${target.stack}`} out; a relay in front of a target loses and delays its packets: deadair relay`,
    );
  }
  if (target.kind !== 'embedded') return;
  checkEmbeddedFaults(faults, target.config, { register: phones !== undefined, called: phones?.called ?? false });
}

/** Domain of phones in a file that names none, on the embedded platform (RFC 2606). */
const HOME = 'pbx.test';

/** With a file of users there are as many phones as it has, if the plan does not want fewer; its domains are tenants. */
function phonesOf(plan: RegistrationPlan, target: TargetPlan, seed: number): RegistrationPlan {
  if (plan.users === undefined) return plan;
  const file = resolve(plan.users.file);
  const domain = plan.users.domain || (target.kind === 'sip' ? uriHost(target.host) : HOME);
  const { rows, sha256 } = readUsers({ file, domain, sha256: '' }, seed);
  const phones = Math.min(plan.phones, rows.length);
  const used = rows.slice(0, phones);
  const stranger = used.find((row) => row.authUser !== undefined);
  const ours = target.kind === 'embedded' || target.stack !== undefined;
  if (ours && stranger !== undefined) {
    throw new HarnessError(
      'BAD_PLAN',
      `${file}: ${stranger.user} has the authentication name ${stranger.authUser}; a registrar that we bring up knows users by the name of their address: make them equal, or give --target`,
    );
  }
  const tenants = used.reduce((n, row) => Math.max(n, row.tenant + 1), 1);
  return { ...plan, phones, tenants, users: { file, domain, sha256 } };
}

export function freshStamp(): Stamp {
  return { now: new Date(), suffix: randomBytes(2).toString('hex') };
}

function checkChoices(options: PlanOptions): void {
  const bad = (why: string): HarnessError => new HarnessError('BAD_PLAN', why);
  if (options.stack !== undefined && options.target !== undefined) throw bad('--stack and --target exclude each other');
  if (!onStack(options) && (options.env !== undefined || Object.keys(options.roles ?? {}).length > 0)) {
    throw bad('--env and the roles of services are of a stack in Docker: name it with --stack');
  }
  const instead = onStack(options) ? `--stack ${options.stack}` : replacementOf(options);
  if (options.simulate && instead !== undefined) {
    throw bad(`--simulate and ${instead} exclude each other: a simulated run has no network`);
  }
  if (options.mediaBackend !== undefined && !BACKENDS.includes(options.mediaBackend)) {
    throw bad(`--media-backend ${options.mediaBackend}: must be one of ${BACKENDS.join(', ')}`);
  }
}

function onStack(options: PlanOptions): options is PlanOptions & { stack: string } {
  return options.stack !== undefined && !STACKS.includes(options.stack);
}

function findIncident(loaded: LoadedScenario, name: string): Incident {
  const all = incidentsOf(loaded.scenario);
  const incident = Object.hasOwn(all, name) ? all[name] : undefined;
  if (incident !== undefined) return incident;
  const names = Object.keys(all);
  throw new HarnessError(
    'UNKNOWN_INCIDENT',
    `scenario ${loaded.ref} has no incident ${name}${didYouMean(name, names)}; it has ${names.join(', ')}`,
  );
}

function cureOf(name: string, incident: Incident, cured: boolean): Record<string, ParamValue> {
  if (!cured) return {};
  if (name === NO_INCIDENT) throw new HarnessError('BAD_PLAN', '--cured: name what to cure with --incident');
  if (incident.cure) return incident.cure.set as Record<string, ParamValue>;
  const why = incident.noCure === undefined ? '' : `: ${incident.noCure}`;
  throw new HarnessError('BAD_PLAN', `--cured: incident ${name} has no cure${why}`);
}

function parseSeed(seed: number | string): number {
  const n = typeof seed === 'number' ? seed : /^\d+$/.test(seed) ? Number(seed) : Number.NaN;
  if (Number.isInteger(n) && n >= 0 && n <= 0xffffffff) return n;
  throw new HarnessError('BAD_PLAN', `--seed ${seed}: must be a whole number from 0 to 4294967295`);
}

function targetOf(
  options: PlanOptions,
  incident: string,
  embedded: TargetPlan,
  stamp: Stamp,
  transport?: Transport,
): TargetPlan {
  const instead = replacementOf(options);
  if (instead === undefined) return embedded;
  const target =
    options.target === undefined
      ? kamailioOf(stamp, transport)
      : parseTarget(options.target, options.authorise, transport);
  if (incident === NO_INCIDENT) return target;
  throw new HarnessError(
    'BAD_PLAN',
    `--incident ${incident}: an incident is done to the embedded platform, and ${instead} replaces that; leave one out`,
  );
}

/** What takes the place of the embedded platform, as the user wrote it. */
function replacementOf({ target, stack }: PlanOptions): string | undefined {
  if (target !== undefined) return '--target';
  return stack === 'kamailio' ? '--stack kamailio' : undefined;
}

/** 127.160.0.0/16, by the run's own suffix: two runs of one second get two addresses. */
function kamailioOf({ suffix }: Stamp, transport: Transport = 'udp'): TargetPlan {
  const n = Number.parseInt(suffix, 36) % 0xfe00;
  const host = `127.160.${Math.floor(n / 254)}.${1 + (n % 254)}`;
  const port = KAMAILIO_PORTS[transport];
  return { kind: 'sip', uri: `sip:${host}:${port}`, host, port, stack: 'kamailio' };
}

function defaultBudgets(loaded: LoadedScenario, params: Record<string, ParamValue>): string[] {
  const { budgets } = loaded.scenario;
  if (Array.isArray(budgets)) return [...budgets];
  const made: unknown = callScenario(loaded, 'budgets()', () => budgets({ ...params }));
  if (Array.isArray(made) && made.every((text) => typeof text === 'string')) return [...made];
  throw new HarnessError('BAD_PLAN', `scenario ${loaded.ref}: budgets() must return a list of texts`);
}
