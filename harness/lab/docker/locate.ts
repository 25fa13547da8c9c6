import { existsSync, readdirSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { HarnessError } from '../../errors.js';
import { readStack, type Variables } from './compose.js';
import { LABEL } from './labels.js';
import type { Role, StackSpec } from './types.js';

/** The package's own stacks: docker/stacks/*.yaml, found from the sources and from dist alike. */
function stacksFolder(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json')) && dirname(folder) !== folder) folder = dirname(folder);
  return join(folder, 'docker', 'stacks');
}

export function ownStacks(): string[] {
  const folder = stacksFolder();
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => name.slice(0, -'.yaml'.length))
    .sort();
}

/** A name of ours, or the path of a Compose file. Throws BAD_STACK. */
export function locateStack(ref: string): { name: string; file: string } {
  if (/[/\\]|\.ya?ml$/.test(ref)) {
    const file = resolve(ref);
    if (!existsSync(file)) throw new HarnessError('BAD_STACK', `stack ${ref}: there is no such file`);
    return { name: nameOf(file), file };
  }
  const file = join(stacksFolder(), `${ref}.yaml`);
  if (existsSync(file)) return { name: ref, file };
  const own = ownStacks();
  const has = own.length === 0 ? 'there are none in this installation' : `there are ${own.join(', ')}`;
  throw new HarnessError(
    'BAD_STACK',
    `stack ${ref}: no such stack; ${has}; a Compose file of your own is given by its path`,
  );
}

/** Its file's name; `compose.yaml` and the like say nothing, so there it is the folder's. */
function nameOf(file: string): string {
  const base = basename(file).replace(/\.ya?ml$/, '');
  const telling = /^(docker-)?compose$/.test(base) ? basename(dirname(file)) : base;
  return (
    telling
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-')
      .replace(/^-|-$/g, '') || 'stack'
  );
}

/** Service that plays a role, for a file that does not say so by labels. */
export type RoleMap = Partial<Record<Role, string>>;

/** The stack that a user names, with the variables and roles that they give. Throws BAD_STACK. */
export function openStack(ref: string, variables: Variables, roles: RoleMap): StackSpec {
  const { name, file } = locateStack(ref);
  const spec = readStack(file, name, variables);
  for (const [role, service] of Object.entries(roles)) {
    const found = spec.services.find((s) => s.name === service);
    if (found === undefined) {
      throw new HarnessError(
        'BAD_STACK',
        `--${role} ${service}: ${spec.file} has no such service; it has ${spec.services.map((s) => s.name).join(', ')}`,
      );
    }
    found.labels[LABEL.role] = role;
  }
  return spec;
}
