import type { Command } from 'commander';
import { EXIT } from '../errors.js';
import { printResult } from './output.js';

export function addDiff(program: Command): void {
  program
    .command('diff')
    .description(
      'what differs between two runs beyond noise: shares, delays, audio, causes, tenants; 99 when something got worse',
    )
    .argument('<before>', 'the directory of a run')
    .argument('<after>', 'the directory of a run')
    .option('--json', 'print it as JSON')
    .action(async (before: string, after: string, flags: { json?: boolean }) => {
      const { diffRuns } = await import('../verdict/diff/compare.js');
      const { diffText } = await import('../report/diff-text.js');
      const diff = await diffRuns(before, after);
      printResult(flags.json ? JSON.stringify(diff, null, 2) : diffText(diff));
      process.exitCode = diff.moved.some((m) => m.change === 'worse') ? EXIT.FAIL : EXIT.PASS;
    });
}
