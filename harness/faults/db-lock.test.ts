import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Database from 'libsql';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { monotonicUs } from '../clock.js';
import { entryArgs } from '../entry.js';
import { lockDatabase } from './db-lock.js';

let dir: string;
let file: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'deadair-lock-'));
  file = join(dir, 'cdr.sqlite');
  const db = new Database(file);
  db.pragma('journal_mode = WAL');
  db.exec('CREATE TABLE t (x)');
  db.close();
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function canWrite(): boolean {
  const db = new Database(file);
  try {
    db.exec('INSERT INTO t VALUES (1)');
    return true;
  } catch (error) {
    expect((error as { code: string }).code).toBe('SQLITE_BUSY');
    return false;
  } finally {
    db.close();
  }
}

test('writes of others fail while it is held, and its end is proven', async () => {
  const lock = await lockDatabase(file, { forMs: 400 });
  expect(canWrite()).toBe(false);
  const released = await lock.released;
  expect(released).toMatchObject({ proven: true, note: 'the lock process let go; a write of ours went through' });
  expect(released.releasedAtUs - lock.appliedAtUs).toBeGreaterThan(390_000);
  expect(canWrite()).toBe(true);
});

test('cancel lets go at once', async () => {
  const lock = await lockDatabase(file, { forMs: 60_000 });
  expect((await lock.cancel()).proven).toBe(true);
  expect(canWrite()).toBe(true);
});

test('kill -9 of whoever started it leaves nothing locked', async () => {
  const args = JSON.stringify([...entryArgs('db-lock-process', import.meta.url), file, '60000']);
  const parent = spawn(process.execPath, [
    '-e',
    `const c = require('node:child_process').spawn(process.execPath, ${args}, { stdio: ['pipe', 'pipe', 'inherit'] });
     c.stdout.pipe(process.stdout);`,
  ]);
  const [line] = (await once(parent.stdout, 'data')) as [Buffer];
  expect(line.toString()).toMatch(/^locked /);
  expect(canWrite()).toBe(false);
  parent.kill('SIGKILL');
  const until = monotonicUs() + 5_000_000;
  while (!canWrite()) {
    expect(monotonicUs()).toBeLessThan(until);
    await sleep(20);
  }
});

test('a database that is not there is one clear line', async () => {
  await expect(lockDatabase(join(dir, 'no', 'such.sqlite'), { forMs: 100 })).rejects.toThrow(/could not lock .*such/);
});
