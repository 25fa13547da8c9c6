import { expect, it } from 'vitest';
import type { Verdict } from '../harness/verdict/types.js';
import { startCli } from './support/cli.js';
import { dial } from './support/dial.js';
import { freePort, ownAddress } from './support/ports.js';
import { callWithSipp, describeWithSipp } from './support/sipp.js';

/** What happens within calls, against SIPp: it checks what we send, message by message, and fails a call that is not so. */
const CALLS = 8;

describeWithSipp('within calls, against SIPp', () => {
  const tells = (
    name: string,
    scenario: string,
    set: Record<string, number | string>,
    check: (v: Verdict) => void,
  ): void => {
    it.concurrent(name, async () => {
      const { verdict, sipp } = await dial(scenario, CALLS, { burst: CALLS, ...set }, ['--no-default-budgets'], 40);
      expect(sipp).toMatchObject({ code: 0, created: CALLS, successful: CALLS, failed: 0, errors: '' });
      expect(verdict.load).toMatchObject({ offered: CALLS, started: CALLS, blocked: 0, ended: CALLS, open: 0 });
      check(verdict);
    });
  };
  const fixed = (ms: number) => ({ holdMsMin: ms, holdMsMax: ms });

  tells('follows a 302', 'moved-then-answers', { redirects: 1 }, ({ calls }) => {
    expect(calls).toMatchObject({ completed: CALLS, bad: 0, redirects: 0, inDialog: { redirectsFollowed: CALLS } });
  });

  tells(
    'answers a 401: SIPp finds the digest right',
    'challenges',
    { 'auth.user': 'alice', 'auth.password': 'secret' },
    ({ calls }) => {
      expect(calls).toMatchObject({ completed: CALLS, bad: 0, inDialog: { challenges: CALLS } });
    },
  );

  tells('491: waits, and asks again', 'glare', { steps: 'hold@500ms', ...fixed(7000) }, ({ calls }) => {
    expect(calls).toMatchObject({
      completed: CALLS,
      bad: 0,
      inDialog: { glares: CALLS, reinvites: 2 * CALLS, holds: 2 * CALLS },
    });
    expect(calls.inDialog.refused).toEqual({ 'INVITE 491': CALLS });
  });

  tells('refreshes the session as it was asked to', 'wants-refresh', fixed(3000), ({ calls }) => {
    expect(calls).toMatchObject({ completed: CALLS, bad: 0, inDialog: { sessionTimers: CALLS, refreshes: CALLS } });
  });

  tells('hangs up when nobody refreshes', 'never-refreshes', fixed(10_000), (verdict) => {
    expect(verdict.calls).toMatchObject({ byOutcome: { 'session-expired': CALLS }, dropped: CALLS, bad: CALLS });
    expect(verdict.causes.map((c) => [c.cause, c.calls])).toEqual([['session-expired', CALLS]]);
  });

  tells('acknowledges reliable ringing', 'rings-reliably', { reliable: 'supported' }, ({ calls }) => {
    expect(calls).toMatchObject({ completed: CALLS, bad: 0, inDialog: { pracks: CALLS } });
  });

  tells('transfers', 'is-transferred', { steps: 'refer@300ms>sip:desk@127.0.0.1', ...fixed(5000) }, ({ calls }) => {
    expect(calls).toMatchObject({ completed: CALLS, bad: 0, inDialog: { transfers: CALLS, transferred: CALLS } });
  });

  it.concurrent('a caller with reliable ringing, hold, resume and a session timer', async () => {
    const host = ownAddress(38);
    const at = `${host}:${await freePort(host)}`;
    const uas = startCli(['uas', '--listen', at, '--media', 'none', '--answer-ms', '300', '--json']);
    await uas.says(/^deadair: listening on /m);
    const sipp = await (
      await callWithSipp(at, { host: ownAddress(39), calls: CALLS, rate: CALLS, scenario: 'lives-long' })
    ).done;
    uas.interrupt();
    const { code, stdout } = await uas.done;
    expect(sipp).toMatchObject({ code: 0, created: CALLS, successful: CALLS, failed: 0, errors: '' });
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ received: CALLS, answered: CALLS, completed: CALLS, open: 0 });
  });
});
