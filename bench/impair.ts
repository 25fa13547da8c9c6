/**
 * What the relay's impairments are worth, seen from outside: 20,000 datagrams a row go over loopback through a `deadair
 * relay` process, and a receiver that knows nothing of it counts what arrives. Prints the table of docs/impairment.md:
 *
 *   node dist/bench/impair.js [packets] [packets a second]
 */
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { monotonicUs } from '../harness/clock.js';

const PACKETS = Number(process.argv[2] ?? 20_000);
const RATE = Number(process.argv[3] ?? 1_000);
const BYTES = 172;
const MAIN = fileURLToPath(new URL('../harness/cli/main.js', import.meta.url));

interface Seen {
  index: number;
  delayMs: number;
  atUs: number;
}

const mean = (x: readonly number[]): number => x.reduce((a, b) => a + b, 0) / x.length;
const sd = (x: readonly number[]): number => {
  const m = mean(x);
  return Math.sqrt(mean(x.map((v) => (v - m) ** 2)));
};
const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;

function loss(seen: readonly Seen[]): string {
  return `lost ${percent(1 - new Set(seen.map((p) => p.index)).size / PACKETS)}`;
}
function burst(seen: readonly Seen[]): string {
  const there = new Set(seen.map((p) => p.index));
  let lost = 0;
  let runs = 0;
  for (let i = 0; i < PACKETS; i++) {
    if (there.has(i)) continue;
    lost++;
    if (i === 0 || there.has(i - 1)) runs++;
  }
  return `${loss(seen)}, mean burst ${(lost / runs).toFixed(2)}`;
}
function delay(seen: readonly Seen[]): string {
  const d = seen.map((p) => p.delayMs);
  return `mean ${mean(d).toFixed(1)} ms, sd ${sd(d).toFixed(1)} ms`;
}
function late(seen: readonly Seen[]): number {
  let highest = -1;
  let n = 0;
  for (const { index } of seen) {
    if (index < highest) n++;
    else highest = index;
  }
  return n;
}
function rate(seen: readonly Seen[]): string {
  const seconds = (seen.at(-1)!.atUs - seen[0]!.atUs) / 1e6;
  const kbps = (seen.length * (BYTES + 28) * 8) / seconds / 1000;
  return `${kbps.toFixed(0)} kbit/s, ${loss(seen)}, longest wait ${Math.max(...seen.map((p) => p.delayMs)).toFixed(0)} ms`;
}

const ROWS: { asked: string; fault: string | null; see: (seen: readonly Seen[]) => string }[] = [
  { asked: 'nothing (the relay alone)', fault: null, see: (s) => `${loss(s)}, ${delay(s)}` },
  { asked: 'loss 5 %', fault: 'packet-loss@0s+10m,percent=5,direction=in', see: burst },
  { asked: 'loss 5 % in bursts of 4', fault: 'packet-loss@0s+10m,percent=5,burst=4,direction=in', see: burst },
  {
    asked: 'delay 80±40 ms, uniform (sd 23.1)',
    fault: 'delay@0s+10m,ms=80,jitterMs=40,order=free,direction=in',
    see: delay,
  },
  {
    asked: 'delay 80 ms, normal with sd 20',
    fault: 'delay@0s+10m,ms=80,jitterMs=20,distribution=normal,order=free,direction=in',
    see: delay,
  },
  {
    asked: 'reorder 5 %, by 3 packets',
    fault: 'reorder@0s+10m,percent=5,gap=3,direction=in',
    see: (s) => `late ${percent(late(s) / PACKETS)}, ${loss(s)}`,
  },
  {
    asked: 'duplicate 5 %',
    fault: 'duplicate@0s+10m,percent=5,direction=in',
    see: (s) => `twice ${percent((s.length - new Set(s.map((p) => p.index)).size) / PACKETS)}, ${loss(s)}`,
  },
  {
    asked: `bandwidth ${Math.round(RATE * 0.8)} kbit/s under ${((RATE * (BYTES + 28) * 8) / 1000).toFixed(0)}, queue 100 ms`,
    fault: `bandwidth@0s+10m,kbps=${Math.round(RATE * 0.8)},queueMs=100,direction=in`,
    see: rate,
  },
];

async function measure(fault: string | null): Promise<Seen[]> {
  const service = createSocket('udp4');
  service.bind(0, '127.0.0.1');
  await once(service, 'listening');
  service.setRecvBufferSize(8 << 20);
  const seen: Seen[] = [];
  service.on('message', (m) => {
    const atUs = monotonicUs();
    seen.push({ index: m.readUInt32BE(0), delayMs: (atUs - m.readDoubleBE(8)) / 1000, atUs });
  });
  const seconds = String(Math.ceil(PACKETS / RATE) + 30);
  const args = ['relay', '--to', `127.0.0.1:${service.address().port}`, '--for', seconds];
  const relay = spawn(process.execPath, [MAIN, ...args, ...(fault === null ? [] : ['--fault', fault])], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const port = await new Promise<number>((resolve, reject) => {
    relay.on('exit', (code) => reject(new Error(`the relay ended with ${code}`)));
    relay.stderr.on('data', (text: Buffer) => {
      const found = /relay: [\d.]+:(\d+) to/.exec(text.toString());
      if (found !== null) resolve(Number(found[1]));
    });
  });
  const client = createSocket('udp4');
  const message = Buffer.alloc(BYTES);
  const startUs = monotonicUs();
  for (let i = 0; i < PACKETS; ) {
    // As many as are due: the clock decides, not the timer.
    const due = Math.min(PACKETS, Math.floor(((monotonicUs() - startUs) * RATE) / 1e6));
    for (; i < due; i++) {
      message.writeUInt32BE(i, 0);
      message.writeDoubleBE(monotonicUs(), 8);
      client.send(Buffer.from(message), port, '127.0.0.1');
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  relay.removeAllListeners('exit');
  relay.kill('SIGTERM');
  client.close();
  service.close();
  return seen;
}

process.stdout.write(`| asked | seen over ${PACKETS} packets |\n| --- | --- |\n`);
for (const { asked, fault, see } of ROWS) process.stdout.write(`| ${asked} | ${see(await measure(fault))} |\n`);
