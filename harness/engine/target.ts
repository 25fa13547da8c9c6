import { networkInterfaces } from 'node:os';
import { ipFromString } from '../../agents/wire/types.js';
import { assert } from '../errors.js';
import type { RunPlan } from '../plan/types.js';

/** Where a --target run sends its INVITEs, and the address of ours that it sends them from. */
export function targetAddress(plan: RunPlan): {
  ip: number;
  port: number;
  domain: string;
  user: string | null;
  localIp: number;
} {
  assert(plan.target.kind === 'sip', 'a run with a target');
  const { uri, host, port } = plan.target;
  const ip = ipFromString(host);
  const user = /^sips?:([^@]+)@/.exec(uri)?.[1] ?? null;
  return { ip, port, domain: `${host}:${port}`, user, localIp: localAddressFor(ip) };
}

const LOOPBACK_ONE = 0x7f000001;

/** Loopback talks to loopback; else our address in the target's own subnet, or the first that is not internal. */
function localAddressFor(target: number): number {
  if (target >>> 24 === 127) return LOOPBACK_ONE;
  let first = LOOPBACK_ONE;
  for (const list of Object.values(networkInterfaces())) {
    for (const { family, address, netmask, internal } of list ?? []) {
      if (family !== 'IPv4' || internal) continue;
      const ip = ipFromString(address);
      const mask = ipFromString(netmask);
      if ((ip & mask) === (target & mask)) return ip;
      if (first === LOOPBACK_ONE) first = ip;
    }
  }
  return first;
}
