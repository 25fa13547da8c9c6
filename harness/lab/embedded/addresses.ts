/**
 * Where each part of one embedded platform lives: a block 127.x.y.0/24 of loopback per run, so that several runs stand
 * beside each other. IPv4 addresses as numbers, SIP on 5060 everywhere.
 */
export interface Endpoint {
  ip: number;
  port: number;
}

export interface Addresses {
  /** First subscriber address: a private network; only the router reaches it. */
  callers: number;
  /** Router, inside and outside. */
  gateway: Endpoint;
  natPublic: number;
  edge: Endpoint;
  relay: number;
  nodes: Endpoint[];
  trunks: Endpoint[];
  callees: Endpoint;
  registrar: Endpoint;
  /** First address of phones that only register: no router is in front of them. */
  phones: number;
}

export const SIP_PORT = 5060;
/** Port of the router for wrapped datagrams: SOCKS (RFC 1928). */
const GATEWAY_PORT = 1080;

/** Host numbers from here on are the subscribers' private network: the platform has no route to it. */
const SUBSCRIBERS = 200;
/** Room for 64 workers' addresses before that. */
const PHONES = 130;

export function isPrivate(ip: number): boolean {
  return ip >>> 24 === 127 && (ip & 255) >= SUBSCRIBERS;
}

/** Addresses of a part by its role: of the number given, from 1, or with 0 of all. */
export function partAddresses(at: Addresses): (role: string, number: number) => number[] {
  const all: Record<string, number[]> = {
    nat: [at.natPublic, at.gateway.ip],
    edge: [at.edge.ip],
    node: at.nodes.map((n) => n.ip),
    relay: [at.relay],
    trunk: at.trunks.map((t) => t.ip),
    registrar: [at.registrar.ip],
  };
  const numbered = ['node', 'trunk'];
  return (role, number) => {
    const ips = all[role] ?? [];
    return number > 0 && numbered.includes(role) ? ips.slice(number - 1, number) : ips;
  };
}

/** Blocks 0..16383: 127.64.0.0 to 127.127.255.0. */
export const BLOCKS = 64 * 256;

export function addressesOf(block: number, nodes: number, trunks: number): Addresses {
  const base = (127 * 256 + 64 + Math.floor(block / 256)) * 65536 + (block % 256) * 256;
  return {
    callers: base + SUBSCRIBERS,
    gateway: { ip: base + 1, port: GATEWAY_PORT },
    natPublic: base + 2,
    edge: { ip: base + 3, port: SIP_PORT },
    relay: base + 4,
    callees: { ip: base + 5, port: SIP_PORT },
    registrar: { ip: base + 6, port: SIP_PORT },
    phones: base + PHONES,
    nodes: Array.from({ length: nodes }, (_, i) => ({ ip: base + 20 + i, port: SIP_PORT })),
    trunks: Array.from({ length: trunks }, (_, i) => ({ ip: base + 100 + i, port: SIP_PORT })),
  };
}
