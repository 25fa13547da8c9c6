import type { FaultContext, Sidecar, Step } from '../lease.js';

/** Images of ours with what faults need: nft and tc in the router's, Node and our package in the agents'. */
export function toolImage(name: 'nat' | 'agent', env: NodeJS.ProcessEnv = process.env): string {
  return `deadair/${name}:${env.DEADAIR_TAG ?? '0.1.0'}`;
}

export function sidecar(cmd: string[], spec: Partial<Sidecar>): Sidecar {
  return {
    image: toolImage('nat'),
    cmd,
    networkOf: null,
    pidOf: null,
    capAdd: [],
    env: {},
    sysctls: {},
    cpuShares: null,
    readyLine: null,
    ...spec,
  };
}

/** Letters, digits and underscores: what nft, toxics and PostgreSQL all take as a name. It carries the run and the fault. */
export function tagOf({ run, id }: Pick<FaultContext, 'run' | 'id'>): string {
  return `deadair_${run}_${id}`.replace(/[^A-Za-z0-9]/g, '_');
}

export function sidecarName({ run, id }: Pick<FaultContext, 'run' | 'id'>): string {
  return `deadair-fault-${run}-${id}`;
}

/** Sleeps in the target's network and carries commands out there; nothing is needed in the target. */
export function helper(context: FaultContext, spec: Partial<Sidecar> = {}): { name: string; start: Step; end: Step[] } {
  const name = sidecarName(context);
  const idle = ['sleep', 'infinity'];
  return {
    name,
    start: {
      do: 'sidecar',
      name,
      labels: context.labels,
      spec: sidecar(idle, { networkOf: context.target.container, capAdd: ['NET_ADMIN'], ...spec }),
    },
    end: [
      { do: 'remove', container: name },
      { do: 'absent', container: name },
    ],
  };
}

export function numberOf(context: Pick<FaultContext, 'plan'>, name: string): number {
  return Number(context.plan.params[name]);
}

export function textOf(context: Pick<FaultContext, 'plan'>, name: string): string {
  return String(context.plan.params[name]);
}
