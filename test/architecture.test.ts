import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

/**
 * The house stays easy to see: data flows one way, and a file holds one idea. ARCHITECTURE.md draws these arrows; here
 * they are checked.
 */
const ROOT = fileURLToPath(new URL('..', import.meta.url));
const MAX_LINES = 400;

function sources(folder: string): string[] {
  const out: string[] = [];
  for (const name of readdirSync(join(ROOT, folder))) {
    const path = join(folder, name);
    if (name === 'node_modules' || name === 'dist') continue;
    if (statSync(join(ROOT, path)).isDirectory()) out.push(...sources(path));
    else if (/\.(ts|mts|mjs|js)$/.test(name)) out.push(path);
  }
  return out;
}

const FILES = ['agents', 'harness', 'scenarios', 'bench', 'test'].flatMap(sources);

/** Project files that a file imports, as paths from the root, without ending. */
function importsOf(file: string): string[] {
  const text = readFileSync(join(ROOT, file), 'utf8');
  const found: string[] = [];
  for (const m of text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)) {
    found.push(
      relative(ROOT, resolve(ROOT, dirname(file), m[1]!))
        .split(sep)
        .join('/')
        .replace(/\.js$/, ''),
    );
  }
  return found;
}

/**
 * Who may import what: the longest matching room decides. A room may always import from itself. `only` lists what else it
 * may see; what is not listed is forbidden.
 */
const SHARED = [
  'harness/errors',
  'harness/clock',
  'harness/prng',
  'harness/entry',
  'harness/outlive',
  'harness/version',
];
const ARROWS: { room: string; only: string[] }[] = [
  { room: 'agents/wire', only: [...SHARED] },
  { room: 'agents/sip', only: ['agents/wire/types', 'agents/wire/ip6', 'agents/counters', ...SHARED] },
  { room: 'agents/rtp', only: ['agents/wire/types', 'agents/counters', 'agents/record', 'agents/store', ...SHARED] },
  { room: 'agents', only: ['agents', 'harness/plan/types', 'harness/plan/dist', ...SHARED] },
  { room: 'harness/plan', only: ['scenarios', ...SHARED] },
  { room: 'harness/impair', only: ['harness/plan', ...SHARED] },
  // A lease is data, and its steps are the engine's.
  {
    room: 'harness/faults',
    only: ['harness/plan', 'harness/impair', 'harness/lab/docker', 'harness/collect/schema', ...SHARED],
  },
  { room: 'harness/lab', only: ['agents', 'harness/plan', 'harness/impair', ...SHARED] },
  {
    room: 'harness/collect',
    only: [
      'agents/record',
      'agents/registration-record',
      'agents/store',
      'agents/counters',
      'harness/plan/types',
      ...SHARED,
    ],
  },
  // Files only: never lab, faults or agents. The record's field list is the file format.
  {
    room: 'harness/verdict',
    only: [
      'harness/collect',
      'harness/plan/budget',
      'harness/plan/types',
      'harness/plan/causes',
      'agents/record',
      ...SHARED,
    ],
  },
  { room: 'harness/score', only: ['harness/run', 'harness/plan', 'harness/verdict/types', ...SHARED] },
  { room: 'harness/report', only: ['harness/verdict', 'harness/collect', ...SHARED] },
  {
    room: 'harness/engine',
    only: ['agents', 'harness/plan', 'harness/lab', 'harness/faults', 'harness/collect', ...SHARED],
  },
  { room: 'scenarios', only: ['harness/index', 'harness/plan'] },
];

const under = (path: string, room: string): boolean => path === room || path.startsWith(`${room}/`);

describe('imports', () => {
  const checked = FILES.filter((f) => !/\.test\.ts$/.test(f) && !/\/testing\.ts$/.test(f));
  for (const { room, only } of ARROWS) {
    it(`${room} sees only what it may`, () => {
      const deeper = ARROWS.map((a) => a.room).filter((r) => r !== room && under(r, room));
      const wrong: string[] = [];
      for (const file of checked) {
        if (!under(file.split(sep).join('/'), room) || deeper.some((d) => under(file, d))) continue;
        for (const to of importsOf(file)) {
          if (under(to, room) || only.some((o) => under(to, o))) continue;
          wrong.push(`${file} imports ${to}`);
        }
      }
      expect(wrong).toEqual([]);
    });
  }

  it('finds arrows at all: the checks above would see a forbidden one', () => {
    expect(importsOf('harness/run.ts')).toContain('harness/verdict/index');
    expect(checked.length).toBeGreaterThan(80);
  });

  it('dependencies with a single door: dockerode in lab, koffi in agents/wire, DuckDB in collect and verdict, libsql beside the CDRs, sip.js in webphone', () => {
    const doors: [string, RegExp][] = [
      ['koffi', /^agents\/wire\//],
      ['@duckdb/node-api', /^harness\/(collect|verdict)\//],
      ['dockerode', /^harness\/lab\//],
      ['libsql', /^harness\/(lab\/embedded|faults)\//],
      ['toxiproxy-node-client', /^(harness|bench)\/faults\//],
      ['commander', /^harness\/cli\//],
      ['sip.js', /^agents\/webphone\//],
    ];
    const wrong: string[] = [];
    for (const file of checked) {
      const text = readFileSync(join(ROOT, file), 'utf8');
      for (const [name, door] of doors) {
        if (text.includes(`from '${name}'`) && !door.test(file)) wrong.push(`${file} imports ${name}`);
      }
    }
    expect(wrong).toEqual([]);
  });
});

describe('files', () => {
  it(`are under ${MAX_LINES} lines`, () => {
    const long = FILES.map((f) => [f, readFileSync(join(ROOT, f), 'utf8').split('\n').length - 1] as const).filter(
      ([, n]) => n > MAX_LINES,
    );
    expect(long).toEqual([]);
  });

  it('have no mark left behind, no skipped test, no swallowed error', () => {
    const marks = new RegExp(
      [
        '\\b(it|test|describe)\\.(only|todo)\\b',
        '\\b(TO' + 'DO|FIX' + 'ME|HA' + 'CK)\\b',
        'catch *(\\([^)]*\\))? *\\{ *\\}',
      ].join('|'),
    );
    const found: string[] = [];
    for (const file of FILES) {
      readFileSync(join(ROOT, file), 'utf8')
        .split('\n')
        .forEach((line, i) => {
          if (marks.test(line) && !file.endsWith('architecture.test.ts')) found.push(`${file}:${i + 1} ${line.trim()}`);
        });
    }
    expect(found).toEqual([]);
  });

  it('log through pino and write results through stdout, never console.log', () => {
    const found = FILES.filter(
      (f) => /console\.log\(/.test(readFileSync(join(ROOT, f), 'utf8')) && !f.startsWith('test'),
    );
    expect(found).toEqual([]);
  });
});
