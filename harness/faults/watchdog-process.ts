/**
 * `watchdog-process`: one for each run with faults. It does what the leases say and undoes it, at their end, when its owner is
 * over or gone (its stdin closes), and when he has been silent for too long. It outlives him in any case.
 *
 * stdin, a JSON object on each line: { arm: Armed }, then { go: t0Us }, { beat: 1 } once a second, { over: 1 }.
 * stdout: `watching`, { armed: leases }, { applied: id, atUs }, { ended: id, kept }, { done: 1 }.
 */
import { appendFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { monotonicUs } from '../clock.js';
import { dockerAt } from '../lab/docker/engine.js';
import { markOf } from '../lab/docker/fault-steps.js';
import { owner } from '../outlive.js';
import { closeJournal, writeJournal } from './journal.js';
import { type Kept, keep, RUN_OVER, type Times } from './keeper.js';
import type { Lease } from './lease.js';
import { performer } from './perform.js';
import { recordOf } from './record.js';

export interface Armed {
  run: string;
  engine: string;
  /** faults.jsonl of the run. */
  records: string;
  authorised: string[];
  leases: Lease[];
}

/** A beat comes every second. A machine that is so busy that ten are late has no run that is worth anything. */
const SILENCE_MS = 10_000;

const over = new AbortController();
const end = (why: string): void => {
  if (!over.signal.aborted) over.abort(why);
};
let heardUs = monotonicUs();
let armed: Armed | null = null;
let going = false;

const tell = (event: object): void => void process.stdout.write(`${JSON.stringify(event)}\n`);

owner({ onLine: hear, onGone: gone });
process.stdout.write('watching\n');

function gone(): void {
  end('whoever ran it is gone');
  if (!going) void finish([]);
}

function hear(line: string): void {
  heardUs = monotonicUs();
  const said = JSON.parse(line) as { arm?: Armed; go?: number; over?: 1 };
  if (said.arm !== undefined) {
    armed = said.arm;
    // On disk before anything is done: a later command can undo it too, should this process be killed.
    writeJournal({ ...armed, watchdog: process.pid });
    tell({ armed: armed.leases.length });
  }
  if (said.over !== undefined) {
    end(RUN_OVER);
    if (!going) void finish([]);
  }
  if (said.go !== undefined && armed !== null && !going) {
    going = true;
    void run(armed, said.go);
  }
}

async function run({ engine, records, authorised, leases }: Armed, t0Us: number): Promise<void> {
  const watch = setInterval(() => {
    if (monotonicUs() - heardUs > SILENCE_MS * 1000) end(`whoever ran it was silent for ${SILENCE_MS / 1000} s`);
  }, 500);
  const docker = dockerAt(engine);
  const kept = await Promise.all(
    leases.map(async (lease) => {
      const { perform, late } = performer(docker, authorised);
      const result = await keep(lease, {
        ...{ t0Us, perform, late, times, over: over.signal },
        mark: (container) => markOf(docker, container),
        onApplied: (atUs) => tell({ applied: lease.id, atUs }),
      });
      appendFileSync(records, `${JSON.stringify(recordOf(lease, result, t0Us))}\n`);
      tell({ ended: lease.id, kept: result });
      return result;
    }),
  );
  clearInterval(watch);
  await finish(kept);
}

/** The journal of what is not proven to be gone stays: `deadair faults sweep` goes by it. */
async function finish(kept: readonly Kept[]): Promise<void> {
  if (armed !== null && kept.every((k) => k.proven)) closeJournal(armed.run);
  tell({ done: 1 });
  // Whoever reads this may be gone; then there is nothing to wait for.
  await new Promise<void>((resolve) => process.stdout.write('', () => resolve()));
  process.exit(0);
}

const times: Times = {
  nowUs: monotonicUs,
  until: async (us, signal) => {
    const ms = (us - monotonicUs()) / 1000;
    if (ms <= 0 || signal.aborted) return;
    await sleep(ms, undefined, { signal }).catch((error: Error) => {
      if (error.name !== 'AbortError') throw error;
    });
  },
};
