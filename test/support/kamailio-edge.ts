import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';
import { findKamailio } from '../../harness/lab/kamailio/kamailio.js';

const CONFIG = fileURLToPath(new URL('../kamailio/edge.cfg', import.meta.url));
const live = new Set<ChildProcess>();
afterAll(() => {
  for (const child of live) child.kill('SIGKILL');
});

/** A second real Kamailio, in front of the registrar at `home`: an outbound proxy on UDP. Call what it returns to end it. */
export async function startEdge(host: string, home: string): Promise<() => Promise<void>> {
  const dir = mkdtempSync(join(tmpdir(), 'deadair-edge-'));
  const defines = { HOME: `"sip:${home}:5060"`, HOME_IP: `"${home}"` };
  const args = ['-f', CONFIG, '-DD', '-E', '-m', '64', '-Y', dir, '-l', `udp:${host}:5060`];
  const child = spawn(findKamailio()!, [...args, ...Object.entries(defines).flatMap(([k, v]) => ['-A', `${k}=${v}`])], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  live.add(child);
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-4096);
  });
  const stop = async (): Promise<void> => {
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await gone;
    live.delete(child);
    rmSync(dir, { recursive: true, force: true });
  };
  for (let i = 0; i < 100; i++) {
    if (child.exitCode !== null) throw new Error(`the edge ended at once: ${said}`);
    if (await answers(host)) return stop;
    await sleep(50);
  }
  await stop();
  throw new Error(`the edge does not answer: ${said}`);
}

/** Any answer to an OPTIONS, be it a refusal. */
function answers(host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    const done = (yes: boolean): void => {
      clearTimeout(timer);
      socket.close();
      resolve(yes);
    };
    const timer = setTimeout(() => done(false), 200);
    socket.once('message', () => done(true));
    socket.once('error', () => done(false));
    socket.bind(0, '127.0.0.1', () => {
      const at = `127.0.0.1:${socket.address().port}`;
      const lines = [
        `OPTIONS sip:${host} SIP/2.0`,
        `Via: SIP/2.0/UDP ${at};branch=z9hG4bK${at};rport`,
        ...['Max-Forwards: 9', 'From: <sip:a@b.test>;tag=1', 'To: <sip:b.test>', `Call-ID: ${at}`, 'CSeq: 1 OPTIONS'],
      ];
      socket.send(`${lines.join('\r\n')}\r\nContent-Length: 0\r\n\r\n`, 5060, host);
    });
  });
}
