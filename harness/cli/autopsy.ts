import type { Command } from 'commander';
import { printResult } from './output.js';

export function addAutopsy(program: Command): void {
  program
    .command('autopsy')
    .description('the timeline of one call: what both ends saw, what ended it, why, and the evidence')
    .argument('<run>', 'directory of a run, for example results/peak-dial-…')
    .argument('[call]', 'number or Call-ID; without it, the call that its people would complain of first')
    .action(async (runDir: string, call: string | undefined) => {
      const { autopsyText } = await import('../report/autopsy.js');
      printResult(await autopsyText(runDir, call));
    });
}
