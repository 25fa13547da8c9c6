/**
 * RTP packets in and out per CPU-second of the generator: N calls of G.711 with a SIPp that answers and an echo that sends
 * every packet back. The figures are of a window in which all calls are up. CPU is the generator's process only. What
 * it sent is what arrived at the echo; what it received is what came back less what the kernel dropped at its sockets.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { monotonicUs } from '../harness/clock.js';
import { startAgent } from './child.js';
import { type Echo, startEcho } from './echo.js';
import { type Addresses, ECHO_PORT, nextAddresses, SIP_PORT } from './net.js';
import { ownPeer, sippPeer } from './peer.js';
import { cpuOf, udpDrops } from './proc.js';
import { ended, startSipp, stopSipp } from './sipp.js';
import type { Lateness, MediaCount } from './task.js';

export type MediaGenerator = 'deadair raw' | 'deadair sockets' | 'sipp rtp_stream';

export interface MediaLoad {
  legs: number;
  seconds: number;
}

export interface MediaTrial {
  generator: MediaGenerator;
  legs: number;
  sent: number;
  received: number;
  cpuS: number;
  wallS: number;
  packetsPerCpuSecond: number;
  /** Sent of what 50 packets a second and leg would be. */
  pace: number;
  /** Sends of the window against their instants; null where the generator does not tell. */
  latenessMs: Lateness | null;
}

const RATE_CPS = 200;
/** After the last answer: first packets are sent, compilers are done. */
const SETTLE_MS = 2_000;
const SPARE_MS = 4_000;
/** The scenario names this file: G.711 u-law bytes, which SIPp cuts in frames of 20 ms. */
const AUDIO_FILE = 'audio.raw';
const AUDIO_BYTES = 8_000 * 10;

export async function mediaTrial(generator: MediaGenerator, load: MediaLoad, dir: string): Promise<MediaTrial> {
  const at = nextAddresses();
  const echo = await startEcho(at.echo, ECHO_PORT);
  const uas = await sippPeer(at, dir);
  try {
    return await (generator === 'sipp rtp_stream'
      ? sippMedia(at, load, dir, echo)
      : ourMedia(generator, at, load, echo));
  } finally {
    await stopSipp(uas);
    await echo.stop();
  }
}

/** Where there is no SIPp: our own callees answer, and speak instead of an echo. Both counts are then our own. */
export async function mediaTrialAlone(generator: MediaGenerator, load: MediaLoad): Promise<MediaTrial> {
  const at = nextAddresses();
  const stop = await ownPeer(at, load.legs, 'rtp');
  try {
    return await ourMedia(generator, at, load, null);
  } finally {
    await stop();
  }
}

/** Calls last until the last one has been up for the whole window. */
function holdMs({ legs, seconds }: MediaLoad): number {
  return (legs / RATE_CPS) * 1000 + SETTLE_MS + seconds * 1000 + SPARE_MS;
}

interface Reading {
  cpuS: number;
  us: number;
  sent: number;
  received: number;
  latenessMs: Lateness | null;
}

async function windowOf(pid: number, load: MediaLoad, read: () => Promise<MediaCount>): Promise<[Reading, Reading]> {
  const reading = async (): Promise<Reading> => {
    const { rtpSent: sent, rtpReceived: received, latenessMs } = await read();
    return { cpuS: cpuOf(String(pid)), us: monotonicUs(), sent, received, latenessMs };
  };
  const from = await reading();
  await sleep(load.seconds * 1000);
  return [from, await reading()];
}

function trialOf(generator: MediaGenerator, legs: number, [from, to]: [Reading, Reading]): MediaTrial {
  const cpuS = to.cpuS - from.cpuS;
  const wallS = (to.us - from.us) / 1e6;
  const sent = to.sent - from.sent;
  const received = to.received - from.received;
  return {
    generator,
    legs,
    sent,
    received,
    cpuS,
    wallS,
    packetsPerCpuSecond: Math.round((sent + received) / cpuS),
    pace: sent / (legs * 50 * wallS),
    latenessMs: to.latenessMs,
  };
}

async function ourMedia(
  generator: MediaGenerator,
  at: Addresses,
  load: MediaLoad,
  echo: Echo | null,
): Promise<MediaTrial> {
  const agent = startAgent({
    localIp: at.caller,
    targetIp: at.callee,
    targetPort: SIP_PORT,
    calls: load.legs,
    rateCps: RATE_CPS,
    holdMs: holdMs(load),
    maxCalls: load.legs,
    media: 'rtp',
    backend: generator === 'deadair raw' ? 'raw' : 'sockets',
  });
  await agent.up;
  await sleep(SETTLE_MS);
  // Received by its own count: a raw socket's drops are not in /proc/net/udp. Sent by the echo's, as with SIPp.
  const read = async (): Promise<MediaCount> => {
    const count = await agent.count();
    return echo === null ? count : { ...count, rtpSent: echo.counts().arrived };
  };
  const trial = trialOf(generator, load.legs, await windowOf(agent.child.pid!, load, read));
  await agent.done;
  return trial;
}

async function sippMedia(at: Addresses, load: MediaLoad, dir: string, echo: Echo): Promise<MediaTrial> {
  writeFileSync(join(dir, AUDIO_FILE), Buffer.alloc(AUDIO_BYTES, 0xd5));
  const uac = startSipp('uac-rtp.xml', 'uac-rtp', dir, [
    ...[`${at.callee}:${SIP_PORT}`, '-i', at.caller, '-mi', at.caller, '-p', String(SIP_PORT)],
    ...['-r', String(RATE_CPS), '-m', String(load.legs), '-l', String(load.legs), '-d', String(holdMs(load))],
  ]);
  await sleep((load.legs / RATE_CPS) * 1000 + 500 + SETTLE_MS);
  const read = async (): Promise<MediaCount> => {
    const { arrived, sentBack } = echo.counts();
    return { rtpSent: arrived, rtpReceived: sentBack - udpDrops(at.caller), latenessMs: null };
  };
  const trial = trialOf('sipp rtp_stream', load.legs, await windowOf(uac.child.pid!, load, read));
  await ended(uac, SPARE_MS + 30_000);
  return trial;
}
