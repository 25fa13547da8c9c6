import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { openRun } from '../../harness/verdict/read.js';
import type { Verdict } from '../../harness/verdict/types.js';
import { runCommand } from './cli.js';

/** Granted 10 s or more and refreshed after 2 to 3 s, so in the middle of the calls, of which there are about 16. */
const SETS = [
  ...['expiresS=10', 'refreshMin=0.2', 'refreshMax=0.3', 'bootMs=500', 'atMs=1000', 'watchMs=3500', 'cps=8'],
  ...['holdMsMin=3000', 'holdMsMax=4000', 'ringMsMin=50', 'ringMsMax=200', 'patienceMs=8000'],
];

/**
 * registration-storm whose phones call each other, as a user runs it: every call is answered, proved by digest, heard at both
 * ends, and between whom the plan says; and phones refreshed in the middle of their calls.
 */
export async function phonesCall(out: string, phones: number, args: readonly string[], sets: readonly string[]) {
  const set = [...SETS, ...sets].flatMap((text) => ['--set', text]);
  const cli = await runCommand(['run', 'registration-storm', ...args, '--out', out, '--no-default-budgets', ...set]);
  // A busy machine may call it INVALID; what is counted holds all the same.
  expect(cli).toMatchObject({ signal: null, leftRunning: false });
  const dir = join(out, readdirSync(out)[0]!);
  const verdict = JSON.parse(readFileSync(join(dir, 'verdict.json'), 'utf8')) as Verdict;
  const { calls, load, media, registrations } = verdict;
  const { total } = calls;
  expect(total).toBeGreaterThanOrEqual(15);
  expect(load).toMatchObject({ offered: total, started: total, ended: total, open: 0, blocked: 0 });
  expect(calls).toMatchObject({ answered: total, completed: total, dropped: 0 });
  expect(media).toMatchObject({ judged: total, oneWay: 0, deadAir: 0, crossed: 0 });
  expect(registrations).toMatchObject({ registeredAtEnd: phones, failed: 0 });
  const run = await openRun(dir);
  const seen = await run.one(`SELECT
    count(*) FILTER (role_name = 'caller' AND phone > 0 AND challenges = 1 AND invites = 2) AS proved,
    count(*) FILTER (role_name = 'callee' AND identity = 1) AS right,
    count(*) FILTER (heardPeer > 20 AND heardSelf + heardOther + heardForeign = 0) AS heard FROM legs`);
  const refreshed = await run.one(`SELECT count(*) AS n FROM registrations r JOIN legs l
    ON l.phone = r.phone + 1 AND r.startedMs > l.answeredMs AND r.doneMs < l.byeMs WHERE reason_name = 'refresh'`);
  run.close();
  expect(seen).toEqual({ proved: total, right: total, heard: 2 * total });
  expect(refreshed.n).toBeGreaterThan(total / 2);
}
