import { existsSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { judge } from './index.js';
import { QUERY_TABLES, queryRun } from './query.js';
import { deafen, goodCall, SyntheticRun } from './testing.js';

const deaf = goodCall(2, 1000);
deafen(deaf.caller);
const run = new SyntheticRun().addPair(goodCall(1, 0)).addPair(deaf).calm(5000);
const dir = await run.finish();
await judge(dir, { injectedCause: null, budgets: [], faults: [], command: '' });
afterAll(() => rmSync(dir, { recursive: true }));

describe('a run can be asked in SQL', () => {
  it('every table is there', async () => {
    for (const table of QUERY_TABLES) {
      const { rows } = await queryRun(dir, `SELECT count(*) FROM ${table}`);
      expect(rows).toHaveLength(1);
    }
    expect(await queryRun(dir, 'SELECT callNo, cause FROM causes')).toEqual({
      columns: ['callNo', 'cause'],
      rows: [[2, 'unknown']],
    });
    expect((await queryRun(dir, 'FROM calls SELECT callNo WHERE one_way;')).rows).toEqual([[2]]);
  });

  it('values come as plain ones, NULL as null', async () => {
    const { rows } = await queryRun(dir, "SELECT 1::HUGEINT, NULL, true, 'x', [1, 2], 2::BIGINT ** 70");
    expect(rows).toEqual([[1, null, true, 'x', '[1,2]', 2 ** 70]]);
  });
});

describe('and never changed', () => {
  it.each([
    ['DELETE FROM legs', /Can only delete from base table/],
    ['CREATE TABLE t AS SELECT 1', /only SELECT/],
    ["COPY legs TO 'legs.parquet'", /query: /],
    ['SELECT 1; SELECT 2', /one statement is wanted, and this has 2/],
    [' ', /one SELECT is wanted/],
    ["SELECT * FROM read_text('env.json')", /Cannot access file/],
    ["FROM 'plan.json'", /query: /],
    ["SELECT * FROM read_csv('http://127.0.0.1:1/x.csv')", /query: /],
    ['SET threads = 8', /only SELECT/],
    ["ATTACH 'x.db'", /query: /],
    ['INSTALL httpfs', /query: /],
    ['SELECT nope FROM calls', /Referenced column "nope" not found/],
    ['SELEC', /^query: Parser Error: syntax error at or near "SELEC"$/],
  ])('%s', async (sql, why) => {
    const before = statSync(join(dir, 'legs.parquet')).mtimeMs;
    const failed = await queryRun(dir, sql).then(
      () => null,
      (error: Error & { code?: string }) => error,
    );
    expect(failed).toMatchObject({ code: 'BAD_QUERY', exitCode: 104 });
    expect(failed!.message).toMatch(why);
    expect(failed!.message).not.toContain('\n');
    expect(statSync(join(dir, 'legs.parquet')).mtimeMs).toBe(before);
    expect(existsSync('x.db')).toBe(false);
  });

  it('not even a file that it may read', async () => {
    for (const name of ['legs', 'causes'])
      await expect(queryRun(dir, `COPY (SELECT 1) TO '${dir}/${name}.parquet'`), name).rejects.toThrow(/only SELECT/);
  });
});
