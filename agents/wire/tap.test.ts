import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Copier } from './copier.js';
import { MemoryWorld } from './memory.js';
import { openTap, TapRing, tapBuffers, tapped } from './tap.js';

const CAPACITY = 16_384;

function ring(): TapRing {
  return new TapRing(new SharedArrayBuffer(TapRing.bytesFor(CAPACITY)), CAPACITY);
}

function put(into: TapRing, i: number, len: number, keep = 2048): void {
  const bytes = new Uint8Array(2048).fill(i & 0xff);
  into.put(new Copier(), bytes, 0, len, keep, 0x101, 1, 2, 3, 4, i);
}

describe('a ring of records', () => {
  it('gives back what was put, in order', () => {
    const r = ring();
    put(r, 7, 5);
    put(r, 8, 2048);
    put(r, 9, 100, 12);
    const all = [...r.records()];
    expect(all.map((x) => [x.tUs, x.length, x.bytes.length])).toEqual([
      [7, 5, 5],
      [8, 2048, 2048],
      [9, 100, 12],
    ]);
    expect(all[0]).toMatchObject({ role: 1, sent: true, srcIp: 1, srcPort: 2, dstIp: 3, dstPort: 4 });
    expect([...all[0]!.bytes]).toEqual([7, 7, 7, 7, 7]);
    expect(r.forgotten).toBe(0);
  });

  it('forgets the oldest when it is full, counts them, and never tears one', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 2048 }), { minLength: 1, maxLength: 200 }), (lengths) => {
        const r = ring();
        for (const [i, len] of lengths.entries()) put(r, i, len);
        const all = [...r.records()];
        expect(all.length + r.forgotten).toBe(lengths.length);
        expect(all.length).toBeGreaterThan(0);
        for (const [k, x] of all.entries()) {
          const i = r.forgotten + k;
          expect([x.tUs, x.length]).toEqual([i, lengths[i]]);
          expect(x.bytes.every((b) => b === (i & 0xff))).toBe(true);
        }
      }),
      { seed: 1, numRuns: 100 },
    );
  });
});

it('a tapped wire passes on what it remembers', () => {
  const world = new MemoryWorld({ seed: 1, startUs: 1000 });
  const tap = openTap(tapBuffers());
  const here = tapped(world.wire('here'), tap, 0);
  const there = world.wire('there');
  const heard: number[] = [];
  const a = here.bind(0x7f000001, 0, (_b, _off, len) => heard.push(len));
  const b = there.bind(0x7f000002, 5060, (bytes, off, len, ip, port) => b.send(bytes, off, len, ip, port));
  a.tx.set([1, 2, 3], a.slot());
  a.commit(3, b.ip, b.port);
  a.send(Uint8Array.of(4, 5), 0, 2, b.ip, b.port);
  here.flush();
  world.runUntil(100_000);
  expect(heard).toEqual([3, 2]);
  const seen = [...tap.sip.records()].map((r) => [r.sent, r.srcPort, r.dstPort, ...r.bytes]);
  expect(seen).toEqual([
    [true, a.port, 5060, 1, 2, 3],
    [true, a.port, 5060, 4, 5],
    [false, 5060, a.port, 1, 2, 3],
    [false, 5060, a.port, 4, 5],
  ]);
});
