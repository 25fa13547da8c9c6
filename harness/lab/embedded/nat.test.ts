import { expect, test } from 'vitest';
import { behindGateway } from '../../../agents/wire/gateway.js';
import { MemoryWorld } from '../../../agents/wire/memory.js';
import { ipFromString, type MediaSink, type Sink } from '../../../agents/wire/types.js';
import { Nat } from './nat.js';

const GATEWAY = ipFromString('127.10.0.1');
const LAN = ipFromString('127.10.0.9');
const PUBLIC = ipFromString('127.20.0.1');
const SERVER = ipFromString('127.30.0.1');

interface Got {
  text: string;
  srcIp: number;
  srcPort: number;
  atUs: number;
}

function collect(): { got: Got[]; sink: Sink; mediaSink: MediaSink } {
  const got: Got[] = [];
  const sink: Sink = (b, off, len, srcIp, srcPort, atUs) => {
    got.push({ text: Buffer.from(b.subarray(off, off + len)).toString(), srcIp, srcPort, atUs });
  };
  return { got, sink, mediaSink: (b, off, len, _port, ip, port, at) => sink(b, off, len, ip, port, at) };
}

function setup(config: { maxSessions?: number; idleTimeoutMs?: number } = {}) {
  const world = new MemoryWorld({ seed: 1 });
  const wire = world.wire('nat');
  const nat = new Nat({
    wire,
    gatewayIp: GATEWAY,
    gatewayPort: 1080,
    publicIp: PUBLIC,
    portMin: 10_000,
    portMax: 19_999,
    config: { maxSessions: 100, idleTimeoutMs: 30_000, ...config },
  });
  world.add(nat, wire);
  const inside = behindGateway(world.wire('phones'), GATEWAY, 1080);
  const server = collect();
  const serverPort = world.wire('server').bind(SERVER, 5060, server.sink);
  const run = (ms: number): void => world.runUntil(world.nowUs + ms * 1000);
  return { world, nat, inside, server, serverPort, run };
}

const text = (s: string): [Uint8Array, number, number] => [Buffer.from(s), 0, s.length];

test('out and back, with true sources on both sides', () => {
  const { inside, server, serverPort, run, nat } = setup();
  const phone = collect();
  const port = inside.bind(LAN, 5060, phone.sink);
  port.send(...text('hello'), SERVER, 5060);
  run(5);
  expect(server.got).toMatchObject([{ text: 'hello', srcIp: PUBLIC, srcPort: 10_000 }]);
  serverPort.send(...text('welcome'), PUBLIC, 10_000);
  run(5);
  expect(phone.got).toMatchObject([{ text: 'welcome', srcIp: SERVER, srcPort: 5060 }]);
  expect(nat.metrics).toMatchObject({ sessions: 1, refusedTotal: 0, noSessionTotal: 0 });
});

test('a datagram that did not come through the router does not arrive', () => {
  const { inside, serverPort, run } = setup();
  const phone = collect();
  inside.bind(LAN, 5060, phone.sink);
  serverPort.send(...text('\0\0\0\x01abcdefghij'), LAN, 5060);
  run(5);
  expect(phone.got).toEqual([]);
});

test('one public port per private one; RTP and RTCP stay neighbours; only who was spoken to may answer', () => {
  const { inside, server, world, run, nat } = setup();
  const phone = collect();
  const media = inside.openMedia({ ip: LAN, portMin: 40_000, portMax: 40_009 }, phone.mediaSink);
  const rtp = media.openPair();
  for (const [from, to] of [
    [rtp + 1, 5060],
    [rtp, 5060],
    [rtp, 5061],
  ] as const) {
    media.tx[media.slot()] = 0x41;
    media.commit(1, from, SERVER, to);
    run(5);
  }
  expect(server.got.map((g) => g.srcPort)).toEqual([10_001, 10_000]);
  expect(nat.metrics.sessions).toBe(3);
  const stranger = world.wire('stranger').bind(SERVER, 7_000, () => undefined);
  stranger.send(...text('psst'), PUBLIC, 10_000);
  run(5);
  expect(phone.got).toEqual([]);
  expect(nat.metrics.noSessionTotal).toBe(1);
});

test('exactly maxSessions flows pass; the next is refused until one has been idle for the timeout', () => {
  const { inside, server, run, nat } = setup({ maxSessions: 50, idleTimeoutMs: 2_000 });
  const ports = Array.from({ length: 51 }, (_, n) => inside.bind(LAN, 6_000 + 2 * n, () => undefined));
  for (const [n, port] of ports.entries()) port.send(...text(`${n}`), SERVER, 5060);
  run(5);
  expect(server.got.length).toBe(50);
  expect(nat.metrics).toMatchObject({ sessions: 50, sessionsMax: 50, refusedTotal: 1 });
  // All but one keep talking; the refused one keeps trying.
  for (let n = 0; n < 15; n++) {
    run(100);
    for (const port of ports.slice(1)) port.send(...text('x'), SERVER, 5060);
  }
  run(5);
  expect(nat.metrics).toMatchObject({ sessions: 50, expiredTotal: 0, refusedTotal: 16 });
  run(450);
  // 1,960 ms: one tenth of a second more is too much for the first.
  expect(nat.metrics.expiredTotal).toBe(0);
  run(100);
  expect(nat.metrics).toMatchObject({ sessions: 49, expiredTotal: 1 });
  server.got.length = 0;
  ports[50]!.send(...text('now'), SERVER, 5060);
  run(5);
  expect(server.got).toMatchObject([{ text: 'now' }]);
  expect(nat.metrics).toMatchObject({ sessions: 50, refusedTotal: 16 });
});

test('when a mapping expires its public port is free, and the same phone gets another one', () => {
  const { inside, server, serverPort, run, nat } = setup({ idleTimeoutMs: 1_000 });
  const phone = collect();
  const port = inside.bind(LAN, 5060, phone.sink);
  port.send(...text('one'), SERVER, 5060);
  run(1_010);
  expect(nat.metrics).toMatchObject({ sessions: 0, expiredTotal: 1 });
  serverPort.send(...text('late'), PUBLIC, 10_000);
  run(5);
  expect(phone.got).toEqual([]);
  port.send(...text('two'), SERVER, 5060);
  run(5);
  expect(server.got.map((g) => g.srcPort)).toEqual([10_000, 10_002]);
});

test('inbound traffic alone keeps a session alive, as conntrack does', () => {
  const { inside, serverPort, run, nat } = setup({ idleTimeoutMs: 1_000 });
  inside.bind(LAN, 5060, () => undefined).send(...text('one'), SERVER, 5060);
  for (let n = 0; n < 5; n++) {
    run(500);
    serverPort.send(...text('in'), PUBLIC, 10_000);
  }
  run(5);
  expect(nat.metrics).toMatchObject({ sessions: 1, expiredTotal: 0 });
});
