/** The kernel's own network emulator, where the kernel has it. It works on what leaves the target. */
import type { FaultPlan } from '../../plan/types.js';
import type { Backend, FaultContext, Step, Work } from '../lease.js';
import { helper, sidecar } from './tools.js';

function words({ kind }: FaultPlan, p: FaultPlan['params']): string {
  if (kind === 'packet-loss') {
    // Gilbert's model: the mean length of a burst is 1 / (its chance to end).
    const [loss, burst] = [Number(p.percent), Number(p.burst)];
    if (burst <= 1) return `loss ${loss}%`;
    const end = 100 / burst;
    return `loss gemodel ${((loss / (100 - loss)) * end).toFixed(4)}% ${end.toFixed(4)}%`;
  }
  if (kind === 'delay') return `delay ${p.ms}ms ${p.jitterMs}ms`;
  if (kind === 'jitter') return `delay ${Number(p.ms) / 2}ms ${Number(p.ms) / 2}ms`;
  if (kind === 'reorder') return `delay ${p.ms}ms reorder ${100 - Number(p.percent)}%`;
  if (kind === 'duplicate') return `duplicate ${p.percent}%`;
  return `rate ${p.kbps}kbit limit ${Math.max(2, Math.round((Number(p.kbps) * Number(p.queueMs)) / 8 / 200))}`;
}

const EVERY_LINK = 'for d in $(ls /sys/class/net); do [ "$d" = lo ] ||';

async function lacks({ plan, probe }: FaultContext): Promise<string | null> {
  if (plan.params.direction !== 'out') return 'netem works on what leaves the target: direction=out';
  if (plan.params.what !== 'all' || plan.params.method !== '') return 'netem does not tell packets apart';
  const words = await probe(sidecar(['tc', 'qdisc', 'add', 'dev', 'lo', 'root', 'netem'], { capAdd: ['NET_ADMIN'] }));
  return words === null ? 'this kernel has no netem' : null;
}

async function work(context: FaultContext): Promise<Work> {
  const { plan, target } = context;
  const { name, start, end } = helper(context);
  const tc = (what: string): Step => ({
    do: 'exec',
    container: name,
    cmd: ['sh', '-ec', `${EVERY_LINK} tc qdisc ${what}; done`],
  });
  const set = (params: FaultPlan['params']): Step => tc(`replace dev $d root netem ${words(plan, params)}`);
  const clean: Step = {
    do: 'run',
    labels: context.labels,
    orGone: target.container,
    spec: sidecar(['tc', 'qdisc', 'show'], { networkOf: target.container, capAdd: ['NET_ADMIN'] }),
    not: 'netem',
  };
  const first = plan.ramp === undefined ? plan.params : { ...plan.params, [plan.ramp.param]: plan.ramp.from };
  return {
    prepare: [start],
    apply: [set(first)],
    verify: [{ do: 'exec', container: name, cmd: ['tc', 'qdisc', 'show'], sees: 'netem' }],
    turn: (params) => [set(params)],
    undo: [tc('del dev $d root 2>/dev/null || true'), ...end],
    fallbacks: [],
    proof: [clean, { do: 'absent', container: name }],
    byHand: `docker run --rm --network container:${target.container} --cap-add NET_ADMIN ${sidecar([], {}).image} tc qdisc del dev eth0 root`,
  };
}

export const netem: Backend = {
  name: 'netem',
  kinds: ['packet-loss', 'delay', 'jitter', 'reorder', 'duplicate', 'bandwidth'],
  preference: 0,
  lacks,
  work,
};
