/** What the engine itself can do to a container: freeze, kill, restart, give it less CPU, put a neighbour beside it. */
import type { FaultKind } from '../../plan/fault-kinds.js';
import type { Backend, FaultContext, Step, Work } from '../lease.js';
import { numberOf, sidecar, sidecarName, textOf } from './tools.js';

/** Frozen: the kernel keeps its sockets, and nobody reads them. */
function pause({ target: { container } }: FaultContext): Work {
  return {
    prepare: [],
    apply: [{ do: 'pause', container }],
    verify: [{ do: 'is', container, state: 'paused' }],
    undo: [{ do: 'unpause', container }],
    fallbacks: [
      {
        what: 'restarting it',
        steps: [
          { do: 'unpause', container },
          { do: 'restart', container },
        ],
      },
      {
        what: 'killing it and starting it',
        steps: [
          { do: 'kill', container, signal: 'SIGKILL' },
          { do: 'start', container },
        ],
      },
    ],
    proof: [{ do: 'is', container, state: 'running' }],
    byHand: `docker unpause ${container}`,
  };
}

function kill({ target: { container } }: FaultContext): Work {
  return {
    prepare: [],
    apply: [{ do: 'kill', container, signal: 'SIGKILL' }],
    verify: [{ do: 'is', container, state: 'exited', soon: true }],
    undo: [{ do: 'start', container }],
    fallbacks: [{ what: 'restarting it', steps: [{ do: 'restart', container }] }],
    // What is killed is back when it serves again, not when its process is there.
    proof: [{ do: 'is', container, state: 'running' }],
    anchors: [],
    byHand: `docker start ${container}`,
  };
}

function restart({ target: { container } }: FaultContext): Work {
  return {
    prepare: [],
    apply: [{ do: 'restart', container }],
    verify: [{ do: 'is', container, state: 'running' }],
    undo: [{ do: 'start', container }],
    fallbacks: [],
    proof: [{ do: 'is', container, state: 'running' }],
    anchors: [],
    byHand: `docker start ${container}`,
  };
}

function cpuLimit(context: FaultContext): Work {
  const { container, cpus: before } = context.target;
  const quota = (cpus: number): Step[] => [
    { do: 'quota', container, cpus },
    { do: 'quota-is', container, cpus },
  ];
  return {
    prepare: [],
    apply: quota(numberOf(context, 'cpus')),
    verify: [],
    turn: ({ cpus }) => quota(Number(cpus)),
    undo: [{ do: 'quota', container, cpus: before }],
    fallbacks: [],
    proof: [{ do: 'quota-is', container, cpus: before }],
    byHand: `docker update ${before === null ? '--cpu-quota -1' : `--cpus ${before}`} ${container}`,
  };
}

function cpuBurn(context: FaultContext): Work {
  const name = sidecarName(context);
  const threads = numberOf(context, 'threads');
  const count = threads === 0 ? '$(nproc)' : String(threads);
  // A lease of its own: should everybody forget it, it ends.
  const ownS = Math.ceil(context.plan.forMs / 1000) + 60;
  const burn = `for i in $(seq ${count}); do timeout ${ownS} sh -c 'while :; do :; done' & done; echo burning; wait`;
  return {
    prepare: [],
    apply: [
      {
        do: 'sidecar',
        name,
        labels: context.labels,
        spec: sidecar(['sh', '-c', burn], { cpuShares: numberOf(context, 'weight'), readyLine: 'burning' }),
      },
    ],
    verify: [{ do: 'is', container: name, state: 'running' }],
    undo: [{ do: 'remove', container: name }],
    fallbacks: [
      {
        what: 'killing it',
        steps: [
          { do: 'kill', container: name, signal: 'SIGKILL' },
          { do: 'remove', container: name },
        ],
      },
    ],
    proof: [{ do: 'absent', container: name }],
    byHand: `docker rm -f ${name}`,
  };
}

const WORKS: Partial<Record<FaultKind, (context: FaultContext) => Work>> = {
  'node-pause': pause,
  'db-stall': pause,
  'redis-stall': pause,
  'node-kill': kill,
  'node-restart': restart,
  'cpu-limit': cpuLimit,
  'cpu-burn': cpuBurn,
};

export const docker: Backend = {
  name: 'docker',
  kinds: Object.keys(WORKS) as FaultKind[],
  preference: 30,
  lacks: async (context) => {
    if (!context.plan.kind.endsWith('-stall')) return null;
    const by = textOf(context, 'by');
    if (by !== 'auto' && by !== 'pause') return `by=${by}`;
    const mode = textOf(context, 'mode');
    return mode === 'stall' ? null : `a frozen process has no ${mode}`;
  },
  work: async (context) => WORKS[context.plan.kind]!(context),
};
