/** Connections on real sockets: who opens them, what comes back over which, and what is told when they go. */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { DgramWire } from './dgram.js';
import { type StreamPort, StreamWire } from './stream.js';
import type { StreamPlan } from './stream-options.js';
import { ipFromString, ipToString } from './types.js';

const HERE = ipFromString(
  process.platform === 'linux' ? `127.${64 + ((process.pid >> 8) & 63)}.${process.pid & 255}.81` : '127.0.0.1',
);
const HOST = ipToString(HERE);

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0).reverse()) close();
});

interface End {
  wire: StreamWire;
  port: StreamPort;
  heard: string[];
  from: [ip: number, port: number][];
  lost: string[];
}

async function end(plan: Partial<StreamPlan> = {}): Promise<End> {
  const tls = { ca: null, verify: true, serverName: null };
  const listen = [{ ip: HERE, port: 0 }];
  const below = new DgramWire();
  const whole: StreamPlan = {
    ...{ transport: 'tcp', certificate: null, path: '/', keepAliveMs: 0, label: 't' },
    tls,
    listen,
    ...plan,
  };
  const wire = await StreamWire.open(whole, below);
  const made: Pick<End, 'heard' | 'from' | 'lost'> = { heard: [], from: [], lost: [] };
  const port = wire.bind(
    HERE,
    0,
    (bytes, off, len, ip, from) => {
      made.heard.push(Buffer.from(bytes.subarray(off, off + len)).toString());
      made.from.push([ip, from]);
    },
    (ip, to, why) => made.lost.push(`${ipToString(ip)}:${to} ${why}`),
  ) as StreamPort;
  const timer = setInterval(() => {
    wire.tick(wire.nowUs());
    wire.flush();
  }, 1);
  closers.push(() => {
    clearInterval(timer);
    wire.close();
    below.close();
  });
  return { wire, port, ...made };
}

function server(onSocket: (socket: Socket) => void): Promise<number> {
  return new Promise((resolve) => {
    const made: Server = createServer(onSocket).listen(0, HOST, () => {
      closers.push(() => made.close());
      resolve((made.address() as { port: number }).port);
    });
  });
}

async function until(done: () => boolean): Promise<void> {
  for (const end = performance.now() + 20_000; !done(); ) {
    if (performance.now() > end) throw new Error(`waited in vain for ${done}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

const text = (name: string, more = ''): string => `OPTIONS sip:${name} SIP/2.0\r\n${more}Content-Length: 0\r\n\r\n`;
const say = ({ port }: End, what: string, ip: number, to: number): void =>
  port.send(Buffer.from(what), 0, what.length, ip, to);

test('a message opens a connection, the next one uses it, and the answer comes back over it', async () => {
  const [a, b] = [await end(), await end()];
  say(a, text('one'), HERE, b.port.port);
  say(a, text('two'), HERE, b.port.port);
  await until(() => b.heard.length === 2);
  expect(b.heard).toEqual([text('one'), text('two')]);
  expect(b.from[0]).toEqual(b.from[1]);
  say(b, text('back'), ...b.from[0]!);
  await until(() => a.heard.length === 1);
  expect(a.from).toEqual([[HERE, b.port.port]]);
  expect(a.wire.counters).toMatchObject({ dialled: 1, connected: 1, accepted: 0, open: 1, sent: 2, received: 1 });
  expect(b.wire.counters).toMatchObject({ dialled: 0, accepted: 1, open: 1, sent: 1, received: 2 });
});

test('lanes are connections of their own', async () => {
  const [a, b] = [await end(), await end()];
  for (let lane = 0; lane < 3; lane++) {
    a.port.lane = lane;
    say(a, text(String(lane)), HERE, b.port.port);
  }
  await until(() => b.heard.length === 3);
  expect(new Set(b.from.map(([, port]) => port)).size).toBe(3);
  // What comes back says by its lane what it belongs to.
  for (const [ip, port] of b.from) say(b, text('back'), ip, port);
  await until(() => a.heard.length === 3);
  expect(a.wire.counters).toMatchObject({ dialled: 3, open: 3 });
});

test('refused, and told once: not within the send, but soon', async () => {
  const a = await end();
  const nobody = await server(() => undefined);
  closers.pop()!();
  say(a, text('x'), HERE, nobody);
  expect(a.lost).toEqual([]);
  await until(() => a.lost.length > 0);
  expect(a.lost).toEqual([`${HOST}:${nobody} refused`]);
  expect(a.wire.counters).toMatchObject({ dialled: 1, connected: 0, refused: 1, open: 0, connecting: 0 });
});

test('closed by the peer, then a new one for the next message', async () => {
  const a = await end();
  const sockets: Socket[] = [];
  const port = await server((socket) => sockets.push(socket));
  say(a, text('x'), HERE, port);
  await until(() => sockets.length === 1);
  sockets[0]!.end();
  await until(() => a.lost.length > 0);
  expect(a.lost).toEqual([`${HOST}:${port} closed`]);
  say(a, text('y'), HERE, port);
  await until(() => sockets.length === 2);
  expect(a.wire.counters).toMatchObject({ dialled: 2, redialled: 1 });
  sockets[1]!.resetAndDestroy();
  await until(() => a.lost.length > 1);
  expect(a.lost[1]).toBe(`${HOST}:${port} reset`);
  expect(a.wire.counters).toMatchObject({ dialled: 2, closed: 1, reset: 1, open: 0 });
});

test('a port that goes away cuts its connections and refuses new ones, until it comes back', async () => {
  const [a, b] = [await end(), await end()];
  say(a, text('x'), HERE, b.port.port);
  await until(() => b.heard.length === 1);
  b.port.setListening(false);
  await until(() => a.lost.length === 1);
  say(a, text('y'), HERE, b.port.port);
  await until(() => a.lost.length === 2);
  expect(a.lost[1]).toMatch(/ refused$/);
  const before = b.port.port;
  b.port.setListening(true);
  await until(() => b.port.listening);
  expect(b.port.port).toBe(before);
  say(a, text('z'), HERE, b.port.port);
  await until(() => b.heard.length === 2);
});

test('a ping is answered (RFC 5626 3.5.1), and a stream without Content-Length ends after what was answered', async () => {
  const b = await end();
  let got = '';
  let over = false;
  const socket = connect(b.port.port, HOST);
  closers.push(() => socket.destroy());
  socket.on('data', (chunk) => {
    got += chunk.toString();
  });
  socket.on('close', () => {
    over = true;
  });
  socket.write('\r\n\r\n');
  await until(() => got === '\r\n');
  const bad = 'OPTIONS sip:x SIP/2.0\r\nSubject: none\r\n\r\n';
  socket.write(bad + text('never heard'));
  await until(() => b.heard.length === 1);
  expect(b.heard).toEqual([bad]);
  await until(() => over);
  expect(b.wire.counters).toMatchObject({ noLength: 1, pings: 1, open: 0 });
});

test('a peer that answered a ping once and then no more is given up', async () => {
  const a = await end({ keepAliveMs: 1 });
  let pings = 0;
  const port = await server((socket) => {
    socket.on('data', (chunk) => {
      if (chunk.toString() === '\r\n\r\n' && pings++ === 0) socket.write('\r\n');
    });
  });
  say(a, text('x'), HERE, port);
  await until(() => a.wire.counters.pongs === 1);
  const answered = a.wire.counters.pings;
  await until(() => a.wire.counters.pings > answered);
  // The clock is a parameter: eleven seconds later.
  a.wire.tick(a.wire.nowUs() + 11_000_000);
  await until(() => a.lost.length === 1);
  expect(a.lost).toEqual([`${HOST}:${port} no pong`]);
  expect(a.wire.counters).toMatchObject({ pongTimeouts: 1, open: 0 });
});

test('a peer that reads nothing fills its queue and no more', async () => {
  const a = await end();
  const port = await server((socket) => socket.pause());
  const big = text('x', `Subject: ${'s'.repeat(15_000)}\r\n`);
  for (let i = 0; i < 3000 && a.wire.counters.sendDropped === 0; i++) {
    say(a, big, HERE, port);
    a.wire.flush();
    if (i % 16 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  }
  expect(a.wire.counters.sendDropped).toBe(1);
});

test('WebSocket: a message each way, whole; the client has a name instead of an address', async () => {
  const b = await end({ transport: 'ws' });
  const a = await end({ transport: 'ws', listen: [], label: 'phone' });
  expect([a.port.sentBy, a.port.port]).toEqual(['phone-0.invalid', 0]);
  // RFC 7118 5: no Content-Length is needed.
  const bare = 'OPTIONS sip:b SIP/2.0\r\n\r\nbody';
  say(a, bare, HERE, b.port.port);
  say(a, text('two'), HERE, b.port.port);
  await until(() => b.heard.length === 2);
  expect(b.heard).toEqual([bare, text('two')]);
  say(b, text('back'), ...b.from[0]!);
  await until(() => a.heard.length === 1);
  expect(a.wire.counters).toMatchObject({ dialled: 1, connected: 1, open: 1 });
});

test('WebSocket: without the sub-protocol sip there is no connection', async () => {
  const b = await end({ transport: 'ws' });
  const answer = await new Promise<string>((resolve) => {
    const socket = connect(b.port.port, HOST, () => {
      const key = Buffer.alloc(16).toString('base64');
      socket.write(
        `GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n\r\n`,
      );
    });
    socket.once('data', (chunk) => resolve(chunk.toString()));
    closers.push(() => socket.destroy());
  });
  expect(answer).toMatch(/^HTTP\/1\.1 400 /);
  expect(b.wire.counters).toMatchObject({ accepted: 0, webSocketFailed: 1 });
});

test('a port that is in use is said so', async () => {
  const b = await end();
  await expect(end({ listen: [{ ip: HERE, port: b.port.port }] })).rejects.toMatchObject({ code: 'PORT_IN_USE' });
});
