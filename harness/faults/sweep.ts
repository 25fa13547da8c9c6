/** What is left of faults whose watchdog is gone: by its journal, and by what carries our labels and names without one. */
import { monotonicUs } from '../clock.js';
import { connect, type Docker } from '../lab/docker/engine.js';
import { change, removeContainer, runSidecar } from '../lab/docker/fault-steps.js';
import { LABEL } from '../lab/docker/labels.js';
import { partsOf } from '../lab/docker/parts.js';
import { stackNames } from '../lab/docker/started.js';
import { sidecar } from './backends/tools.js';
import { closeJournal, isOrphan, type Journal, readJournals } from './journal.js';
import { undo } from './keeper.js';
import { FAULT_LABEL } from './leases.js';
import { performer, reason } from './perform.js';
import { allToxics, removeToxicNamed } from './toxics.js';

export interface Swept {
  run: string;
  id: string;
  what: string;
  proven: boolean;
  atUs: number;
  note: string;
}

const times = { nowUs: monotonicUs, until: () => Promise.resolve() };

/** Undoes every lease of a run's journal, and forgets those that are proven gone. */
export async function sweepRun(docker: Docker, run: string): Promise<Swept[]> {
  const journal = readJournals().find((j) => j.run === run);
  return journal === undefined ? [] : sweepJournal(docker, journal);
}

async function sweepJournal(docker: Docker, { run, leases, authorised }: Journal): Promise<Swept[]> {
  const { perform } = performer(docker, authorised);
  const swept = await Promise.all(
    leases.map(async (lease): Promise<Swept> => {
      const removed = await undo(lease, { perform, times });
      return { run, id: lease.id, what: `${lease.kind} on ${lease.target}`, ...removed };
    }),
  );
  if (swept.every((s) => s.proven)) closeJournal(run);
  return swept;
}

export interface Found {
  run: string;
  /** Of the fault; '' where it cannot be told. */
  id: string;
  what: string;
  /** A watchdog answers for it: it is in use, not left behind. */
  inUse: boolean;
  remove: () => Promise<void>;
}

/** Everything in the engine that a fault of ours made or changed, whoever did it and whether or not a journal tells of it. */
export async function findFaults(docker: Docker): Promise<Found[]> {
  const live = new Set(
    readJournals()
      .filter((j) => !isOrphan(j))
      .map((j) => j.run),
  );
  const found: Found[] = [];
  const helpers = await docker.listContainers({ all: true, filters: { label: [FAULT_LABEL] } });
  for (const { Id, Names, Labels } of helpers) {
    const run = Labels[LABEL.run] ?? '';
    const what = `sidecar ${(Names[0] ?? Id).replace(/^\//, '')}`;
    found.push({
      run,
      id: Labels[FAULT_LABEL] ?? '',
      what,
      inUse: live.has(run),
      remove: () => removeContainer(docker, Id),
    });
  }
  for (const stack of await stackNames(docker)) found.push(...(await inStack(docker, stack, live)));
  return found;
}

async function inStack(docker: Docker, stack: string, live: ReadonlySet<string>): Promise<Found[]> {
  const parts = await partsOf(docker, stack);
  /** Names that a fault of ours gives carry its run, with underscores. */
  const runOf = (name: string): string | undefined =>
    [...live].find((run) => name.includes(run.replace(/[^A-Za-z0-9]/g, '_')));
  const all = await Promise.all(
    parts.map(async ({ container, role, addresses }): Promise<Found[]> => {
      const { State } = await docker.getContainer(container).inspect();
      if (!State.Running) return [];
      const found: Found[] = [];
      if (State.Paused) {
        const run = [...live][0];
        const remove = (): Promise<void> => change(docker, container, 'unpause');
        found.push({ run: run ?? '', id: '', what: `${container} is paused`, inUse: run !== undefined, remove });
      }
      for (const table of await tablesIn(docker, container)) {
        const run = runOf(table);
        const remove = async (): Promise<void> =>
          void (await nft(docker, container, ['delete', 'table', 'inet', table]));
        found.push({
          run: run ?? '',
          id: '',
          what: `nft table ${table} at ${container}`,
          inUse: run !== undefined,
          remove,
        });
      }
      if (role === 'proxy') {
        const api = `http://${addresses[0]}:8474`;
        for (const { proxy, name } of await allToxics(api).catch(() => [])) {
          if (!name.startsWith('deadair_')) continue;
          const run = runOf(name);
          const remove = (): Promise<void> => removeToxicNamed(api, proxy, name);
          found.push({
            run: run ?? '',
            id: '',
            what: `toxic ${name} of proxy ${proxy}`,
            inUse: run !== undefined,
            remove,
          });
        }
      }
      return found;
    }),
  );
  return all.flat();
}

const nft = (docker: Docker, container: string, words: string[]): Promise<{ exitCode: number; output: string }> =>
  runSidecar(docker, {}, sidecar(['nft', ...words], { networkOf: container, capAdd: ['NET_ADMIN'] }));

async function tablesIn(docker: Docker, container: string): Promise<string[]> {
  const { output } = await nft(docker, container, ['list', 'tables']);
  // docker/nat has one of its own, deadair_nat: a fault's carries a run.
  return [...output.matchAll(/table inet (deadair_\w+)/g)].map((m) => m[1]!);
}

/** `deadair faults sweep`: journals whose watchdog is gone, then what no journal tells of. */
export async function sweepFaults(docker?: Docker): Promise<Swept[]> {
  const engine = docker ?? (await connect());
  const swept: Swept[] = [];
  for (const journal of readJournals().filter(isOrphan)) swept.push(...(await sweepJournal(engine, journal)));
  for (const { run, id, what, inUse, remove } of await findFaults(engine)) {
    if (inUse) continue;
    try {
      await remove();
      swept.push({ run, id, what, proven: true, atUs: monotonicUs(), note: 'removed' });
    } catch (error) {
      swept.push({ run, id, what, proven: false, atUs: monotonicUs(), note: reason(error) });
    }
  }
  return swept;
}
