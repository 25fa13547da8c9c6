/** What this machine can do for a lab, asked of the engine and the kernel, and never changed. */
import { spawnSync } from 'node:child_process';
import { networkInterfaces } from 'node:os';
import { connect, type Docker } from './engine.js';
import { LABEL } from './labels.js';
import { locateStack, openStack, ownStacks } from './locate.js';
import { overlap } from './networks.js';

export interface Survey {
  /** null: none answers, and `why`. */
  engine: { version: string; api: string; cgroup: string; storage: string; cores: number; memGiB: number } | null;
  why: string;
  /** Of each stack of ours: how many of its images are there. */
  images: { stack: string; there: number; of: number }[];
  /** Networks of somebody else, the engine's or the machine's, in the stacks' range. */
  rangeTakenBy: string[];
  /** What else runs there: labels of ours without an owner are not among them. */
  stacks: string[];
}

/** Everything of a lab's networks lies in here. */
const RANGE = '10.213.0.0/16';

export async function survey(): Promise<Survey> {
  let docker: Docker;
  try {
    docker = await connect();
  } catch (error) {
    return { engine: null, why: (error as Error).message, images: [], rangeTakenBy: [], stacks: [] };
  }
  const [info, version, images, networks] = await Promise.all([
    docker.info() as Promise<Record<string, string | number>>,
    docker.version(),
    docker.listImages(),
    docker.listNetworks(),
  ]);
  const tags = new Set(images.flatMap((image) => image.RepoTags ?? []));
  const ours = networks.filter((n) => n.Labels?.[LABEL.stack] !== undefined);
  const foreign = networks.filter((n) => !ours.includes(n));
  const subnets = networks.flatMap((n) => (n.IPAM?.Config ?? []).flatMap((c) => c.Subnet ?? []));
  const taken = foreign.flatMap((n) =>
    (n.IPAM?.Config ?? []).some((c) => c.Subnet !== undefined && overlap(c.Subnet, RANGE)) ? [`network ${n.Name}`] : [],
  );
  for (const [name, list] of Object.entries(networkInterfaces())) {
    for (const { family, address } of list ?? []) {
      // An interface in a network of the engine's is that network's bridge.
      if (family !== 'IPv4' || subnets.some((subnet) => overlap(subnet, `${address}/32`))) continue;
      if (overlap(`${address}/32`, RANGE)) taken.push(`interface ${name} (${address})`);
    }
  }
  return {
    engine: {
      version: version.Version,
      api: version.ApiVersion,
      cgroup: `v${info.CgroupVersion ?? '1'}`,
      storage: String(info.Driver ?? ''),
      cores: Number(info.NCPU ?? 0),
      memGiB: Number(info.MemTotal ?? 0) / 2 ** 30,
    },
    why: '',
    images: ownStacks().map((stack) => {
      const spec = openStack(locateStack(stack).name, process.env, {});
      const wanted = [...new Set(spec.services.map((s) => s.image))];
      return { stack, there: wanted.filter((image) => tags.has(image)).length, of: wanted.length };
    }),
    rangeTakenBy: taken,
    stacks: [...new Set(ours.map((n) => n.Labels![LABEL.stack]!))],
  };
}

/** A try in a network namespace of its own: nothing of this machine's is touched, and it is gone at once. */
export function kernelCan(command: readonly string[]): 'yes' | 'no' | 'unknown' {
  const tried = spawnSync('unshare', ['--net', ...command], { stdio: ['ignore', 'ignore', 'pipe'], timeout: 5_000 });
  if (tried.status === 0) return 'yes';
  // No unshare, no privilege or no such tool: nothing is known of the kernel.
  const words = tried.stderr?.toString() ?? '';
  return tried.error !== undefined || /unshare:|failed to execute|not permitted/i.test(words) ? 'unknown' : 'no';
}
