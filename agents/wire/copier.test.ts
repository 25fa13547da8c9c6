import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Copier } from './copier.js';

test('any length from any alignment to any other, and nothing beside it', () => {
  const base = new Uint8Array(301).map((_, i) => i * 7 + 1);
  const copier = new Copier();
  const start = fc.nat(9);
  fc.assert(
    fc.property(start, start, start, start, fc.nat(250), (srcStart, off, dstStart, to, len) => {
      const src = base.subarray(srcStart, 290);
      const dst = new Uint8Array(303).fill(0xee).subarray(dstStart, 290);
      const n = Math.min(len, src.length - off, dst.length - to);
      const want = dst.slice();
      want.set(src.subarray(off, off + n), to);
      copier.copy(src, off, dst, to, n);
      expect(dst).toEqual(want);
    }),
    { numRuns: 1_000 },
  );
});
