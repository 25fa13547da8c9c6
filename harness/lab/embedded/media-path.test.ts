import { expect, test } from 'vitest';
import { Counters } from '../../../agents/counters.js';
import { ROLE } from '../../../agents/record.js';
import { MediaEngine } from '../../../agents/rtp/media.js';
import { LegStore } from '../../../agents/store.js';
import { behindGateway } from '../../../agents/wire/gateway.js';
import { LinuxWire } from '../../../agents/wire/linux.js';
import { runBlocking, runEvented } from '../../../agents/wire/loop.js';
import { openWire } from '../../../agents/wire/open.js';
import { ipFromString, type Wire } from '../../../agents/wire/types.js';
import { Nat } from './nat.js';
import { MediaRelay, SIDE } from './relay.js';

const PHONES = ipFromString('127.91.0.9');
const GATEWAY = ipFromString('127.91.0.1');
const PUBLIC = ipFromString('127.92.0.1');
const RELAY = ipFromString('127.93.0.2');
const CARRIER = ipFromString('127.94.0.1');

function engine(wire: Wire, ip: number, maxLegs: number) {
  const { store } = LegStore.create(64);
  const nowUs = wire.nowUs();
  const engine = new MediaEngine({
    store,
    counters: new Counters(),
    nowUs,
    maxLegs,
    t0Us: nowUs,
    ptimeMs: 20,
    rtcp: true,
    clockUs: () => wire.nowUs(),
  });
  engine.attach(wire.openMedia({ ip, portMin: 20_000, portMax: 20_999 }, engine.sink));
  return { store, engine };
}

test('phones behind a router and a relay hear their peers on real sockets; the eleventh call finds the table full', async () => {
  const CALLS = 11;
  const { wire } = openWire();
  // RTP only before 1 s (RTCP comes at the earliest then): one session for each call.
  const nat = new Nat({
    wire,
    gatewayIp: GATEWAY,
    gatewayPort: 21_080,
    publicIp: PUBLIC,
    portMin: 30_000,
    portMax: 30_999,
    config: { maxSessions: CALLS - 1, idleTimeoutMs: 30_000 },
  });
  const relay = new MediaRelay({
    wire,
    ip: RELAY,
    portMin: 24_000,
    ports: 64,
    isRoutable: (ip) => ip !== PHONES,
  });
  const phones = engine(behindGateway(wire, GATEWAY, 21_080), PHONES, CALLS);
  const carrier = engine(wire, CARRIER, CALLS);
  const slots: { phone: number; carrier: number }[] = [];
  for (let callNo = 0; callNo < CALLS; callNo++) {
    const session = relay.allocate()!;
    const a = phones.engine.open();
    const b = carrier.engine.open();
    session.setRemote(SIDE.A, PHONES, phones.engine.port(a));
    session.setRemote(SIDE.B, CARRIER, carrier.engine.port(b));
    const slot = { phone: phones.store.take(), carrier: carrier.store.take() };
    slots.push(slot);
    const common = { callNo, remoteIp: RELAY };
    const now = wire.nowUs();
    phones.engine.start(
      a,
      { ...common, slot: slot.phone, role: ROLE.CALLER, remotePort: session.portA, ssrc: 1 + callNo },
      now,
    );
    carrier.engine.start(
      b,
      { ...common, slot: slot.carrier, role: ROLE.CALLEE, remotePort: session.portB, ssrc: 100 + callNo },
      now,
    );
  }
  const stopAt = wire.nowUs() + 900_000;
  const actors = [phones.engine, carrier.engine, nat, relay];
  const over = (): boolean => wire.nowUs() > stopAt;
  if (wire instanceof LinuxWire) runBlocking(wire, actors, over);
  else await runEvented(wire, actors, over);
  wire.close();

  let dead = 0;
  for (const slot of slots) {
    const a = phones.store.read(slot.phone);
    const b = carrier.store.read(slot.carrier);
    expect(a.rtpSent).toBeGreaterThan(35);
    if (b.rtpReceived === 0) {
      dead++;
      // The relay never heard of this phone: so it hears nothing either.
      expect(a.rtpReceived).toBe(0);
      continue;
    }
    expect(b.heardPeer).toBe(b.rtpReceived);
    expect(a.heardPeer).toBe(a.rtpReceived);
    expect(b.rtpReceived).toBeGreaterThan(30);
    expect(a.rtpReceived).toBeGreaterThan(30);
  }
  expect(dead).toBe(1);
  expect(nat.metrics.sessions).toBe(CALLS - 1);
  expect(nat.metrics.refusedTotal).toBeGreaterThan(30);
});
