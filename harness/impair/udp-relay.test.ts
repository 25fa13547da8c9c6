import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { parseFault } from '../plan/fault.js';
import { type Address, type RelayReport, relayUdp } from './udp-relay.js';

async function bound(): Promise<{ socket: Socket; port: number }> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return { socket, port: socket.address().port };
}

/** Numbers from a client to a service through the relay, and every one of them back. */
async function through(faults: string[], packets: number, clientPort = 0) {
  const service = await bound();
  const arrived: number[] = [];
  service.socket.on('message', (m, from) => {
    arrived.push(m.readUInt32BE(0));
    service.socket.send(m, from.port, from.address);
  });
  const stop = new AbortController();
  let report: Promise<RelayReport> | undefined;
  const at = await new Promise<Address>((resolve, reject) => {
    report = relayUdp({
      listen: { host: '127.0.0.1', port: 0 },
      to: { host: '127.0.0.1', port: service.port },
      faults: faults.map((text) => parseFault(text)),
      ...{ seed: 7, durationMs: 20_000, signal: stop.signal, onListening: resolve },
    });
    report.catch(reject);
  });
  const client = createSocket('udp4');
  client.bind(clientPort, '127.0.0.1');
  await once(client, 'listening');
  const { port } = client.address();
  const back: number[] = [];
  client.on('message', (m) => back.push(m.readUInt32BE(0)));
  for (let i = 0; i < packets; i++) {
    const m = Buffer.alloc(172);
    m.writeUInt32BE(i);
    client.send(m, at.port, at.host);
    // A few at a time: what is lost has to be lost by the relay.
    if (i % 20 === 19) await sleep(1);
  }
  for (let quiet = 0, before = -1; quiet < 3; quiet = before === back.length ? quiet + 1 : 0) {
    before = back.length;
    await sleep(100);
  }
  stop.abort();
  client.close();
  service.socket.close();
  return { arrived, back, port, report: await report! };
}

test('without a fault it is a wire, and when it has ended its port is free', async () => {
  const { arrived, back, report } = await through([], 200);
  expect(arrived).toEqual(Array.from({ length: 200 }, (_, i) => i));
  expect(back).toEqual(arrived);
  expect(report).toMatchObject({ in: 200, out: 200, forwarded: 400, clients: 1, refused: 0, noRoom: 0, faults: [] });
});

test('the same seed loses the same packets of the same client', async () => {
  const fault = ['packet-loss@0s+60s,percent=20,burst=3,direction=in'];
  const first = await through(fault, 500);
  expect(first.arrived.length).toBeGreaterThan(300);
  expect(first.arrived.length).toBeLessThan(480);
  const again = await through(fault, 500, first.port);
  expect(again.arrived).toEqual(first.arrived);
  expect(first.report.faults[0]).toMatchObject({ seen: 500, hit: 500 - first.arrived.length, provenRemoved: true });
});

test('it ends by itself', async () => {
  const service = await bound();
  const report = await relayUdp({
    listen: { host: '127.0.0.1', port: 0 },
    to: { host: '127.0.0.1', port: service.port },
    faults: [parseFault('delay@0s+50ms,ms=10'), parseFault('delay@60m+1s')],
    ...{ seed: 1, durationMs: 200, signal: new AbortController().signal },
  });
  service.socket.close();
  expect(report.faults).toMatchObject([
    { kind: 'delay', provenRemoved: true },
    { appliedAtMs: null, removedAtMs: null },
  ]);
});

test('a port that is taken, and a fault that no relay can do, are said in one line', async () => {
  const taken = await bound();
  const plan = { listen: { host: '127.0.0.1', port: taken.port }, to: { host: '127.0.0.1', port: 9 } };
  const rest = { seed: 1, durationMs: 100, signal: new AbortController().signal };
  await expect(relayUdp({ ...plan, faults: [], ...rest })).rejects.toMatchObject({ code: 'PORT_IN_USE' });
  expect(() => relayUdp({ ...plan, faults: [parseFault('node-kill@0s+1s')], ...rest })).toThrow(
    /--fault node-kill: it is not done to datagrams; a relay does packet-loss/,
  );
  taken.socket.close();
});
