import { describe, expect, test } from 'vitest';
import { PairBench } from '../../test/support/pair-bench.js';
import { ROLE } from '../record.js';

/** Both ends are ours here: what each of them knows of the same call, second by second. */
describe('steps', () => {
  test('hold and resume: re-INVITEs that the other side answers, and both records tell of them', () => {
    const { a, b } = new PairBench({
      call: {
        steps: [
          { at: 'answer+2s', do: 'hold' },
          { at: 'answer+4s', do: 'resume' },
        ],
      },
    }).until(60);
    expect([a.how, b.how]).toEqual(['completed', 'completed']);
    expect([a.reinvitesSent, a.holds, b.reinvitesReceived, b.holds]).toEqual([2, 1, 2, 1]);
    expect(a.log).toEqual([expect.stringMatching(/^>H200\d:200$/), expect.stringMatching(/^>R400\d:200$/)]);
    expect(b.log).toEqual([expect.stringMatching(/^<H200\d:200$/), expect.stringMatching(/^<R400\d:200$/)]);
    expect([a.midCode, a.ackCount, b.ackCount, a.byeCode]).toEqual([0, 1, 1, 200]);
  });

  test('by the callee: re-INVITE, UPDATE, and hanging up', () => {
    const { a, b } = new PairBench({
      call: {
        steps: [
          { at: 'answer+1s', by: 'callee', do: 'reinvite' },
          { at: 'answer+1500ms', by: 'callee', do: 'update' },
          { at: 'answer+3s', by: 'callee', do: 'bye' },
        ],
      },
    }).until(60);
    expect([a.how, a.by, b.how, b.by]).toEqual(['dropped', 'them', 'completed', 'us']);
    expect([b.reinvitesSent, b.updatesSent, a.reinvitesReceived, a.updatesReceived]).toEqual([1, 1, 1, 1]);
    expect(a.log.map((l) => l.slice(0, 2))).toEqual(['<I', '<U']);
    expect(b.byeMs - b.answeredMs).toBeGreaterThanOrEqual(3000);
  });

  test('both at the same instant: 491 for one or both, and the back-off of RFC 3261 14.1 gets both through', () => {
    const { a, b } = new PairBench({
      call: {
        steps: [
          { at: 'answer+2s', do: 'hold' },
          { at: 'answer+2s', by: 'callee', do: 'reinvite' },
        ],
      },
      holdMs: 20_000,
    }).until(60);
    expect([a.how, b.how]).toEqual(['completed', 'completed']);
    expect(a.glares + b.glares).toBeGreaterThanOrEqual(2);
    expect(a.log.at(-1)).toMatch(/^[<>].*:200$/);
    const again = (log: string[], what: string): number[] =>
      log.filter((l) => l.startsWith(what)).map((l) => Number(/\d+/.exec(l)![0]));
    const [first, second] = again(a.log, '>H');
    // The caller made the Call-ID: 2.1 to 4 s; the callee: up to 2 s.
    expect(second! - first!).toBeGreaterThanOrEqual(2100);
    expect(second! - first!).toBeLessThanOrEqual(4010);
    const [one, two] = again(b.log, '>I');
    expect(two! - one!).toBeLessThanOrEqual(2010);
  });
});

describe('session timers (RFC 4028)', () => {
  const session = (method: 'reinvite' | 'update', refresher: 'caller' | 'callee') =>
    ({ expiresS: 90, minSeS: 90, refresher, method }) as const;

  test.each([
    ['caller', 'reinvite'],
    ['caller', 'update'],
    ['callee', 'reinvite'],
    ['callee', 'update'],
  ] as const)('the %s refreshes by %s, at half time', (refresher, method) => {
    const { a, b } = new PairBench({ call: { session: session(method, refresher) }, holdMs: 200_000 }).until(300);
    const [us, them] = refresher === 'caller' ? [a, b] : [b, a];
    expect([a.how, b.how]).toEqual(['completed', 'completed']);
    expect([a.sessionExpiresS, b.sessionExpiresS, us.refresher, them.refresher]).toEqual([90, 90, 1, 2]);
    expect(us.refreshes).toBe(4);
    expect(method === 'update' ? us.updatesSent : us.reinvitesSent).toBe(4);
    const times = us.log.map((l) => Number(/\d+/.exec(l)![0]) / 45_000);
    times.forEach((t, i) => {
      expect(t).toBeCloseTo(i + 1, 2);
    });
  });

  test('too short an interval: 422 with Min-SE, and the call is placed with a longer one', () => {
    const bench = new PairBench({
      call: { session: { ...session('update', 'caller'), expiresS: 60 } },
      callee: { session: { ...session('update', 'caller'), minSeS: 120 } },
    }).until(60);
    const { a } = bench;
    expect([a.how, a.invites, a.sessionExpiresS, a.finalCode]).toEqual(['completed', 2, 120, 200]);
    const callees = bench.legs.filter((l) => l.role === ROLE.CALLEE);
    expect(callees.map((l) => [l.how, l.finalCode, l.sessionExpiresS])).toEqual([
      ['rejected', 422, 0],
      ['completed', 200, 120],
    ]);
  });
});

describe('100rel (RFC 3262)', () => {
  test.each(['required', 'supported'] as const)(
    '%s: the 180 is acknowledged by PRACK, and the call goes on',
    (reliable) => {
      const { a, b } = new PairBench({ call: { reliable, ringMs: { kind: 'fixed', ms: 1000 } } }).until(60);
      expect([a.how, a.pracks, b.how, b.pracks]).toEqual(['completed', 1, 'completed', 1]);
      expect([a.count180, a.byeCode]).toEqual([1, 200]);
      expect(b.log).toEqual([expect.stringMatching(/^<P\d+:200$/)]);
    },
  );

  test('nobody asks for it: nothing is reliable', () => {
    const { a, b } = new PairBench({ call: {} }).until(60);
    expect([a.pracks, b.pracks]).toEqual([0, 0]);
  });
});

describe('blind transfer (RFC 3515)', () => {
  test('REFER, NOTIFY 100 and 200, a new call of the transferee, and the transferor hangs up', () => {
    const bench = new PairBench({ call: { steps: [{ at: 'answer+1s', do: 'refer' }] }, holdMs: 30_000 }).until(60);
    const { a } = bench;
    expect([a.how, a.transfers, a.transferCode]).toEqual(['completed', 1, 200]);
    expect(a.log.map((l) => l.replace(/\d+:/, ':'))).toEqual(['>F:202', '<N:100', '<N:200']);
    const [transfer] = bench.legs.filter((l) => l.role === ROLE.TRANSFER);
    expect([transfer!.how, transfer!.finalCode]).toEqual(['completed', 200]);
    // The one that was called first, and the one that it was sent to.
    const callees = bench.legs.filter((l) => l.role === ROLE.CALLEE);
    expect(callees.map((l) => [l.how, l.transfers]).sort()).toEqual([
      ['completed', 0],
      ['completed', 1],
    ]);
    expect(bench.callee.callsUp).toBe(0);
  });

  test('to a number that refuses: NOTIFY tells of it, and the first call goes on', () => {
    const bench = new PairBench({
      call: { steps: [{ at: 'answer+1s', do: 'refer', to: 'tel:123@127.0.0.2' }] },
      holdMs: 5000,
    }).until(60);
    expect([bench.a.how, bench.a.transfers, bench.a.midCode]).toEqual(['completed', 0, 400]);
    const far = new PairBench({
      call: { steps: [{ at: 'answer+1s', do: 'refer', to: 'sip:x@192.0.2.1' }] },
      holdMs: 5000,
    }).until(60);
    expect([far.a.how, far.a.midCode]).toEqual(['completed', 403]);
  });
});

describe('what is lost on the way', () => {
  test('20 % of all messages, every kind of step: each call ends once at both ends, and nothing stays', () => {
    for (let seed = 0; seed < 5; seed++) {
      const bench = new PairBench({
        seed,
        calls: 40,
        holdMs: 20_000,
        impairments: { loss: 0.2, duplicate: 0.1, reorder: 0.1, reorderUs: 50_000 },
        call: {
          session: { expiresS: 90, minSeS: 90, refresher: 'callee', method: 'reinvite' },
          reliable: 'required',
          steps: [
            { at: 'answer+1s', do: 'hold' },
            { at: 'answer+1s', by: 'callee', do: 'update' },
            { at: 'answer+3s', do: 'resume' },
            { at: 'answer+4s', by: 'callee', do: 'hold' },
            { at: 'answer+6s', by: 'callee', do: 'resume' },
            { at: 'answer+8s', do: 'refer' },
          ],
        },
      }).until(400);
      expect([bench.caller.callsUp, bench.callee.callsUp]).toEqual([0, 0]);
      expect(bench.legs.filter((l) => l.role === ROLE.CALLER).length).toBe(40);
      expect(bench.counters.get('calleeStarted')).toBe(bench.counters.get('calleeEnded'));
      expect(bench.legs.some((l) => l.how === 'open')).toBe(false);
      for (const agent of [bench.caller, bench.callee]) {
        expect([agent.stack.client.active, agent.stack.server.active]).toEqual([0, 0]);
      }
    }
  });
});
