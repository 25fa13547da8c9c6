import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { HarnessError } from '../errors.js';
import { loadScenario, scenarioNames } from './load.js';
import { type PlanOptions, resolvePlan } from './resolve.js';

const dir = mkdtempSync(join(tmpdir(), 'deadair-load-'));
afterAll(() => rmSync(dir, { recursive: true }));

const GOOD = `import { callParams, callPlan, defineScenario, embeddedConfig, embeddedParams, integer } from 'deadair';
interface Unused { x: number }
export default defineScenario({
  name: 'mine',
  summary: 'ten calls',
  params: { calls: integer(10, { doc: 'calls in a second' }), ...callParams, ...embeddedParams },
  build: (p) => ({
    arrivals: [{ name: 'all', durationMs: 1000, fromCps: p.calls, toCps: p.calls }],
    drainMs: 40_000,
    call: callPlan(p),
    platform: embeddedConfig(p),
  }),
  incidents: { few: { summary: 'one channel', cause: 'trunk-channel-limit', set: { 'trunk.channels': 1 } } },
  budgets: ['asr: rate>0.9'],
});
`;

async function plan(name: string, source: string, options: PlanOptions = {}) {
  writeFileSync(join(dir, name), source);
  return resolvePlan(await loadScenario(`./${name}`, dir), options);
}

async function failure(name: string, source: string, options: PlanOptions = {}): Promise<string> {
  const error = await plan(name, source, options).then(
    () => undefined,
    (e: unknown) => e,
  );
  expect(error).toBeInstanceOf(HarnessError);
  expect((error as HarnessError).exitCode).toBe(104);
  const { message } = error as HarnessError;
  expect(message).not.toMatch(/\n/);
  return message;
}

describe('a scenario', () => {
  it('of ours is found by name', async () => {
    expect(scenarioNames()).toContain('peak-dial');
    expect((await loadScenario('peak-dial')).scenario.name).toBe('peak-dial');
  });

  it.each(['good.ts', 'good.mts', 'good.js'])('of the user is loaded as %s, without a build', async (name) => {
    const source = name.endsWith('.js') ? GOOD.replace(/interface.*\n/, '\n') : GOOD;
    const made = await plan(name, source, { incident: 'few', set: ['calls=12'] });
    expect(made).toMatchObject({ scenario: 'mine', injectedCause: 'trunk-channel-limit', params: { calls: 12 } });
    expect(made.command).toBe(`deadair run ./${name} --incident few --seed 1 --set calls=12`);
  });
});

describe('one line for', () => {
  it('a name that is not there', async () => {
    await expect(loadScenario('peak-dail')).rejects.toThrow(
      /^there is no scenario peak-dail \(did you mean peak-dial\?\); there are .*peak-dial.*, or give the path of your own \.ts file$/,
    );
  });

  it('a file that is not there, or no script', async () => {
    await expect(loadScenario('./nothing.ts', dir)).rejects.toThrow(
      'there is no scenario file ./nothing.ts; ours are named without a path',
    );
    expect(await failure('plan.yaml', 'a: 1')).toBe(
      'scenario file ./plan.yaml must end in .ts, .mts, .cts, .js, .mjs, .cjs',
    );
  });

  it.each([
    ['syntax', 'export const a: number = ;\n', ':1: Unexpected token'],
    ['throws', `\n${GOOD}\nthrow new RangeError('no luck\\nsecond line');\n`, ':18: RangeError: no luck'],
    ['nonerror', "throw 'a text';\n", ': threw "a text"'],
    ['import', "import x from './absent.js';\nexport default x;\n", ":1: Error: Cannot find module './absent.js'"],
    ['empty', 'export const x = 1;\n', ': has no default export; write "export default defineScenario({ … })"'],
    [
      'number',
      'export default 4;\n',
      ': has a default export that is a number; write "export default defineScenario({ … })"',
    ],
    ['nosummary', GOOD.replace("summary: 'ten calls',", ''), ': summary: expected string, but it is missing'],
    ['name', GOOD.replace("'mine'", "'My Own'"), ': name: must be lower-case letters, digits and single hyphens'],
    ['extra', GOOD.replace('budgets:', 'budget: 1, budgets:'), ': Unrecognized key: "budget"'],
    ['none', GOOD.replace('few:', 'none:'), ': incidents: must not define none: the control is always there'],
    [
      'setkey',
      GOOD.replace("'trunk.channels': 1", 'calls: -1'),
      ': incidents.few.set.calls: must be from 0 to 1000000000',
    ],
    ['default', GOOD.replace('integer(10,', 'integer(1.5,'), ': params.calls: must be a whole number'],
    ['built', GOOD.replace('durationMs: 1000', 'durationMs: 0'), ': build(): arrivals[0].durationMs: must be above 0'],
    ['undef', GOOD.replace('drainMs: 40_000,', ''), ': build(): drainMs: expected number, but it is missing'],
    ['nothing', GOOD.replace('(p) => ({', '(p) => void ({'), ': build(): expected object, but it is missing'],
    [
      'bthrow',
      GOOD.replace('callPlan(p)', '(null as any).x'),
      ':10: build() TypeError: Cannot read properties of null',
    ],
    ['budget', GOOD.replace('asr:', 'asrr:'), undefined],
  ])('a file: %s', async (name, source, end) => {
    const message = await failure(`${name}.ts`, source);
    if (end === undefined) expect(message).toContain('there is no metric asrr (did you mean asr?)');
    else expect(message.startsWith(`scenario ./${name}.ts${end}`) ? '' : message).toBe('');
  });

  it('an incident that the file does not have', async () => {
    expect(await failure('incident.ts', GOOD, { incident: 'fewer' })).toBe(
      'scenario ./incident.ts has no incident fewer (did you mean few?); it has none, few',
    );
  });

  it('an unknown cause', async () => {
    const source = GOOD.replace("'trunk-channel-limit'", "'gremlins'");
    expect(await failure('cause.ts', source)).toMatch(
      /^scenario \.\/cause\.ts: incidents\.few\.cause: expected one of /,
    );
  });
});
