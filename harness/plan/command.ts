import type { PlanOptions } from './resolve.js';
import { NO_INCIDENT } from './scenario.js';

/** Exactly what to type to have a run again. Where results and logs go is not part of it. */
export function commandLine(scenario: string, options: PlanOptions & { seed: number }): string {
  const words = ['deadair', 'run', scenario];
  const add = (name: string, value: string | undefined): void => {
    if (value !== undefined) words.push(name, value);
  };
  add('--stack', options.stack);
  for (const [role, service] of Object.entries(options.roles ?? {})) add(`--${role}`, service);
  for (const assignment of options.env ?? []) add('--env', assignment);
  add('--target', options.target);
  add('--authorise', options.authorise);
  add('--incident', options.incident === NO_INCIDENT ? undefined : options.incident);
  if (options.cured) words.push('--cured');
  add('--seed', String(options.seed));
  for (const assignment of options.set ?? []) add('--set', assignment);
  for (const fault of options.fault ?? []) add('--fault', fault);
  if (options.defaultBudgets === false) words.push('--no-default-budgets');
  for (const budget of options.budget ?? []) add('--budget', budget);
  if (options.simulate) words.push('--simulate');
  add('--media-backend', options.mediaBackend);
  return words.map(quote).join(' ');
}

/** For a POSIX shell. */
function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
