/** Reads a Compose file into a StackSpec. Whatever is not understood is refused with file:line and the mend, never skipped. */
import { readFileSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { isScalar, LineCounter, type Node, parseDocument, visit } from 'yaml';
import type { z } from 'zod';
import { HarnessError } from '../../errors.js';
import { type Compose, composeSchema, MENDS } from './compose-schema.js';
import { serviceOf } from './compose-service.js';
import { interpolate } from './interpolate.js';
import type { NetworkSpec, ServiceSpec, StackSpec } from './types.js';

export type Variables = Readonly<Record<string, string | undefined>>;

/** Throws BAD_STACK. Binds are relative to the file's folder. */
export function readStack(file: string, name: string, variables: Variables): StackSpec {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
    throw new HarnessError('BAD_STACK', `${file}: cannot be read (${code})`, { cause });
  }
  return parseStack(text, file, name, variables);
}

export function parseStack(text: string, file: string, name: string, variables: Variables): StackSpec {
  const shown = shortest(file);
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, merge: true });
  const lineAt = (offset: number): string => `${shown}:${lines.linePos(offset).line}`;
  const bad = (where: string, why: string): HarnessError => new HarnessError('BAD_STACK', `${where}: ${why}`);
  const broken = document.errors[0];
  if (broken !== undefined) throw bad(lineAt(broken.pos[0]), broken.message.split('\n')[0]!.replace(/ at line.*$/, ''));

  const asked = new Set<string>();
  visit(document, {
    Scalar: (key, node) => {
      if (key === 'key' || typeof node.value !== 'string' || !node.value.includes('$')) return;
      const { text: value, names, refused } = interpolate(node.value, variables);
      if (refused !== null) throw bad(lineAt(node.range?.[0] ?? 0), refused);
      for (const one of names) asked.add(one);
      node.value = value;
    },
  });

  /** `file:line` of a path, or of the nearest thing around it that the file has. */
  const whereIs = (path: readonly PropertyKey[], key?: string): string => {
    for (let n = path.length; n >= 0; n--) {
      const node = document.getIn(path.slice(0, n) as (string | number)[], true) as Node | undefined;
      if (key !== undefined && n === path.length && node !== undefined && 'items' in node) {
        for (const pair of node.items as { key?: unknown }[]) {
          if (isScalar(pair.key) && pair.key.value === key) return lineAt(pair.key.range?.[0] ?? 0);
        }
      }
      // A value on the lines below its key: the key is where one looks.
      const keyNode = n === 0 ? undefined : keyOf(document.getIn(path.slice(0, n - 1), true) as Node, path[n - 1]!);
      if (keyNode?.range) return lineAt(keyNode.range[0]);
      if (node?.range) return lineAt(node.range[0]);
    }
    return shown;
  };

  const parsed = composeSchema.safeParse(document.toJS());
  if (!parsed.success) {
    const issue = deepest(parsed.error.issues[0]!);
    throw issue.code === 'unrecognized_keys'
      ? bad(whereIs(issue.path, issue.keys[0]), unknownKey(issue.path, issue.keys[0]!))
      : bad(
          whereIs(issue.path),
          `${issue.path.slice(issue.path.length > 1 ? 1 : 0).join('.')} ${said(issue.message)}`.trim(),
        );
  }
  const compose = parsed.data;
  for (const key of Object.keys(compose)) {
    if (['name', 'version', 'services', 'networks', 'volumes'].includes(key) || key.startsWith('x-')) continue;
    throw bad(whereIs([], key), unknownKey([], key));
  }
  const notes: string[] = [];
  const context = {
    folder: resolve(dirname(file)),
    volumes: Object.keys(compose.volumes ?? {}),
    networks: Object.keys(compose.networks ?? {}),
    refuse: (path: readonly PropertyKey[], why: string): never => {
      throw bad(whereIs(path), why);
    },
    note: (path: readonly PropertyKey[], what: string): void => void notes.push(`${whereIs(path)}: ${what}`),
    at: whereIs,
  };
  const services = Object.entries(compose.services).map(([service, value]) => serviceOf(service, value, context));
  if (services.length === 0) throw bad(shown, 'has no services');
  checkReferences(services, context.refuse);
  return {
    name,
    file,
    services,
    networks: networksOf(compose, services),
    volumes: context.volumes,
    variables: [...asked],
    notes,
  };
}

function keyOf(map: Node | undefined, key: PropertyKey): Node | undefined {
  if (map === undefined || !('items' in map)) return undefined;
  for (const pair of map.items as { key?: unknown }[]) {
    if (isScalar(pair.key) && pair.key.value === key) return pair.key;
  }
  return undefined;
}

/** Of a union, the branch that came furthest: it is the one that was meant. */
function deepest(issue: z.core.$ZodIssue): z.core.$ZodIssue {
  if (issue.code === 'invalid_key' && issue.issues[0] !== undefined) {
    return { ...issue.issues[0], path: issue.path } as z.core.$ZodIssue;
  }
  if (issue.code !== 'invalid_union') return issue;
  let best: z.core.$ZodIssue | null = null;
  for (const branch of issue.errors) {
    for (const inner of branch) {
      const found = deepest({ ...inner, path: [...issue.path, ...inner.path] } as z.core.$ZodIssue);
      const better =
        best === null ||
        found.path.length > best.path.length ||
        (best.code === 'invalid_type' && found.code !== 'invalid_type');
      if (better) best = found;
    }
  }
  return best ?? issue;
}

function said(message: string): string {
  return message
    .replace(/^Invalid (input|option|IPv4 address|IPv4 range): ?/, '')
    .replace('expected record, received undefined', 'are missing')
    .replace(/\n/g, ' ');
}

function unknownKey(path: readonly PropertyKey[], key: string): string {
  const mend =
    MENDS[key] ??
    'it is not of the Compose subset that stacks use; remove it, or bring the platform up yourself and use --target';
  return `${[...path, key].join('.')} is refused: ${mend}`;
}

function shortest(file: string): string {
  const near = relative(process.cwd(), file);
  return near.startsWith('..') ? file : near;
}

function networksOf(compose: Compose, services: readonly ServiceSpec[]): Record<string, NetworkSpec> {
  const out: Record<string, NetworkSpec> = {};
  for (const [name, network] of Object.entries(compose.networks ?? {})) {
    const pool = network?.ipam?.config?.[0];
    out[name] = {
      driver: 'bridge',
      subnet: pool?.subnet ?? null,
      gateway: pool?.gateway ?? null,
      options: network?.driver_opts ?? {},
    };
  }
  if (services.some((s) => Object.hasOwn(s.networks, 'default'))) {
    out.default ??= { driver: 'bridge', subnet: null, gateway: null, options: {} };
  }
  return out;
}

function checkReferences(
  services: readonly ServiceSpec[],
  refuse: (path: readonly PropertyKey[], why: string) => never,
): void {
  const byName = new Map(services.map((s) => [s.name, s]));
  for (const s of services) {
    for (const other of Object.keys(s.dependsOn)) {
      if (!byName.has(other))
        refuse(
          ['services', s.name, 'depends_on', other],
          `${s.name} depends on ${other}, which is no service of this file`,
        );
    }
    if (s.networkOf !== null && !byName.has(s.networkOf)) {
      refuse(
        ['services', s.name, 'network_mode'],
        `${s.name} shares the network of ${s.networkOf}, which is no service of this file`,
      );
    }
  }
  const done = new Set<string>();
  const walk = (name: string, trail: readonly string[]): void => {
    if (trail.includes(name)) {
      refuse(
        ['services', name, 'depends_on'],
        `services wait for each other: ${[...trail.slice(trail.indexOf(name)), name].join(' -> ')}`,
      );
    }
    if (done.has(name)) return;
    const { dependsOn, networkOf } = byName.get(name)!;
    for (const other of [...Object.keys(dependsOn), ...(networkOf === null ? [] : [networkOf])])
      walk(other, [...trail, name]);
    done.add(name);
  };
  for (const s of services) walk(s.name, []);
}
