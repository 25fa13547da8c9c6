import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { comparedExit } from '../cli/compare.js';
import { runCli } from '../cli/program.js';
import { EXIT, type ExitCode } from '../errors.js';
import { comparedPlans } from '../plan/compare.js';
import { loadScenario } from '../plan/load.js';

const out = mkdtempSync(join(tmpdir(), 'deadair-compared-'));
afterAll(() => rmSync(out, { recursive: true, force: true }));
const storm = await loadScenario('registration-storm');

describe('plans that are compared', () => {
  it('differ in one parameter, and keep the seed', () => {
    const plans = comparedPlans(storm, { incident: 'outage', seed: 7 }, 'none,rate-limited-edge');
    expect(plans.map((p) => [p.label, p.plan.seed, p.plan.params.cure])).toEqual([
      ['none', 7, 'none'],
      ['rate-limited-edge', 7, 'rate-limited-edge'],
    ]);
    expect(new Set(plans.map((p) => p.plan.runId)).size).toBe(2);
    expect(comparedPlans(storm, { incident: 'outage' }, true).map((p) => p.label)).toEqual([
      ...['none', 'staggered-expiry', 'rate-limited-edge', 'both'],
    ]);
    const phones = comparedPlans(storm, {}, 'phones=10,20');
    expect(phones.map((p) => p.plan.registrations!.phones)).toEqual([10, 20]);
  });

  it.each([
    [true, /^--compare: say what to compare, .*incidents that name some are storm, outage$/],
    ['none', /at least two values/],
    ['none,none', /none is there twice/],
    ['none,stagered-expiry', /stagered-expiry: cure must be .*did you mean staggered-expiry/i],
    ['phone=1,2', /has no parameter phone.*phones/],
    ['phones=1,x', /phones must be a number/],
    ['1,2,3,4,5,6,7,8,9', /9 values; at most 8/],
  ] as const)('%j is one clear line', (compare, said) => {
    expect(() => comparedPlans(storm, {}, compare)).toThrow(said);
  });
});

it('only a run that cannot be trusted changes the exit code', () => {
  const of = (...codes: ExitCode[]): ExitCode => comparedExit(codes);
  expect([of(0, 99, 0), of(99, 112), of(0)]).toEqual([EXIT.PASS, EXIT.INVALID, EXIT.PASS]);
});

it('four curves of the wave after an outage are one command, one table and one page', async () => {
  let said = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    said += text;
    return true;
  });
  vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  const small = ['phones=300', 'tenants=30', 'bootMs=3000', 'atMs=5000', 'watchMs=60000', 'outageMs=10000'];
  const buffer = 'registrar.receiveBufferBytes=6400';
  const set = [...small, buffer].flatMap((s) => ['--set', s]);
  const args = ['run', 'registration-storm', '--incident', 'outage', '--compare', '--simulate', '--out', out, ...set];
  expect(await runCli(args)).toBe(EXIT.PASS);
  vi.restoreAllMocks();
  process.exitCode = 0;
  expect(said).toMatch(/^ +none +staggered-expiry +rate-limited-edge +both\n/);
  for (const share of ['50', '95', '100']) expect(said).toMatch(new RegExp(`time to ${share} % +\\S`));
  expect(said).toMatch(/mechanisms +none +registrar-unreachable/);
  const dir = readdirSync(out).find((name) => name.endsWith('-compared'))!;
  const html = readFileSync(join(out, dir, 'comparison.html'), 'utf8');
  const plots = JSON.parse(/const PLOTS = (\[.*?\]), WINDOWS = /s.exec(html)![1]!.replaceAll('<\\/', '</')) as {
    title: string;
    lines: { label: string; values: (number | null)[] }[];
  }[];
  const registered = plots.find((p) => p.title === 'Registered phones')!;
  expect(registered.lines.map((l) => l.label)).toEqual(['none', 'staggered-expiry', 'rate-limited-edge', 'both']);
  for (const line of registered.lines) expect(line.values.filter((v) => v !== null).length).toBeGreaterThan(50);
  const told = JSON.parse(readFileSync(join(out, dir, 'comparison.json'), 'utf8')) as {
    command: string;
    runs: { registrations: { timeTo95Ms: number } }[];
  };
  const [none, staggered] = told.runs.map((r) => r.registrations.timeTo95Ms);
  expect(staggered!).toBeLessThan(none!);
  expect(told.command).toMatch(/^deadair run registration-storm --incident outage --seed 1 .*--simulate --compare$/);
  expect(told.command).not.toContain('cure=');
});
