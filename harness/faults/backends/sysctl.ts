/** Settings of a network namespace, written by a sidecar at its start: the engine does it, and nobody needs to be privileged. */
import { HarnessError } from '../../errors.js';
import type { Backend, FaultContext, Step, Work } from '../lease.js';
import { sidecar } from './tools.js';

const NAMES = ['net.netfilter.nf_conntrack_udp_timeout', 'net.netfilter.nf_conntrack_udp_timeout_stream'] as const;
const fileOf = (name: string): string => `/proc/sys/${name.replaceAll('.', '/')}`;

async function valuesOf({ ask, target }: FaultContext): Promise<string[] | null> {
  const words = await ask(target.container, ['cat', ...NAMES.map(fileOf)]);
  const values = words?.trim().split(/\s+/) ?? [];
  return values.length === NAMES.length ? values : null;
}

async function work(context: FaultContext): Promise<Work> {
  const { target, plan, labels } = context;
  const before = await valuesOf(context);
  if (before === null) throw new HarnessError('BAD_PLAN', `${plan.kind}: ${target.name} has no conntrack`);
  const set = (values: readonly string[]): Step => ({
    do: 'run',
    labels,
    orGone: target.container,
    spec: sidecar(['cat', ...NAMES.map(fileOf)], {
      networkOf: target.container,
      sysctls: Object.fromEntries(NAMES.map((name, i) => [name, values[i]!])),
    }),
    sees: `^${values.join('\\s+')}\\s*$`,
  });
  const is = (values: readonly string[]): Step => ({
    do: 'run',
    labels,
    orGone: target.container,
    spec: sidecar(['cat', ...NAMES.map(fileOf)], { networkOf: target.container }),
    sees: `^${values.join('\\s+')}\\s*$`,
  });
  const wanted = (seconds: unknown): string[] => NAMES.map(() => String(Math.round(Number(seconds))));
  const first = plan.ramp === undefined ? plan.params.seconds : plan.ramp.from;
  return {
    prepare: [],
    apply: [set(wanted(first))],
    verify: [],
    turn: ({ seconds }) => [set(wanted(seconds))],
    undo: [set(before)],
    fallbacks: [],
    proof: [is(before)],
    byHand: `docker run --rm --network container:${target.container} ${NAMES.map((name, i) => `--sysctl ${name}=${before[i]}`).join(' ')} ${sidecar([], {}).image} true`,
  };
}

export const sysctl: Backend = {
  name: 'sysctl',
  kinds: ['nat-mapping-timeout'],
  preference: 10,
  lacks: async (context) => ((await valuesOf(context)) === null ? `${context.target.name} has no conntrack` : null),
  work,
};
