import { rmSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { reportHtml } from '../report/html.js';
import { summaryMarkdown, summaryText } from '../report/summary.js';
import { judge } from './index.js';
import { deafen, goodCall, refused, SyntheticRun } from './testing.js';
import type { Verdict } from './types.js';

const dirs: string[] = [];
afterAll(() => {
  for (const dir of dirs) rmSync(dir, { recursive: true, force: true });
});

const BUDGETS = ['webphone_asr: rate>=0.95', 'webphone_heard: rate>=0.95'];

/** Engine's calls are all good; `answered` of the webphones' `tried` are, and `deaf` of those hear nothing. */
async function run(tried: number, answered: number, deaf = 0, lateMs = 0): Promise<{ verdict: Verdict; dir: string }> {
  const made = new SyntheticRun();
  for (let i = 0; i < 200; i++) made.addPair(goodCall(i, 100 * i));
  for (let i = 0; i < tried; i++) {
    const pair = i < answered ? goodCall(i, 1000 * i) : { caller: refused(i, 1000 * i, 503), callee: null };
    pair.caller.intendedMs -= lateMs;
    if (i < deaf && pair.callee !== null) {
      deafen(pair.caller);
      deafen(pair.callee);
    }
    made.store.addWebphoneLeg(pair.caller);
    if (pair.callee !== null) made.store.addWebphoneLeg(pair.callee);
  }
  const dir = await made.finish();
  dirs.push(dir);
  const verdict = await judge(dir, {
    injectedCause: null,
    budgets: tried > 0 ? BUDGETS : [],
    faults: [],
    command: 'x',
  });
  return { verdict, dir };
}

describe('the witness', () => {
  it('is not there without webphones', async () => {
    const { verdict } = await run(0, 0);
    expect(verdict.witness).toBeNull();
    expect(summaryText(verdict)).not.toContain('webphones');
  });

  it('agrees, in every report', async () => {
    const { verdict, dir } = await run(20, 20);
    expect(verdict.witness).toMatchObject({
      webphones: { tried: 20, connected: 20, failed: 0, judged: 20, heardBoth: 20 },
      engine: { tried: 200, connected: 200, failed: 0, judged: 200, heardBoth: 200 },
      disagreements: [],
      text: 'agree with the engine: answered, heard both ways',
    });
    expect(verdict.outcome.word).toBe('PASS');
    const html = await reportHtml(dir, verdict);
    // Without its scripts, which are uPlot's.
    for (const text of [summaryText(verdict), summaryMarkdown(verdict), html.slice(0, html.indexOf('<script>'))]) {
      expect(text).toContain('agree with the engine: answered, heard both ways');
      expect(text).not.toMatch(/undefined|NaN|\[object/);
    }
  });

  it('disagrees in one line when real clients fare worse, and the run fails by their budget', async () => {
    const { verdict } = await run(20, 8);
    expect(verdict.witness!.text).toBe('DISAGREE: answered: engine 100 % of 200, webphones 40 % of 20');
    expect(
      summaryText(verdict)
        .split('\n')
        .filter((line) => line.includes('DISAGREE')),
    ).toHaveLength(1);
    expect(verdict.outcome).toMatchObject({ word: 'FAIL' });
    expect(verdict.outcome.reasons[0]).toMatch(/^webphone_asr/);
  });

  it('disagrees about audio', async () => {
    const { verdict } = await run(20, 20, 10);
    expect(verdict.witness!.disagreements).toEqual(['heard both ways: engine 100 % of 200, webphones 50 % of 20']);
  });

  it('one bad call of twenty is no disagreement: that may be chance', async () => {
    const { verdict } = await run(20, 19);
    expect(verdict.witness!.disagreements).toEqual([]);
  });

  it('is none when it was starved itself', async () => {
    const { verdict } = await run(20, 8, 0, 900);
    expect(verdict.witness!.disagreements).toEqual([]);
    expect(verdict.witness!.text).toMatch(/^the webphones were starved/);
  });
});
