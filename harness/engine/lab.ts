import { randomInt } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import type { FleetPlan } from '../../agents/fleet.js';
import { ipFromString, ipToString } from '../../agents/wire/types.js';
import type { RunStore } from '../collect/store.js';
import { HarnessError } from '../errors.js';
import { RunFaults } from '../faults/run-faults.js';
import { agentChannel } from '../lab/docker/agent-channel.js';
import { connect, engineAddress } from '../lab/docker/engine.js';
import { openStack } from '../lab/docker/locate.js';
import { Stack } from '../lab/docker/stack.js';
import type { StartedStack } from '../lab/docker/started.js';
import type { ServiceSpec, StackSpec } from '../lab/docker/types.js';
import type { RegistrationPlan, RunPlan, StackTarget } from '../plan/types.js';
import { plannedUsers, tenantRows, type UserRow } from '../plan/users.js';
import type { AgentHost } from './agent-host.js';
import { BudgetWatch } from './budget-watch.js';
import { calleeRoom, legRoom, registrantsOf, registrationCapacity } from './fleets.js';
import { Gatherer } from './gather.js';
import { harvest } from './lab-harvest.js';
import { labSources } from './lab-telemetry.js';
import { RemoteAgent } from './remote.js';
import { Telemetry } from './telemetry.js';
import type { EngineOptions } from './types.js';

const SIP_PORT = 5060;
/** Which side of the platform a service with the role `agent` calls or answers from. */
const SIDE_LABEL = 'deadair.side';
/** `10.213.20.10:5060`: where a service takes SIP, when it is not port 5060 of its first network. */
const SIP_LABEL = 'deadair.sip';
/** Media ports of one address, shared out among the workers that call from it. */
const MEDIA_PORT_MIN = 10_000;
const MEDIA_PORT_MAX = 65_535;

interface Endpoint {
  ip: number;
  port: number;
}

/** What the engine conducts: agents in the stack's containers, and where they call. */
export interface LabParts {
  gatherer: Gatherer;
  watch: BudgetWatch;
  platform: null;
  agents: AgentHost[];
  threads: AgentHost[];
  arrivals: Float64Array;
  /** `harvest` reads what the stack leaves behind; `t0EpochMs` is the run's beginning on the wall clock. */
  lab: {
    at: string;
    callee: 'agents' | 'target';
    telemetry: Telemetry;
    faults: RunFaults | null;
    harvest: (t0EpochMs: number) => Promise<void>;
  };
}

/** The plan's stack stands for as long as `conduct` takes. Throws HarnessError; nothing is left then. */
export async function onStack<T>(
  plan: RunPlan,
  arrivals: Float64Array,
  store: RunStore,
  options: EngineOptions,
  conduct: (parts: LabParts) => Promise<T>,
): Promise<T> {
  if (plan.target.kind !== 'stack') throw new Error('no stack in this plan');
  const lab = await openLab(plan.target, plan.runId, options);
  let agents: AgentHost[] = [];
  let faults: RunFaults | null = null;
  try {
    // First of all: what cannot be done to this stack is known before any call.
    faults = await armFaults(plan, lab, store, options);
    const watch = new BudgetWatch(plan.budgets);
    const gatherer = new Gatherer(store, watch.live);
    agents = await lab.startAgents(plan, arrivals, gatherer);
    const { edge, callee } = lab;
    const at = `the edge ${ipToString(edge.ip)}:${edge.port} of stack ${lab.name}`;
    const tag = randomInt(2 ** 40).toString(16);
    const telemetry = new Telemetry(await labSources(lab.stack, tag, () => performance.now()), store);
    const parts = { at, callee, telemetry, faults, harvest: (t0: number) => harvest(lab.stack, store, t0) };
    return await conduct({ gatherer, watch, platform: null, agents, threads: agents, arrivals, lab: parts });
  } finally {
    // Before the stack goes: a fault is proven gone on what it was done to.
    await faults?.finish();
    await Promise.all(agents.map((agent) => agent.stop()));
    await lab.close();
  }
}

async function armFaults(plan: RunPlan, lab: Lab, store: RunStore, options: EngineOptions): Promise<RunFaults | null> {
  if (plan.faults.length === 0) return null;
  return RunFaults.arm(plan.faults, {
    docker: lab.stack.docker,
    engine: engineAddress(),
    run: plan.runId,
    stack: lab.stack.spec.name,
    seed: plan.seed,
    authorised: options.authorised ?? [],
    runDir: store.runDir,
    ...(options.onStack === undefined ? {} : { tell: options.onStack }),
  });
}

/** A stack that is up, with its two ends: where calls go in, and who answers them. */
interface Lab {
  name: string;
  stack: StartedStack;
  edge: Endpoint;
  callee: 'agents' | 'target';
  startAgents(plan: RunPlan, arrivals: Float64Array, gatherer: Gatherer): Promise<AgentHost[]>;
  /** Takes the stack down, unless it was up before or is to stay. */
  close(): Promise<void>;
}

/** What the plan's stack is, read and checked before anything is made. Throws BAD_STACK. */
export function readLab(target: StackTarget): { spec: StackSpec; parts: Parts } {
  const variables = Object.assign({}, ...target.settings.map((setting) => setting.variables));
  const spec = openStack(target.stack, { ...process.env, ...variables }, target.roles);
  for (const { what, variables } of target.settings) {
    const names = Object.keys(variables);
    if (names.some((name) => spec.variables.includes(name))) continue;
    throw new HarnessError(
      'BAD_STACK',
      `${what}: stack ${spec.name} has no variable ${names.join(' or ')}; it has ${spec.variables.join(', ') || 'none'}`,
    );
  }
  return { spec, parts: partsOf(spec.services, target.stack) };
}

/** Brings the stack up, or takes the one that is. Throws HarnessError; nothing is left of it then. */
async function openLab(target: StackTarget, runId: string, options: EngineOptions): Promise<Lab> {
  const tell = options.onStack ?? (() => undefined);
  const { spec, parts } = readLab(target);
  const docker = await connect();
  const keep = options.keepStack ?? false;
  tell(`stack ${spec.name}: bringing up ${spec.services.length} services`);
  const stack = await new Stack(spec, docker).up({
    run: runId,
    keep,
    signal: options.signal,
    tell,
    nowMs: () => performance.now(),
  });
  tell(`stack ${spec.name}: ${stack.reused ? 'was up already' : `ready in ${(stack.readyMs / 1000).toFixed(1)} s`}`);
  const close = async (): Promise<void> => {
    if (stack.reused || keep) return;
    tell(`stack ${spec.name}: taking it down (--keep leaves it there)`);
    await stack.down();
  };
  try {
    const edge = await sipEndpoint(stack, parts.edge);
    const callees = parts.callees === null ? null : await sipEndpoint(stack, parts.callees);
    return {
      name: spec.name,
      stack,
      edge,
      callee: callees === null ? 'target' : 'agents',
      startAgents: (plan, arrivals, gatherer) => startAgents(stack, parts, { plan, arrivals, gatherer, edge, callees }),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

interface Parts {
  edge: ServiceSpec;
  callers: ServiceSpec;
  callees: ServiceSpec | null;
}

function partsOf(services: readonly ServiceSpec[], ref: string): Parts {
  const withRole = (role: string): ServiceSpec[] => services.filter((s) => s.labels['deadair.role'] === role);
  const edge = withRole('edge')[0];
  if (edge === undefined) {
    throw new HarnessError(
      'BAD_STACK',
      `stack ${ref}: no service is its edge; say which with --edge SERVICE, or label it deadair.role: edge`,
    );
  }
  const side = (name: string): ServiceSpec | undefined => withRole('agent').find((s) => s.labels[SIDE_LABEL] === name);
  const callers = side('subscriber');
  if (callers === undefined) {
    throw new HarnessError(
      'BAD_STACK',
      `stack ${ref}: nobody can call: add a service with image deadair/agent and the labels deadair.role: agent, ${SIDE_LABEL}: subscriber (and one with ${SIDE_LABEL}: carrier to answer); see docker/stacks/naive.yaml`,
    );
  }
  return { edge, callers, callees: side('carrier') ?? null };
}

async function sipEndpoint(stack: StartedStack, service: ServiceSpec): Promise<Endpoint> {
  const label = service.labels[SIP_LABEL];
  const [host, port = String(SIP_PORT)] = label?.split(':') ?? [
    [...(await stack.addresses(service)).values()][0] ?? '',
  ];
  const ip = ipFromString(host!);
  if (!Number.isNaN(ip) && Number(port) > 0) return { ip, port: Number(port) };
  throw new HarnessError(
    'BAD_STACK',
    `${service.at}: ${service.name} has no address for SIP; label it ${SIP_LABEL}: IP:PORT`,
  );
}

async function startAgents(
  stack: StartedStack,
  parts: Parts,
  how: { plan: RunPlan; arrivals: Float64Array; gatherer: Gatherer; edge: Endpoint; callees: Endpoint | null },
): Promise<AgentHost[]> {
  const { plan, arrivals, gatherer, edge, callees } = how;
  const { callerWorkers, mediaBackend } = plan.agents;
  const users = plan.registrations === undefined ? null : await phonesOf(stack, plan, plan.registrations);
  const fleets = labFleets(plan, edge, callees, users, randomInt(2 ** 40).toString(16), randomInt(65_536));
  const agents: RemoteAgent[] = [];
  try {
    for (const fleet of fleets) {
      const service = fleet.callers === null ? parts.callees! : parts.callers;
      const name = `${service.name}-${fleet.worker}`;
      const due = fleet.callers === null ? new Float64Array(0) : arrivals;
      const channel = await agentChannel(stack, service);
      const legs = legRoom(fleet);
      const phones = fleet.registrants === undefined ? 0 : registrationCapacity(plan.registrations, callerWorkers);
      const work = { plan: fleet, media: mediaBackend, legCapacity: legs, registrationCapacity: phones };
      const agent = await RemoteAgent.open(name, channel, work, due);
      agents.push(agent);
      gatherer.workers.push({
        ...{ name, legs: agent.legs, counters: agent.counters, arrivals: due },
        registrations: phones === 0 ? null : agent.registrations,
        ...{ first: fleet.callers?.first ?? 0, stride: fleet.callers?.stride ?? callerWorkers, died: false, ended: 0 },
      });
    }
    return agents;
  } catch (error) {
    await Promise.all(agents.map((agent) => agent.stop()));
    throw error;
  }
}

/** Those of the plan's file, or of the stack's own tenants (docker/common/tenants), one tenant after the other. Throws BAD_STACK. */
async function phonesOf(stack: StartedStack, plan: RunPlan, { phones }: RegistrationPlan): Promise<UserRow[]> {
  const named = plannedUsers(plan);
  if (named !== null) return named;
  const bad = (why: string): HarnessError =>
    new HarnessError('BAD_STACK', `stack ${stack.spec.name}: ${why}; name its phones with --set users=FILE`);
  const database = stack.withRole('database')[0];
  if (database === undefined) throw bad('no service has the role database, which would know its phones');
  const csv = await stack.output(database, ['tenants', 'csv']);
  if (csv === null) throw bad(`${database.name} does not tell its phones (tenants csv)`);
  const rows = tenantRows(csv);
  if (rows.length >= phones) return rows.slice(0, phones);
  throw bad(`it has ${rows.length} phones, and the plan wants ${phones}`);
}

/** Workers that call from the subscribers' side, and one that answers on the carrier's. */
export function labFleets(
  plan: RunPlan,
  edge: Endpoint,
  callees: Endpoint | null,
  users: UserRow[] | null,
  runTag: string,
  salt: number,
): FleetPlan[] {
  const { callerWorkers, maxCallsPerWorker } = plan.agents;
  const common = (worker: number, maxCalls: number) => ({
    worker,
    seed: plan.seed,
    salt: (salt + worker * 0x101) & 0xffff,
    runTag,
    maxCalls,
    call: plan.call,
  });
  const share = Math.floor((MEDIA_PORT_MAX + 1 - MEDIA_PORT_MIN) / callerWorkers / 2) * 2;
  const fleets: FleetPlan[] = Array.from({ length: callerWorkers }, (_, worker) => ({
    ...common(worker, maxCallsPerWorker),
    mediaPorts: { min: MEDIA_PORT_MIN + worker * share, max: MEDIA_PORT_MIN + (worker + 1) * share - 1 },
    callers: {
      first: worker,
      stride: callerWorkers,
      // The container's own, on whatever way leads to the edge.
      ip: 0,
      gateway: null,
      hop: edge,
      domain: `${ipToString(edge.ip)}:${edge.port}`,
      user: null,
    },
    callees: null,
    ...registrantsOf(plan, users, { first: worker, stride: callerWorkers }, 0, edge),
  }));
  if (callees !== null) {
    // Every call may come to this one worker.
    const all = maxCallsPerWorker * callerWorkers;
    fleets.push({ ...common(callerWorkers, all), callers: null, callees: { ...callees, maxCalls: calleeRoom(all) } });
  }
  return fleets;
}
