import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FRAME, FRAME_BYTES_MAX, FrameReader, f64Frame, frame, jsonFrame, protocolOf } from './frames.js';
import { RecordMirror } from './mirror.js';
import { LEG_BYTES, LEG_LAYOUT, LEG_OFFSETS, type Leg, type LegField } from './record.js';
import { RecordLog } from './record-reader.js';
import { LegStore } from './store.js';

const KINDS = Object.values(FRAME);

function read(chunks: readonly Uint8Array[]): [kind: number, payload: string][] {
  const out: [number, string][] = [];
  const reader = new FrameReader((kind, payload) => out.push([kind, payload.toString('hex')]));
  for (const chunk of chunks) reader.push(chunk);
  return out;
}

describe('frames', () => {
  it('come out as they went in, however the stream cuts them', () => {
    const frames = fc.array(fc.tuple(fc.constantFrom(...KINDS), fc.uint8Array({ maxLength: 40 })), { maxLength: 12 });
    fc.assert(
      fc.property(frames, fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 }), (sent, cuts) => {
        const bytes = Buffer.concat(sent.map(([kind, payload]) => frame(kind, payload)));
        const chunks: Uint8Array[] = [];
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const n = cuts[i % cuts.length]!;
          chunks.push(bytes.subarray(at, at + n));
          at += n;
        }
        expect(read(chunks)).toEqual(sent.map(([kind, payload]) => [kind, Buffer.from(payload).toString('hex')]));
      }),
    );
  });

  it('carry JSON and instants', () => {
    const out: Buffer[] = [];
    const reader = new FrameReader((_, payload) => out.push(payload));
    reader.push(Buffer.concat([jsonFrame(FRAME.GONE, { died: 'é' }), f64Frame(FRAME.GO, 123_456_789.25)]));
    expect(JSON.parse(out[0]!.toString())).toEqual({ died: 'é' });
    expect(out[1]!.readDoubleLE(0)).toBe(123_456_789.25);
  });

  it('of another kind or length end the stream at once', () => {
    const wrong = (length: number, kind: number): Buffer => {
      const b = Buffer.alloc(8);
      b.writeUInt32LE(length, 0);
      b[4] = kind;
      return b;
    };
    for (const [length, kind] of [
      [0, FRAME.GO],
      [FRAME_BYTES_MAX + 1, FRAME.GO],
      [1, 99],
    ] as const) {
      expect(() => read([wrong(length, kind)])).toThrow(/not a frame/);
    }
  });

  it('name their own version by what both sides have to read alike', () => {
    expect(protocolOf()).toMatch(/^[0-9a-f]{12}$/);
  });
});

describe('the mirror of a store', () => {
  it('gives finished records once, and open ones as of the last whole snapshot', () => {
    const { store } = LegStore.create(8);
    const slots = [1, 2, 3].map((callNo) => {
      const slot = store.take();
      store.setU32(slot, LEG_OFFSETS.callNo, callNo);
      store.setF64(slot, LEG_OFFSETS.startedMs, callNo * 10);
      return slot;
    });
    const never = store.take();
    expect(never).toBeGreaterThanOrEqual(0);
    store.setU8(slots[0]!, LEG_OFFSETS.outcome, 1);
    store.done(slots[0]!);

    const mirror = new RecordMirror<LegField, Leg>(LEG_LAYOUT);
    const look = (drained: boolean): void => {
      const finished: Uint8Array[] = [];
      if (drained) store.drainBytes((bytes) => finished.push(bytes.slice()));
      mirror.addFinished(Buffer.concat(finished));
      const open: Uint8Array[] = [];
      store.openBytes((bytes, done) => open.push(Uint8Array.of(done ? 1 : 0), bytes.slice()));
      mirror.addOpen(Buffer.concat(open));
    };
    const finished: number[] = [];
    const open: [number, number][] = [];
    const readAll = (): void => {
      finished.length = open.length = 0;
      const log = new RecordLog<LegField, Leg>(LEG_LAYOUT);
      mirror.drainTo(log);
      log.takeAll((leg) => finished.push(leg.callNo));
      mirror.readOpen((leg) => open.push([leg.callNo, leg.outcome]));
    };
    look(true);
    readAll();
    // The open ones of this look are not whole yet.
    expect([finished, open]).toEqual([[1], []]);
    mirror.snapshot();
    readAll();
    expect([finished, open]).toEqual([
      [],
      [
        [2, 0],
        [3, 0],
      ],
    ]);
    // One that ended, but was not handed over before the agents died: it is believed as it ended.
    store.setU8(slots[1]!, LEG_OFFSETS.outcome, 2);
    store.done(slots[1]!);
    look(false);
    mirror.snapshot();
    readAll();
    expect([finished, open]).toEqual([
      [],
      [
        [2, 2],
        [3, 0],
      ],
    ]);
    expect(LEG_BYTES % 8).toBe(0);
  });
});
