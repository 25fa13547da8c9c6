/**
 * nftables, in a table of its own in the target's network namespace, put there by a sidecar. Deleting the table takes everything
 * away in one transaction; a target that is gone took it along.
 */
import { HarnessError } from '../../errors.js';
import type { FaultPlan } from '../../plan/types.js';
import type { Backend, FaultContext, FaultTarget, Step, Work } from '../lease.js';
import { select } from '../targets.js';
import { helper, sidecar, tagOf } from './tools.js';

type Params = FaultPlan['params'];
/** Chain -> its rules. The header says where it hooks in. */
type Chains = Record<string, { hook: string; rules: string[] }>;
type Rules = (params: Params, context: FaultContext) => Chains;

/** The phones' LAN runs inside VXLAN on the access line: what is inside is counted, what is outside is not counted again. */
const NOT_THE_LINE = ['iifname "lo" accept', 'udp dport 4789 accept'];
const IN = 'type filter hook input priority -5; policy accept;';
const OUT = 'type filter hook output priority -5; policy accept;';
const FORWARD = 'type filter hook forward priority -5; policy accept;';
/** Before destination NAT (-100), so that the engine's own resolver at 127.0.0.11:53 is still seen on port 53. */
const OUT_EARLY = 'type filter hook output priority -200; policy accept;';
/** Before the router's own chain (100): the first translation of a flow is the one that counts. */
const SNAT_FIRST = 'type nat hook postrouting priority 90; policy accept;';

const SIP_PORTS = '{ 5060, 5061 }';
const NO_RTP = '{ 53, 4789, 5060, 5061 }';

/** What matches, in as many rules as it takes. */
const WHAT: Record<string, string[]> = {
  all: [''],
  sip: [
    `meta l4proto { tcp, udp } th dport ${SIP_PORTS} `,
    `meta l4proto { tcp, udp } th sport ${SIP_PORTS} th dport != ${SIP_PORTS} `,
  ],
  rtp: [`meta l4proto udp udp dport != ${NO_RTP} udp sport != ${NO_RTP} `],
};

/**
 * One end of a line has packets that come in and go out. A router passes them on: each is seen once, and `in` is what
 * comes back to whoever began the flow, that is, to the phones.
 */
function lines(
  { target }: FaultContext,
  params: Params,
  rule: (direction: 'in' | 'out', which: string) => string[],
): Chains {
  const { direction = 'both' } = params;
  const wants = (one: 'in' | 'out'): boolean => direction === 'both' || direction === one;
  if (target.role === 'nat') {
    const which = direction === 'both' ? '' : `ct direction ${direction === 'in' ? 'reply' : 'original'} `;
    const one = direction === 'out' ? 'out' : 'in';
    return { fwd_line: { hook: FORWARD, rules: [...NOT_THE_LINE, ...rule(one, which)] } };
  }
  return {
    ...(wants('in') ? { in_line: { hook: IN, rules: [...NOT_THE_LINE, ...rule('in', '')] } } : {}),
    ...(wants('out')
      ? { out_line: { hook: OUT, rules: ['oifname "lo" accept', 'udp dport 4789 accept', ...rule('out', '')] } }
      : {}),
  };
}

const loss: Rules = (params, context) => {
  const perMyriad = Math.round(Number(params.percent) * 100);
  return lines(context, params, (_, which) =>
    // Two rules of one packet share no draw, but no packet meets both.
    WHAT[String(params.what)]!.map((match) =>
      perMyriad === 0
        ? `${which}${match}counter`
        : `${which}${match}numgen random mod 10000 < ${perMyriad} counter drop`,
    ),
  );
};

const ppsLimit: Rules = (params, context) =>
  lines(context, params, (_, which) => [
    `${which}meta l4proto udp limit rate over ${params.pps}/second burst ${params.burst} packets counter drop`,
  ]);

const cut: Rules = (params, context) => {
  const peers = peersOf(params, context);
  return lines(context, params, (direction, which) => {
    if (peers === null) return [`${which}counter drop`];
    const side = direction === 'in' ? 'saddr' : 'daddr';
    const v4 = peers.filter((address) => !address.includes(':'));
    const v6 = peers.filter((address) => address.includes(':'));
    const both = context.target.role === 'nat' && (params.direction ?? 'both') === 'both' ? ['saddr', 'daddr'] : [side];
    return both.flatMap((end) => [
      ...(v4.length > 0 ? [`${which}ip ${end} { ${v4.join(', ')} } counter drop`] : []),
      ...(v6.length > 0 ? [`${which}ip6 ${end} { ${v6.join(', ')} } counter drop`] : []),
    ]);
  });
};

/** null: everybody. */
function peersOf(params: Params, { all, plan, target }: FaultContext): string[] | null {
  const peer = String(params.peer ?? '');
  if (peer === '') return null;
  const found = select(all, peer, `${plan.kind}: peer`).flatMap((t: FaultTarget) => t.addresses);
  if (found.length > 0) return found;
  throw new HarnessError('BAD_PLAN', `${plan.kind} on ${target.name}: peer ${peer} has no address`);
}

/**
 * Every packet of a flow counts it, so flows that were there before are counted as soon as they speak; only a new one is dropped.
 * The count is the set's, which both rules share. A flow that ended is forgotten by conntrack's own time.
 */
const tableLimit: Rules = ({ maxFlows }) => ({
  fwd_flows: {
    hook: FORWARD,
    rules: [
      'udp dport 4789 accept',
      `meta l4proto udp ct state established add @flows { meta l4proto ct count over ${maxFlows} } counter`,
      `meta l4proto udp ct state new add @flows { meta l4proto ct count over ${maxFlows} } counter drop`,
    ],
  },
});

const portRange: Rules = ({ from, ports }) => ({
  nat_ports: {
    hook: SNAT_FIRST,
    rules: [
      `meta l4proto udp fib saddr type != local counter masquerade to :${from}-${Number(from) + Number(ports) - 1}`,
    ],
  },
});

const dns: Rules = ({ mode }) => ({
  out_dns: {
    hook: OUT_EARLY,
    rules: [`meta l4proto { tcp, udp } th dport 53 counter ${mode === 'refused' ? 'reject' : 'drop'}`],
  },
});

const RULES = {
  'packet-loss': loss,
  'firewall-pps-limit': ppsLimit,
  partition: cut,
  'one-way-partition': cut,
  'nat-table-limit': tableLimit,
  'nat-port-range': portRange,
  'dns-failure': dns,
} as const;
type NftKind = keyof typeof RULES;

const SETS: Partial<Record<NftKind, string>> = {
  'nat-table-limit': 'add set inet TABLE flows { type inet_proto; flags dynamic; size 4; };',
};

function scriptOf(table: string, kind: NftKind, chains: Chains): string {
  const lines = [`add table inet ${table};`, (SETS[kind] ?? '').replace('TABLE', table)];
  for (const [name, { hook, rules }] of Object.entries(chains)) {
    lines.push(`add chain inet ${table} ${name} { ${hook} };`);
    // A ramp's next step replaces the rules in one transaction: there is no instant without one.
    lines.push(`flush chain inet ${table} ${name};`);
    for (const rule of rules) lines.push(`add rule inet ${table} ${name} ${rule};`);
  }
  return lines.join(' ');
}

async function lacks({ plan, target }: FaultContext): Promise<string | null> {
  if (plan.kind.startsWith('nat-') && target.role !== 'nat') return `${target.name} is no router`;
  if (plan.kind === 'packet-loss' && Number(plan.params.burst) > 1)
    return 'nftables has no memory: it cannot lose packets in bursts';
  if ((plan.params.method ?? '') !== '') return 'nftables does not read SIP';
  return null;
}

async function work(context: FaultContext): Promise<Work> {
  const kind = context.plan.kind as NftKind;
  const { target } = context;
  const table = tagOf(context);
  const { name, start, end } = helper(context);
  const set = (params: Params): Step => ({
    do: 'exec',
    container: name,
    cmd: ['nft', scriptOf(table, kind, RULES[kind](params, context))],
  });
  const first =
    context.plan.ramp === undefined
      ? context.plan.params
      : { ...context.plan.params, [context.plan.ramp.param]: context.plan.ramp.from };
  // Deleting what is not there is an error; adding what is there is none.
  const remove = ['nft', `add table inet ${table}; delete table inet ${table};`];
  const beside = (cmd: string[]): Extract<Step, { do: 'run' }> => ({
    do: 'run',
    labels: context.labels,
    orGone: target.container,
    spec: sidecar(cmd, { networkOf: target.container, capAdd: ['NET_ADMIN'] }),
  });
  return {
    prepare: [start],
    apply: [set(first)],
    verify: [
      { do: 'exec', container: name, cmd: ['nft', 'list', 'table', 'inet', table], sees: `table inet ${table}` },
    ],
    turn: (params) => [set(params)],
    undo: [{ do: 'exec', container: name, cmd: remove }, ...end],
    fallbacks: [{ what: 'a sidecar of its own', steps: [beside(remove), ...end] }],
    proof: [
      { ...beside(['nft', 'list', 'tables']), not: `${table}\\b` },
      { do: 'absent', container: name },
    ],
    byHand: `docker run --rm --network container:${target.container} --cap-add NET_ADMIN ${sidecar([], {}).image} nft delete table inet ${table}`,
  };
}

export const nft: Backend = { name: 'nft', kinds: Object.keys(RULES) as NftKind[], preference: 20, lacks, work };
