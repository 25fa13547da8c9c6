import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import type { Verdict } from '../harness/verdict/types.js';
import { runCommand, startCli } from './support/cli.js';
import { freePort, ownAddress } from './support/ports.js';

const OUT = mkdtempSync(join(tmpdir(), 'deadair-uas-'));
afterAll(() => rmSync(OUT, { recursive: true, force: true }));

it('deadair run at deadair uas, with audio: both sides count the same, and nobody hears a stranger', async () => {
  const host = ownAddress(30);
  const at = `${host}:${await freePort(host)}`;
  const uas = startCli(['uas', '--listen', at, '--answer-ms', '200', '--json']);
  await uas.says(/^deadair: listening on /m);
  const run = await runCommand([
    ...['run', 'peak-dial', '--target', `sip:service@${at}`, '--out', OUT, '--json', '--set', 'quietMs=500'],
    ...['--set', 'burst=20', '--set', 'holdMsMin=2500', '--set', 'holdMsMax=3000'],
    // How well it sounds depends on who else is on this machine.
    ...['--no-default-budgets', '--budget', 'one_way: count==0', '--budget', 'crossed_audio: count==0'],
  ]);
  uas.interrupt();
  const { code, stdout, leftRunning } = await uas.done;
  const { calls, media, causes, budgets } = JSON.parse(run.stdout) as Verdict;
  const { total } = calls;
  expect(calls).toMatchObject({ answered: total, completed: total });
  expect(calls.metrics.setupMs!.min).toBeGreaterThanOrEqual(199);
  expect(media).toMatchObject({ judged: total, oneWay: 0, deadAir: 0, crossed: 0 });
  expect(budgets.map((b) => b.ok)).toEqual([true, true]);
  expect(causes.map((c) => c.cause)).not.toContain('number-collision');
  expect({ code, leftRunning }).toEqual({ code: 0, leftRunning: false });
  const counts = JSON.parse(stdout) as Record<string, number>;
  expect(counts).toMatchObject({ received: total, answered: total, completed: total, open: 0 });
  expect(counts.rtpReceived).toBeGreaterThan(total * 50);
});
