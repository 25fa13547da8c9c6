import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Identity, Population, type User, webphoneIdentityOf } from '../../../agents/identity.js';
import type { RegistrationPlan } from '../../plan/types.js';

/** The phones of a plan, as a registrar has to know them. */
export function usersOf(plan: RegistrationPlan, users: readonly User[] | null, seed: number): Identity[] {
  const population = new Population(plan, seed, users);
  return Array.from({ length: plan.phones }, (_, i) => population.user(i));
}

export function webphoneUsersOf(plan: { count: number }, seed: number): Identity[] {
  return Array.from({ length: plan.count }, (_, n) => webphoneIdentityOf(n, seed));
}

/** Columns that Kamailio's htable module reads a table by; db_text has them in the first line of its file. */
const COLUMNS = 'id(int,auto) key_name(string) key_type(int) value_type(int) key_value(string) expires(int)';

/** The db_text table `users` in `dir`: name `user@domain`, value the password. */
export function writeUsers(dir: string, users: readonly Identity[]): void {
  const rows = users.map(
    ({ user, domain, password }, i) => `${i + 1}:${escaped(`${user}@${domain}`)}:0:0:${escaped(password)}:0`,
  );
  writeFileSync(join(dir, 'users'), `${[COLUMNS, ...rows].join('\n')}\n`, { mode: 0o600 });
  writeFileSync(join(dir, 'version'), 'table_name(string) table_version(int)\nusers:2\n');
}

/** db_text parts its columns by colons. */
function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll(':', '\\:');
}
