import { HarnessError } from '../../errors.js';
import { type Stage, stage } from '../../impair/line.js';
import { filterOf, impairmentOf, isPacketFault, type PacketFault, waysOf } from '../../impair/of-fault.js';
import { type Part, partOf } from '../../plan/fault-embedded.js';
import type { FaultPlan } from '../../plan/types.js';
import { subSeed } from '../../prng.js';
import type { Link } from './link.js';
import type { Nat } from './nat.js';
import type { NodeHost } from './node-host.js';
import { datagramsOf, type Registrar } from './registrar.js';
import type { MediaRelay } from './relay.js';
import { Setting } from './setting.js';
import type { Trunk } from './trunk.js';

/** One fault on the parts that it concerns. It changes their parameters; what comes of that is their own affair. */
export interface Control {
  /** Again for every step of a ramp. */
  apply(params: FaultPlan['params'], nowUs: number): void;
  undo(nowUs: number): void;
  /** The parts are as they were. */
  isClear(): boolean;
  /** Datagrams that it saw, and did something to. */
  told?(): { seen: number; hit: number };
}

/** The parts of a platform that something can be done to. */
export interface FaultParts {
  nat: Nat | null;
  relay: MediaRelay;
  nodes: readonly NodeHost[];
  trunks: readonly Trunk[];
  registrar: Registrar | null;
  /** By part: nat-1, edge-1, node-1, ... */
  links: ReadonlyMap<string, Link>;
  /** Addresses of a part. */
  addressesOf(role: string, index: number): readonly number[];
}

type Make = (of: FaultParts, on: Part) => Control;

const some = <T>(all: readonly T[], { number }: Part): T[] =>
  number === undefined ? [...all] : all.filter((_, i) => i === number - 1);

/** A parameter with a number. Made once per part and platform, so that faults that overlap know of each other. */
const SETTINGS = new WeakMap<object, Map<string, Setting>>();
function settingOf(part: object, name: string, read: () => number, write: (value: number) => void): Setting {
  const all = SETTINGS.get(part) ?? new Map<string, Setting>();
  SETTINGS.set(part, all);
  const known = all.get(name) ?? new Setting(read, write);
  all.set(name, known);
  return known;
}

/** `value`: what the fault makes of it, from its parameters and what is there at that moment. */
function setting<T extends object>(
  parts: readonly T[],
  name: string,
  read: (part: T) => number,
  write: (part: T, value: number) => void,
  value: (params: FaultPlan['params'], part: T) => number,
): Control {
  const owner = {};
  const of = (part: T): Setting =>
    settingOf(
      part,
      name,
      () => read(part),
      (v) => write(part, v),
    );
  return {
    apply: (params) => {
      for (const part of parts) of(part).set(owner, Math.round(value(params, part)));
    },
    undo: () => {
      for (const part of parts) of(part).clear(owner);
    },
    isClear: () => parts.every((part) => of(part).isClear(owner)),
  };
}

function both(a: Control, b: Control): Control {
  return {
    apply: (params, nowUs) => {
      a.apply(params, nowUs);
      b.apply(params, nowUs);
    },
    undo: (nowUs) => {
      a.undo(nowUs);
      b.undo(nowUs);
    },
    isClear: () => a.isClear() && b.isClear(),
  };
}

/** Something that a node's process has happen to it. */
function process(
  nodes: readonly NodeHost[],
  apply: (node: NodeHost, nowUs: number, params: FaultPlan['params']) => void,
  undo: (node: NodeHost, nowUs: number) => void,
): Control {
  return {
    apply: (params, nowUs) => {
      for (const node of nodes) apply(node, nowUs, params);
    },
    undo: (nowUs) => {
      for (const node of nodes) undo(node, nowUs);
    },
    isClear: () => nodes.every((node) => node.isUp && !node.isReloading),
  };
}

const MAKE: Record<string, Make> = {
  'nat-table-limit': ({ nat }) =>
    setting(
      [nat!],
      'sessions',
      (n) => n.metrics.sessionsMax,
      (n, v) => n.setLimit(v),
      (p) => Number(p.maxFlows),
    ),
  'nat-mapping-timeout': ({ nat }) =>
    both(
      setting(
        [nat!],
        'idle',
        (n) => n.idleTimeoutMs,
        (n, v) => {
          n.idleTimeoutMs = v;
        },
        (p) => Number(p.seconds) * 1000,
      ),
      setting(
        [nat!],
        'refresh',
        (n) => n.inboundRefresh,
        (n, v) => {
          n.inboundRefresh = v;
        },
        (p) => (p.refresh === 'out' ? 0 : 1),
      ),
    ),
  'nat-port-range': ({ nat }) =>
    setting(
      [nat!],
      'ports',
      (n) => n.metrics.portsMax,
      (n, v) => n.setPorts(v),
      (p) => Number(p.ports),
    ),
  'rtp-port-exhaustion': ({ relay }) =>
    setting(
      [relay],
      'ports',
      (r) => r.metrics.portsMax,
      (r, v) => r.setPorts(v),
      (p, r) => Math.min(r.metrics.portsMax, r.metrics.portsUsed + Number(p.leave)),
    ),
  'trunk-cps-limit': ({ trunks }, on) =>
    setting(
      some(trunks, on),
      'cps',
      (t) => t.cps,
      (t, v) => {
        t.cps = v;
      },
      (p) => Number(p.cps),
    ),
  'trunk-channel-limit': ({ trunks }, on) =>
    setting(
      some(trunks, on),
      'channels',
      (t) => t.channels,
      (t, v) => {
        t.channels = v;
      },
      (p) => Number(p.channels),
    ),
  'trunk-reject': ({ trunks }, on) =>
    setting(
      some(trunks, on),
      'reject',
      (t) => t.rejectWith,
      (t, v) => {
        t.rejectWith = v;
      },
      (p) => Number(p.code),
    ),
  'udp-receive-buffer': ({ nodes, registrar }, on) =>
    setting(
      (on.role === 'registrar' ? [registrar!] : some(nodes, on)) as (NodeHost | Registrar)[],
      'inbox',
      (part) => threadsOf(part).inboxLimit,
      (part, v) => {
        threadsOf(part).inboxLimit = v;
      },
      (p) => datagramsOf(Number(p.bytes)),
    ),
  'node-pause': ({ nodes }, on) =>
    process(
      some(nodes, on),
      (n) => n.pause(),
      (n, nowUs) => n.resume(nowUs),
    ),
  'node-kill': ({ nodes }, on) =>
    process(
      some(nodes, on),
      (n) => n.kill(),
      (n, nowUs) => n.start(nowUs),
    ),
  'node-restart': ({ nodes }, on) =>
    process(
      some(nodes, on),
      (n, nowUs) => {
        n.kill();
        n.start(nowUs);
      },
      () => undefined,
    ),
  'config-reload': ({ nodes }, on) =>
    process(
      some(nodes, on),
      (n, nowUs, p) => n.reload(Number(p.tenants), Number(p.msPerTenant), nowUs),
      () => undefined,
    ),
};

const threadsOf = (part: NodeHost | Registrar) => ('node' in part ? part.node.threads : part.threads);

/** Done by somebody else, on the same clock: the registrar itself, and whoever has the database. */
export const DONE_ELSEWHERE: readonly string[] = ['registrar-outage', 'db-stall'];

/** The control of one fault. `id` is its share of the seed. */
export function controlOf(fault: FaultPlan, id: string, seed: number, of: FaultParts): Control {
  const on = partOf(fault.on);
  if (isPacketFault(fault.kind)) return packets(fault.kind, fault, id, seed, of);
  const make = MAKE[fault.kind];
  if (make === undefined)
    throw new HarnessError('BAD_PLAN', `${fault.kind}: nothing of the embedded platform does that`);
  return make(of, on);
}

/** Names of the links that a fault needs. */
export function linksOf({ kind, on }: FaultPlan, counts: Record<string, number>): string[] {
  const { role, number } = partOf(on);
  if (!isPacketFault(kind) && !kind.startsWith('node-') && kind !== 'config-reload') return [];
  if (number !== undefined) return [`${role}-${number}`];
  return Array.from({ length: counts[role] ?? 1 }, (_, i) => `${role}-${i + 1}`);
}

function packets(kind: PacketFault, fault: FaultPlan, id: string, seed: number, of: FaultParts): Control {
  const where = `--fault ${kind}`;
  const concerns = filterOf(fault.params, where);
  const peer = peerOf(fault.params.peer, of);
  const counts: Record<string, number> = { node: of.nodes.length, trunk: of.trunks.length };
  const lines = linksOf(fault, counts).flatMap((name) => {
    const link = of.links.get(name)!;
    return waysOf(fault.params).map((way) => ({
      line: way === 'in' ? link.in : link.out,
      stage: stage(subSeed(seed, `${id} ${name} ${way}`), impairmentOf(kind, fault.params, where), concerns, peer),
    }));
  });
  let on = false;
  return {
    apply: (params) => {
      for (const { line, stage } of lines) {
        stage.decider.set(impairmentOf(kind, params, where));
        if (!on) line.add(stage);
      }
      on = true;
    },
    undo: () => {
      for (const { line, stage } of lines) line.remove(stage);
      on = false;
    },
    isClear: () => lines.every(({ line, stage }) => !line.has(stage)),
    told: () => ({ seen: total(lines, (c) => c.seen), hit: total(lines, hits) }),
  };
}

function peerOf(peer: FaultPlan['params'][string] | undefined, of: FaultParts): Stage['peer'] {
  if (typeof peer !== 'string' || peer === '') return null;
  const { role, number } = partOf(peer);
  const ips = new Set(of.addressesOf(role, number ?? 0));
  return (ip) => ips.has(ip);
}

type Counts = Stage['decider']['counts'];
const hits = (c: Counts): number => c.lost + c.queueDropped + c.delayed + c.reordered + c.duplicated;

function total(lines: readonly { stage: Stage }[], of: (counts: Counts) => number): number {
  return lines.reduce((sum, { stage }) => sum + of(stage.decider.counts), 0);
}
