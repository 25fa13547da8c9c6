import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DATAGRAM_MAX } from '../wire/types.js';
import { MessageSlab } from './slab.js';
import { IndexPool, TimerWheel } from './timers.js';

const TICK_US = 1000;
const IDS = 12;

type Step = { kind: 'set'; id: number; inUs: number } | { kind: 'clear'; id: number } | { kind: 'advance'; us: number };
const step: fc.Arbitrary<Step> = fc.oneof(
  // Around a turn of the wheel (4.096 s), the present instant, the past, and 32 s ahead.
  fc.record({
    kind: fc.constant('set' as const),
    id: fc.nat(IDS - 1),
    inUs: fc.oneof(
      fc.integer({ min: -5000, max: 5000 }),
      fc.integer({ min: 4_090_000, max: 4_100_000 }),
      fc.nat(40_000_000),
    ),
  }),
  fc.record({ kind: fc.constant('clear' as const), id: fc.nat(IDS - 1) }),
  fc.record({
    kind: fc.constant('advance' as const),
    us: fc.oneof(fc.nat(3000), fc.nat(100_000), fc.nat(5_000_000), fc.constant(60_000_000)),
  }),
);

test('the wheel fires what a map of deadlines would fire, never early and at most a tick late', () => {
  fc.assert(
    fc.property(fc.nat(10_000_000), fc.array(step, { maxLength: 60 }), fc.nat(3), (startUs, steps, again) => {
      const wheel = new TimerWheel(IDS, startUs);
      const model = new Map<number, number>();
      const armedAt = new Array<number>(IDS).fill(0);
      let nowUs = startUs;
      const arm = (id: number, dueUs: number): void => {
        wheel.set(id, dueUs);
        model.set(id, dueUs);
        armedAt[id] = Math.floor(nowUs / TICK_US);
      };
      for (const s of steps) {
        if (s.kind === 'clear') {
          wheel.clear(s.id);
          model.delete(s.id);
        } else if (s.kind === 'set') {
          arm(s.id, nowUs + s.inUs);
        } else {
          nowUs += s.us;
          const fired: number[] = [];
          wheel.advance(nowUs, (id) => {
            expect(model.get(id), 'armed, and due').toBeLessThanOrEqual(nowUs);
            expect(wheel.isSet(id)).toBe(false);
            model.delete(id);
            fired.push(id);
            // A timer may arm itself or another one while it fires, and take one away.
            if (fired.length > 20) return;
            if (again === 1) {
              arm(id, nowUs + 500_000);
            } else if (again === 2) {
              const other = (id + 1) % IDS;
              wheel.clear(other);
              model.delete(other);
            } else if (again === 3) {
              arm((id + 5) % IDS, nowUs);
            }
          });
          expect(new Set(fired).size === fired.length || again === 3).toBe(true);
          // What was armed for a tick that is past fires in the next one.
          for (const [id, dueUs] of model) {
            const tick = Math.max(Math.ceil(dueUs / TICK_US), armedAt[id]! + 1);
            expect(tick, `timer ${id} is not overdue`).toBeGreaterThan(Math.floor(nowUs / TICK_US));
          }
        }
        expect(wheel.armed).toBe(model.size);
        for (let id = 0; id < IDS; id++) expect(wheel.isSet(id)).toBe(model.has(id));
        const next = wheel.nextUs();
        if (model.size === 0) expect(next).toBe(Number.POSITIVE_INFINITY);
        // Called at nextUs(), nothing is ever more than a tick late.
        else expect(next).toBeLessThan(Math.max(...[...model.values(), nowUs]) + 2 * TICK_US + 64_000);
      }
    }),
    { numRuns: 600 },
  );
});

test('whoever follows nextUs() meets every deadline in its tick, in the order of ticks', () => {
  fc.assert(
    fc.property(fc.nat(99_999), fc.array(fc.nat(33_000_000), { minLength: 1, maxLength: IDS }), (startUs, dues) => {
      const wheel = new TimerWheel(IDS, startUs);
      for (const [id, due] of dues.entries()) wheel.set(id, startUs + due);
      const seen: number[] = [];
      let nowUs = startUs;
      for (let calls = 0; wheel.armed > 0; calls++) {
        expect(calls).toBeLessThan(600);
        nowUs = Math.max(nowUs + 1, wheel.nextUs());
        wheel.advance(nowUs, (id) => {
          const dueUs = startUs + dues[id]!;
          expect(nowUs).toBeGreaterThanOrEqual(dueUs);
          expect(nowUs - dueUs).toBeLessThanOrEqual(2 * TICK_US);
          seen.push(Math.ceil(dueUs / TICK_US));
        });
      }
      expect(seen.length).toBe(dues.length);
      expect(seen).toEqual([...seen].sort((a, b) => a - b));
    }),
  );
});

test('the pool hands out every index once, in the order they came back', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 9 }),
      fc.array(fc.option(fc.nat(8)), { maxLength: 100 }),
      (capacity, steps) => {
        const pool = new IndexPool(capacity);
        const free = Array.from({ length: capacity }, (_, i) => i);
        const out: number[] = [];
        for (const s of steps) {
          if (s === null) {
            const index = pool.take();
            expect(index).toBe(free.shift() ?? -1);
            if (index >= 0) out.push(index);
          } else if (out.length > 0) {
            const [index] = out.splice(s % out.length, 1);
            pool.give(index!);
            free.push(index!);
          }
          expect(pool.used).toBe(out.length);
        }
      },
    ),
  );
  const full = new IndexPool(2);
  expect(() => full.give(0)).toThrow('index given back once');
});

test('the slab keeps messages apart up to its limit, whatever the order of keeping and dropping', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(1, 3, 255, 256, 257, 600),
      fc.array(fc.tuple(fc.nat(5), fc.nat(999), fc.nat(DATAGRAM_MAX)), { maxLength: 40 }),
      (limit, steps) => {
        const slab = new MessageSlab(limit);
        const kept = new Map<number, Uint8Array>();
        const fill = (n: number): Uint8Array => Uint8Array.from({ length: n }, (_, i) => (i * 31 + n) & 255);
        for (const [kind, which, length] of steps) {
          const refs = [...kept.keys()];
          const ref = refs[which % Math.max(1, refs.length)];
          const bytes = fill(length);
          if (kind === 0 && ref !== undefined) {
            slab.drop(ref);
            kept.delete(ref);
          } else if (kind === 1 && ref !== undefined) {
            slab.put(ref, bytes, 0, length);
            kept.set(ref, bytes);
          } else {
            // Many at once, so that chunks are crossed.
            for (let n = 0; n < (kind === 2 ? limit : 1); n++) {
              const got = slab.keep(bytes, 0, length);
              expect(got >= 0).toBe(kept.size < limit);
              if (got < 0) break;
              expect(kept.has(got)).toBe(false);
              kept.set(got, bytes);
            }
          }
        }
        for (const [r, bytes] of kept) {
          const at = slab.offset(r);
          expect(slab.length(r)).toBe(bytes.length);
          expect(Buffer.compare(slab.chunk(r).subarray(at, at + bytes.length), bytes)).toBe(0);
        }
      },
    ),
    { numRuns: 60 },
  );
  expect(new MessageSlab(1).keep(new Uint8Array(DATAGRAM_MAX + 1), 0, DATAGRAM_MAX + 1)).toBe(-1);
});
