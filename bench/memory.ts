/** Bytes per call: the same process with N and with 2 N calls up, so that what does not grow with calls falls out. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { entryArgs } from '../harness/entry.js';
import { endsWithUs } from './children.js';
import { startEcho } from './echo.js';
import { ECHO_PORT, nextAddresses, SIP_PORT } from './net.js';
import { anyPeer } from './peer.js';
import { phonesProcess, startRegistrar, writeUsers } from './registrations.js';
import type { AgentTask, FootprintLine, RegisterTask } from './task.js';

export interface MemoryFigure {
  media: 'rtp' | 'none';
  calls: [number, number];
  /** Slope between the two, bytes a call. */
  rssPerCall: number;
  heapPerCall: number;
  /** With the larger number of calls, less the idle process, MB. */
  rssGrowthMb: number;
}

/** Every call is up at once for longer than it takes to read the memory. */
const SPARE_MS = 10_000;

export async function memoryFigure(
  media: 'rtp' | 'none',
  calls: [number, number],
  dir: string,
  sipp: boolean,
): Promise<MemoryFigure> {
  const few = await footprint(media, calls[0], dir, sipp);
  const many = await footprint(media, calls[1], dir, sipp);
  const more = calls[1] - calls[0];
  return {
    media,
    calls,
    rssPerCall: Math.round((many.loaded.rss - few.loaded.rss) / more),
    heapPerCall: Math.round((many.loaded.heap - few.loaded.heap) / more),
    rssGrowthMb: Math.round((many.loaded.rss - many.idle.rss) / 1e5) / 10,
  };
}

export interface PhoneFigure {
  phones: [number, number];
  /** Slope between the two numbers of phones, bytes a phone. */
  rssPerPhone: number;
  heapPerPhone: number;
  /** With the larger number, less the idle process, MB. */
  rssGrowthMb: number;
}

/** Bytes per phone that is registered and idle, all on one socket: so what a socket takes is not in it. */
export async function phoneFigure(phones: [number, number], rate: number, dir: string): Promise<PhoneFigure> {
  const [few, many] = [await idlePhones(phones[0], rate, dir), await idlePhones(phones[1], rate, dir)];
  const more = phones[1] - phones[0];
  return {
    phones,
    rssPerPhone: Math.round((many.loaded.rss - few.loaded.rss) / more),
    heapPerPhone: Math.round((many.loaded.heap - few.loaded.heap) / more),
    rssGrowthMb: Math.round((many.loaded.rss - many.idle.rss) / 1e5) / 10,
  };
}

async function idlePhones(phones: number, rate: number, dir: string): Promise<FootprintLine> {
  const at = nextAddresses();
  const users = writeUsers(dir, phones);
  const registrar = await startRegistrar(at, users);
  const where = { localIp: at.caller, targetIp: at.callee, targetPort: SIP_PORT };
  const task: RegisterTask = { ...where, users, phones, rate, phonesPerSocket: phones };
  try {
    const line = await phonesProcess<FootprintLine | null>('./phones-footprint', task, ['--expose-gc']);
    if (line === null || line.up !== phones) throw new Error(`only ${line?.up ?? 0} of ${phones} phones registered`);
    return line;
  } finally {
    registrar.kill('SIGKILL');
  }
}

async function footprint(media: 'rtp' | 'none', calls: number, dir: string, sipp: boolean): Promise<FootprintLine> {
  const at = nextAddresses();
  const rateCps = media === 'rtp' ? 400 : 1000;
  const echo = media === 'rtp' && sipp ? await startEcho(at.echo, ECHO_PORT) : null;
  const stopPeer = await anyPeer(at, dir, sipp, calls, media);
  const task: AgentTask = {
    localIp: at.caller,
    targetIp: at.callee,
    targetPort: SIP_PORT,
    calls,
    rateCps,
    holdMs: (calls / rateCps) * 1000 + SPARE_MS,
    maxCalls: calls,
    media,
    backend: 'auto',
  };
  try {
    const child = endsWithUs(
      spawn(process.execPath, ['--expose-gc', ...entryArgs('./footprint', import.meta.url), JSON.stringify(task)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      }),
    );
    let out = '';
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString();
    });
    await once(child, 'close');
    const line = JSON.parse(out) as FootprintLine | null;
    if (line === null || line.up !== calls) throw new Error(`only ${line?.up ?? 0} of ${calls} calls were up`);
    return line;
  } finally {
    await stopPeer();
    await echo?.stop();
  }
}
