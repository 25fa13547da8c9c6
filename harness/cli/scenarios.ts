import type { Command } from 'commander';
import { printResult, table } from './output.js';

export function addScenarios(program: Command): void {
  program
    .command('scenarios')
    .description('scenarios, their incidents and cures; with a name or a path, also its parameters')
    .argument('[scenario]', 'a name, or the path of your own .ts file')
    .option('--json', 'as JSON')
    .action(async (ref: string | undefined, flags: { json?: boolean }) => {
      const [{ loadScenario, scenarioNames }, { incidentsOf }] = await Promise.all([
        import('../plan/load.js'),
        import('../plan/scenario.js'),
      ]);
      const loaded = await Promise.all((ref === undefined ? scenarioNames() : [ref]).map((name) => loadScenario(name)));
      if (flags.json) {
        const all = loaded.map(({ scenario, file }) => ({
          name: scenario.name,
          summary: scenario.summary,
          file,
          params: scenario.params,
          incidents: Object.entries(incidentsOf(scenario)).map(([name, { faults, ...rest }]) => ({
            name,
            ...rest,
            faults: faults !== undefined,
          })),
        }));
        printResult(JSON.stringify(all, null, 2));
        return;
      }
      const { describeScenario } = await import('./scenario-text.js');
      printResult(loaded.map(({ scenario }) => describeScenario(scenario, ref !== undefined)).join('\n\n'));
      if (ref === undefined) printResult(table([['parameters of one:', 'deadair scenarios <scenario>']]));
    });
}
