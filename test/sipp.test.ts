import { beforeAll, expect, it } from 'vitest';
import type { Verdict } from '../harness/verdict/types.js';
import { startCli } from './support/cli.js';
import { dial } from './support/dial.js';
import { freePort, ownAddress } from './support/ports.js';
import { callWithSipp, describeWithSipp } from './support/sipp.js';

/** Signalling against SIPp, a program that we did not write. */
/** Enough calls to see that all are alike. */
const CALLS = 8;
const FEW = { burst: CALLS };
const NO_BUDGETS = ['--no-default-budgets'];

describeWithSipp('against SIPp', () => {
  // Takes the 32 s of timer F, nearly all of them idle: so it runs beside the others.
  let unanswered: ReturnType<typeof dial>;
  beforeAll(() => {
    unanswered = dial('silent-bye', CALLS, { ...FEW, graceMs: 40_000 }, NO_BUDGETS);
    unanswered.catch(() => undefined);
  });

  it('2,000 calls to its -sn uas: none fails, both sides count the same', async () => {
    let starved = true;
    for (let attempt = 1; attempt <= 3 && starved; attempt++) {
      const { cli, sipp, verdict } = await dial('uas', 2000, { burst: 500, plateauCps: 375, plateauMs: 4000 });
      expect(verdict.load).toMatchObject({ offered: 2000, started: 2000, blocked: 0, ended: 2000, open: 0 });
      expect(verdict.calls).toMatchObject({ total: 2000, answered: 2000, completed: 2000, bad: 0 });
      expect(verdict.causes).toEqual([]);
      expect(sipp).toMatchObject({ code: 0, created: 2000, successful: verdict.calls.completed, failed: 0 });
      // A machine without CPU for us makes the run INVALID, as it should: only then, and for that alone, once more.
      const { word, reasons } = verdict.outcome;
      starved = reasons.length === 1 && reasons[0]!.startsWith('calls were placed late');
      if (!starved) expect({ word, reasons, code: cli.code }).toEqual({ word: 'PASS', reasons: [], code: 0 });
    }
    expect(starved).toBe(false);
  });

  it('2,000 calls of its -sn uac to deadair uas: none fails, both sides count the same', async () => {
    const host = ownAddress(2);
    const at = `${host}:${await freePort(host)}`;
    const uas = startCli(['uas', '--listen', at, '--media', 'none', '--json']);
    await uas.says(/^deadair: listening on /m);
    const sipp = await (await callWithSipp(at, { host: ownAddress(3), calls: 2000, rate: 1000 })).done;
    uas.interrupt();
    const { code, stdout } = await uas.done;
    expect(sipp).toMatchObject({ code: 0, created: 2000, successful: 2000, failed: 0 });
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      ...{ received: 2000, answered: 2000, completed: sipp.successful },
      ...{ dropped: 0, cancelled: 0, noAck: 0, rejected: 0, refused: 0, open: 0, parseRejected: 0 },
    });
  });

  const tells = (name: string, scenario: string, set: Record<string, number>, check: (v: Verdict) => void): void => {
    it.concurrent(name, async () => {
      const { verdict, sipp } = await dial(scenario, CALLS, { ...FEW, ...set }, NO_BUDGETS);
      expect(sipp).toMatchObject({ signal: null, created: CALLS });
      expect(verdict.load).toMatchObject({ offered: CALLS, started: CALLS, blocked: 0, ended: CALLS, open: 0 });
      check(verdict);
    });
  };

  tells('answers late', 'answers-late', {}, ({ calls }) => {
    expect(calls).toMatchObject({ answered: CALLS, completed: CALLS, bad: 0, byOutcome: { completed: CALLS } });
    expect(calls.provisional).toMatchObject({ '180': CALLS, '183': 0, repeated180: 0 });
    // What SIPp waited, less the millisecond to which it counts.
    expect(calls.metrics.setupMs!.min).toBeGreaterThan(2990);
    expect(calls.metrics.srdMs!.min).toBeLessThan(calls.metrics.setupMs!.min - 2000);
  });

  tells('repeats its 200', 'repeats-200', { holdMsMin: 1500, holdMsMax: 1500 }, ({ calls }) => {
    expect(calls).toMatchObject({ completed: CALLS, bad: 0 });
    expect(calls.retransmissions.answerSeen).toBeGreaterThanOrEqual(CALLS);
    expect(calls.retransmissions.callsWithAnswerSeen).toBe(CALLS);
  });

  tells('sends 183', 'session-progress', {}, ({ calls }) => {
    expect(calls).toMatchObject({ completed: CALLS, bad: 0 });
    expect(calls.provisional).toMatchObject({ '180': 0, '183': CALLS, repeated180: 0 });
    expect(calls.retransmissions).toMatchObject({ answerSeen: 0 });
  });

  tells('rings twice', 'rings-twice', {}, ({ calls }) => {
    expect(calls).toMatchObject({ completed: CALLS, bad: 0 });
    expect(calls.provisional).toMatchObject({ '180': CALLS, '183': 0, repeated180: CALLS });
  });

  tells('503 with Retry-After', 'unavailable', {}, ({ calls }) => {
    expect(calls).toMatchObject({ answered: 0, rejected: CALLS, bad: CALLS, redirects: 0 });
    expect(calls.finalCodes).toEqual({ '503': CALLS });
    expect(calls.retryAfterS).toMatchObject({ n: CALLS, min: 7, max: 7 });
  });

  tells('302', 'moved', {}, ({ calls }) => {
    expect(calls).toMatchObject({ answered: 0, rejected: CALLS, bad: 0, redirects: CALLS });
    expect(calls.finalCodes).toEqual({ '302': CALLS });
  });

  tells('486', 'busy', {}, ({ calls }) => {
    expect(calls).toMatchObject({ answered: 0, rejected: CALLS, bad: 0, redirects: 0 });
    expect(calls.finalCodes).toEqual({ '486': CALLS });
    expect(calls.metrics.seer).toBe(1);
  });

  tells('hangs up first', 'hangs-up-first', { holdMsMin: 20_000, holdMsMax: 20_000 }, ({ calls }) => {
    expect(calls).toMatchObject({ answered: CALLS, completed: 0, dropped: CALLS, byOutcome: { dropped: CALLS } });
    expect(calls.endedBy).toEqual({ them: CALLS });
  });

  tells('rings for ever, and is cancelled', 'rings-for-ever', { patienceMs: 500 }, ({ calls }) => {
    expect(calls).toMatchObject({ answered: 0, cancelled: CALLS, bad: 0, byOutcome: { cancelled: CALLS } });
    expect(calls.finalCodes).toEqual({ '487': CALLS });
    expect(calls.provisional).toMatchObject({ '180': CALLS });
  });

  it.concurrent('never answers BYE', async () => {
    const {
      verdict: { calls },
    } = await unanswered;
    expect(calls).toMatchObject({ answered: CALLS, completed: 0, bad: CALLS, byOutcome: { 'bye-failed': CALLS } });
    expect(calls.endedBy).toEqual({ timer: CALLS });
    // Timer E: at 0.5, 1.5, 3.5 s, then every 4 s (RFC 3261 17.1.2.2); the tenth, at 31.5 s, may come too late on a slow machine.
    expect(calls.retransmissions.byeSent).toBeGreaterThanOrEqual(9 * CALLS);
    expect(calls.retransmissions.byeSent).toBeLessThanOrEqual(10 * CALLS);
  });
});
