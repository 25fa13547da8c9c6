import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { judge } from '../verdict/index.js';
import { deafen, goodCall, platformBye, refused, SyntheticRun } from '../verdict/testing.js';
import type { Verdict } from '../verdict/types.js';
import { autopsyText } from './autopsy.js';
import { reportHtml } from './html.js';
import { junitXml } from './junit.js';
import { summaryMarkdown, summaryText } from './summary.js';

const run = new SyntheticRun();
let verdict: Verdict;

beforeAll(async () => {
  for (let i = 0; i < 20; i++) run.addPair(goodCall(i, 1000 * i));
  for (let i = 20; i < 40; i++) {
    const pair = goodCall(i, 1000 * i, 180_000);
    platformBye(pair, 30_000, 44);
    deafen(pair.caller);
    deafen(pair.callee);
    run.addPair(pair);
  }
  run.add(refused(50, 5000, 486, 17));
  run.calm(80_000, ['nat']).telemetry('nat', 80_000, (t) => ({
    sessions: t < 20_000 ? t / 20 : 1000,
    sessions_max: 1000,
    refused_total: t < 20_000 ? 0 : t,
  }));
  const dir = await run.finish();
  verdict = await judge(dir, {
    injectedCause: 'nat-table-full',
    budgets: ['dead_air: count==0', 'asr: rate>0.9'],
    faults: [],
    command: 'deadair run peak-dial --incident nat-table --seed 1',
  });
});
afterAll(() => rmSync(run.dir, { recursive: true, force: true }));

describe('summary', () => {
  it('is one screen: verdict first, cause with evidence, the command last', () => {
    const lines = summaryText(verdict).trimEnd().split('\n');
    expect(lines.length).toBeLessThanOrEqual(40);
    expect(lines[0]).toMatch(/^FAIL/);
    expect(lines.join('\n')).toContain('nat-table-full: 20 calls, confidence 0.96');
    expect(lines.join('\n')).toContain('CROSSED dead_air: count==0');
    expect(lines.at(-1)).toContain('deadair run peak-dial --incident nat-table --seed 1');
  });

  it('has no hole in it, in any form', () => {
    for (const text of [summaryText(verdict), summaryMarkdown(verdict), junitXml(verdict)])
      expect(text).not.toMatch(/undefined|NaN|\[object/);
  });
});

it('JUnit: a crossed budget fails, an invalid run is an error and its budgets are skipped', () => {
  expect(junitXml(verdict)).toContain('tests="3" failures="1" errors="0"');
  const invalid: Verdict = { ...verdict, outcome: { word: 'INVALID', reasons: ['RTP was sent late & so on'] } };
  expect(junitXml(invalid)).toContain('failures="0" errors="1" skipped="2"');
  expect(junitXml(invalid)).toContain('late &#38; so on');
});

it('HTML: one file, no network, plots and ladders in it', async () => {
  const html = await reportHtml(run.dir, verdict);
  expect(html).not.toMatch(/(src|href)=|https?:\/\/(?!.*uPlot)|@import/);
  expect(html).not.toMatch(/undefined ms|NaN/);
  for (const text of ['NAT sessions', 'Calls per second', 'nat-table-full', '|&#60;- BYE'])
    expect(html).toContain(text);
});

describe('what strangers wrote', () => {
  it('cannot become markup, a second line, or an escape sequence', async () => {
    const hostile = new SyntheticRun();
    const leg = refused(1, 1000, 503);
    leg.callId = '<script>alert(1)</script>';
    leg.reasonText = '</pre><img src=x>\x1b[2J\nBYE';
    hostile.add(goodCall(2, 0).caller, leg);
    const dir = await hostile.finish();
    try {
      const judged = await judge(dir, { injectedCause: null, budgets: [], faults: [], command: 'deadair' });
      const html = await reportHtml(dir, judged);
      expect(html).toContain('&#60;script&#62;alert(1)');
      expect(html).not.toMatch(/<script>alert|<img/);
      const text = await autopsyText(dir, { call: '1' });
      expect(text).not.toContain('\x1b');
      expect(text).toContain('</pre><img src=x>\ufffd[2J\ufffdBYE');
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});

describe('autopsy', () => {
  it('tells the worst call from INVITE to BYE, with cause and cure', async () => {
    const text = await autopsyText(run.dir);
    expect(text).toContain('INVITE sent (due at 20.000 s of the run, 0.3 ms late)');
    expect(text).toContain('RTP caller->callee 0 of 1500 packets');
    expect(text).toMatch(/\+30\.2 s\s+BYE from the platform, Reason Q\.850;cause=44/);
    expect(text).toContain('NAT table 1,000 of 1,000 sessions');
    expect(text).toContain('cause     nat-table-full');
    expect(text).not.toMatch(/undefined|NaN/);
  });

  it('finds a call by number and by Call-ID', async () => {
    expect(await autopsyText(run.dir, { call: '3' })).toContain('call 3 of run');
    expect(await autopsyText(run.dir, { call: '7-b@synthetic' })).toContain('call 7 of run');
    expect(await autopsyText(run.dir, { call: '50' })).toContain('486');
  });

  it('draws each direction over time, says where it dies, and shows the ladder', async () => {
    const text = await autopsyText(run.dir);
    expect(text).toMatch(/callee hears {2}·{60}\n\s*caller hears {2}·{60}\n/);
    expect(text).toContain("dies at   the subscribers' router");
    expect(text).toContain('see       RFC 4787');
    expect(text).toMatch(/\|-- INVITE -+>\|/);
    expect(await autopsyText(run.dir, { call: '3' })).toMatch(/callee hears {2}█{60}\n/);
  });

  it('takes calls by cause, and the worst', async () => {
    const stories = (text: string): number => text.match(/^call \d+ of run/gm)?.length ?? 0;
    expect(stories(await autopsyText(run.dir, { worst: 3 }))).toBe(3);
    const two = await autopsyText(run.dir, { cause: 'nat-table-full', worst: 2 });
    expect([stories(two), two.match(/^cause {5}nat-table-full/gm)?.length]).toEqual([2, 2]);
    await expect(autopsyText(run.dir, { cause: 'db-stall' })).rejects.toThrow(
      'no call was given the cause db-stall; there are nat-table-full in run',
    );
  });

  it('what is not there is one clear line', async () => {
    await expect(autopsyText(run.dir, { call: '999' })).rejects.toMatchObject({ code: 'NO_SUCH_RUN' });
    const none = mkdtempSync(join(tmpdir(), 'deadair-none-'));
    await expect(autopsyText(none)).rejects.toMatchObject({ code: 'NO_SUCH_RUN' });
    rmSync(none, { recursive: true });
  });
});
