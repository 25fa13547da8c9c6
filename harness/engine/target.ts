import { BlockList } from 'node:net';
import { networkInterfaces } from 'node:os';
import { isIp6 } from '../../agents/wire/ip6.js';
import { ipFromString, ipToString, isLoopbackIp } from '../../agents/wire/types.js';
import { assert } from '../errors.js';
import { hostPortOf } from '../plan/host.js';
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
  return { ip, port, domain: hostPortOf(plan.target), user, localIp: localAddressFor(ip) };
}

/** Loopback talks to loopback; else our address in the target's own subnet, or the first that is not internal. */
function localAddressFor(target: number): number {
  const is6 = isIp6(target);
  const loopback = ipFromString(is6 ? '::1' : '127.0.0.1');
  if (isLoopbackIp(target)) return loopback;
  const type = is6 ? 'ipv6' : 'ipv4';
  let first = loopback;
  for (const list of Object.values(networkInterfaces())) {
    for (const { family, address, cidr, internal } of list ?? []) {
      // A link-local address reaches nothing beyond its link.
      if (family.toLowerCase() !== type || internal || cidr === null || /^fe[89ab]/i.test(address)) continue;
      const subnet = new BlockList();
      subnet.addSubnet(address, Number(cidr.split('/')[1]), type);
      if (subnet.check(ipToString(target), type)) return ipFromString(address);
      if (first === loopback) first = ipFromString(address);
    }
  }
  return first;
}
