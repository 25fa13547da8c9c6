/** Hosts that the operator names: literal addresses, for names are not looked up. */
import { BlockList, isIPv6 } from 'node:net';

/** An IPv4 address in four plain decimal parts; undefined for anything else. */
export function ipv4Of(host: string): [number, number, number, number] | undefined {
  const match = /^(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})$/.exec(host);
  if (match === null) return undefined;
  const parts = match.slice(1).map(Number) as [number, number, number, number];
  return parts.every((part) => part <= 255) ? parts : undefined;
}

/** An IPv6 address as RFC 5952 writes it, without brackets; undefined for anything else, and with a zone (fe80::1%eth0). */
export function ipv6Of(host: string): string | undefined {
  if (!isIPv6(host) || host.includes('%')) return undefined;
  return new URL(`http://[${host}]`).hostname.slice(1, -1);
}

/** As a URI's host and port have it (RFC 3261 25.1). */
export function hostPortOf({ host, port }: { host: string; port: number }): string {
  return `${uriHost(host)}:${port}`;
}

export function uriHost(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

/** 127.0.0.0/8 and ::1: what cannot leave this machine. A unique local address (fc00::/7) can. */
export function isLoopback(host: string): boolean {
  return ipv4Of(host)?.[0] === 127 || ipv6Of(host) === '::1';
}

/** What the two name is one address. */
export function isSameHost(a: string, b: string): boolean {
  const bare = b.replace(/^\[(.*)\]$/, '$1');
  return a === bare || (ipv6Of(a) !== undefined && ipv6Of(a) === ipv6Of(bare));
}

/** What stands for IPv6 addresses within (agents/wire/ip6.ts): 127.240.0.0/20. */
const STAND_INS = new BlockList();
STAND_INS.addSubnet('127.240.0.0', 20, 'ipv4');

const MAPPED = subnet('::ffff:0:0', 96);
const LINK_LOCAL = subnet('fe80::', 10);
const MULTICAST = subnet('ff00::', 8);

function subnet(net: string, prefix: number): BlockList {
  const list = new BlockList();
  list.addSubnet(net, prefix, 'ipv6');
  return list;
}

/** Why no traffic can be sent to this address, or null. */
export function hostMisfit(host: string): string | null {
  const parts = ipv4Of(host);
  if (parts !== undefined) {
    if (parts[0] === 0 || parts[0] >= 224) return `${host} is no address of one host; name one`;
    return STAND_INS.check(host, 'ipv4')
      ? `127.240.0.0/20 stands for IPv6 addresses; take another of 127.0.0.0/8`
      : null;
  }
  if (host === '::' || MULTICAST.check(host, 'ipv6')) return `[${host}] is no address of one host; name one`;
  if (LINK_LOCAL.check(host, 'ipv6'))
    return `[${host}] is link-local, which wants an interface too; take another address of it`;
  return MAPPED.check(host, 'ipv6') ? `[${host}] is an IPv4 address; write that` : null;
}
