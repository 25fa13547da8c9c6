import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { type Command, InvalidArgumentError } from 'commander';
import { EXIT, HarnessError } from '../errors.js';
import type { CaseResult } from '../score/case-result.js';
import type { ScoreTable } from '../score/tally.js';
import { onInterrupt } from './interrupt.js';
import { printResult, table } from './output.js';

interface ScoreFlags {
  stack: string;
  seeds: number;
  least: number;
  only?: string;
  out?: string;
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
    .option(
      '--stack <name>',
      'platform to play them on: embedded, in virtual time; lab, the stacks in Docker',
      'embedded',
    )
    .option('--seeds <n>', 'runs of each case', seeds, 3)
    .option('--only <text>', 'cases that have this in their name')
    .option('--least <share>', 'macro precision and recall below this are a FAIL (exit 99)', share, 0.97)
    .option('--out <file>', 'write the tables to this file as Markdown, too')
    .option('--json', 'as JSON')
    .action(score);
}

async function score(flags: ScoreFlags): Promise<void> {
  if (flags.stack !== 'embedded' && flags.stack !== 'lab') {
    throw new HarnessError('BAD_PLAN', `--stack ${flags.stack}: there are embedded and lab`);
  }
  const isLab = flags.stack === 'lab';
  const [{ catalogue, chosenOf }, { labCatalogue }, { runJobs }, { tally }] = await Promise.all([
    import('../score/cases.js'),
    import('../score/lab-cases.js'),
    import('../score/pool.js'),
    import('../score/tally.js'),
  ]);
  const cases = isLab ? chosenOf(labCatalogue(), flags.only) : await catalogue(flags.only);
  const jobs = Array.from({ length: flags.seeds }, (_, i) => cases.map((c) => ({ ...c, seed: i + 1 }))).flat();
  const interrupt = onInterrupt();
  const shown = process.stderr.isTTY === true;
  try {
    const results = await runJobs(jobs, {
      // A stack has its networks' addresses for itself.
      processes: isLab ? 1 : availableParallelism(),
      signal: interrupt.signal,
      onResult: (done, all) => {
        if (shown) process.stderr.write(`\r${done} of ${all} runs\x1b[K`);
      },
    });
    if (shown) process.stderr.write('\r\x1b[K');
    const found = tally(results);
    if (flags.out !== undefined) writeFileSync(flags.out, scoreMarkdown(found, results));
    printResult(flags.json ? JSON.stringify(found, null, 2) : scoreText(found));
    const { precision, recall } = found.macro;
    const good = Math.min(precision ?? 1, recall ?? 1) >= flags.least;
    process.exitCode = interrupt.signal.aborted ? EXIT.INTERRUPTED : good ? EXIT.PASS : EXIT.FAIL;
  } finally {
    interrupt.release();
  }
}

const ratio = (x: number | null): string => (x === null ? '-' : x.toFixed(3));

export function scoreText(s: ScoreTable): string {
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

/** The same for the docs: each run in a line, the causes, the confusion matrix. */
export function scoreMarkdown(s: ScoreTable, results: readonly CaseResult[]): string {
  const names = (counts: Readonly<Record<string, number>>): string =>
    Object.entries(counts)
      .map(([name, n]) => `${name} ${n}`)
      .join(', ') || '-';
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const rule = (n: number): string => `|${' --- |'.repeat(n)}`;
  const columns = [...new Set(Object.values(s.confusion).flatMap((r) => Object.keys(r)))].sort();
  return [
    '# Score',
    '',
    `${s.runs} runs. Macro precision ${ratio(s.macro.precision)}, recall ${ratio(s.macro.recall)}. The diagnosis sees neither plan nor faults.`,
    '',
    line(['cause', 'precision', 'recall', 'runs', 'right', 'wrong', 'missed']),
    rule(7),
    ...s.causes.map((c) =>
      line([
        c.cause,
        ratio(c.precision),
        ratio(c.recall),
        ...[c.runs, c.right, c.wrong, Math.round(c.missed)].map(String),
      ]),
    ),
    '',
    'Calls: what was injected (rows), what was named (columns).',
    '',
    line(['', ...columns]),
    rule(columns.length + 1),
    ...Object.entries(s.confusion).map(([injected, named]) =>
      line([injected, ...columns.map((c) => String(named[c] ?? '.'))]),
    ),
    '',
    line(['run', 'seed', 'verdict', 'bad', 'named']),
    rule(5),
    ...results.map((r) =>
      line([r.name, String(r.seed), r.word, String(r.bad), names(r.named as Record<string, number>)]),
    ),
    '',
  ].join('\n');
}
