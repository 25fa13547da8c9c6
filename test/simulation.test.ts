import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { ENDED_BY, type Leg, namesOf, OUTCOMES } from '../harness/collect/legs.js';
import { RunStore } from '../harness/collect/store.js';
import { runSimulated } from '../harness/engine/simulated.js';
import { livelyRun, type MemoryRunStore, type SmallRun, simulate, smallRun } from './support/small-run.js';

/**
 * Conservation: whatever the network does to SIP, every call is counted once, ends, and gives back what it took.
 * Each seed is another platform, another load, another network.
 */
const SEEDS = 500;
const BATCH = 50;
const LIVELY_SEEDS = 150;
const LIVELY_BATCH = 25;
const REJECTED = OUTCOMES.indexOf('rejected');
const OPEN = OUTCOMES.indexOf('open');
const COMPLETED = OUTCOMES.indexOf('completed');

const sum = (numbers: Iterable<number>): number => [...numbers].reduce((a, b) => a + b, 0);
const happened = (ms: number): boolean => !Number.isNaN(ms);

function counter(store: MemoryRunStore, name: string): number {
  return sum(store.counters.get(name)?.values() ?? []);
}

function checkCaller(leg: Leg): void {
  const [outcome] = namesOf(leg);
  const what = `${outcome} call ${leg.callNo}`;
  expect(leg.outcome, what).not.toBe(OPEN);
  expect(leg.outcome, what).toBeLessThan(OUTCOMES.length);
  expect(leg.endedBy, what).toBeLessThan(ENDED_BY.length);
  expect(leg.startedMs, what).toBeGreaterThanOrEqual(leg.intendedMs);
  const answered = ['completed', 'dropped', 'bye-failed'].includes(outcome);
  expect(happened(leg.answeredMs), what).toBe(answered);
  expect(leg.finalCode >= 200 && leg.finalCode < 300, what).toBe(answered);
  expect(happened(leg.rejectedMs), what).toBe(leg.finalCode >= 300);
  if (outcome === 'rejected') expect(leg.finalCode, what).toBeGreaterThanOrEqual(300);
  if (outcome === 'timeout') expect([leg.finalCode, leg.count100 + leg.count180 + leg.count183], what).toEqual([0, 0]);
  if (outcome === 'completed') expect(leg.byeCode, what).toBe(200);
  if (answered) expect(leg.ackCount, what).toBe(1 + leg.answerRetransmits);
  const course = [leg.startedMs, leg.tryingMs, leg.answeredMs, leg.ackedMs, leg.byeMs, leg.endedMs].filter(happened);
  expect(course, what).toEqual([...course].sort((a, b) => a - b));
  expect(happened(leg.endedMs), what).toBe(true);
  // RFC 3261 timers end everything: patience, 64*T1 to be cancelled or hung up, and what the wheel rounds up.
  expect(leg.endedMs - leg.startedMs, what).toBeLessThan(8000 + 2 * 32_000 + 3000 + 2600 + 100);
}

function checkRun(run: SmallRun): void {
  const { store, outcome } = simulate(run);
  const { load } = outcome;
  const callers = store.legs.filter((l) => l.role === 0);
  const callees = store.legs.filter((l) => l.role === 1);
  const wanted = sum(run.plan.arrivals.map((s) => (s.fromCps * s.durationMs) / 1000));

  // offered = started + blocked, started = ended + open; each from a counter of its own.
  expect(load.offered).toBe(Math.round(wanted));
  expect(load.offered).toBe(load.started + counter(store, 'blockedMaxCalls') + counter(store, 'blockedNoPort'));
  expect(load.blocked).toBe(sum(Object.values(load.blockedBy)));
  expect([load.ended, load.open]).toEqual([load.started, 0]);
  expect([load.started, load.ended]).toEqual([counter(store, 'started'), counter(store, 'ended')]);

  // Every started call has one record of its caller.
  expect(callers.length).toBe(load.started);
  expect(new Set(callers.map((l) => l.callNo)).size).toBe(callers.length);
  for (const leg of callers) checkCaller(leg);

  // Every call that rang has a record of its callee, and nothing else rang.
  expect(callees.length).toBe(counter(store, 'calleeStarted'));
  expect(callees.length).toBe(counter(store, 'calleeEnded'));
  const byNumber = new Map(callers.map((l) => [l.callNo, l]));
  const ofCallees = new Map(callees.map((l) => [l.callNo, l]));
  if (ofCallees.size !== callees.length) throw new Error('a call rang twice');
  for (const leg of callees) {
    const caller = byNumber.get(leg.callNo);
    if (caller === undefined) throw new Error(`call ${leg.callNo} of a callee was placed by nobody`);
    expect(leg.outcome).not.toBe(OPEN);
    expect(leg.callId.startsWith(`b2b-${caller.callId}`.slice(0, 64))).toBe(true);
    expect(leg.startedMs).toBeGreaterThanOrEqual(caller.startedMs);
    expect(happened(leg.endedMs)).toBe(true);
  }
  for (const leg of callers) {
    if (!happened(leg.answeredMs)) continue;
    const callee = ofCallees.get(leg.callNo);
    if (callee === undefined || !happened(callee.answeredMs)) throw new Error(`call ${leg.callNo}: who answered?`);
    expect(callee.answeredMs).toBeLessThanOrEqual(leg.answeredMs);
  }
  expect(counter(store, 'parseRejected')).toBe(0);
  expect(counter(store, 'calleeRefused')).toBe(0);
  expect(outcome.generator.sendDropped).toBe(0);

  // Before the last wave the platform has everything back: ports, sessions, channels, threads, rows.
  const quiet = store.telemetry.filter((t) => t.tMs < run.lastWaveMs - 1 && t.tMs > run.lastWaveMs - 300);
  const held = quiet.filter(
    (t) =>
      /^(ports_used|sessions|calls|threads_busy|inbox_depth|queue_depth|pending|oldest_pending_ms)$/.test(t.metric) &&
      t.value !== 0,
  );
  expect(quiet.length).toBeGreaterThan(15);
  expect(held).toEqual([]);
  // And the carrier too: as many calls as it has channels find one.
  const late = callers.filter((l) => l.intendedMs >= run.lastWaveMs);
  const config = run.plan.target.kind === 'embedded' ? run.plan.target.config : null;
  if (config!.trunks.some((t) => t.channels > 0)) expect(late.filter((l) => l.outcome === REJECTED)).toEqual([]);
  // In a network that loses nothing, and without a limit that the last wave would meet, all of it is answered.
  const limited = config!.trunks[0]!.cps > 0 || config!.nat.maxSessions < 100 || config!.relay.ports < 100;
  if (run.impairments.loss === 0 && !limited && run.plan.call.patienceMs > 3000) {
    expect(late.map((l) => l.outcome)).toEqual(Array(late.length).fill(COMPLETED));
  }
}

describe('conservation', () => {
  test.each(Array.from({ length: SEEDS / BATCH }, (_, i) => i * BATCH + 1))('seeds from %i', (first) => {
    for (let seed = first; seed < first + BATCH; seed++) {
      try {
        checkRun(smallRun(seed));
      } catch (error) {
        (error as Error).message = `seed ${seed}: ${(error as Error).message}`;
        throw error;
      }
    }
  });
});

/** What happens within calls may end them in more ways; what was counted must still add up, and nothing may stay. */
function checkLively(run: SmallRun): Record<string, number> {
  const { store, outcome } = simulate(run);
  const { load } = outcome;
  const of = (role: number): Leg[] => store.legs.filter((l) => l.role === role);
  const [callers, callees, transfers] = [of(0), of(1), of(2)];
  expect(load.offered).toBe(load.started + load.blocked);
  expect([load.ended, load.open]).toEqual([load.started, 0]);
  expect(callers.length).toBe(load.started);
  expect(new Set(callers.map((l) => l.callNo)).size).toBe(callers.length);
  expect([callees.length, callees.length]).toEqual([counter(store, 'calleeStarted'), counter(store, 'calleeEnded')]);
  expect(counter(store, 'parseRejected')).toBe(0);
  expect(counter(store, 'transactionsFull')).toBe(0);
  const byNumber = new Map(callers.map((l) => [l.callNo, l]));
  for (const leg of [...callers, ...callees, ...transfers]) {
    const [how] = namesOf(leg);
    const what = `${how} ${leg.role} ${leg.callNo} ${leg.dialogLog}`;
    expect(leg.outcome, what).not.toBe(OPEN);
    expect(happened(leg.endedMs), what).toBe(true);
    expect(leg.endedMs, what).toBeGreaterThanOrEqual(leg.startedMs);
    if (['session-expired', 'refresh-failed'].includes(how)) expect(leg.sessionExpiresS, what).toBeGreaterThan(0);
    if (how === 'dialog-lost') expect([481, 408], what).toContain(leg.midCode);
    if (leg.refreshes > 0) expect(leg.refreshes, what).toBeLessThanOrEqual(leg.reinvitesSent + leg.updatesSent);
    expect(leg.holds, what).toBeLessThanOrEqual(leg.reinvitesSent + leg.reinvitesReceived);
  }
  for (const leg of callers) {
    if (!happened(leg.answeredMs)) expect([leg.dialogLog, leg.reinvitesSent, leg.updatesSent]).toEqual(['', 0, 0]);
  }
  // A callee's call is some caller's, or a transferred party's, or one that was refused.
  for (const leg of callees) {
    if (!byNumber.has(leg.callNo)) expect(transfers.length + Number(leg.outcome === REJECTED)).toBeGreaterThan(0);
  }
  const quiet = store.telemetry.filter((t) => t.tMs < run.lastWaveMs - 1 && t.tMs > run.lastWaveMs - 300);
  const held = quiet.filter((t) => /^(ports_used|sessions|calls|threads_busy)$/.test(t.metric) && t.value !== 0);
  expect(held).toEqual([]);
  const count: Record<string, number> = { transfers: transfers.length };
  for (const leg of callers) {
    const [how] = namesOf(leg);
    count[how] = (count[how] ?? 0) + 1;
    for (const key of ['refreshes', 'glares', 'pracks', 'holds', 'updatesSent'] as const) {
      count[key] = (count[key] ?? 0) + leg[key];
    }
  }
  return count;
}

describe('conservation with steps within calls', () => {
  const met: Record<string, number> = {};
  const batches = Array.from({ length: LIVELY_SEEDS / LIVELY_BATCH }, (_, i) => i * LIVELY_BATCH + 1);
  test.each(batches)('seeds from %i', (first) => {
    for (let seed = first; seed < first + LIVELY_BATCH; seed++) {
      try {
        for (const [key, n] of Object.entries(checkLively(livelyRun(seed)))) met[key] = (met[key] ?? 0) + n;
      } catch (error) {
        (error as Error).message = `seed ${seed}: ${(error as Error).message}`;
        throw error;
      }
    }
  });

  test('every way to end was met, and every kind of step', () => {
    const ways = ['completed', 'dropped', 'session-expired', 'refresh-failed', 'dialog-lost', 'bye-failed'];
    for (const way of [...ways, 'transfers', 'refreshes', 'glares', 'pracks', 'holds', 'updatesSent']) {
      expect(met[way] ?? 0, way).toBeGreaterThan(10);
    }
  });
});

describe('the same seed', () => {
  const dir = mkdtempSync(join(tmpdir(), 'deadair-simulation-'));
  afterAll(() => rmSync(dir, { recursive: true }));

  async function legs(seed: number, name: string): Promise<string> {
    const { plan, impairments } = smallRun(seed);
    const store = new RunStore(join(dir, name));
    runSimulated(plan, store, {}, impairments);
    await store.finish();
    return createHash('sha256')
      .update(readFileSync(join(dir, name, 'legs.parquet')))
      .digest('hex');
  }

  test('gives the same bytes of call records, another seed gives others', async () => {
    const hashes = [];
    for (const seed of [3, 11, 12]) {
      const first = await legs(seed, `${seed}-first`);
      expect(await legs(seed, `${seed}-second`)).toBe(first);
      hashes.push(first);
    }
    expect(new Set(hashes).size).toBe(hashes.length);
  });

  test('gives the same records and the same telemetry, seed by seed', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const [a, b] = [simulate(smallRun(seed)).store, simulate(smallRun(seed)).store];
      expect(JSON.stringify(a.legs)).toBe(JSON.stringify(b.legs));
      expect(JSON.stringify(a.telemetry)).toBe(JSON.stringify(b.telemetry));
    }
  });

  test('changes nothing about who calls when, whatever the network does', () => {
    const run = smallRun(5);
    const times = (loss: number): number[] =>
      simulate({ ...run, impairments: { ...run.impairments, loss } }).store.legs.map((l) => l.intendedMs);
    const sorted = (list: number[]): number[] => list.filter(happened).sort((a, b) => a - b);
    expect(sorted(times(0))).toEqual(sorted(times(0.05)));
  });
});
