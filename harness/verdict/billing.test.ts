import { rmSync } from 'node:fs';
import { expect, it } from 'vitest';
import type { CdrRecord } from '../collect/cdrs.js';
import { judgeBilling } from './billing.js';
import { gradeCalls } from './platform.js';
import { openRun } from './read.js';
import { goodCall, type Pair, SyntheticRun, unanswered } from './testing.js';

/** As the platform should write it down. */
function billed({ caller }: Pair, more: Partial<CdrRecord> = {}): CdrRecord {
  return {
    callId: caller.callId,
    callee: String(caller.callNo).padStart(9, '0'),
    caller: 'deadair',
    tenant: 'a.test',
    instance: 'node-1',
    startMs: caller.startedMs,
    answeredMs: caller.answeredMs,
    endedMs: caller.endedMs,
    resolutionMs: 1,
    ...more,
  };
}

async function judged(made: SyntheticRun): Promise<Awaited<ReturnType<typeof judgeBilling>>> {
  const run = await openRun(await made.finish());
  try {
    await gradeCalls(run);
    return await judgeBilling(run);
  } finally {
    run.close();
    rmSync(made.dir, { recursive: true });
  }
}

it("tells what is missing, double, too long, never answered, somebody else's, and not ours at all", async () => {
  const made = new SyntheticRun();
  const calls = Array.from({ length: 12 }, (_, i) => goodCall(i + 1, 500 * i));
  for (const pair of calls) made.addPair(pair);
  const unheard = goodCall(20, 8000);
  unanswered(unheard.caller, { outcome: 'cancelled', endedBy: 'us', endedMs: 16_000 });
  made.add(unheard.caller);
  const [, second, third, fourth, ...good] = calls as [Pair, Pair, Pair, Pair, ...Pair[]];
  const ghost = goodCall(20, 8000);
  made.store.addCdrs([
    billed(second),
    billed(second, { instance: 'node-2' }),
    billed(third, { endedMs: third.caller.endedMs + 30_000 }),
    billed(fourth, { tenant: 'b.test' }),
    billed({ ...ghost, caller: { ...ghost.caller, callId: unheard.caller.callId } }),
    billed(ghost, { callId: 'nobody', callee: '999' }),
    // A record of whole seconds, without a Call-ID, of a call that was busy.
    ...good.map((pair) => billed(pair, { callId: '', endedMs: pair.caller.endedMs + 900, resolutionMs: 1000 })),
  ]);
  expect(await judged(made)).toMatchObject({
    ...{
      records: 14,
      callsAnswered: 12,
      missing: 1,
      duplicate: 1,
      wrongDuration: 1,
      neverAnswered: 1,
      wrongTenant: 1,
      strange: 1,
    },
    examples: { missing: 1, duplicate: 2, 'wrong-duration': 3, 'wrong-tenant': 4, 'never-answered': 20 },
  });
});

it('says nothing where no record could be read, and misses every call where there is none', async () => {
  const call = goodCall(1, 0);
  expect(await judged(new SyntheticRun().addPair(call))).toBeNull();
  const empty = new SyntheticRun().addPair(call);
  empty.store.addCdrs([]);
  expect(await judged(empty)).toMatchObject({ records: 0, missing: 1 });
});
