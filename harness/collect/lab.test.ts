import { createServer as createHttp } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { AmiReader, AsteriskReader, rtpQuality } from './asterisk.js';
import { routerReadings } from './router.js';
import { readRelay, relayReadings } from './rtpengine.js';
import { EDGE_STATISTICS, readStatistics, TRUNK_STATISTICS } from './script-statistics.js';

const METRICS = `# HELP rtpengine_sessions Number of Sessions
# TYPE rtpengine_sessions gauge
rtpengine_sessions{type="own"} 6
rtpengine_sessions{type="foreign"} 1
rtpengine_packets_total{type="userspace"} 22841
rtpengine_packets_total{type="kernel"} 9
rtpengine_closed_sessions_total{reason="timeout"} 9
rtpengine_closed_sessions_total{reason="terminated"} 163
rtpengine_one_way_sessions_total 145
rtpengine_ports_used{name="access",address="10.213.20.11"} 12
rtpengine_ports_free{name="access",address="10.213.20.11"} 4988
`;

describe('readings of RTPengine', () => {
  it('are its series, summed over what they are split by, and nothing that it does not say', async () => {
    const expected = {
      calls: 6,
      packets_total: 22_850,
      closed_by_timeout_total: 9,
      one_way_total: 145,
      ports_used: 12,
      ports_max: 5000,
    };
    expect(relayReadings(METRICS)).toEqual(expected);
    const server = createHttp((request, response) => {
      response.statusCode = request.url === '/metrics' ? 200 : 404;
      response.end(METRICS);
    }).listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    expect(await readRelay('127.0.0.1', port)).toEqual(expected);
  });

  it('are not there when nobody answers', async () => {
    expect(await readRelay('127.0.0.1', 1)).toBeNull();
  });
});

describe('readings of a Kamailio', () => {
  it('are what its configuration counts, and its dialogs; not there when nobody answers, or nothing is counted', async () => {
    const server = createHttp((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => {
        body += chunk.toString();
      });
      request.on('end', () => {
        const { id, method } = JSON.parse(body) as { id: number; method: string };
        const lines = ['script:attempts = 70', 'script:refused_cps = 12', 'script:capped = 3'];
        const result = method === 'dlg.stats_active' ? { starting: 1, ongoing: 4, all: 5 } : lines;
        response.end(JSON.stringify({ jsonrpc: '2.0', id, result }));
      });
    }).listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    expect(await readStatistics('127.0.0.1', TRUNK_STATISTICS, port)).toEqual({
      attempts_total: 70,
      refused_cps_total: 12,
      calls: 5,
    });
    expect(await readStatistics('127.0.0.1', EDGE_STATISTICS, port)).toBeNull();
    expect(await readStatistics('127.0.0.1', TRUNK_STATISTICS, 1)).toBeNull();
  });
});

describe('readings of the router', () => {
  it('are sessions, the limit where there is one, and what it refused', () => {
    expect(routerReadings('{"sessions":41,"limit":40,"refusedPackets":7}\n')).toEqual({
      sessions: 41,
      sessions_max: 40,
      refused_total: 7,
    });
    expect(routerReadings('{"sessions":1,"limit":0,"refusedPackets":0}')).toEqual({ sessions: 1, refused_total: 0 });
    expect([routerReadings(null), routerReadings('sh: nft: not found')]).toEqual([null, null]);
  });
});

const QOS = 'ssrc=1;themssrc=2;lp=3;rxjitter=0.1;rxcount=1500;txjitter=0;txcount=1499;rlp=0;rtt=0.01';

describe('readings of Asterisk', () => {
  it('come from what each channel counted, told when it ends', async () => {
    expect(rtpQuality(QOS)).toMatchObject({ lp: 3, rxcount: 1500, txcount: 1499 });
    const said: Map<string, string>[] = [];
    const reader = new AmiReader((message) => said.push(message));
    for (const piece of ['Asterisk Call Manager/9\r\nResp', 'onse: Success\r', '\n\r\nEvent: X\r\n\r\n'])
      reader.push(piece);
    expect(said.map((m) => [...m])).toEqual([[['Response', 'Success']], [['Event', 'X']]]);
  });

  it('are none before it let us in, and none after it is gone', async () => {
    const server = createServer((socket) => {
      socket.write('Asterisk Call Manager/9.0.0\r\n');
      const reader = new AmiReader((m) => {
        const id = m.get('ActionID');
        if (m.get('Action') === 'Login') {
          socket.write(`Response: ${m.get('Secret') === 'right' ? 'Success' : 'Error'}\r\nActionID: ${id}\r\n\r\n`);
          socket.write(`Event: VarSet\r\nVariable: RTPAUDIOQOS\r\nValue: ${QOS}\r\n\r\n`);
          socket.write(`Event: VarSet\r\nVariable: OTHER\r\nValue: 1\r\n\r\n`);
        } else socket.write(`Response: Success\r\nActionID: ${id}\r\nCoreCurrentCalls: 7\r\n\r\n`);
      });
      socket.setEncoding('utf8').on('data', (text: string) => reader.push(text));
      socket.on('error', () => undefined);
    }).listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    const asterisk = new AsteriskReader('127.0.0.1', port, 'deadair', 'right');
    expect(asterisk.read()).toBeNull();
    while (asterisk.read()?.calls === undefined) await sleep(5);
    expect(asterisk.read()).toEqual({
      calls: 7,
      legs_total: 1,
      rtp_received_total: 1500,
      rtp_sent_total: 1499,
      rtp_lost_total: 3,
    });
    asterisk.close();
    expect(asterisk.read()).toBeNull();
    const refused = new AsteriskReader('127.0.0.1', port, 'deadair', 'wrong');
    await sleep(50);
    expect(refused.read()).toBeNull();
    refused.close();
  });
});
