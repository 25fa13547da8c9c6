/**
 * `reaper-process <engine> <run> <deadlineMs>`: outlives whoever started it. Its stdin closed without a word (its owner is gone,
 * however it went), or held beyond the deadline: everything with the run's label is removed. The word `keep` ends it and
 * leaves everything where it is.
 *
 * stdout: `watching` once it does.
 */
import { owner } from '../../outlive.js';
import { dockerAt } from './engine.js';
import { LABEL } from './labels.js';
import { sweep, sweptNothing } from './sweep.js';

/** What the owner asked of the engine last may appear after it has gone: look again until nothing came for this long. */
const QUIET_MS = 3_000;
const LOOK_MS = 500;

const [address, run, deadlineMs] = process.argv.slice(2);
if (address === undefined || run === undefined || deadlineMs === undefined) {
  throw new Error('usage: reaper-process <engine> <run> <deadlineMs>');
}

let over = false;
async function reap(): Promise<void> {
  if (over) return;
  over = true;
  const docker = dockerAt(address!);
  let quietMs = 0;
  while (quietMs < QUIET_MS) {
    quietMs = sweptNothing(await sweep(docker, `${LABEL.run}=${run}`)) ? quietMs + LOOK_MS : 0;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  process.exit(0);
}

owner({
  onLine: (line) => {
    if (!over && line === 'keep') process.exit(0);
  },
  onGone: () => void reap(),
  deadlineMs: Number(deadlineMs),
});
process.stdout.write('watching\n');
