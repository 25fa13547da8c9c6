import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { UdpDrops, udpSocketIn } from './udp-drops.js';

const TEXT = `   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
 3571: 0100007F:13C4 00000000:0000 07 00000000:00000300 00:00000000 00000000     0        0 69281 2 0000000000000000 17
 3571: 00000000:13C5 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 69282 2 0000000000000000 4
`;

describe('the receive buffer of a server on this machine', () => {
  it('is found by address, or as one that is bound to all', () => {
    expect(udpSocketIn(TEXT, 0x7f000001, 5060)).toEqual({ queuedBytes: 768, dropsTotal: 17 });
    expect(udpSocketIn(TEXT, 0x7f000001, 5061)).toEqual({ queuedBytes: 0, dropsTotal: 4 });
    expect(udpSocketIn(TEXT, 0x7f000002, 5060)).toBeNull();
    expect(new UdpDrops(0x7f000003, 1).read()).toBeNull();
  });

  it.runIf(process.platform === 'linux')('counts what a server that does not read loses', async () => {
    const [server, client] = [createSocket({ type: 'udp4', recvBufferSize: 4096 }), createSocket('udp4')];
    server.bind(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address();
    const drops = new UdpDrops(0x7f000001, port);
    expect(drops.read()?.dropsTotal).toBe(0);
    const datagram = Buffer.alloc(1400);
    const n = 400;
    // Sent in one go, before our event loop reads any of it.
    await new Promise<void>((done) => {
      let sent = 0;
      for (let i = 0; i < n; i++) {
        client.send(datagram, port, '127.0.0.1', () => {
          if (++sent === n) done();
        });
      }
    });
    expect(drops.read()?.dropsTotal).toBeGreaterThan(0);
    server.close();
    client.close();
  });
});
