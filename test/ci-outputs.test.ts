import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { EXIT } from '../harness/errors.js';
import { junitXml } from '../harness/report/junit.js';
import type { Verdict } from '../harness/verdict/types.js';
import { describeWith } from './support/judges.js';

/** The Action's own steps, as its runner would take them: one shell after the other, files for what they say to it. */
interface Step {
  name: string;
  run?: string;
  env?: Record<string, string>;
}
const DIR = mkdtempSync(join(tmpdir(), 'deadair-ci-'));
const action = parse(readFileSync('action.yml', 'utf8')) as {
  inputs: Record<string, { default?: string }>;
  runs: { steps: Step[] };
};
afterAll(() => rmSync(DIR, { recursive: true, force: true }));

interface Played {
  codes: Record<string, number | null>;
  outputs: Record<string, string>;
  summary: string;
  said: string;
}

function play(inputs: Record<string, string>): Played {
  const [output, summary] = ['output', 'summary'].map((name) => join(DIR, `${name}-${Math.trunc(performance.now())}`));
  for (const file of [output!, summary!]) writeFileSync(file, '');
  const played: Played = { codes: {}, outputs: {}, summary: '', said: '' };
  const value = (expression: string): string => {
    if (expression === 'github.action_path') return resolve('.');
    const [, kind, name] = /^(inputs|steps\.run\.outputs)\.([\w-]+)$/.exec(expression)!;
    return kind === 'inputs' ? (inputs[name!] ?? action.inputs[name!]!.default!) : (played.outputs[name!] ?? '');
  };
  for (const step of action.runs.steps.filter((s) => s.run !== undefined)) {
    const env = Object.fromEntries(
      Object.entries(step.env ?? {}).map(([k, v]) => [
        k,
        v.replace(/\$\{\{ *(.*?) *\}\}/g, (_, e: string) => value(e)),
      ]),
    );
    // As the runner calls it for `shell: bash`.
    const shell = spawnSync('bash', ['--noprofile', '--norc', '-eo', 'pipefail', '-c', step.run!], {
      env: { ...process.env, ...env, GITHUB_OUTPUT: output!, GITHUB_STEP_SUMMARY: summary! },
      encoding: 'utf8',
    });
    played.codes[step.name] = shell.status;
    played.said += shell.stdout;
    played.outputs = Object.fromEntries(
      readFileSync(output!, 'utf8')
        .split('\n')
        .filter(Boolean)
        .map((line) => line.split('=', 2) as [string, string]),
    );
  }
  played.summary = readFileSync(summary!, 'utf8');
  return played;
}

let played: Played;
let verdict: Verdict;
beforeAll(() => {
  const lines = [
    '--simulate',
    '--set',
    'burst=20',
    '--incident',
    'trunk-cps',
    '--set',
    'trunk.cps=5',
    '--set',
    'media=none',
  ];
  const budgets = ['--no-default-budgets', '--budget', 'asr: rate>0.99', '--budget', 'isa: rate<0.1 warn'];
  played = play({ scenario: 'peak-dial', out: DIR, arguments: [...lines, ...budgets].join('\n') });
  verdict = JSON.parse(readFileSync(join(played.outputs.run!, 'verdict.json'), 'utf8')) as Verdict;
});

describe('the GitHub Action', () => {
  it('runs, tells, and fails in its last step alone', () => {
    expect(played.codes).toEqual({ Install: 0, Run: 0, 'Summary and annotations': 0, Gate: EXIT.FAIL });
    expect(played.outputs['exit-code']).toBe(String(EXIT.FAIL));
  });
  it('writes the step summary, and annotations that the runner can read', () => {
    expect(played.summary).toMatch(/^## FAIL: peak-dial · incident trunk-cps/);
    const notes = played.said.split('\n').filter((line) => line.startsWith('::'));
    expect(notes[0]).toMatch(/^::error title=deadair peak-dial [^:]*%3A FAIL::asr: rate>0\.99: asr rate is 0\./);
    expect(notes).toContainEqual(expect.stringMatching(/^::warning title=[^:]+::isa: rate<0\.1 warn: /));
    expect(notes).toContainEqual(expect.stringMatching(/^::warning title=trunk-cps-limit%3A \d+ calls::/));
    for (const note of notes) expect(note).toMatch(/^::(error|warning|notice) title=[^:,\n]+::[^\n]+$/);
  });
  it('tells a wrong input by its exit code too', () => {
    const wrong = play({ scenario: 'peak-dail', out: DIR });
    expect([wrong.outputs['exit-code'], wrong.outputs.run, wrong.codes.Gate]).toEqual(['104', '', EXIT.BAD_CONFIG]);
  });
});

const xmllint =
  spawnSync('xmllint', ['--version']).status === 0 ? null : 'needs xmllint: apt-get install libxml2-utils';
describeWith(xmllint, 'JUnit XML, by the schema', () => {
  const lint = (xml: string): string => {
    const file = join(DIR, 'junit.xml');
    writeFileSync(file, xml);
    const { stderr } = spawnSync('xmllint', ['--noout', '--schema', 'test/support/schema/junit.xsd', file], {
      encoding: 'utf8',
    });
    return stderr.replaceAll(file, 'junit.xml').trim();
  };
  it('is valid: as written by the run, when it is invalid, and with a baseline', () => {
    expect(lint(readFileSync(join(played.outputs.run!, 'junit.xml'), 'utf8'))).toBe('junit.xml validates');
    const invalid = { word: 'INVALID', reasons: ['RTP was sent late & so on', 'a worker died'] } as const;
    expect(lint(junitXml({ ...verdict, outcome: { ...invalid, reasons: [...invalid.reasons] } }))).toBe(
      'junit.xml validates',
    );
    const baseline: Verdict['baseline'] = {
      ...{ before: 'a', after: 'b', compared: 9, notes: ['another load'] },
      moved: [
        {
          ...{ figure: 'drop_rate', tenant: '', unit: 'share', p: 1e-9, change: 'worse' },
          before: { value: 0, n: 10, interval: { low: 0, high: 0.3 } },
          after: { value: 1, n: 10, interval: { low: 0.7, high: 1 } },
        },
      ],
    };
    expect(lint(junitXml({ ...verdict, baseline }))).toBe('junit.xml validates');
  });
  it('the schema sees what is wrong', () => {
    expect(lint(junitXml(verdict).replace(/ type="crossed"/, ''))).toContain("attribute 'type' is required");
  });
});

it('the GitLab template names what the run writes', () => {
  const file = parse(readFileSync('ci/gitlab/deadair.yml', 'utf8')) as Record<
    string,
    { artifacts: { reports: { junit: string } } }
  >;
  expect(file['.deadair']!.artifacts.reports.junit).toBe('$DEADAIR_OUT/*/junit.xml');
});
