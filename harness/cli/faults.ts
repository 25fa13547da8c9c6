import type { Command } from 'commander';
import { EXIT } from '../errors.js';
import { printResult, table } from './output.js';

export function addFaults(program: Command): void {
  const faults = program
    .command('faults')
    .description('what can be broken, what is broken now, and how to have it whole again');
  faults
    .command('kinds')
    .description('every fault with its parameters')
    .argument('[kind]', 'only this one')
    .action(kinds);
  faults
    .command('list')
    .description('what faults have made or changed in the engine, and who answers for it')
    .action(listFaults);
  faults.command('sweep').description('undo what is left of faults whose run is gone').action(sweep);
}

async function kinds(only: string | undefined): Promise<void> {
  const [{ FAULT_NAMES, specOf }, { HarnessError }, { didYouMean }] = await Promise.all([
    import('../plan/fault-kinds.js'),
    import('../errors.js'),
    import('../plan/nearest.js'),
  ]);
  const wanted = FAULT_NAMES.filter((kind) => only === undefined || kind === only);
  if (wanted.length === 0)
    throw new HarnessError('BAD_PLAN', `faults kinds: there is no ${only}${didYouMean(only!, FAULT_NAMES)}`);
  for (const kind of wanted) {
    const { summary, on, params, instant } = specOf(kind);
    printResult(`${kind}@AT${instant ? '' : '+FOR'},on=${on}   ${summary}`);
    const rows = Object.entries(params).map(([name, p]) => {
      const may =
        p.type === 'string' && p.choices !== undefined
          ? p.choices.join('|')
          : `${p.default}${p.unit === undefined ? '' : ` ${p.unit}`}`;
      return ['  ', name, may, p.doc];
    });
    if (rows.length > 0) printResult(table(rows));
  }
}

async function listFaults(): Promise<void> {
  const [{ findFaults }, { connect }] = await Promise.all([
    import('../faults/sweep.js'),
    import('../lab/docker/engine.js'),
  ]);
  const found = await findFaults(await connect());
  if (found.length === 0) printResult('no fault is on, and nothing is left of one');
  else {
    const rows = found.map(({ run, id, what, inUse }) => [
      what,
      id,
      run,
      inUse ? 'in use' : 'left behind: deadair faults sweep',
    ]);
    printResult(table([['what', 'fault', 'run', ''], ...rows]));
  }
}

async function sweep(): Promise<void> {
  const { sweepFaults } = await import('../faults/sweep.js');
  const swept = await sweepFaults();
  if (swept.length === 0) printResult('nothing is left of any fault');
  for (const { run, what, note } of swept) printResult(`${what}${run === '' ? '' : ` (${run})`}: ${note}`);
  if (swept.some((s) => !s.proven)) process.exitCode = EXIT.INVALID;
}
