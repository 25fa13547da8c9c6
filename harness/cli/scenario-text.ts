import { incidentsOf, type Param, type ParamValue, type Scenario } from '../plan/scenario.js';
import { table } from './output.js';

/** A scenario for the terminal: what goes wrong in it and, on request, what can be set. */
export function describeScenario(scenario: Scenario, withParams: boolean): string {
  const lines = [`${scenario.name}: ${scenario.summary}`, '', '  incidents'];
  for (const [name, incident] of Object.entries(incidentsOf(scenario))) {
    lines.push(`    ${name}: ${incident.summary}`);
    if (Object.keys(incident.set).length > 0) lines.push(`      sets ${assignments(incident.set)}`);
    if (incident.cure) lines.push(`      --cured: ${incident.cure.summary} (${assignments(incident.cure.set)})`);
    else if (incident.noCure !== undefined) lines.push(`      no cure: ${incident.noCure}`);
  }
  if (withParams) {
    const rows = Object.entries(scenario.params).map(([name, param]) => [
      name,
      String(param.default),
      range(param),
      param.doc,
    ]);
    lines.push('', '  parameters, for --set name=value', table(rows, '    '));
    if (Array.isArray(scenario.budgets)) lines.push('', '  budgets', ...scenario.budgets.map((b) => `    ${b}`));
  }
  return lines.join('\n');
}

function assignments(set: Partial<Record<string, ParamValue>>): string {
  return Object.entries(set)
    .map(([key, value]) => `${key}=${value}`)
    .join(', ');
}

function range(param: Param): string {
  if (param.type === 'boolean') return 'true|false';
  if (param.type === 'string') return param.choices?.join('|') ?? 'text';
  return param.unit ?? '';
}
