import fc from 'fast-check';
import { expect, test } from 'vitest';
import { prng } from '../../harness/prng.js';
import type { Leg } from '../record.js';
import { LegStore } from '../store.js';
import { writeIdentity } from './identity.js';
import { RtpReceiver } from './receive.js';

interface Packet {
  seq: number;
  ts: number;
  atUs: number;
  ssrc?: number;
}

const T0_US = 5_000_000;

function receive(packets: readonly Packet[]): Leg {
  const { store } = LegStore.create(2);
  const slot = store.take();
  const receiver = new RtpReceiver(store, 2, T0_US);
  receiver.reset(1);
  const bytes = new Uint8Array(172);
  writeIdentity(bytes, 12, 160, 9, 1);
  bytes[0] = 0x80;
  const view = new DataView(bytes.buffer);
  for (const p of packets) {
    view.setUint16(2, p.seq & 0xffff);
    view.setUint32(4, p.ts >>> 0);
    view.setUint32(8, p.ssrc ?? 0xcafe);
    receiver.packet(1, store.at(slot), 9, 1, bytes, 0, 172, p.atUs);
  }
  return store.read(slot);
}

/** The same numbers with sets and sorting, one source. */
function reference(packets: readonly Packet[]) {
  const seen = new Set<number>();
  let max = Number.NEGATIVE_INFINITY;
  let duplicate = 0;
  let reordered = 0;
  let jitter = 0;
  let jitterMax = 0;
  let gap = 0;
  packets.forEach((p, n) => {
    if (seen.has(p.seq)) duplicate++;
    else if (p.seq < max) reordered++;
    seen.add(p.seq);
    max = Math.max(max, p.seq);
    const last = packets[n - 1];
    if (!last) return;
    const d = Math.abs(p.atUs - last.atUs - (p.ts - last.ts) * 125);
    jitter += (d - jitter) / 16;
    jitterMax = Math.max(jitterMax, jitter);
    gap = Math.max(gap, p.atUs - last.atUs);
  });
  let lost = 0;
  let events = 0;
  for (let s = Math.min(...seen); s < max; s++) {
    if (seen.has(s)) continue;
    lost++;
    if (seen.has(s - 1)) events++;
  }
  return {
    lost,
    events,
    duplicate,
    reordered,
    jitterMs: jitter / 1000,
    jitterMaxMs: jitterMax / 1000,
    gapMs: gap / 1000,
  };
}

/** A call through a bad network: bursts of loss, copies, and delays that let packets overtake. */
function badNetwork(seed: number, count: number, firstSeq: number): Packet[] {
  const chance = prng(seed);
  const loss = chance.next() * 0.3;
  const burst = chance.next();
  const copies = chance.next() * 0.1;
  const delayUs = chance.next() * 900_000;
  const out: Packet[] = [];
  let losing = false;
  for (let n = 0; n < count; n++) {
    losing = chance.next() < (losing ? burst : loss);
    if (losing) continue;
    const p = { seq: firstSeq + n, ts: n * 160 };
    out.push({ ...p, atUs: T0_US + n * 20_000 + chance.next() * delayUs });
    while (chance.next() < copies) out.push({ ...p, atUs: T0_US + n * 20_000 + chance.next() * delayUs });
  }
  return out.sort((a, b) => a.atUs - b.atUs);
}

test('loss, runs, order, copies, jitter and gap agree with a plain reference, through sequence wrap', () => {
  fc.assert(
    fc.property(fc.nat(), fc.integer({ min: 2, max: 600 }), fc.nat(65_535), (seed, count, firstSeq) => {
      const packets = badNetwork(seed, count, firstSeq);
      fc.pre(packets.length > 0);
      const leg = receive(packets);
      const want = reference(packets);
      expect(leg.rtpReceived).toBe(packets.length);
      expect(leg.rtpLost).toBe(want.lost);
      expect(leg.lossEvents).toBe(want.events);
      expect(leg.rtpDuplicate).toBe(want.duplicate);
      expect(leg.rtpReordered).toBe(want.reordered);
      expect(leg.jitterMs).toBeCloseTo(want.jitterMs, 6);
      expect(leg.jitterMaxMs).toBeCloseTo(want.jitterMaxMs, 6);
      expect(leg.maxGapMs).toBeCloseTo(want.gapMs, 6);
      expect(leg.heardPeer).toBe(packets.length);
      expect(leg.firstRtpMs).toBeCloseTo((packets[0]!.atUs - T0_US) / 1000, 6);
      expect(leg.lastRtpMs).toBeCloseTo((packets.at(-1)!.atUs - T0_US) / 1000, 6);
    }),
    { numRuns: 400 },
  );
});

function stream(from: number, count: number, atUs: number, ssrc: number, ts = from * 160): Packet[] {
  return Array.from({ length: count }, (_, n) => ({ seq: from + n, ts: ts + n * 160, atUs: atUs + n * 20_000, ssrc }));
}

test('an hour of one source wraps the sequence twice and loses nothing', () => {
  const leg = receive(stream(65_000, 180_000, T0_US, 1));
  expect(leg.rtpLost).toBe(0);
  expect(leg.lossEvents).toBe(0);
  expect(leg.rtpReceived).toBe(180_000);
});

test('a new SSRC starts anew and the old losses stay', () => {
  const first = stream(10, 50, T0_US, 1).filter((_, n) => n !== 20 && n !== 21);
  const second = stream(40_000, 50, T0_US + 1_000_000, 2, 77).filter((_, n) => n !== 9);
  const leg = receive([...first, ...second]);
  expect(leg.rtpReceived).toBe(97);
  expect(leg.rtpLost).toBe(3);
  expect(leg.lossEvents).toBe(2);
  expect(leg.rtpReordered).toBe(0);
  expect(leg.jitterMs).toBeCloseTo(0, 6);
});

test('a sender that restarts its sequence under the same SSRC is not 30,000 losses', () => {
  const leg = receive([...stream(60_000, 50, T0_US, 1), ...stream(30_000, 50, T0_US + 1_000_000, 1)]);
  expect(leg.rtpLost).toBe(0);
  expect(leg.rtpReceived).toBe(100);
});

test('two minutes of nothing are 6,000 losses in one run, though RFC 3550 would call it a restart', () => {
  const leg = receive([...stream(0, 50, T0_US, 1), ...stream(6_050, 50, T0_US + 6_050 * 20_000, 1)]);
  expect(leg.rtpLost).toBe(6_000);
  expect(leg.lossEvents).toBe(1);
  expect(leg.maxGapMs).toBeCloseTo(6_001 * 20, 6);
});

test('late is more than 60 ms above the least transit, until a longer route is learnt', () => {
  const steady = stream(0, 200, T0_US, 1);
  const slow = stream(200, 2_000, T0_US + 200 * 20_000 + 80_000, 1);
  expect(receive(steady).rtpLate).toBe(0);
  const late = receive([...steady, ...slow]).rtpLate;
  expect(late).toBeGreaterThan(100);
  expect(late).toBeLessThan(200);
  const near = stream(200, 2_000, T0_US + 200 * 20_000 + 55_000, 1);
  expect(receive([...steady, ...near]).rtpLate).toBe(0);
});
