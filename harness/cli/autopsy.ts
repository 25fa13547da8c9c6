import { type Command, InvalidArgumentError } from 'commander';
import { CAUSES } from '../plan/causes.js';
import { didYouMean } from '../plan/nearest.js';
import { printResult } from './output.js';

/** More than this is a question for `deadair query`. */
const WORST_MAX = 100;

interface AutopsyFlags {
  cause?: string;
  worst?: number;
}

function worst(value: string): number {
  const n = Number(value);
  if (!/^\d+$/.test(value) || n < 1 || n > WORST_MAX)
    throw new InvalidArgumentError(`must be a whole number from 1 to ${WORST_MAX}.`);
  return n;
}

function cause(value: string): string {
  if (!(CAUSES as readonly string[]).includes(value))
    throw new InvalidArgumentError(
      `there is no such cause${didYouMean(value, CAUSES)}; there are ${CAUSES.join(', ')}.`,
    );
  return value;
}

export function addAutopsy(program: Command): void {
  program
    .command('autopsy')
    .description(
      'the story of a call: what both ends saw, its audio over time, what ended it, why, the evidence and the cure',
    )
    .argument('<run>', 'directory of a run, for example results/peak-dial-…')
    .argument('[call]', 'number or Call-ID; without it, the call that its people would complain of first')
    .option('--cause <name>', 'a call with this cause', cause)
    .option('--worst <n>', 'so many of the worst calls', worst)
    .action(async (runDir: string, call: string | undefined, flags: AutopsyFlags) => {
      if (call !== undefined && (flags.cause !== undefined || flags.worst !== undefined)) {
        const { HarnessError } = await import('../errors.js');
        throw new HarnessError(
          'BAD_PLAN',
          `autopsy ${call}: a call that is named leaves nothing to choose; leave out --cause and --worst`,
        );
      }
      const { autopsyText } = await import('../report/autopsy.js');
      printResult(await autopsyText(runDir, { ...flags, ...(call === undefined ? {} : { call }) }));
    });
}
