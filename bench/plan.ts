import type { FleetPlan } from '../agents/fleet.js';
import { ipFromString } from '../agents/wire/types.js';
import type { UserRow } from '../harness/plan/users.js';
import type { AgentTask, RegisterTask } from './task.js';

/** Instants of evenly spaced arrivals, ms since t0, in memory that threads can share. */
export function evenArrivals({ calls, rateCps }: AgentTask): Float64Array<SharedArrayBuffer> {
  const arrivals = new Float64Array(new SharedArrayBuffer(calls * 8));
  for (let i = 0; i < calls; i++) arrivals[i] = (i * 1000) / rateCps;
  return arrivals;
}

function basePlan(maxCalls: number, media: 'rtp' | 'none', holdMs: number): Omit<FleetPlan, 'callers' | 'callees'> {
  return {
    worker: 0,
    seed: BENCH_SEED,
    salt: process.pid & 0xffff,
    runTag: `bench${process.pid}`,
    maxCalls,
    call: {
      ringMs: { kind: 'fixed', ms: 0 },
      holdMs: { kind: 'fixed', ms: holdMs },
      patienceMs: 30_000,
      media,
      rtcp: false,
    },
  };
}

/** Callers only, one worker. */
export function callerPlan(task: AgentTask): FleetPlan {
  return {
    ...basePlan(task.maxCalls, task.media, task.holdMs),
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

/** Callees only, one worker. */
export function calleePlan(ip: string, port: number, maxCalls: number, media: 'rtp' | 'none'): FleetPlan {
  return { ...basePlan(maxCalls, media, 0), callers: null, callees: { ip: ipFromString(ip), port, maxCalls } };
}

/** Domains, so that a phone's realm is one of several. */
export const BENCH_TENANTS = 500;
export const BENCH_SEED = 1;

/** Phones that register once and then wait, one worker; their names and secrets are generated where there are no users. */
export function phonesPlan(task: RegisterTask, users: readonly UserRow[] | null): FleetPlan {
  const { phones, rate } = task;
  return {
    ...basePlan(1, 'none', 0),
    callers: null,
    callees: null,
    registrants: {
      plan: {
        phones,
        tenants: BENCH_TENANTS,
        phonesPerSocket: task.phonesPerSocket,
        expiresS: 3600,
        refreshMin: 0.5,
        refreshMax: 0.9,
        retry: { kind: 'fixed', ms: 5000 },
        waves: [{ name: 'boot', atMs: 0, overMs: (phones / rate) * 1000, order: 'shuffled', restart: true }],
      },
      users,
      ip: ipFromString(task.localIp),
      hop: { ip: ipFromString(task.targetIp), port: task.targetPort },
      first: 0,
      stride: 1,
      untilMs: 1e9,
    },
  };
}
