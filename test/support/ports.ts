import { createSocket } from 'node:dgram';

/** An address in 127.0.0.0/8 that is this test process's own: test files run side by side, and so do their authors. */
export function ownAddress(n = 1): string {
  return `127.77.${1 + (process.pid % 250)}.${n}`;
}

/** A UDP port that is free now. */
export function freePort(host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
    socket.once('error', reject);
    socket.bind(0, host, () => {
      const { port } = socket.address();
      socket.close(() => resolve(port));
    });
  });
}
