import { join } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { CAPTURES_MAX, type CaptureWish } from '../collect/pcap.js';
import { EXIT, HarnessError } from '../errors.js';
import type { PlanOptions } from '../plan/resolve.js';
import type { RunPlan } from '../plan/types.js';
import type { RunResult } from '../run.js';
import { onInterrupt } from './interrupt.js';
import { makeOutDir } from './out-dir.js';
import { printResult, tell } from './output.js';
import type { Exporter } from './prometheus.js';
import { addRoleOptions, type RoleFlags, rolesOf } from './stack.js';

interface RunFlags extends PlanOptions, RoleFlags {
  keep?: boolean;
  out: string;
  compare?: string | true;
  json?: boolean;
  baseline?: string;
  prometheus?: string;
  logFile?: string;
  pcap?: CaptureWish;
}

/** `all`, `bad`, or how many of the worst. */
function wish(value: string): CaptureWish {
  if (value === 'all' || value === 'bad') return { kind: value };
  const calls = Number(value);
  if (!/^\d+$/.test(value) || calls < 1 || calls > CAPTURES_MAX)
    throw new InvalidArgumentError(`must be all, bad, or a whole number from 1 to ${CAPTURES_MAX}.`);
  return { kind: 'worst', calls };
}

const list = (value: string, before: string[] | undefined): string[] => [...(before ?? []), value];

export function addRun(program: Command): void {
  const command = program
    .command('run')
    .description('place the calls of a scenario, and say what became of them and why')
    .argument('<scenario>', 'a name from `deadair scenarios`, or the path of your own .ts file')
    .option(
      '--stack <name>',
      'platform to bring up: embedded (the default), kamailio (of this machine, on loopback), or in Docker naive, blueprint, or the path of a Compose file',
    )
    .option('--keep', 'a stack in Docker stays when the run is over')
    .option('--env <NAME=VALUE>', "a variable of the stack's file; may be repeated", list)
    .option('--target <sip-uri>', 'call this instead of a platform of ours, for example sip:service@127.0.0.1:5060')
    .option('--incident <name>', 'what goes wrong (default: none)')
    .option('--cured', 'the same incident with its cure in place')
    .option('--seed <n>', 'all chance in a run comes from it (default: 1)')
    .option('--set <key=value>', 'a parameter of the scenario; may be repeated', list)
    .option(
      '--fault <what>',
      "break something: 'packet-loss@20s+30s,on=nat,percent=5'; may be repeated; deadair faults kinds lists them",
      list,
    )
    .option('--budget <expr>', 'for example "drop_rate: rate<0.01"; may be repeated', list)
    .option('--no-default-budgets', 'only the budgets given here')
    .option('--baseline <run>', 'the directory of an earlier run: what got worse beyond noise fails this one')
    .option(
      '--compare [values]',
      'one run for each value of a parameter, and one report: name=value,value; values alone are cures; nothing: those that the incident names',
    )
    .option('--prometheus <at>', 'while it runs, metrics at http://at/metrics: a port of this machine, or host:port')
    .option('--out <dir>', 'where the directory of the run is made', 'results')
    .option('--json', 'print verdict.json instead of the summary')
    .option('--simulate', 'seeded network and virtual time instead of sockets and real time')
    .addOption(
      new Option('--media-backend <name>', 'how media ports are held').choices(['auto', 'raw', 'sockets', 'dgram']),
    )
    .option('--authorise <host>', 'allow a target outside 127.0.0.0/8; names exactly that host')
    .option(
      '--pcap <which>',
      'write packets for Wireshark and sngrep: of all, the bad, or so many of the worst calls',
      wish,
    )
    .option('--log-file <file>', 'log here instead of to standard error')
    .action(run);
  addRoleOptions(command);
}

async function run(ref: string, flags: RunFlags): Promise<void> {
  const { compare, ...rest } = flags;
  if (compare !== undefined) {
    const { runCompared } = await import('./compare.js');
    const { loadScenario } = await import('../plan/load.js');
    await runCompared(await loadScenario(ref), { ...rest, compare });
  } else await runOne(ref, rest);
}

async function runOne(ref: string, flags: Omit<RunFlags, 'compare'>): Promise<void> {
  const [{ loadScenario }, { resolvePlan }, { openLog }, { progressPrinter }, { runPlan }] = await Promise.all([
    import('../plan/load.js'),
    import('../plan/resolve.js'),
    import('./log.js'),
    import('./progress.js'),
    import('../run.js'),
  ]);
  const plan = resolvePlan(await loadScenario(ref), { ...flags, roles: rolesOf(flags) });
  const outDir = makeOutDir(flags.out);
  const log = openLog(flags.logFile);
  const progress = progressPrinter(process.stderr);
  const exporter = flags.prometheus === undefined ? null : await exporterOf(flags.prometheus, plan);
  const interrupt = onInterrupt();
  try {
    const result = await runPlan(plan, {
      outDir,
      onProgress: (p) => {
        progress.update(plan.scenario, p);
        exporter?.update(p);
      },
      signal: interrupt.signal,
      onStack: tell,
      keepStack: flags.keep ?? false,
      authorised: flags.authorise === undefined ? [] : [flags.authorise],
      log,
      ...(flags.pcap === undefined ? {} : { pcap: flags.pcap }),
      ...(flags.baseline === undefined ? {} : { baseline: flags.baseline }),
    });
    progress.done();
    const { summaryText } = await import('../report/summary.js');
    printResult(flags.json ? JSON.stringify(result.verdict, null, 2) : summaryText(result.verdict));
    if (!flags.json && result.captures !== null) printResult(capturesText(result.runDir, result.captures));
    if (!flags.json) printResult(`report: ${join(result.runDir, 'report.html')}`);
    process.exitCode = interrupt.signal.aborted ? EXIT.INTERRUPTED : result.exitCode;
  } finally {
    progress.done();
    interrupt.release();
    await exporter?.close();
  }
}

async function exporterOf(at: string, plan: RunPlan): Promise<Exporter> {
  if (plan.mode === 'simulated')
    throw new HarnessError(
      'BAD_PLAN',
      '--prometheus and --simulate exclude each other: virtual time waits for no scraper',
    );
  const { startExporter } = await import('./prometheus.js');
  const { runId, scenario, incident, seed } = plan;
  const exporter = await startExporter(at, { run: runId, scenario, incident, seed: String(seed) });
  tell(`metrics at ${exporter.url}`);
  return exporter;
}

function capturesText(runDir: string, { files, forgotten }: NonNullable<RunResult['captures']>): string {
  const what =
    files.length === 0
      ? 'none: no such call, or nothing was captured'
      : join(runDir, files.length === 1 ? files[0]! : 'pcap');
  const lost = forgotten === 0 ? '' : ` (the oldest ${forgotten} packets of the run were forgotten: the taps are full)`;
  return `pcap: ${what}${lost}`;
}
