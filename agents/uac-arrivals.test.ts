import { describe, expect, test } from 'vitest';
import { callerBench } from '../test/support/agent-bench.js';

describe('arrivals and limits', () => {
  test('every stride-th arrival is ours, and starts at its instant', () => {
    const b = callerBench({ arrivals: Float64Array.from({ length: 20 }, (_, i) => i * 1000.25), first: 2, stride: 5 });
    b.until(100_000);
    const started = b.legs.map((l) => [l.callNo, l.intendedMs]);
    expect(started).toEqual([2, 7, 12, 17].map((n) => [n, n * 1000.25]));
    for (const leg of b.legs) expect(leg.startedMs - leg.intendedMs).toBeLessThan(0.1);
  });

  test('above the limit of calls, arrivals are blocked and counted; a slot that is free again is used', () => {
    const arrivals = Float64Array.of(0, 0, 0, 0, 0, 40_000);
    const b = callerBench({ arrivals, maxCalls: 3 });
    b.until(1);
    expect(b.peer.of('INVITE').length).toBe(3);
    expect([b.counters.get('offered'), b.counters.get('started'), b.counters.get('blockedMaxCalls')]).toEqual([
      5, 3, 2,
    ]);
    b.until(80_000);
    expect(b.legs.map((l) => l.callNo).sort()).toEqual([0, 1, 2, 5]);
    expect(new Set(b.peer.of('INVITE').map((h) => h.tagOf('From'))).size).toBe(4);
    expect([b.counters.get('offered'), b.counters.get('ended')]).toEqual([6, 4]);
  });

  test('a target that refuses everything at once: every call is rejected, or blocked; none is called a timeout', () => {
    const arrivals = Float64Array.from({ length: 6000 }, (_, i) => i * 2);
    const b = callerBench({ arrivals, maxCalls: 4 }, 1, 8192);
    b.peer.react = (h) => {
      if (h.kind === 'INVITE') b.peer.answer(h, 503, { tag: 't' });
    };
    b.until(60_000);
    // 4,096 transactions are held for timer D, 32 s: arrivals that find none are blocked.
    expect(new Set(b.legs.map((l) => l.how))).toEqual(new Set(['rejected']));
    expect([b.legs.length, b.counters.get('blockedMaxCalls')]).toEqual([4096, 6000 - 4096]);
    expect(b.counters.get('transactionsFull')).toBe(0);
  });

  test('without room for a record a call is blocked, not lost', () => {
    const b = callerBench({ arrivals: Float64Array.of(0, 0, 0) }, 1, 2);
    b.until(1);
    expect([b.counters.get('started'), b.counters.get('blockedMaxCalls')]).toEqual([2, 1]);
    expect(b.agent.callsUp).toBe(2);
  });
});
