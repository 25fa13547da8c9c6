import { expect, test } from 'vitest';
import { FakePorts } from '../../test/support/fake-ports.js';
import { Counters, quantileUs } from '../counters.js';
import { ROLE } from '../record.js';
import { LegStore } from '../store.js';
import { MediaEngine } from './media.js';
import { PhaseWheel } from './wheel.js';

const A = 0x7f000002;
const B = 0x7f000003;
const T0 = 1_000_000_000;

/** One engine on fake ports; what it sends is handed to `to.sink` with `delayUs` on the way. */
function worker(ip: number, maxLegs: number, options: { rtcp?: boolean; clockUs?: () => number } = {}) {
  const { store } = LegStore.create(64);
  const counters = new Counters();
  const engine = new MediaEngine({
    store,
    counters,
    nowUs: T0,
    maxLegs,
    t0Us: T0,
    ptimeMs: 20,
    rtcp: options.rtcp ?? false,
    ...(options.clockUs ? { clockUs: options.clockUs } : {}),
  });
  const ports = new FakePorts(ip, 20_000, 20_199);
  engine.attach(ports);
  return { store, counters, engine, ports };
}

test('packets leave every 20 ms from the start, without drift, whatever the ticks do', () => {
  const { engine, ports, store, counters } = worker(A, 4);
  const leg = engine.open();
  const slot = store.take();
  engine.start(leg, { slot, callNo: 1, role: ROLE.CALLER, remoteIp: B, remotePort: 30_000, ssrc: 0xfeed }, T0 + 12_345);
  const at: number[] = [];
  let now = T0 + 12_345;
  for (let n = 0; n < 1_000; n++) {
    const before = ports.count;
    const next = engine.tick(now);
    for (let k = before; k < ports.count; k++) at.push(now);
    // The loop is always late, by up to 7 ms.
    now = next + ((n * 7919) % 7_000);
  }
  const offsets = at.map((us, n) => us - at[0]! - n * 20_000);
  expect(Math.max(...offsets)).toBeLessThan(7_000);
  expect(Math.min(...offsets)).toBeGreaterThan(-7_000);
  expect(at[0]! - (T0 + 12_345)).toBeLessThan(20_000);
  const leg1 = store.read(slot);
  expect(leg1.rtpSent).toBe(at.length);
  expect(leg1.rtpSendLate).toBe(0);
  expect(counters.get('rtpSent')).toBe(at.length);
  expect(quantileUs([counters.rtpLateness], 0.99)).toBeGreaterThan(6_000);
  const view = (n: number) => new DataView(ports.sent[n]!.bytes.buffer);
  expect(ports.sent[0]).toMatchObject({ srcPort: 20_000, dstIp: B, dstPort: 30_000 });
  expect(ports.sent[0]!.bytes.length).toBe(172);
  expect(view(0).getUint16(0)).toBe(0x8080);
  expect(view(1).getUint16(0)).toBe(0x8000);
  expect((view(900).getUint16(2) - view(0).getUint16(2)) & 0xffff).toBe(900);
  expect((view(900).getUint32(4) - view(0).getUint32(4)) >>> 0).toBe(900 * 160);
});

test('legs that start in one instant are spread over the 20 ms', () => {
  const { engine, ports, store } = worker(A, 40);
  const slot = store.take();
  for (let n = 0; n < 40; n++) {
    const leg = engine.open();
    engine.start(leg, { slot, callNo: n, role: 0, remoteIp: B, remotePort: 30_000 + 2 * n, ssrc: n + 1 }, T0);
  }
  let most = 0;
  for (let now = T0; now < T0 + 20_000; now += 500) {
    const before = ports.count;
    engine.tick(now);
    most = Math.max(most, ports.count - before);
  }
  expect(ports.count).toBe(40);
  // Two instants 10 ms apart in the period: twenty legs each, none more.
  expect(most).toBe(20);
});

test('a leg that starts while the wheel stands further on is not a period late', () => {
  const { engine, ports, store } = worker(A, 4);
  const first = engine.open();
  const second = engine.open();
  engine.start(first, { slot: store.take(), callNo: 1, role: 0, remoteIp: B, remotePort: 30_000, ssrc: 1 }, T0);
  expect(engine.tick(T0)).toBe(T0 + 20_000);
  engine.start(
    second,
    { slot: store.take(), callNo: 2, role: 0, remoteIp: B, remotePort: 30_002, ssrc: 2 },
    T0 + 4_000,
  );
  expect(engine.tick(T0 + 4_000)).toBe(T0 + 10_000);
  expect(engine.tick(T0 + 10_000)).toBe(T0 + 20_000);
  expect(ports.count).toBe(2);
});

test('a burst is 500 packets at most, and the period has no more instants than that takes', () => {
  const wheel = new PhaseWheel(16, 4_000);
  const used = (): number[] => [...wheel.counts].filter((n) => n > 0);
  for (let leg = 0; leg < 1_000; leg++) wheel.add(leg, 3);
  expect(used()).toEqual([500, 500]);
  for (let leg = 1_000; leg < 4_000; leg++) wheel.add(leg, 3);
  expect(used()).toEqual(new Array(8).fill(500));
  // Those that hang up leave room: one that calls later finds the emptiest instant.
  for (let leg = 0; leg < 3_999; leg++) wheel.remove(leg);
  wheel.add(0, 3);
  wheel.add(1, 3);
  expect(wheel.size).toBe(3);
  expect(Math.max(...wheel.counts)).toBe(1);
});

test('after a stall whole instants are skipped and counted, not sent in a burst', () => {
  const { engine, ports, store, counters } = worker(A, 4);
  const leg = engine.open();
  const slot = store.take();
  engine.start(leg, { slot, callNo: 1, role: 0, remoteIp: B, remotePort: 30_000, ssrc: 9 }, T0);
  engine.tick(T0);
  engine.tick(T0 + 150_000);
  expect(ports.count).toBe(1 + 7);
  expect(store.read(slot).rtpSendLate).toBe(6); // the seventh is 10 ms late, no more
  engine.tick(T0 + 1_150_000);
  expect(ports.count).toBe(8 + 1);
  expect(engine.skippedTotal).toBe(49);
  expect(store.read(slot).rtpSendLate).toBe(6 + 49);
  expect(counters.rtpLateness.reduce((a, n) => a + n, 0)).toBe(9 + 49);
  // Nothing is lost to the hearer: numbers go on, the clock of the audio jumps.
  const view = (n: number) => new DataView(ports.sent[n]!.bytes.buffer);
  expect((view(8).getUint16(2) - view(7).getUint16(2)) & 0xffff).toBe(1);
  expect((view(8).getUint32(4) - view(7).getUint32(4)) >>> 0).toBe(50 * 160);
});

test('two engines hear each other; RTCP gives the round trip and the loss that the peer saw', () => {
  const a = worker(A, 4, { rtcp: true });
  const b = worker(B, 4, { rtcp: true });
  const legA = a.engine.open();
  const legB = b.engine.open();
  const slotA = a.store.take();
  const slotB = b.store.take();
  a.engine.start(legA, { slot: slotA, callNo: 5, role: 0, remoteIp: B, remotePort: b.engine.port(legB), ssrc: 11 }, T0);
  b.engine.start(legB, { slot: slotB, callNo: 5, role: 1, remoteIp: A, remotePort: a.engine.port(legA), ssrc: 22 }, T0);
  const oneWayUs = 15_000;
  const inFlight: { at: number; deliver: () => void }[] = [];
  let n = 0;
  const carry = (from: typeof a, to: typeof a, now: number, loseEvery: number): void => {
    for (const p of from.ports.sent.splice(0)) {
      n++;
      if (loseEvery > 0 && p.dstPort % 2 === 0 && n % loseEvery === 0) continue;
      const at = now + oneWayUs;
      inFlight.push({
        at,
        deliver: () => to.engine.sink(p.bytes, 0, p.bytes.length, p.dstPort, from.ports.ip, p.srcPort, at),
      });
    }
  };
  for (let now = T0; now < T0 + 20_000_000; now += 1_000) {
    while (inFlight[0] && inFlight[0].at <= now) inFlight.shift()!.deliver();
    a.engine.tick(now);
    b.engine.tick(now);
    carry(a, b, now, 10);
    carry(b, a, now, 0);
  }
  a.engine.stop(legA, T0 + 20_000_000);
  expect(a.ports.sent.at(-1)!.bytes.subarray(-8, -6)).toEqual(new Uint8Array([0x81, 203]));
  b.engine.stop(legB, T0 + 20_000_000);
  const seenByA = a.store.read(slotA);
  const seenByB = b.store.read(slotB);
  expect(seenByA.rttMs).toBeGreaterThan(29);
  expect(seenByA.rttMs).toBeLessThan(31);
  expect(seenByB.rttMs).toBeGreaterThan(29);
  expect(seenByA.rtpLost).toBe(0);
  expect(seenByA.heardPeer).toBe(seenByA.rtpReceived);
  expect(seenByB.rtpLost).toBeGreaterThan(50);
  expect(seenByA.peerFractionLost).toBeGreaterThan(10);
  expect(seenByB.peerFractionLost).toBe(0);
  expect(seenByA.rtcpSent).toBeGreaterThanOrEqual(4);
  expect(seenByB.rtcpReceived).toBeGreaterThanOrEqual(3);
});

test('what comes before the start, after the stop, or is not RTP', () => {
  const { engine, ports, store } = worker(A, 1);
  const leg = engine.open();
  expect(engine.open()).toBe(-1);
  const port = engine.port(leg);
  const slot = store.take();
  const rtp = new Uint8Array(172).fill(0xff);
  rtp.set([0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1]);
  engine.sink(rtp, 0, 172, port, B, 1, T0);
  engine.start(leg, { slot, callNo: 1, role: 0, remoteIp: B, remotePort: 0, ssrc: 9 }, T0);
  engine.tick(T0 + 100_000);
  expect(ports.count).toBe(0);
  engine.sink(rtp, 0, 172, port, B, 1, T0);
  engine.sink(new Uint8Array(20), 0, 20, port, B, 1, T0);
  engine.sink(rtp, 0, 11, port, B, 1, T0);
  engine.setRemote(leg, B, 4_000);
  engine.tick(T0 + 200_000);
  expect(ports.count).toBeGreaterThan(0);
  engine.stop(leg, T0 + 200_000);
  engine.sink(rtp, 0, 172, port, B, 1, T0 + 300_000);
  expect(engine.tick(T0 + 400_000)).toBe(Number.POSITIVE_INFINITY);
  const record = store.read(slot);
  expect(record).toMatchObject({
    rtpReceived: 1,
    rtpSilence: 1,
    heardForeign: 2,
    mediaPort: port,
    remoteMediaPort: 4_000,
  });
  engine.close(leg);
  expect(ports.closed).toEqual([port]);
  expect(engine.open()).toBe(leg);
});
