import type { FleetPlan } from '../agents/fleet.js';
import { ipFromString } from '../agents/wire/types.js';
import type { AgentTask } from './task.js';

/** Instants of evenly spaced arrivals, ms since t0, in memory that threads can share. */
export function evenArrivals({ calls, rateCps }: AgentTask): Float64Array<SharedArrayBuffer> {
  const arrivals = new Float64Array(new SharedArrayBuffer(calls * 8));
  for (let i = 0; i < calls; i++) arrivals[i] = (i * 1000) / rateCps;
  return arrivals;
}

/** Callers only, one worker: the other side is a SIPp. */
export function fleetPlanOf(task: AgentTask): FleetPlan {
  return {
    worker: 0,
    seed: 1,
    salt: process.pid & 0xffff,
    runTag: `bench${process.pid}`,
    maxCalls: task.maxCalls,
    call: {
      ringMs: { kind: 'fixed', ms: 0 },
      holdMs: { kind: 'fixed', ms: task.holdMs },
      patienceMs: 30_000,
      media: task.media,
      rtcp: false,
    },
    callers: {
      ip: ipFromString(task.localIp),
      gateway: null,
      hop: { ip: ipFromString(task.targetIp), port: task.targetPort },
      domain: `${task.targetIp}:${task.targetPort}`,
      user: 'service',
      first: 0,
      stride: 1,
    },
    callees: null,
  };
}
