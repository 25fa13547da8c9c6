/** Who answers: SIPp with a scenario of ours, or, where there is none, a thread of our own callees. */
import { setTimeout as sleep } from 'node:timers/promises';
import { COMMAND } from '../agents/control.js';
import { Counters } from '../agents/counters.js';
import { LegStore } from '../agents/store.js';
import type { AgentsData } from '../agents/worker.js';
import { monotonicUs } from '../harness/clock.js';
import { legCapacity } from '../harness/engine/gather.js';
import { Thread } from '../harness/engine/threads.js';
import { type Addresses, ECHO_PORT, SIP_PORT } from './net.js';
import { calleePlan } from './plan.js';
import { type Sipp, startSipp, stopSipp } from './sipp.js';

/** Time for the sockets to be bound. */
const BIND_MS = 500;

/** Asks for audio at the echo's address. */
export async function sippPeer(at: Addresses, dir: string): Promise<Sipp> {
  const sipp = startSipp('uas.xml', 'uas', dir, [
    ...['-i', at.callee, '-p', String(SIP_PORT), '-key', 'echo_ip', at.echo, '-key', 'echo_port', String(ECHO_PORT)],
  ]);
  await sleep(BIND_MS);
  return sipp;
}

/** Answers in this process; with audio it speaks as well as it listens. Returns how to end it. */
export async function ownPeer(at: Addresses, calls: number, media: 'rtp' | 'none'): Promise<() => Promise<void>> {
  const capacity = legCapacity(calls, 1);
  const data = {
    plan: calleePlan(at.callee, SIP_PORT, calls, media),
    arrivals: new SharedArrayBuffer(0),
    legs: LegStore.create(capacity).shared,
    legCapacity: capacity,
    registrations: null,
    counters: new Counters().shared,
    media: 'auto',
  } satisfies Omit<AgentsData, 'control'>;
  const thread = new Thread('peer', { file: '../agents/worker', from: import.meta.url }, data);
  while (!thread.loaded) await sleep(5);
  thread.control.t0Us = monotonicUs();
  thread.control.command = COMMAND.GO;
  await thread.ready;
  return () => thread.stop();
}

/** SIPp where there is one. */
export async function anyPeer(
  at: Addresses,
  dir: string,
  sipp: boolean,
  calls: number,
  media: 'rtp' | 'none',
): Promise<() => Promise<void>> {
  if (!sipp) return ownPeer(at, calls, media);
  const peer = await sippPeer(at, dir);
  return () => stopSipp(peer);
}
