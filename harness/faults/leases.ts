import { HarnessError } from '../errors.js';
import type { Docker } from '../lab/docker/engine.js';
import { execIn, runSidecar } from '../lab/docker/fault-steps.js';
import { LABEL } from '../lab/docker/labels.js';
import { ownSubnets, partOf, partsOf } from '../lab/docker/parts.js';
import { type Occurrence, occurrences, paramsAt, RAMP_STEP_MS } from '../plan/fault.js';
import type { FaultPlan } from '../plan/types.js';
import { subSeed } from '../prng.js';
import { authoriseAddress, authoriseContainer, type Permissions } from './authorise.js';
import { BACKENDS } from './backends/index.js';
import type { Backend, FaultContext, FaultTarget, Lease, Sidecar } from './lease.js';
import { select, targetsOf } from './targets.js';

export const FAULT_LABEL = 'deadair.fault';

export interface LeaseOptions {
  docker: Docker;
  run: string;
  /** The stack that is up. */
  stack: string;
  seed: number;
  authorised: readonly string[];
}

/** Everything that the plans want done to a stack, as leases. Changes nothing. Throws HarnessError: what cannot be done is not begun. */
export async function leasesOf(plans: readonly FaultPlan[], options: LeaseOptions): Promise<Lease[]> {
  const { docker, stack } = options;
  const all = targetsOf(await partsOf(docker, stack));
  const permissions: Permissions = { subnets: await ownSubnets(docker), authorised: options.authorised };
  const chosen = new Map<string, Choice>();
  const leases: Lease[] = [];
  for (const occurrence of occurrences(plans)) {
    for (const target of await targetsFor(docker, occurrence.plan, all, permissions)) {
      const context = contextOf(occurrence, target, all, options);
      // A repeat is done as the first was.
      const key = `${occurrence.id.replace(/-\d+$/, '')} ${target.name}`;
      const choice = chosen.get(key) ?? (await choose(context));
      chosen.set(key, choice);
      leases.push(await leaseOf(occurrence, context, choice));
    }
  }
  const first = leases[0];
  if (first !== undefined) {
    for (const lease of leases) {
      if (lease.atMs > first.atMs) break;
      const { container } = all.find((t) => t.name === lease.target) ?? { container: '' };
      if (container !== '') lease.steady.push({ do: 'is', container, state: 'well' });
    }
  }
  return leases;
}

async function targetsFor(
  docker: Docker,
  plan: FaultPlan,
  all: readonly FaultTarget[],
  permissions: Permissions,
): Promise<FaultTarget[]> {
  const where = `--fault ${plan.kind}`;
  const proxy = /^toxiproxy:(.+):(\d+)\/(.+)$/.exec(plan.on);
  if (proxy !== null) {
    authoriseAddress(where, proxy[1]!, permissions);
    const nothing = { service: '', side: '', container: '', image: '', env: {}, cpus: null };
    return [{ ...nothing, name: plan.on, role: 'toxiproxy', addresses: [proxy[1]!] }];
  }
  const foreign = /^container:(.+)$/.exec(plan.on)?.[1];
  if (foreign === undefined) return select(all, plan.on, where);
  authoriseContainer(where, foreign, permissions);
  try {
    return [{ ...(await partOf(docker, foreign)), name: plan.on }];
  } catch {
    throw new HarnessError('BAD_PLAN', `${where}: on=${plan.on}: there is no such container`);
  }
}

function contextOf(
  { id, plan }: Occurrence,
  target: FaultTarget,
  all: readonly FaultTarget[],
  { docker, run, stack, seed }: LeaseOptions,
): FaultContext {
  const own = `${id}-${target.name.replace(/[^A-Za-z0-9]+/g, '-')}`;
  const labels = { [LABEL.run]: run, [LABEL.stack]: stack, [FAULT_LABEL]: own };
  return {
    run,
    id: own,
    plan,
    target,
    all,
    seed: subSeed(seed, own),
    labels,
    ask: async (container, cmd) => {
      try {
        const { exitCode, output } = await execIn(docker, container, cmd);
        return exitCode === 0 ? output : null;
      } catch {
        // Frozen or gone: it has nothing to say, and the caller says what that means.
        return null;
      }
    },
    probe: async (spec: Sidecar) => {
      const { exitCode, output } = await runSidecar(docker, labels, spec);
      return exitCode === 0 ? output : null;
    },
  };
}

interface Choice {
  backend: Backend;
  because: string;
}

/** The most preferred back-end that can, and why the ones before it cannot. */
async function choose(context: FaultContext): Promise<Choice> {
  const { plan, target } = context;
  const able = BACKENDS.filter((b) => b.kinds.includes(plan.kind)).sort((a, b) => a.preference - b.preference);
  const wanted = able.filter((b) => plan.backend === undefined || b.name === plan.backend);
  const what = `--fault ${plan.kind} on ${target.name}`;
  if (wanted.length === 0) {
    const has =
      able.length === 0 ? 'is not done to a stack in Docker' : `is done by ${able.map((b) => b.name).join(', ')}`;
    throw new HarnessError(
      'BAD_PLAN',
      `${what}: it ${has}${plan.backend === undefined ? '' : `, not by ${plan.backend}`}`,
    );
  }
  const why: string[] = [];
  for (const backend of wanted) {
    const lacking = await backend.lacks(context);
    if (lacking === null) return { backend, because: why.join('; ') };
    why.push(`${backend.name}: ${lacking}`);
  }
  throw new HarnessError('NO_CAPABILITY', `${what}: nothing here can do it: ${why.join('; ')}`);
}

async function leaseOf({ plan, atMs, forMs }: Occurrence, context: FaultContext, choice: Choice): Promise<Lease> {
  const { turn, anchors, ...work } = await choice.backend.work(context);
  if (plan.ramp !== undefined && turn === undefined) {
    throw new HarnessError('BAD_PLAN', `--fault ${plan.kind}: by ${choice.backend.name} it cannot ramp`);
  }
  return {
    id: context.id,
    run: context.run,
    kind: plan.kind,
    target: context.target.name,
    backend: choice.backend.name,
    because: choice.because,
    atMs,
    forMs,
    steady: [],
    ...work,
    turns: turn === undefined ? [] : climb(plan).map((ms) => ({ atMs: ms, steps: turn(paramsAt(plan, ms)) })),
    anchors: anchors ?? (context.target.container === '' ? [] : [context.target.container]),
  };
}

/** Instants of a ramp's steps, ms from the fault's beginning. */
function climb({ ramp }: FaultPlan): number[] {
  if (ramp === undefined) return [];
  const steps = Math.max(1, Math.floor(ramp.overMs / RAMP_STEP_MS));
  return Array.from({ length: steps }, (_, i) => ((i + 1) * ramp.overMs) / steps);
}
