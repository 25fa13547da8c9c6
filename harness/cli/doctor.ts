import type { Command } from 'commander';
import { EXIT } from '../errors.js';
import { printResult, table } from './output.js';

export function addDoctor(program: Command): void {
  program
    .command('doctor')
    .description('what this machine has and lacks for load, each with its mend')
    .option('--json', 'as JSON')
    .action(async (flags: { json?: boolean }) => {
      const { runChecks } = await import('./checks.js');
      const checks = await runChecks();
      printResult(
        flags.json
          ? JSON.stringify(checks, null, 2)
          : table(checks.map(({ state, name, found, mend }) => [state, name, found, mend])),
      );
      if (checks.some((c) => c.required && c.state === 'missing')) process.exitCode = EXIT.BAD_CONFIG;
    });
}
