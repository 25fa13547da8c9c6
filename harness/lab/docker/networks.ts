/** Networks of a stack: internal, always, and from a range of ours where the file names none. */
import { HarnessError } from '../../errors.js';
import { type Docker, reasonOf } from './engine.js';
import type { NetworkSpec, StackSpec } from './types.js';

/** 10.213.128.0 to 10.213.255.0, a /24 each; below lies what the stacks' files name themselves. */
const RANGE = '10.213';
const FIRST = 128;
const LAST = 255;

export function networkName(stack: string, network: string): string {
  return `deadair-${stack}-${network}`;
}

/** Makes every network of the file; network -> id. Throws LAB_NOT_READY when an address range is taken. */
export async function createNetworks(
  docker: Docker,
  spec: StackSpec,
  labels: Record<string, string>,
): Promise<Map<string, string>> {
  const ids = new Map<string, string>();
  // One after the other: a free range is found by looking at those that are there.
  for (const [name, network] of Object.entries(spec.networks)) {
    const subnet = network.subnet ?? (await freeSubnet(docker));
    ids.set(name, await createNetwork(docker, networkName(spec.name, name), { ...network, subnet }, labels));
  }
  return ids;
}

async function createNetwork(
  docker: Docker,
  name: string,
  { driver, subnet, gateway, options }: NetworkSpec & { subnet: string },
  labels: Record<string, string>,
): Promise<string> {
  try {
    const network = await docker.createNetwork({
      Name: name,
      CheckDuplicate: true,
      Driver: driver,
      // Nothing in a lab can reach another machine, whatever its configuration says.
      Internal: true,
      IPAM: { Driver: 'default', Config: [{ Subnet: subnet, ...(gateway === null ? {} : { Gateway: gateway }) }] },
      Options: options,
      Labels: labels,
    });
    return network.id;
  } catch (error) {
    const holder = await holderOf(docker, subnet);
    const mend = holder === null ? reasonOf(error) : `network ${holder} has it; remove that (deadair stack down)`;
    throw new HarnessError('LAB_NOT_READY', `network ${name}, ${subnet}: ${mend}`, { cause: error });
  }
}

async function subnetsOf(docker: Docker): Promise<{ name: string; subnet: string }[]> {
  const networks = await docker.listNetworks();
  return networks.flatMap(({ Name, IPAM }) =>
    (IPAM?.Config ?? []).flatMap(({ Subnet }) => (Subnet === undefined ? [] : [{ name: Name, subnet: Subnet }])),
  );
}

async function freeSubnet(docker: Docker): Promise<string> {
  const taken = await subnetsOf(docker);
  for (let third = FIRST; third <= LAST; third++) {
    const subnet = `${RANGE}.${third}.0/24`;
    if (!taken.some((other) => overlap(other.subnet, subnet))) return subnet;
  }
  throw new HarnessError(
    'LAB_NOT_READY',
    `no /24 of ${RANGE}.${FIRST}.0 to ${RANGE}.${LAST}.0 is free; deadair stack down --all removes what is left of ours`,
  );
}

async function holderOf(docker: Docker, subnet: string): Promise<string | null> {
  return (await subnetsOf(docker)).find((other) => overlap(other.subnet, subnet))?.name ?? null;
}

/** Do two IPv4 ranges in CIDR notation share an address? One of IPv6 shares none. */
export function overlap(a: string, b: string): boolean {
  const [x, y] = [rangeOf(a), rangeOf(b)];
  return x !== null && y !== null && x.from <= y.to && y.from <= x.to;
}

function rangeOf(cidr: string): { from: number; to: number } | null {
  const match = /^(\d+)\.(\d+)\.(\d+)\.(\d+)\/(\d+)$/.exec(cidr);
  if (match === null) return null;
  const [a, b, c, d, bits] = match.slice(1).map(Number) as [number, number, number, number, number];
  const size = 2 ** (32 - bits);
  const from = Math.floor((((a * 256 + b) * 256 + c) * 256 + d) / size) * size;
  return { from, to: from + size - 1 };
}
