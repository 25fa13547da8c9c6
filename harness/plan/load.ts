import { existsSync, readdirSync, statSync } from 'node:fs';
import { extname, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { HarnessError } from '../errors.js';
import { didYouMean } from './nearest.js';
import { firstMisfit } from './params.js';
import type { Params, Scenario } from './scenario.js';
import { checked, scenarioSchema } from './schema.js';

export interface LoadedScenario {
  scenario: Scenario;
  /** As the user named it: `peak-dial`, or `./mine.ts`. */
  ref: string;
  file: string;
  /** The user's own file, whose exceptions are bad input and not bugs of ours. */
  own: boolean;
}

/** `.ts` when we run from sources (under Vitest), `.js` from dist; each beside scenarios/ of its own kind. */
const KIND = extname(fileURLToPath(import.meta.url));
const ROOT = new URL('../../', import.meta.url);
const FOLDER = fileURLToPath(new URL('scenarios/', ROOT));
const ENTRY = fileURLToPath(new URL(`harness/index${KIND}`, ROOT));
const EXTENSIONS = ['.ts', '.mts', '.cts', '.js', '.mjs', '.cjs'];

/** Names of our own scenarios. */
export function scenarioNames(): string[] {
  return readdirSync(FOLDER, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(ourFile(entry.name)))
    .map((entry) => entry.name)
    .sort();
}

/** One of ours by name, or the user's own by path: anything with a slash or a script's extension is a path. */
export async function loadScenario(ref: string, cwd: string = process.cwd()): Promise<LoadedScenario> {
  if (/[/\\]/.test(ref) || EXTENSIONS.includes(extname(ref))) return loadOwn(ref, cwd);
  const names = scenarioNames();
  if (!names.includes(ref)) {
    throw new HarnessError(
      'UNKNOWN_SCENARIO',
      `there is no scenario ${ref}${didYouMean(ref, names)}; there are ${names.join(', ')}, or give the path of your own .ts file`,
    );
  }
  const file = ourFile(ref);
  const module: unknown = await import(/* @vite-ignore */ pathToFileURL(file).href);
  return { scenario: checkScenario(defaultOf(module), ref), ref, file, own: false };
}

/** One that a program made itself. */
export function acceptScenario(scenario: unknown): LoadedScenario {
  const ref = typeof scenario === 'object' && scenario !== null && 'name' in scenario ? String(scenario.name) : 'given';
  return { scenario: checkScenario(scenario, ref), ref, file: '', own: false };
}

function ourFile(name: string): string {
  return `${FOLDER}${name}/scenario${KIND}`;
}

async function loadOwn(ref: string, cwd: string): Promise<LoadedScenario> {
  const file = resolve(cwd, ref);
  if (!existsSync(file) || !statSync(file).isFile()) {
    throw new HarnessError('UNKNOWN_SCENARIO', `there is no scenario file ${ref}; ours are named without a path`);
  }
  if (!EXTENSIONS.includes(extname(file))) {
    throw new HarnessError('UNKNOWN_SCENARIO', `scenario file ${ref} must end in ${EXTENSIONS.join(', ')}`);
  }
  const { createJiti } = await import('jiti');
  // No cache: nothing is written beside the user's file, and an edit is seen at the next run.
  const jiti = createJiti(import.meta.url, { alias: { deadair: ENTRY }, fsCache: false, moduleCache: false });
  let module: unknown;
  try {
    module = await jiti.import(file);
  } catch (thrown) {
    throw ownFault(thrown, file, ref);
  }
  return { scenario: checkScenario(defaultOf(module), ref), ref, file, own: true };
}

function defaultOf(module: unknown): unknown {
  return typeof module === 'object' && module !== null && 'default' in module ? module.default : undefined;
}

function checkScenario(data: unknown, ref: string): Scenario {
  const where = `scenario ${ref}`;
  if (typeof data !== 'object' || data === null) {
    const found = data === undefined ? 'no default export' : `a default export that is a ${typeof data}`;
    throw new HarnessError('BAD_PLAN', `${where}: has ${found}; write "export default defineScenario({ … })"`);
  }
  const scenario = checked(scenarioSchema, data, 'BAD_PLAN', where) as unknown as Scenario;
  const params: Params = scenario.params;
  const defaults = Object.fromEntries(Object.entries(params).map(([key, param]) => [key, param.default]));
  const misfits: [string, string | undefined][] = [['params', firstMisfit(params, defaults)]];
  misfits.push(['onStack', firstMisfit(params, scenario.onStack ?? {})]);
  for (const [name, incident] of Object.entries(scenario.incidents ?? {})) {
    misfits.push([`incidents.${name}.set`, firstMisfit(params, incident.set)]);
    misfits.push([`incidents.${name}.onStack`, firstMisfit(params, incident.onStack ?? {})]);
    if (incident.cure) misfits.push([`incidents.${name}.cure.set`, firstMisfit(params, incident.cure.set)]);
  }
  for (const [path, why] of misfits) {
    if (why !== undefined) throw new HarnessError('BAD_PLAN', `${where}: ${path}.${why}`);
  }
  return scenario;
}

/** Calls a function of the scenario. What the user's own file throws is one line with its place, not a stack. */
export function callScenario<T>(loaded: LoadedScenario, what: string, call: () => T): T {
  if (!loaded.own) return call();
  try {
    return call();
  } catch (thrown) {
    throw ownFault(thrown, loaded.file, loaded.ref, `${what} `);
  }
}

function ownFault(thrown: unknown, file: string, ref: string, what = ''): HarnessError {
  const at = placeIn(thrown, file);
  const place = at === undefined ? ref : `${ref}:${at}`;
  const text = thrown instanceof Error ? firstLine(thrown) : `threw ${JSON.stringify(thrown) ?? String(thrown)}`;
  return new HarnessError('BAD_PLAN', `scenario ${place}: ${what}${text}`, { cause: thrown });
}

function firstLine(error: Error): string {
  const line = error.message.split('\n')[0]!.trim();
  // The loader's parser puts its own class into the message.
  if (line.startsWith('ParseError: ')) return line.slice('ParseError: '.length).trim();
  // Node names who wanted the module by full path; the place is already there.
  return `${error.name}: ${line.replace(/\nRequire stack:.*/s, '')}`;
}

/** Line of the user's file in the stack: its first mention, the innermost frame. */
function placeIn(thrown: unknown, file: string): string | undefined {
  if (!(thrown instanceof Error)) return undefined;
  const text = `${thrown.message}\n${thrown.stack ?? ''}`;
  for (const name of [file, pathToFileURL(file).href]) {
    const at = text.indexOf(`${name}:`);
    const line = at < 0 ? undefined : /^\d+/.exec(text.slice(at + name.length + 1))?.[0];
    if (line !== undefined) return line;
  }
  return undefined;
}
