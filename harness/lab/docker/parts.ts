/** Containers as something can be done to them: found by our labels, or named by the operator. */
import type { Docker } from './engine.js';
import { LABEL } from './labels.js';

export interface Part {
  service: string;
  /** '' for a container that is not of a stack of ours. */
  role: string;
  /** Of agents: subscriber or carrier. */
  side: string;
  /** The engine's name for it, which the one that takes its place has too. */
  container: string;
  image: string;
  /** In all its networks. */
  addresses: string[];
  env: Record<string, string>;
  /** Cores of CPU quota; null: none. */
  cpus: number | null;
}

/** What a stack that is up consists of, by service name. Helpers beside it, which have no service, are left out. */
export async function partsOf(docker: Docker, stack: string): Promise<Part[]> {
  const found = await docker.listContainers({
    all: true,
    filters: { label: [`${LABEL.stack}=${stack}`, LABEL.service] },
  });
  const parts = await Promise.all(found.map(({ Id }) => partOf(docker, Id)));
  return parts.sort((a, b) => (a.service < b.service ? -1 : 1));
}

/** Throws the engine's error when there is none of that name. */
export async function partOf(docker: Docker, container: string): Promise<Part> {
  const { Name, Config, HostConfig, NetworkSettings } = await docker.getContainer(container).inspect();
  const { NanoCpus = 0, CpuQuota = 0, CpuPeriod = 0 } = HostConfig;
  return {
    service: Config.Labels[LABEL.service] ?? '',
    role: Config.Labels[LABEL.role] ?? '',
    side: Config.Labels['deadair.side'] ?? '',
    container: Name.replace(/^\//, ''),
    image: Config.Image,
    addresses: Object.values(NetworkSettings.Networks)
      .flatMap(({ IPAddress, GlobalIPv6Address }) => [IPAddress, GlobalIPv6Address])
      .filter((address) => address !== undefined && address !== ''),
    env: Object.fromEntries(
      Config.Env.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
    ),
    cpus: NanoCpus > 0 ? NanoCpus / 1e9 : CpuQuota > 0 ? CpuQuota / (CpuPeriod || 100_000) : null,
  };
}

/** Address ranges of the networks that we made, whichever stack they are of. */
export async function ownSubnets(docker: Docker): Promise<string[]> {
  const networks = await docker.listNetworks({ filters: { label: [LABEL.run] } });
  return networks.flatMap(({ IPAM }) =>
    (IPAM?.Config ?? []).flatMap(({ Subnet }) => (Subnet === undefined ? [] : [Subnet])),
  );
}
