import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { STATE } from '../agents/control.js';
import type { FleetPlan } from '../agents/fleet.js';
import { type Channel, FRAME, f64Frame, jsonFrame, protocolOf } from '../agents/frames.js';
import { LEG_LAYOUT, type Leg, type LegField, OUTCOMES } from '../agents/record.js';
import { RecordLog } from '../agents/record-reader.js';
import { ipFromString } from '../agents/wire/types.js';
import { monotonicUs } from '../harness/clock.js';
import { RemoteAgent } from '../harness/engine/remote.js';
import { letGo } from '../harness/engine/threads.js';
import { ownAddress } from './support/ports.js';

/** An agents' process as in a container, without the container: the same program, the same two streams. */
const AGENT = fileURLToPath(new URL('../dist/agents/agent.js', import.meta.url));
const live = new Set<ChildProcess>();
afterAll(() => {
  for (const child of live) child.kill('SIGKILL');
});

function agentProcess(name: string): { channel: Channel; child: ChildProcess } {
  if (!existsSync(AGENT)) throw new Error(`${AGENT} is not there: npm run build`);
  const child = spawn(process.execPath, [AGENT], { stdio: ['pipe', 'pipe', 'pipe'] });
  live.add(child);
  let words = '';
  child.stderr.on('data', (chunk: Buffer) => {
    words += chunk.toString();
  });
  child.stdin.on('error', () => undefined);
  const closed = new Promise<string>((resolve) => {
    child.on('close', (code) => {
      live.delete(child);
      resolve(words.trim() || `exit code ${code}`);
    });
  });
  const channel: Channel = {
    name,
    send: (bytes) => void child.stdin.write(bytes),
    onBytes: (take) => void child.stdout.on('data', take),
    closed,
    close: () => child.kill('SIGKILL'),
  };
  return { channel, child };
}

const callee = { ip: ipFromString(ownAddress(41)), port: 5060, maxCalls: 64 };
const CALLS = 20;
const arrivals = Float64Array.from({ length: CALLS }, (_, i) => i * 20);
const common = (worker: number): Omit<FleetPlan, 'callers' | 'callees'> => ({
  worker,
  seed: 7,
  salt: 0x1234 + worker,
  runTag: 'remote',
  maxCalls: 64,
  call: {
    ringMs: { kind: 'fixed', ms: 50 },
    holdMs: { kind: 'fixed', ms: 2_500 },
    patienceMs: 5_000,
    media: 'rtp',
    rtcp: true,
  },
});
const callers: FleetPlan = {
  ...common(0),
  callers: { ip: 0, gateway: null, hop: callee, domain: `${ownAddress(41)}:5060`, user: null, first: 0, stride: 1 },
  callees: null,
};
const work = (plan: FleetPlan) => ({ plan, media: 'auto' as const, legCapacity: 128, registrationCapacity: 0 });

async function pair() {
  const [a, b] = [agentProcess('callers'), agentProcess('callees')];
  const agents = [
    await RemoteAgent.open('callers', a.channel, work(callers), arrivals),
    await RemoteAgent.open(
      'callees',
      b.channel,
      work({ ...common(1), callers: null, callees: callee }),
      new Float64Array(0),
    ),
  ] as const;
  await letGo(agents, 500_000);
  await Promise.all(agents.map((agent) => agent.ready));
  return { agents, a, b };
}

function allLegs(agents: readonly RemoteAgent[], open: boolean): Leg[] {
  const legs: Leg[] = [];
  for (const agent of agents) {
    const log = new RecordLog<LegField, Leg>(LEG_LAYOUT);
    agent.legs.drainTo(log);
    log.takeAll((leg) => legs.push(leg));
    if (open) agent.legs.readOpen((leg) => legs.push(leg));
  }
  return legs;
}

describe('agents in a process of their own', () => {
  it('place and answer calls over frames, and every record of both ends comes once', async () => {
    const { agents } = await pair();
    const [caller] = agents;
    while (caller.counters.get('ended') < CALLS) await sleep(50);
    while (!agents.every((agent) => agent.state === STATE.IDLE)) await sleep(50);
    await Promise.all(agents.map((agent) => agent.stop()));
    const legs = allLegs(agents, true);
    expect(agents.map((agent) => agent.died)).toEqual([null, null]);
    expect(legs.length).toBe(2 * CALLS);
    expect(new Set(legs.map((leg) => `${leg.role} ${leg.callNo}`)).size).toBe(2 * CALLS);
    expect(legs.filter((leg) => OUTCOMES[leg.outcome] !== 'completed')).toEqual([]);
    for (const leg of legs) {
      expect(leg.heardPeer).toBeGreaterThan(100);
      expect(leg.heardOther + leg.heardForeign + leg.heardSelf).toBe(0);
    }
    expect(caller.counters.get('started')).toBe(CALLS);
  });

  it('that are killed leave their open calls as of a second ago', async () => {
    const { agents, a } = await pair();
    const [caller, answering] = agents;
    const open = (): number => caller.legs.readOpen(() => undefined);
    while (open() < 5) await sleep(20);
    a.child.kill('SIGKILL');
    while (caller.died === null) await sleep(20);
    const legs = allLegs([caller], true);
    expect(legs.length).toBeGreaterThanOrEqual(5);
    expect(legs.every((leg) => leg.callId !== '')).toBe(true);
    await answering.stop();
    await caller.stop();
  });

  it('end when whoever drives them is gone', async () => {
    const { channel, child } = agentProcess('callers');
    const agent = await RemoteAgent.open('callers', channel, work(callers), arrivals);
    child.stdin!.end();
    await channel.closed;
    expect(child.exitCode).toBe(0);
    expect(agent.died).not.toBeNull();
  });

  it('of another version, and on another clock, are refused', async () => {
    const answering = (frames: (take: (chunk: Uint8Array) => void) => void): Channel => ({
      name: 'agents',
      send: () => undefined,
      onBytes: (take) => frames(take),
      closed: new Promise<string>(() => undefined),
      close: () => undefined,
    });
    const hello = (protocol: string): Buffer => jsonFrame(FRAME.HELLO, { protocol, version: '0.0.1', node: 'v20' });
    const old = answering((take) => setImmediate(() => take(hello('older'))));
    await expect(RemoteAgent.open('x', old, work(callers), arrivals)).rejects.toThrow(
      /agents holds another deadair \(0\.0\.1\) than the one that runs here: build its image again/,
    );
    const elsewhere = answering((take) => {
      setImmediate(() => {
        take(hello(protocolOf()));
        setImmediate(() => take(f64Frame(FRAME.CLOCK, monotonicUs() - 3_600e6)));
      });
    });
    await expect(RemoteAgent.open('x', elsewhere, work(callers), arrivals)).rejects.toThrow(
      /its clock is -3600\.\d+ s off ours/,
    );
  });

  it('that cannot bind their port say so before the run', async () => {
    const [a, b] = [agentProcess('first'), agentProcess('second')];
    const plan = {
      ...common(1),
      callers: null,
      callees: { ip: ipFromString(ownAddress(42)), port: 5060, maxCalls: 64 },
    };
    const first = await RemoteAgent.open('first', a.channel, work(plan), new Float64Array(0));
    await letGo([first], 0);
    await first.ready;
    const second = await RemoteAgent.open('second', b.channel, work(plan), new Float64Array(0));
    await letGo([second], 0);
    await expect(second.ready).rejects.toThrow(expect.objectContaining({ code: 'PORT_IN_USE' }));
    await Promise.all([first.stop(), second.stop()]);
  });
});
