import { createHash, createHmac } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'libsql';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { latin1 } from '../../../agents/sip/text.js';
import { monotonicUs } from '../../clock.js';
import { lockDatabase } from '../../faults/db-lock.js';
import { type BindingRow, type Credential, MemoryCredentials, TOO_MANY_QUERIES } from './credentials.js';
import { FirstLimit } from './credentials-limit.js';
import { NONCE, NONCE_LENGTH, Nonces } from './credentials-nonce.js';
import { SqliteCredentials } from './credentials-sqlite.js';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'deadair-credentials-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const phones = (count: number): Credential[] =>
  Array.from({ length: count }, (_, i) => ({ user: `${1000 + i}`, realm: 'a.test', password: `secret-${i}` }));
const md5Of = (i: number): string =>
  createHash('md5')
    .update(`${1000 + i}:a.test:secret-${i}`)
    .digest('hex');
const row = (n: number, expiresMs = 60_000): BindingRow => ({
  aor: '1000@a.test',
  contact: `sip:1000@192.0.2.${n}`,
  callId: 'c',
  cseq: n,
  expiresMs,
  path: '',
  received: 'sip:192.0.2.9:40000',
});

/** As the platform does: no promise, no event loop, only looking. */
function blockUntil(condition: () => boolean, ms: number): void {
  const until = monotonicUs() + ms * 1000;
  while (!condition()) if (monotonicUs() > until) throw new Error('waited too long');
}

test('a nonce tells its own age; another secret, or one changed character, and it is foreign', () => {
  const nonces = new Nonces('secret', 30e6);
  const bytes = new Uint8Array(80);
  const at = 7_000e6;
  const nonce = { bytes, off: 3, len: NONCE_LENGTH };
  expect(nonces.write(at, bytes, 3)).toBe(3 + NONCE_LENGTH);
  const first = latin1(bytes, 3, NONCE_LENGTH);
  // Another implementation of the HMAC.
  const key = createHash('sha256').update('secret').digest('hex');
  expect(first.slice(16)).toBe(createHmac('sha256', key).update(first.slice(0, 16)).digest('hex').slice(0, 32));
  expect(nonces.check(nonce, at)).toBe(NONCE.FRESH);
  expect(nonces.check(nonce, at + 30e6)).toBe(NONCE.FRESH);
  expect(nonces.check(nonce, at + 30.1e6)).toBe(NONCE.STALE);
  expect(new Nonces('secret', 30e6).check(nonce, at)).toBe(NONCE.FRESH);
  expect(new Nonces('other', 30e6).check(nonce, at)).toBe(NONCE.FOREIGN);
  expect(nonces.check({ ...nonce, len: NONCE_LENGTH - 1 }, at)).toBe(NONCE.FOREIGN);
  for (let i = 3; i < 3 + NONCE_LENGTH; i++) {
    bytes[i]! ^= 1;
    expect(nonces.check(nonce, at)).toBe(NONCE.FOREIGN);
    bytes[i]! ^= 1;
  }
  nonces.write(at, bytes, 3);
  expect(latin1(bytes, 3, NONCE_LENGTH)).not.toBe(first);
});

test('the limit lets its rate in, a tenth of a second of it at once; per source each has its own', () => {
  const limit = new FirstLimit({ perSecond: 100, retryAfterS: 5, retryAfterSpreadS: 10 });
  let taken = 0;
  for (let ms = 0; ms < 10_000; ms++) if (limit.takes(ms % 7, ms * 1000)) taken++;
  expect(taken).toBeGreaterThanOrEqual(1000);
  expect(taken).toBeLessThanOrEqual(1010);
  expect([limit.retryAfterS(0), limit.retryAfterS(0.9999)]).toEqual([5, 15]);
  const each = new FirstLimit({ perSecond: 10, retryAfterS: 5, perSource: true });
  expect([each.takes(1, 0), each.takes(1, 0), each.takes(2, 0), each.takes(1, 100_000)]).toEqual([
    true,
    false,
    true,
    true,
  ]);
});

test('in virtual time: queries are served one by one, travel side by side, and none begins during a lock', () => {
  let now = 0;
  const nowUs = (): number => now;
  const db = new MemoryCredentials({ nowUs, limit: 3, credentials: phones(2), serviceUs: 100, latencyUs: 1_000 });
  db.lockBetween(5_000, 9_000);
  const seen: [number, string][] = [];
  const find = (user: string): void =>
    db.find(user, 'a.test', (ha1, err) => seen.push([now, err ?? (ha1 === null ? 'unknown' : latin1(ha1.md5, 0, 32))]));
  const run = (until: number): void => {
    for (let next = db.tick(now); next <= until; next = db.tick(now)) now = next;
    now = until;
  };
  find('1000');
  find('1001');
  find('7');
  find('1000');
  expect(seen).toEqual([[0, TOO_MANY_QUERIES]]);
  run(4_950);
  find('1000');
  db.save(row(1), (err) => seen.push([now, String(err)]));
  run(8_000);
  db.tick(now);
  expect(db.metrics).toMatchObject({ pending: 1, answeredTotal: 4, failedTotal: 1 });
  run(20_000);
  expect(seen.slice(1)).toEqual([
    [1_100, md5Of(0)],
    [1_200, md5Of(1)],
    [1_300, 'unknown'],
    [6_050, md5Of(0)],
    [10_100, 'null'],
  ]);
  expect(db.metrics).toMatchObject({ pending: 0, latencyMs: 5.15 });
  expect([...db.rows.values()]).toEqual([row(1)]);
});

test('SQLite: a row is read for each look-up, and written for each contact, by a thread of its own', async () => {
  const file = join(dir, 'subscribers.sqlite');
  const db = SqliteCredentials.open({ file, limit: 64, nowUs: monotonicUs, credentials: phones(1_000) });
  let right = 0;
  for (let i = 0; i < 2_000; i += 50) {
    for (let k = i; k < i + 50; k++) {
      db.find(`${1000 + k}`, 'a.test', (ha1, err) => {
        expect(err).toBeNull();
        if (k < 1_000 ? latin1(ha1!.md5, 0, 32) === md5Of(k) && ha1!.sha256.length === 64 : ha1 === null) right++;
      });
    }
    blockUntil(() => db.tick(monotonicUs()) === Number.POSITIVE_INFINITY, 10_000);
  }
  expect(right).toBe(2_000);
  const errors: (string | null)[] = [];
  for (const r of [row(1), row(2), row(3), { ...row(2), cseq: 9 }, row(3, 0)]) db.save(r, (err) => errors.push(err));
  db.save({ ...row(4), contact: 'x'.repeat(600) }, (err) => errors.push(err));
  await db.close();
  expect(errors).toEqual(['row is too long', null, null, null, null, null]);
  expect(db.metrics).toMatchObject({ pending: 0, answeredTotal: 2_005, failedTotal: 1 });
  const read = new Database(file);
  expect(read.prepare('SELECT contact, cseq, received FROM location ORDER BY contact').raw().all()).toEqual([
    ['sip:1000@192.0.2.1', 1, 'sip:192.0.2.9:40000'],
    ['sip:1000@192.0.2.2', 9, 'sip:192.0.2.9:40000'],
  ]);
  read.close();
});

test('SQLite: while another process holds the database a look-up waits, too; latency is added to each answer', async () => {
  const file = join(dir, 'subscribers.sqlite');
  const db = SqliteCredentials.open({
    file,
    limit: 4,
    nowUs: monotonicUs,
    credentials: phones(2),
    latencyUs: 40_000,
  });
  const ask = (): { atUs: number } => {
    const answer = { atUs: Number.NaN };
    db.find('1001', 'a.test', (ha1) => {
      if (ha1 !== null) answer.atUs = monotonicUs();
    });
    return answer;
  };
  const asked = monotonicUs();
  const [one, two] = [ask(), ask()];
  blockUntil(() => db.tick(monotonicUs()) === Number.POSITIVE_INFINITY, 5_000);
  expect(one.atUs - asked).toBeGreaterThanOrEqual(40_000);
  expect(two.atUs - one.atUs).toBeLessThan(30_000);
  const lock = await lockDatabase(file, { forMs: 600 });
  const late = ask();
  const watch = monotonicUs();
  blockUntil(() => {
    db.tick(monotonicUs());
    return monotonicUs() - watch > 250_000;
  }, 2_000);
  expect(db.metrics.pending).toBe(1);
  const { releasedAtUs, proven } = await lock.released;
  expect(proven).toBe(true);
  blockUntil(() => db.tick(monotonicUs()) === Number.POSITIVE_INFINITY, 5_000);
  expect(late.atUs).toBeGreaterThan(releasedAtUs);
  expect(db.metrics.latencyMs).toBeGreaterThan(300);
  await db.close();
});

test('a file that cannot be a database is told at the start', () => {
  const file = join(dir, 'no', 'such.sqlite');
  const open = (): unknown => SqliteCredentials.open({ file, limit: 8, nowUs: monotonicUs, credentials: [] });
  expect(open).toThrow(/subscriber database .*such\.sqlite/);
});
