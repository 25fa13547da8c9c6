import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'libsql';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { monotonicUs } from '../../clock.js';
import { lockDatabase } from '../../faults/db-lock.js';
import { type CdrRow, MemoryCdrStore, QUEUE_FULL } from './cdr.js';
import { SqliteCdrStore } from './cdr-sqlite.js';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'deadair-cdr-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function row(n: number): CdrRow {
  return {
    callId: `call-${n}@phones`,
    node: 1,
    tenant: 'example.test',
    from: 'sip:1001@example.test',
    to: 'sip:2002@example.test',
    startMs: n,
    answeredMs: n % 2 === 0 ? n + 200.5 : Number.NaN,
    endedMs: n + 1_000,
    code: 200,
  };
}

/** As the platform does: no promise, no event loop, only looking. */
function blockUntil(condition: () => boolean, ms: number): void {
  const until = monotonicUs() + ms * 1000;
  while (!condition()) if (monotonicUs() > until) throw new Error('waited too long');
}

test('rows are committed in order by another thread while this one never returns to its event loop', async () => {
  const file = join(dir, 'cdr.sqlite');
  const store = SqliteCdrStore.open({ file, limit: 1_000, nowUs: monotonicUs });
  const order: number[] = [];
  for (let n = 0; n < 1_000; n++) {
    store.write(row(n), (err) => {
      expect(err).toBeNull();
      order.push(n);
    });
  }
  let refused: string | null = null;
  // The limit is exact as long as nothing was acknowledged.
  store.write(row(1_000), (err) => {
    refused = err;
  });
  expect(refused).toBe(QUEUE_FULL);
  blockUntil(() => store.tick(monotonicUs()) === Number.POSITIVE_INFINITY, 10_000);
  expect(order).toEqual(Array.from({ length: 1_000 }, (_, n) => n));
  expect(store.metrics).toMatchObject({ pending: 0, committedTotal: 1_000, droppedTotal: 1, oldestPendingMs: 0 });
  expect(store.metrics.commitMs).toBeGreaterThan(0);
  await store.close();
  const db = new Database(file);
  expect(db.prepare('SELECT count(*) AS n, count(answered_ms) AS answered FROM cdr').get()).toMatchObject({
    n: 1_000,
    answered: 500,
  });
  db.close();
});

test('a row written while another process holds the database is committed after it let go', async () => {
  const file = join(dir, 'cdr.sqlite');
  const store = SqliteCdrStore.open({ file, limit: 64, nowUs: monotonicUs });
  const lock = await lockDatabase(file, { forMs: 700 });
  expect(monotonicUs() - lock.appliedAtUs).toBeLessThan(1_000_000);
  let committedAtUs = Number.NaN;
  store.write(row(1), (err) => {
    expect(err).toBeNull();
    committedAtUs = monotonicUs();
  });
  const watch = monotonicUs();
  blockUntil(() => {
    store.tick(monotonicUs());
    return monotonicUs() - watch > 300_000;
  }, 1_000);
  expect(store.metrics.pending).toBe(1);
  expect(store.metrics.oldestPendingMs).toBeGreaterThan(250);
  const released = await lock.released;
  expect(released.proven).toBe(true);
  expect(released.releasedAtUs - lock.appliedAtUs).toBeGreaterThan(690_000);
  blockUntil(() => store.tick(monotonicUs()) === Number.POSITIVE_INFINITY, 2_000);
  expect(committedAtUs).toBeGreaterThan(released.releasedAtUs);
  expect(store.metrics.commitMs).toBeGreaterThan(300);
  await store.close();
});

test('closing while the database is locked gives up on the row and says so', async () => {
  const file = join(dir, 'cdr.sqlite');
  const store = SqliteCdrStore.open({ file, limit: 64, nowUs: monotonicUs });
  const lock = await lockDatabase(file, { forMs: 30_000 });
  let end: string | null | undefined;
  store.write(row(1), (err) => {
    end = err;
  });
  await store.close();
  expect(end).toMatch(/locked/);
  expect(store.metrics).toMatchObject({ pending: 0, committedTotal: 0, droppedTotal: 1 });
  expect((await lock.cancel()).proven).toBe(true);
});

test('a file that cannot be a database is told at the start', () => {
  expect(() => SqliteCdrStore.open({ file: join(dir, 'no', 'such.sqlite'), limit: 8, nowUs: monotonicUs })).toThrow(
    /CDR database .*such\.sqlite/,
  );
});

test('in virtual time a commit takes a millisecond, and none begins during a lock', () => {
  let now = 0;
  const store = new MemoryCdrStore({ nowUs: () => now, limit: 3 });
  store.lockBetween(10_000, 50_000);
  const at: [number, number | string][] = [];
  const write = (n: number): void => store.write(row(n), (err) => at.push([n, err ?? now]));
  const run = (until: number): void => {
    for (let next = store.tick(now); next <= until; next = store.tick(now)) now = next;
    now = until;
  };
  write(1);
  write(2);
  run(9_500);
  write(3);
  run(20_000);
  write(4);
  write(5);
  write(6);
  write(7);
  run(30_000);
  store.tick(now);
  expect(store.metrics).toMatchObject({ pending: 3, oldestPendingMs: 10, droppedTotal: 1 });
  run(100_000);
  expect(at).toEqual([
    [1, 1_000],
    [2, 2_000],
    [3, 10_500],
    [7, QUEUE_FULL],
    [4, 51_000],
    [5, 52_000],
    [6, 53_000],
  ]);
});
