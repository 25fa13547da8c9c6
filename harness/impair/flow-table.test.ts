import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FlowTable } from './flow-table.js';

test('the flow table does what a Map does', () => {
  // Few keys in a small table: long probe runs, much shifting back.
  const step = fc.tuple(fc.boolean(), fc.nat(9), fc.nat(3));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const table = new FlowTable(12);
      const map = new Map<string, number>();
      steps.forEach(([add, a, b], n) => {
        const key = `${a} ${b}`;
        if (!add) {
          table.delete(a, b);
          map.delete(key);
        } else if (!map.has(key) && map.size < 12) {
          table.add(a, b, n);
          map.set(key, n);
        }
        expect(table.size).toBe(map.size);
        for (let x = 0; x < 10; x++)
          for (let y = 0; y < 4; y++) expect(table.get(x, y)).toBe(map.get(`${x} ${y}`) ?? -1);
      });
    }),
    { numRuns: 60 },
  );
});
