import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LEG_BYTES, LEG_FIELDS, LEG_LAYOUT, LEG_OFFSETS, type Leg, type LegField, OUTCOMES, sizeOf } from './record.js';
import { RecordLog } from './record-reader.js';
import { LegStore } from './store.js';

const O = LEG_OFFSETS;
const OPEN = OUTCOMES.indexOf('open');

describe('the layout', () => {
  test('fields are aligned, do not overlap and fit the record', () => {
    const taken = new Set<number>();
    for (const name of Object.keys(LEG_FIELDS) as LegField[]) {
      const type = LEG_FIELDS[name];
      if (typeof type === 'string') expect(O[name] % sizeOf(type), name).toBe(0);
      for (let i = O[name]; i < O[name] + sizeOf(type); i++) {
        expect(taken.has(i), name).toBe(false);
        expect(i).toBeLessThan(LEG_BYTES);
        taken.add(i);
      }
    }
  });

  test('every field is read back as it was written, beside full neighbours', () => {
    const { store } = LegStore.create(4);
    const slots = [store.take(), store.take(), store.take()];
    for (const slot of [slots[0]!, slots[2]!]) store.u8.fill(0xff, store.at(slot), store.at(slot) + LEG_BYTES);
    const slot = slots[1]!;
    const wanted: Record<string, number | string> = {};
    let n = 1;
    for (const name of Object.keys(LEG_FIELDS) as LegField[]) {
      const type = LEG_FIELDS[name];
      n++;
      if (type === 'f64') store.setF64(slot, O[name], n + 0.25);
      else if (type === 'u32') store.setU32(slot, O[name], 0xffff0000 + n);
      else if (type === 'u16') store.setU16(slot, O[name], 0xff00 + n);
      else if (type === 'u8') store.setU8(slot, O[name], n);
      else store.setText(slot, O[name], type.text, Buffer.from(`${name} ${n}`), 0, name.length + 3);
      wanted[name] =
        type === 'f64'
          ? n + 0.25
          : type === 'u32'
            ? 0xffff0000 + n
            : type === 'u16'
              ? 0xff00 + n
              : type === 'u8'
                ? n
                : `${name} ${n}`;
    }
    expect(store.read(slot)).toEqual(wanted);
  });

  test('a new leg is blank, whatever its slot held: times that did not happen are NaN, the rest is 0', () => {
    const { store } = LegStore.create(1);
    for (let round = 0; round < 3; round++) {
      const slot = store.take();
      for (const [name, value] of Object.entries(store.read(slot))) {
        if (typeof value === 'string') expect(value, name).toBe('');
        else if (/^(jitterMs|jitterMaxMs|maxGapMs|heldMs)$/.test(name) || LEG_FIELDS[name as LegField] !== 'f64')
          expect(value, name).toBe(0);
        else expect(value, name).toBeNaN();
      }
      store.u8.fill(0xff, store.at(slot), store.at(slot) + LEG_BYTES);
      store.done(slot);
      store.drain(() => undefined);
    }
  });
});

describe('values', () => {
  test('16 bits saturate; incU16 stops at 65,535', () => {
    const { store } = LegStore.create(1);
    const slot = store.take();
    store.setU16(slot, O.ackCount, 70_000);
    expect(store.getU16(slot, O.ackCount)).toBe(65_535);
    store.incU16(slot, O.ackCount);
    expect(store.getU16(slot, O.ackCount)).toBe(65_535);
    store.setU16(slot, O.ackCount, 65_534);
    for (let n = 0; n < 3; n++) store.incU16(slot, O.ackCount);
    expect(store.getU16(slot, O.ackCount)).toBe(65_535);
  });

  test('text is cut at its field, shorter text ends at its end, and the next field is untouched', () => {
    const { store } = LegStore.create(1);
    const slot = store.take();
    const bytes = Buffer.from('x'.repeat(200));
    store.setText(slot, O.reasonText, LEG_FIELDS.reasonText.text, bytes, 0, 200);
    store.setText(slot, O.callId, LEG_FIELDS.callId.text, bytes, 0, LEG_FIELDS.callId.text);
    store.setText(slot, O.peerAgent, LEG_FIELDS.peerAgent.text, bytes, 5, 3);
    const leg = store.read(slot);
    expect([leg.reasonText.length, leg.callId.length, leg.peerAgent]).toEqual([48, 64, 'xxx']);
    store.setText(slot, O.callId, LEG_FIELDS.callId.text, bytes, 0, 0);
    expect(store.read(slot).reasonText.length).toBe(48);
  });
});

test('take, done and drain, with worker and collector on views of their own, against a model', () => {
  const step = fc.constantFrom('take', 'take', 'take', 'done', 'done', 'drain', 'open');
  fc.assert(
    fc.property(fc.constantFrom(1, 2, 8), fc.array(step, { maxLength: 300 }), fc.nat(1000), (capacity, steps, salt) => {
      const { shared, store: collector } = LegStore.create(capacity);
      const worker = new LegStore(shared, capacity);
      const open = new Map<number, number>();
      const done: number[] = [];
      let serial = 0;
      for (const s of steps) {
        if (s === 'take') {
          const slot = worker.take();
          expect(slot >= 0).toBe(open.size + done.length < capacity);
          if (slot < 0) continue;
          expect(open.has(slot)).toBe(false);
          worker.setU32(slot, O.callNo, ++serial);
          worker.setU8(slot, O.outcome, 1);
          worker.setF64(slot, O.startedMs, serial);
          open.set(slot, serial);
        } else if (s === 'done' && open.size > 0) {
          const slots = [...open.keys()];
          const slot = slots[(serial + salt) % slots.length]!;
          worker.done(slot);
          done.push(open.get(slot)!);
          open.delete(slot);
        } else if (s === 'drain') {
          const got: number[] = [];
          expect(collector.drain((leg) => got.push(leg.callNo))).toBe(done.length);
          expect(got).toEqual(done.splice(0));
        } else if (s === 'open') {
          // Legs that are over and not drained yet are told from those that are still up.
          const got = { open: [] as number[], done: [] as number[] };
          collector.readOpen((leg) => (leg.outcome === OPEN ? got.open : got.done).push(leg.callNo));
          expect(got.open.sort()).toEqual([...open.values()].sort());
          expect(got.done.sort()).toEqual([...done].sort());
        }
      }
      const drained: number[] = [];
      collector.drain((leg) => drained.push(leg.callNo));
      expect(drained).toEqual(done);
      // What a dead worker left behind is still there.
      expect(collector.readOpen(() => undefined)).toBe(open.size);
    }),
    { numRuns: 300 },
  );
});

test('a leg that its worker took and had not begun when it was killed is none', () => {
  const { store } = LegStore.create(4);
  store.take();
  store.setF64(store.take(), O.startedMs, 5);
  const got: number[] = [];
  expect(store.readOpen((leg) => got.push(leg.startedMs))).toBe(1);
  expect(got).toEqual([5]);
});

test('a store of another size, or of no power of two, is refused', () => {
  const { shared } = LegStore.create(8);
  expect(() => new LegStore(shared, 16)).toThrow('size of a store');
  expect(() => LegStore.create(12)).toThrow('power of two');
});

test('records that wait as bytes come out as they were, in order, and once', () => {
  const { store } = LegStore.create(64);
  const log = new RecordLog<LegField, Leg>(LEG_LAYOUT);
  const wanted: Leg[] = [];
  const seen: number[] = [];
  // More than a chunk of 2,048.
  for (let n = 0; n < 5000; n++) {
    const slot = store.take();
    store.setU32(slot, LEG_OFFSETS.callNo, n);
    store.setF64(slot, LEG_OFFSETS.startedMs, n / 7);
    const id = Buffer.from(`call-${n}`);
    store.setText(slot, LEG_OFFSETS.callId, LEG_FIELDS.callId.text, id, 0, id.length);
    wanted.push(store.read(slot));
    store.done(slot);
    if (n % 50 === 49)
      expect(
        store.drainTo(log, (u8, at) => seen.push(new DataView(u8.buffer).getUint32(at + LEG_OFFSETS.callNo, true))),
      ).toBe(50);
  }
  expect(log.size).toBe(5000);
  const got: Leg[] = [];
  log.takeAll((leg) => got.push(leg));
  expect(got).toEqual(wanted);
  expect(seen).toEqual(wanted.map((leg) => leg.callNo));
  log.takeAll(() => expect.unreachable('taken twice'));
});
