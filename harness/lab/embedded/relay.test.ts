import { expect, test } from 'vitest';
import { MemoryWorld } from '../../../agents/wire/memory.js';
import { ipFromString, type UdpPort } from '../../../agents/wire/types.js';
import { MediaRelay, SIDE } from './relay.js';

const RELAY = ipFromString('127.30.0.2');
const PRIVATE = ipFromString('127.10.0.9');
const PUBLIC = ipFromString('127.20.0.1');
const CARRIER = ipFromString('127.40.0.1');

function setup(ports = 16) {
  const world = new MemoryWorld({ seed: 1 });
  const relay = new MediaRelay({
    wire: world.wire('relay'),
    ip: RELAY,
    portMin: 10_000,
    ports,
    isRoutable: (ip) => ip >>> 16 !== PRIVATE >>> 16,
  });
  const got: string[] = [];
  const party = (ip: number, port: number): UdpPort =>
    world.wire(`${port}`).bind(ip, port, (b, off, len, _ip, srcPort) => {
      got.push(`${port} heard ${Buffer.from(b.subarray(off, off + len))} from ${srcPort}`);
    });
  const say = (who: UdpPort, what: string, port: number): void => {
    who.send(Buffer.from(what), 0, what.length, RELAY, port);
    world.runUntil(world.nowUs + 1_000);
  };
  return { world, relay, got, party, say };
}

test('a private address is not sent to before it is heard from, then the true source is', () => {
  const { relay, got, party, say } = setup();
  const session = relay.allocate()!;
  session.setRemote(SIDE.A, PRIVATE, 4_000);
  session.setRemote(SIDE.B, CARRIER, 6_000);
  const router = party(PUBLIC, 33_000);
  const carrier = party(CARRIER, 6_000);
  say(carrier, 'lost', session.port(SIDE.B));
  expect(got).toEqual([]);
  expect(relay.metrics.unroutableTotal).toBe(1);
  expect(session.isLatched(SIDE.A)).toBe(false);
  expect(session.lastRtpUs(SIDE.A)).toBeNaN();
  say(router, 'hello', session.port(SIDE.A));
  say(carrier, 'hi', session.port(SIDE.B));
  expect(got).toEqual([`6000 heard hello from ${session.portB}`, `33000 heard hi from ${session.portA}`]);
  expect([session.rtpCount(SIDE.A), session.rtpCount(SIDE.B)]).toEqual([1, 2]);
  expect(session.lastRtpUs(SIDE.A)).toBeGreaterThan(0);
  expect(relay.metrics).toMatchObject({ portsUsed: 4, portsMax: 16, allocFailedTotal: 0, forwardedTotal: 2 });
});

test('RTCP goes beside RTP and latches by itself', () => {
  const { relay, got, party, say } = setup();
  const session = relay.allocate()!;
  session.setRemote(SIDE.A, CARRIER, 6_000);
  session.setRemote(SIDE.B, CARRIER, 7_000);
  party(CARRIER, 6_001);
  say(party(CARRIER, 7_001), 'report', session.port(SIDE.B) + 1);
  expect(got).toEqual([`6001 heard report from ${session.portA + 1}`]);
  expect(session.rtpCount(SIDE.B)).toBe(0);
});

test('the first source is kept; another SDP address makes the side listen anew', () => {
  const { relay, got, party, say } = setup();
  const session = relay.allocate()!;
  session.setRemote(SIDE.A, PRIVATE, 4_000);
  const carrier = party(CARRIER, 6_000);
  session.setRemote(SIDE.B, CARRIER, 6_000);
  const first = party(PUBLIC, 33_000);
  const second = party(PUBLIC, 33_002);
  say(first, 'a', session.portA);
  say(second, 'b', session.portA);
  session.setRemote(SIDE.A, PRIVATE, 4_000);
  got.length = 0;
  say(carrier, 'c', session.portB);
  expect(got).toEqual([`33000 heard c from ${session.portA}`]);
  session.setRemote(SIDE.A, PRIVATE, 4_444);
  say(second, 'd', session.portA);
  say(carrier, 'e', session.portB);
  expect(got.at(-1)).toBe(`33002 heard e from ${session.portA}`);
});

test('sixteen ports carry exactly four calls; a port that was freed comes back last', () => {
  const { relay, party, say } = setup(16);
  const sessions = Array.from({ length: 4 }, () => relay.allocate()!);
  expect(sessions.every((s) => s !== null)).toBe(true);
  expect(relay.allocate()).toBeNull();
  expect(relay.metrics).toMatchObject({ portsUsed: 16, allocFailedTotal: 1 });
  const [first, second] = sessions as [(typeof sessions)[0], (typeof sessions)[0]];
  first.release();
  first.release();
  second.release();
  expect(relay.metrics.portsUsed).toBe(8);
  say(party(PUBLIC, 33_000), 'late', first.portA);
  expect(relay.metrics.forwardedTotal).toBe(0);
  expect(first.rtpCount(SIDE.A)).toBe(0);
  const again = relay.allocate()!;
  expect([again.portA, again.portB]).toEqual([first.portA, first.portB]);
  expect(again.isLatched(SIDE.A)).toBe(false);
});
