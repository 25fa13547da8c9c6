import { HarnessError } from '../errors.js';
import type { FaultKind } from './fault-kinds.js';
import type { EmbeddedConfig, FaultPlan } from './types.js';

/** Roles that have a network in front of them. */
const ANY = ['nat', 'edge', 'node', 'relay', 'trunk', 'registrar'] as const;

/** What can be done to the embedded platform, and to which of its parts. */
export const EMBEDDED_FAULTS: Partial<Record<FaultKind, readonly string[]>> = {
  'packet-loss': ANY,
  delay: ANY,
  jitter: ANY,
  reorder: ANY,
  duplicate: ANY,
  bandwidth: ANY,
  partition: ANY,
  'one-way-partition': ANY,
  'nat-table-limit': ['nat'],
  'nat-mapping-timeout': ['nat'],
  'nat-port-range': ['nat'],
  'rtp-port-exhaustion': ['relay'],
  'db-stall': ['database'],
  'udp-receive-buffer': ['node', 'registrar'],
  'node-pause': ['node'],
  'node-kill': ['node'],
  'node-restart': ['node'],
  'config-reload': ['node'],
  'trunk-cps-limit': ['trunk'],
  'trunk-channel-limit': ['trunk'],
  'trunk-reject': ['trunk'],
  'registrar-outage': ['registrar'],
};

export interface Part {
  role: string;
  /** From 1; absent: all of the role. */
  number?: number;
}

export function partOf(on: string): Part {
  const [, role = on, number] = /^(.+?)(?:-(\d+))?$/.exec(on) ?? [];
  return number === undefined ? { role } : { role, number: Number(number) };
}

/** Throws BAD_PLAN, one line, when a fault cannot be done to this platform. */
export function checkEmbeddedFaults(
  faults: readonly FaultPlan[],
  config: EmbeddedConfig,
  phones: { register: boolean; called: boolean },
): void {
  const count: Record<string, number> = {
    ...{ nat: config.nat.enabled ? 1 : 0, edge: 1, node: config.nodes, relay: 1, database: 1 },
    ...{ trunk: phones.called ? 0 : config.trunks.length },
    registrar: config.registrar !== undefined && phones.register ? 1 : 0,
  };
  for (const { kind, on, params, backend } of faults) {
    const bad = (why: string): HarnessError => new HarnessError('BAD_PLAN', `--fault ${kind}: ${why}`);
    const roles = EMBEDDED_FAULTS[kind];
    if (roles === undefined)
      throw bad(
        `is not done to the embedded platform, which has ${Object.keys(EMBEDDED_FAULTS).join(', ')}; name a stack with --stack`,
      );
    if (backend !== undefined && backend !== 'embedded')
      throw bad(`backend=${backend}: the embedded platform does its faults itself; leave backend out`);
    const look = (name: string): void => {
      const { role, number = 1 } = partOf(name);
      const have = count[role];
      if (have === undefined) throw bad(`${name}: the embedded platform has ${Object.keys(count).join(', ')}`);
      if (have === 0) throw bad(`${name}: there is none in this run`);
      if (number < 1 || number > have) throw bad(`${name}: there ${have === 1 ? 'is one' : `are ${have}`} of them`);
    };
    const { role } = partOf(on);
    if (!roles.includes(role)) throw bad(`on=${on}: on the embedded platform it is done to ${roles.join(', ')}`);
    look(on);
    if (typeof params.peer === 'string' && params.peer !== '') look(params.peer);
    if (kind === 'db-stall' && !(params.mode === 'stall' && ['auto', 'lock'].includes(String(params.by))))
      throw bad('the database of the embedded platform can be locked only: by=lock, mode=stall');
  }
}
