/** Takes away what carries our labels. Used at our own end, by the reaper, at the next start, and by `stack down`. */
import { HarnessError } from '../../errors.js';
import { type Docker, reasonOf, statusOf } from './engine.js';
import { LABEL, ownerIsGone } from './labels.js';

export interface Swept {
  containers: number;
  networks: number;
  volumes: number;
}

export function sweptNothing({ containers, networks, volumes }: Swept): boolean {
  return containers + networks + volumes === 0;
}

/** Networks and volumes are held for a moment by containers that are on their way out. */
const ROUNDS = 40;
const ROUND_MS = 250;

/** Gone already, or being removed by somebody else: both are what we want. */
function alreadyGone(error: unknown): boolean {
  const status = statusOf(error);
  return status === 404 || (status === 409 && /already in progress/i.test(reasonOf(error)));
}

/** Removes everything that carries this label, for example 'deadair.run=x'. Throws LAB_NOT_READY when something stays. */
export async function sweep(docker: Docker, label: string): Promise<Swept> {
  const total: Swept = { containers: 0, networks: 0, volumes: 0 };
  let stays = '';
  for (let round = 0; round < ROUNDS; round++) {
    if (round > 0) await new Promise((resolve) => setTimeout(resolve, ROUND_MS));
    const filters = { label: [label] };
    const containers = await docker.listContainers({ all: true, filters });
    stays = '';
    const tried = async (what: string, remove: () => Promise<unknown>): Promise<number> => {
      try {
        await remove();
        return 1;
      } catch (error) {
        if (!alreadyGone(error)) stays = `${what}: ${reasonOf(error)}`;
        return 0;
      }
    };
    const sum = (list: number[]): number => list.reduce((a, b) => a + b, 0);
    total.containers += sum(
      await Promise.all(
        containers.map(({ Id, Names }) =>
          tried(Names[0] ?? Id, () => docker.getContainer(Id).remove({ force: true, v: true })),
        ),
      ),
    );
    const networks = await docker.listNetworks({ filters });
    total.networks += sum(
      await Promise.all(networks.map(({ Id, Name }) => tried(Name, () => docker.getNetwork(Id).remove()))),
    );
    const { Volumes } = await docker.listVolumes({ filters });
    total.volumes += sum(
      await Promise.all((Volumes ?? []).map(({ Name }) => tried(Name, () => docker.getVolume(Name).remove()))),
    );
    if (containers.length + networks.length + (Volumes ?? []).length === 0) return total;
  }
  throw new HarnessError('LAB_NOT_READY', `what carries the label ${label} cannot be removed: ${stays}`);
}

/** Removes what was made by commands of this machine that are gone and was not meant to stay. */
export async function sweepOrphans(docker: Docker): Promise<Swept> {
  const filters = { label: [`${LABEL.keep}=no`] };
  const [containers, networks, { Volumes }] = await Promise.all([
    docker.listContainers({ all: true, filters }),
    docker.listNetworks({ filters }),
    docker.listVolumes({ filters }),
  ]);
  const runs = new Set<string>();
  for (const { Labels } of [...containers, ...networks, ...(Volumes ?? [])]) {
    const run = Labels?.[LABEL.run];
    if (run !== undefined && ownerIsGone(Labels?.[LABEL.owner])) runs.add(run);
  }
  const total: Swept = { containers: 0, networks: 0, volumes: 0 };
  for (const run of runs) {
    const swept = await sweep(docker, `${LABEL.run}=${run}`);
    total.containers += swept.containers;
    total.networks += swept.networks;
    total.volumes += swept.volumes;
  }
  return total;
}
