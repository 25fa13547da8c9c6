import { availableParallelism } from 'node:os';
import { type Command, InvalidArgumentError } from 'commander';
import { EXIT, HarnessError } from '../errors.js';
import type { ScoreTable } from '../score/tally.js';
import { onInterrupt } from './interrupt.js';
import { printResult, table } from './output.js';

interface ScoreFlags {
  stack: string;
  seeds: number;
  least: number;
  only?: string;
  json?: boolean;
}

const SEEDS_MAX = 1000;
/** Odd runs shown on the screen; --json has them all. */
const ODD_SHOWN = 10;

function seeds(value: string): number {
  const n = Number(value);
  if (!/^\d+$/.test(value) || n < 1 || n > SEEDS_MAX)
    throw new InvalidArgumentError(`must be a whole number from 1 to ${SEEDS_MAX}.`);
  return n;
}

function share(value: string): number {
  const x = Number(value);
  if (!(x >= 0 && x <= 1)) throw new InvalidArgumentError('must be from 0 to 1.');
  return x;
}

export function addScore(program: Command): void {
  program
    .command('score')
    .description('play every incident, let the blind diagnosis name its cause, and count how often it is right')
    .option('--stack <name>', 'platform to play them on: embedded, in virtual time', 'embedded')
    .option('--seeds <n>', 'runs of each case', seeds, 3)
    .option('--only <text>', 'cases that have this in their name')
    .option('--least <share>', 'macro precision and recall below this are a FAIL (exit 99)', share, 0.97)
    .option('--json', 'as JSON')
    .action(score);
}

async function score(flags: ScoreFlags): Promise<void> {
  if (flags.stack !== 'embedded') {
    throw new HarnessError('BAD_PLAN', `--stack ${flags.stack}: there is only embedded`);
  }
  const [{ catalogue }, { runJobs }, { tally }] = await Promise.all([
    import('../score/cases.js'),
    import('../score/pool.js'),
    import('../score/tally.js'),
  ]);
  const cases = await catalogue(flags.only);
  const jobs = Array.from({ length: flags.seeds }, (_, i) => cases.map((c) => ({ ...c, seed: i + 1 }))).flat();
  const interrupt = onInterrupt();
  const shown = process.stderr.isTTY === true;
  try {
    const results = await runJobs(jobs, {
      processes: availableParallelism(),
      signal: interrupt.signal,
      onResult: (done, all) => {
        if (shown) process.stderr.write(`\r${done} of ${all} runs\x1b[K`);
      },
    });
    if (shown) process.stderr.write('\r\x1b[K');
    const found = tally(results);
    printResult(flags.json ? JSON.stringify(found, null, 2) : scoreText(found));
    const { precision, recall } = found.macro;
    const good = Math.min(precision ?? 1, recall ?? 1) >= flags.least;
    process.exitCode = interrupt.signal.aborted ? EXIT.INTERRUPTED : good ? EXIT.PASS : EXIT.FAIL;
  } finally {
    interrupt.release();
  }
}

export function scoreText(s: ScoreTable): string {
  const ratio = (x: number | null): string => (x === null ? '-' : x.toFixed(3));
  const after = (ms: number | undefined): string => (ms === undefined ? '-' : `${(ms / 1000).toFixed(1)} s`);
  const rows = s.causes.map((c) => [
    c.cause,
    ...[
      ratio(c.precision),
      ratio(c.recall),
      String(c.runs),
      String(c.right),
      String(c.wrong),
      String(Math.round(c.missed)),
    ],
    ...[after(c.namedAfterMs?.p50), after(c.namedAfterMs?.max)],
  ]);
  const head = ['cause', 'precision', 'recall', 'runs', 'right', 'wrong', 'missed', 'named after', 'at most'];
  const macro = ['macro', ratio(s.macro.precision), ratio(s.macro.recall), String(s.runs)];
  const columns = [...new Set(Object.values(s.confusion).flatMap((r) => Object.keys(r)))].sort();
  const matrix = Object.entries(s.confusion).map(([injected, named]) => [
    injected,
    ...columns.map((c) => String(named[c] ?? '.')),
  ]);
  const out = [table([head, ...rows, macro]), ''];
  out.push('calls: what was injected (rows), what was named (columns)', '', table([['', ...columns], ...matrix]));
  if (s.odd.length > 0) {
    out.push('', 'runs with a call that was named wrongly, or not at all');
    for (const o of s.odd.slice(0, ODD_SHOWN)) out.push(`  ${o.name}, seed ${o.seed}: ${JSON.stringify(o.named)}`);
    if (s.odd.length > ODD_SHOWN) out.push(`  and ${s.odd.length - ODD_SHOWN} more (--json has them all)`);
  }
  return out.join('\n');
}
