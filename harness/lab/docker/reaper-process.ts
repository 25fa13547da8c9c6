/**
 * `reaper-process <engine> <run> <deadlineMs>`: a process of its own, in a session of its own, that outlives whoever
 * started it. Its stdin is the lease. Closed without a word (its owner is gone, however it went) or held beyond the
 * deadline: everything with the run's label is removed. The word `keep` ends it and leaves everything where it is.
 *
 * stdout: `watching` once it does.
 */
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

let heard = '';
process.stdin.setEncoding('utf8');
process.stdin.on('data', (text: string) => {
  heard += text;
  if (!over && heard.includes('keep\n')) process.exit(0);
});
process.stdin.on('end', reap).on('error', reap).on('close', reap);
// Ctrl-C at a terminal reaches its whole group; ours is another, but a signal by hand must not undo the lease.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void reap());
// Nobody reads any more: the same as a closed stdin.
process.stdout.on('error', reap);
setTimeout(reap, Number(deadlineMs));
process.stdout.write('watching\n');
