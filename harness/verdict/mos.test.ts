import { DuckDBInstance } from '@duckdb/node-api';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { delayImpairment, equipmentImpairment, MOS_MACROS, mos, mosOfR, ratingR } from './mos.js';

describe('published values', () => {
  it('G.107 7.7: all defaults give R = 93.2', () => {
    expect(ratingR(0, 1, 0)).toBeCloseTo(93.2, 1);
    expect(mos(0, 1, 0)).toBeCloseTo(4.41, 2);
  });

  // G.107 annex B, table B.1: R and MOS of the limits of user satisfaction.
  it.each([
    [90, 4.34],
    [80, 4.03],
    [70, 3.6],
    [60, 3.1],
    [50, 2.58],
  ])('R %i is MOS %f', (r, published) => {
    expect(Math.abs(mosOfR(r) - published)).toBeLessThan(0.01);
  });

  it('G.113 appendix I: G.711 with concealment is unimpaired without loss, and Bpl is 25.1', () => {
    expect(equipmentImpairment(0)).toBe(0);
    // By the definition of Bpl, a loss of Bpl per cent costs half of what is left of 95.
    expect(equipmentImpairment(25.1)).toBeCloseTo(47.5, 10);
  });

  it('G.107 7.4: delay itself costs nothing up to 100 ms', () => {
    expect(delayImpairment(100) - delayImpairment(99.999)).toBeLessThan(0.001);
    expect(delayImpairment(400)).toBeGreaterThan(20);
  });
});

it('DuckDB computes the same', async () => {
  const instance = await DuckDBInstance.create(':memory:');
  const db = await instance.connect();
  for (const macro of MOS_MACROS) await db.run(macro);
  await db.run('CREATE TABLE x (loss DOUBLE, burst DOUBLE, delay DOUBLE)');
  const cases = fc.sample(
    fc.tuple(
      fc.double({ min: 0, max: 100, noNaN: true }),
      fc.double({ min: 0.5, max: 8, noNaN: true }),
      fc.double({ min: 0, max: 3000, noNaN: true }),
    ),
    { numRuns: 200, seed: 2 },
  );
  cases.push([0, 1, 0], [100, 1, 0], [0, 1, 100], [0, 1, 3000]);
  await db.run(`INSERT INTO x VALUES ${cases.map((c) => `(${c.join(', ')})`).join(', ')}`);
  const rows = (
    await db.runAndReadAll('SELECT loss, burst, delay, g107_mos(loss, burst, delay) AS mos FROM x')
  ).getRowsJS();
  for (const [loss, burst, delay, sql] of rows as number[][])
    expect(Math.abs(sql! - mos(loss!, burst!, delay!)), `${loss} ${burst} ${delay}`).toBeLessThan(1e-9);
  expect(rows).toHaveLength(cases.length);
  db.closeSync();
  instance.closeSync();
});
