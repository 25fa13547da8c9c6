import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import type { Verdict } from '../harness/verdict/types.js';
import { runCommand, startCli } from './support/cli.js';
import { freePort, ownAddress } from './support/ports.js';
import { answerWithSipp, callWithSipp, describeWithSipp } from './support/sipp.js';

/** Calls over TCP, both ways, against SIPp: -t t1 has one connection for all its calls, -t tn one for each. */
const OUT = mkdtempSync(join(tmpdir(), 'deadair-sipp-stream-'));
afterAll(() => rmSync(OUT, { recursive: true, force: true }));

const CALLS = 300;
let runs = 0;

/** peak-dial over TCP at a SIPp that plays `scenario`; the run's verdict and what SIPp counted. */
async function dial(scenario: string, calls: number, set: Record<string, number> = {}) {
  const host = ownAddress(40 + runs);
  const out = join(OUT, String(runs++));
  const sipp = await answerWithSipp(scenario, { host, calls, transport: 't1' });
  const target = `sip:service@${host}:${sipp.port};transport=tcp`;
  const all = { media: 'none', quietCps: 0, quietMs: 1000, holdMsMin: 100, holdMsMax: 300, burst: calls, ...set };
  const sets = Object.entries(all).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
  try {
    await runCommand(['run', 'peak-dial', '--target', target, '--out', out, '--no-default-budgets', ...sets]);
    const [run] = readdirSync(out);
    const verdict = JSON.parse(readFileSync(join(out, run!, 'verdict.json'), 'utf8')) as Verdict;
    return { sipp: await sipp.done, verdict };
  } finally {
    await sipp.stop();
  }
}

describeWithSipp('over TCP, against SIPp', () => {
  it(`${CALLS} calls to its -sn uas: none fails, nothing is sent twice`, async () => {
    const { sipp, verdict } = await dial('uas', CALLS);
    expect(verdict.load).toMatchObject({ offered: CALLS, started: CALLS, blocked: 0, ended: CALLS, open: 0 });
    expect(verdict.calls).toMatchObject({ total: CALLS, answered: CALLS, completed: CALLS, bad: 0 });
    // RFC 3261 17.1.1.2: no timer A over a reliable transport.
    expect(verdict.calls.retransmissions).toMatchObject({ inviteSent: 0, byeSent: 0 });
    expect(sipp).toMatchObject({ code: 0, created: CALLS, successful: CALLS, failed: 0 });
  });

  it('a final refusal over TCP: its ACK goes out once, and nothing is left', async () => {
    const { sipp, verdict } = await dial('busy', 8);
    expect(verdict.calls).toMatchObject({ answered: 0, rejected: 8, finalCodes: { '486': 8 } });
    expect(sipp).toMatchObject({ code: 0, created: 8, successful: 8, failed: 0, retransmissions: 0 });
  });

  it('its BYE comes back over the connection that we opened', async () => {
    const { sipp, verdict } = await dial('hangs-up-first', 8, { holdMsMin: 20_000, holdMsMax: 20_000 });
    expect(verdict.calls).toMatchObject({ answered: 8, dropped: 8, endedBy: { them: 8 } });
    expect(sipp).toMatchObject({ created: 8, successful: 8, failed: 0 });
  });

  for (const transport of ['t1', 'tn'] as const) {
    it(`${CALLS} calls of its -sn uac -t ${transport} to deadair uas: none fails, both sides count the same`, async () => {
      const host = ownAddress(transport === 't1' ? 30 : 32);
      const at = `${host}:${await freePort(host)}`;
      const uas = startCli(['uas', '--listen', at, '--transport', 'tcp', '--media', 'none', '--json']);
      await uas.says(/^deadair: listening on .*TCP/m);
      const from = ownAddress(transport === 't1' ? 31 : 33);
      const sipp = await (await callWithSipp(at, { host: from, calls: CALLS, rate: 300, transport })).done;
      uas.interrupt();
      const { code, stdout } = await uas.done;
      expect(sipp).toMatchObject({ code: 0, created: CALLS, successful: CALLS, failed: 0 });
      expect(code).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject({
        ...{ received: CALLS, answered: CALLS, completed: CALLS, dropped: 0, noAck: 0, open: 0, parseRejected: 0 },
      });
    });
  }

  it('nobody listens: said at once, in one line', async () => {
    const host = ownAddress(34);
    const target = `sip:a@${host}:${await freePort(host)};transport=tcp`;
    const set = ['media=none', 'quietCps=0', 'quietMs=1', 'burst=3'].flatMap((s) => ['--set', s]);
    const out = join(OUT, 'nobody');
    const { code, stderr } = await runCommand(['run', 'peak-dial', '--target', target, '--out', out, ...set]);
    expect(code).toBe(112);
    expect(stderr).toMatch(/does not answer: nothing listens on that TCP port \(connection refused\)/);
    const [run] = readdirSync(out);
    const verdict = JSON.parse(readFileSync(join(out, run!, 'verdict.json'), 'utf8')) as Verdict;
    expect(verdict.calls.finalCodes).toEqual({ '503': 3 });
  });
});
