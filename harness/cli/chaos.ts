import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { EXIT, HarnessError } from '../errors.js';
import { onInterrupt } from './interrupt.js';
import { makeOutDir } from './out-dir.js';
import { printResult, tell } from './output.js';

const list = (value: string, before: string[] | undefined): string[] => [...(before ?? []), value];

interface ChaosFlags {
  fault?: string[];
  authorise?: string[];
  seed: string;
  out: string;
}

/** A second between the word and the first fault: the watchdog is armed long before. */
const LEAD_US = 1_000_000;

export function addChaos(program: Command): void {
  program
    .command('chaos')
    .description('break a stack that is up, without load of ours, and see that it is whole again')
    .argument('<stack>', 'naive, blueprint, or the name of yours: deadair stack status lists them')
    .option(
      '--fault <what>',
      "'packet-loss@20s+30s,on=nat,percent=5'; may be repeated; deadair faults kinds lists them",
      list,
    )
    .option('--authorise <name>', 'a host or a container that is not of a stack of ours; may be repeated', list)
    .option('--seed <n>', 'of whatever chance a fault has', '1')
    .option('--out <dir>', 'where the directory with faults.jsonl is made', 'results')
    .action(chaos);
}

async function chaos(stack: string, flags: ChaosFlags): Promise<void> {
  const [{ parseFault }, { connect, engineAddress }, { RunFaults }, { stackNames }, { monotonicUs }] =
    await Promise.all([
      import('../plan/fault.js'),
      import('../lab/docker/engine.js'),
      import('../faults/run-faults.js'),
      import('../lab/docker/started.js'),
      import('../clock.js'),
    ]);
  const plans = (flags.fault ?? []).map((text) => parseFault(text));
  if (plans.length === 0) throw new HarnessError('BAD_PLAN', 'chaos: say what to break with --fault');
  const docker = await connect();
  const names = await stackNames(docker);
  if (!names.includes(stack)) {
    const up = names.length === 0 ? 'none is' : `${names.join(', ')} ${names.length === 1 ? 'is' : 'are'}`;
    throw new HarnessError('BAD_STACK', `chaos: stack ${stack} is not up (${up}): deadair stack up ${stack}`);
  }
  const run = `chaos-${stack}-${randomBytes(4).toString('hex')}`;
  const runDir = join(makeOutDir(flags.out), run);
  const interrupt = onInterrupt();
  const faults = await RunFaults.arm(plans, {
    ...{ docker, engine: engineAddress(), run, stack, runDir, tell },
    seed: Number(flags.seed),
    authorised: flags.authorise ?? [],
  });
  mkdirSync(runDir);
  try {
    faults.go(monotonicUs() + LEAD_US);
    const interrupted = new Promise<void>((resolve) => interrupt.signal.addEventListener('abort', () => resolve()));
    await Promise.race([faults.isOver(), interrupted]);
  } finally {
    const kept = await faults.finish();
    interrupt.release();
    const left = [...kept.values()].filter((k) => !k.proven);
    const failed = [...kept.values()].filter((k) => k.failed !== null);
    printResult(
      `${kept.size - failed.length} of ${kept.size} faults as planned; ${left.length === 0 ? 'nothing is left of any' : `${left.length} NOT proven removed`}: ${join(runDir, 'faults.jsonl')}`,
    );
    if (interrupt.signal.aborted) process.exitCode = EXIT.INTERRUPTED;
    if (left.length + failed.length > 0) process.exitCode = EXIT.INVALID;
  }
}
