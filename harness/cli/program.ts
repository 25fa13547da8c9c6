import { Command, CommanderError } from 'commander';
import { EXIT, HarnessError } from '../errors.js';
import { packageVersion } from '../version.js';
import { addAutopsy } from './autopsy.js';
import { addChaos } from './chaos.js';
import { addDemo } from './demo.js';
import { addDiff } from './diff.js';
import { addDoctor } from './doctor.js';
import { addFaults } from './faults.js';
import { addInit } from './init.js';
import { tell } from './output.js';
import { addQuery } from './query.js';
import { addRelay } from './relay.js';
import { addRun } from './run.js';
import { addScenarios } from './scenarios.js';
import { addScore } from './score.js';
import { addStack } from './stack.js';
import { addUas } from './uas.js';

const EXIT_CODES = `
Exit codes:
  0 PASS   99 FAIL: a budget was crossed or had no data   104 something that was asked for cannot be used
  105 interrupted, results kept   112 INVALID: the measurement cannot be trusted   70 a bug of deadair
`;

export function buildProgram(): Command {
  const program = new Command('deadair')
    .description('Load testing and chaos for VoIP platforms: why did that call drop?')
    .version(packageVersion())
    .addHelpText('after', EXIT_CODES)
    .exitOverride()
    .configureOutput({
      outputError: (text) =>
        tell(
          text
            .replace(/^error: /, '')
            .trim()
            .replace(/\s*\n\s*/g, ' '),
        ),
    });
  const commands = [
    addRun,
    addDemo,
    addAutopsy,
    addQuery,
    addDiff,
    addInit,
    addScenarios,
    addScore,
    addDoctor,
    addStack,
    addChaos,
    addFaults,
    addUas,
    addRelay,
  ];
  for (const add of commands) add(program);
  return program;
}

/** The exit code of one command line. */
export async function runCli(argv: readonly string[]): Promise<number> {
  process.exitCode = EXIT.PASS;
  try {
    await buildProgram().parseAsync([...argv], { from: 'user' });
    return Number(process.exitCode);
  } catch (error) {
    return report(error);
  }
}

/** Says what went wrong, and how to exit for it. A stack is for bugs of ours only. */
export function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.PASS : EXIT.BAD_CONFIG; // it has spoken already
  if (error instanceof HarnessError) {
    tell(error.message);
    return error.exitCode;
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  tell(`this is a bug of deadair, please report it\n${text}`);
  return EXIT.INTERNAL;
}
