import { describe, expect, it } from 'vitest';
import type { RunStore } from '../harness/collect/store.js';
import { runSimulated } from '../harness/engine/simulated.js';
import { parseFault } from '../harness/plan/fault.js';
import { checkEmbeddedFaults, EMBEDDED_FAULTS } from '../harness/plan/fault-embedded.js';
import type { RunPlan } from '../harness/plan/types.js';
import { MemoryRunStore, smallRun } from './support/small-run.js';

/** Thirty calls of two seconds with audio, a healthy platform of two nodes, and what is asked done to it. */
function play(faults: string[], change: (plan: RunPlan) => void = () => undefined, seed = 1) {
  const { plan } = smallRun(1);
  if (plan.target.kind !== 'embedded') throw new Error('small runs are on the embedded platform');
  plan.seed = seed;
  plan.faults = faults.map((text) => parseFault(text));
  plan.arrivals = [{ name: 'calls', durationMs: 3_000, fromCps: 10, toCps: 10 }];
  plan.drainMs = 60_000;
  plan.call = {
    ...{ ringMs: { kind: 'fixed', ms: 100 }, holdMs: { kind: 'fixed', ms: 2_000 }, patienceMs: 8_000 },
    ...{ media: 'rtp', rtcp: false },
  };
  Object.assign(plan.target.config, {
    nat: { enabled: true, maxSessions: 4096, idleTimeoutMs: 30_000, linkLoss: 0 },
    edge: { dispatch: 'round-robin' },
    nodes: 2,
    node: { threads: 16, inboxLimit: 1000, rtpTimeoutMs: 30_000 },
    relay: { ports: 400, onExhausted: 'reject' },
    trunks: [{ cps: 0, channels: 0 }],
    pacingCps: 0,
    cdr: { mode: 'queue', queueLimit: 1000 },
  } satisfies typeof plan.target.config);
  change(plan);
  checkEmbeddedFaults(plan.faults, plan.target.config, { register: false, called: false });
  const store = new MemoryRunStore();
  runSimulated(plan, store as unknown as RunStore, {});
  const legs = store.legs.filter((leg) => leg.role === 0);
  const last = (metric: string): number =>
    store.telemetry.filter((row) => row.metric === metric && !Number.isNaN(row.value)).at(-1)?.value ?? Number.NaN;
  return { store, legs, last, fault: store.faults[0]!, codes: legs.map((leg) => leg.finalCode) };
}

const mean = (x: number[]): number => x.reduce((a, b) => a + b, 0) / x.length;

describe('the embedded platform under', () => {
  const WITHIN = '@1s+1500ms';
  const EVERY: Record<string, string> = {
    'packet-loss': `${WITHIN},percent=30`,
    delay: `${WITHIN},ms=80,jitterMs=40`,
    jitter: `${WITHIN},ms=60`,
    reorder: `${WITHIN},percent=20`,
    duplicate: `${WITHIN},percent=20`,
    bandwidth: `${WITHIN},kbps=200`,
    partition: `${WITHIN},on=relay,peer=nat`,
    'one-way-partition': `${WITHIN},on=edge,direction=out`,
    'nat-table-limit': `${WITHIN},maxFlows=10`,
    'nat-mapping-timeout': `${WITHIN},seconds=0.5`,
    'nat-port-range': `${WITHIN},ports=8`,
    'rtp-port-exhaustion': `${WITHIN},leave=8`,
    'db-stall': WITHIN,
    'udp-receive-buffer': `${WITHIN},on=node,bytes=4096`,
    'node-pause': `${WITHIN},on=node`,
    'node-kill': WITHIN,
    'node-restart': '@1s,on=node',
    'config-reload': '@1s,on=node,tenants=10,msPerTenant=150',
    'trunk-cps-limit': `${WITHIN},cps=2`,
    'trunk-channel-limit': `${WITHIN},channels=3`,
    'trunk-reject': `${WITHIN},code=486`,
  };

  it('every fault that it knows: done at its instant, undone, and its parts seen to be as before', () => {
    const known = Object.keys(EMBEDDED_FAULTS).filter((kind) => kind !== 'registrar-outage');
    expect(Object.keys(EVERY).sort()).toEqual(known.sort());
    for (const [kind, rest] of Object.entries(EVERY)) {
      const { fault, legs } = play([kind + rest], (plan) => {
        plan.call.media = /packet|delay|jitter|reorder|duplicate|bandwidth|partition|nat/.test(kind) ? 'rtp' : 'none';
      });
      expect(fault).toMatchObject({ kind, intendedAtMs: 1000, appliedAtMs: 1000, provenRemoved: true });
      // A reload ends by itself, a restart at once; everything else when it was told to.
      const removedAt = kind === 'node-restart' ? 1000 : 2500;
      expect(Math.abs(fault.removedAtMs! - removedAt), kind).toBeLessThanOrEqual(10);
      expect(legs).toHaveLength(30);
    }
  });

  it('the same seed: the same calls, to the byte; another: others', () => {
    const faults = ['packet-loss@0s+4s,percent=20,burst=3', 'delay@1s+2s,ms=40,jitterMs=30', 'node-kill@1500ms+1s'];
    const once = play(faults).store.legs;
    expect(play(faults).store.legs).toEqual(once);
    expect(play(faults, undefined, 2).store.legs).not.toEqual(once);
  });

  it('loss on the access link: the callers and the called lose what was asked', () => {
    const { store } = play(['packet-loss@0s+10s,percent=20,what=rtp']);
    const lost = store.legs.map((leg) => 1 - leg.rtpReceived / 100);
    expect(mean(lost)).toBeGreaterThan(0.17);
    expect(mean(lost)).toBeLessThan(0.23);
  });

  it('loss of one method only: its requests are sent again, nothing else is', () => {
    const { store, last, fault } = play(['packet-loss@0s+10s,percent=50,method=BYE'], (plan) => {
      plan.call.media = 'none';
    });
    expect(fault.note).toMatch(/done to \d+ of \d+ packets/);
    expect(store.legs.every((leg) => leg.finalCode === 200)).toBe(true);
    expect(last('attempts_total')).toBe(30);
  });

  it('a ramp from nothing: the first second loses less than the last', () => {
    const early = play(['packet-loss@0s+1s,percent=0..40,ramp=1s,what=rtp']).fault.note;
    const late = play(['packet-loss@0s+2s,percent=0..40,ramp=1s,what=rtp']).fault.note;
    const share = (note: string): number => {
      const [, hit, seen] = /done to (\d+) of (\d+)/.exec(note)!;
      return Number(hit) / Number(seen);
    };
    expect(share(early)).toBeGreaterThan(0.1);
    expect(share(early)).toBeLessThan(share(late));
    expect(share(late)).toBeLessThan(0.4);
  });

  it('a trunk that refuses: with that code, for that long', () => {
    const { codes } = play(['trunk-reject@1s+1s,code=486'], (plan) => {
      plan.call.media = 'none';
    });
    expect(codes.filter((code) => code === 486)).toHaveLength(10);
    expect(codes.filter((code) => code === 200)).toHaveLength(20);
  });

  it('a node that is killed: its calls are unknown to the next process, the other node goes on', () => {
    const { store, last } = play(['node-kill@2500ms+500ms,on=node-1'], (plan) => {
      plan.call.media = 'none';
    });
    expect(last('starts_total')).toBeGreaterThanOrEqual(1);
    const ups = store.telemetry.filter((row) => row.metric === 'up' && row.instance === 'node-1');
    expect(ups.some((row) => row.value === 0)).toBe(true);
    expect(ups.at(-1)!.value).toBe(1);
    const stray = last('stray_in_dialog_total');
    expect(stray).toBeGreaterThan(3);
    expect(store.legs.filter((leg) => leg.role === 0 && leg.finalCode === 200).length).toBeGreaterThan(20);
    // Nothing that the dead process held is kept for ever.
    expect(last('ports_used')).toBe(0);
  });

  it('a node that is frozen: what came for it waits, and is answered when it goes on', () => {
    const { legs } = play(['node-pause@1s+1500ms,on=node'], (plan) => {
      plan.call.media = 'none';
    });
    expect(legs.every((leg) => leg.finalCode === 200)).toBe(true);
    const pdd = legs.map((leg) => leg.answeredMs - leg.startedMs);
    expect(Math.max(...pdd)).toBeGreaterThan(1_000);
  });

  it('a reload: slow, not lost; threads are all taken meanwhile', () => {
    const { store, legs } = play(['config-reload@1s,on=node,tenants=4,msPerTenant=300'], (plan) => {
      plan.call.media = 'none';
    });
    expect(legs.every((leg) => leg.finalCode === 200)).toBe(true);
    const busy = store.telemetry.filter((row) => row.metric === 'threads_busy' && row.tMs > 1000 && row.tMs < 2200);
    expect(Math.min(...busy.map((row) => row.value))).toBe(16);
    expect(store.telemetry.some((row) => row.metric === 'reloading' && row.value === 1)).toBe(true);
  });

  it('a mapping that is forgotten while a party is on hold: it comes back as another port, and one direction is dead', () => {
    const { last, legs } = play(['nat-mapping-timeout@0s+30s,seconds=1,refresh=out'], (plan) => {
      plan.call.holdMs = { kind: 'fixed', ms: 8_000 };
      plan.call.steps = [
        { at: 'answer+1s', by: 'callee', do: 'hold' },
        { at: 'answer+5s', by: 'callee', do: 'resume' },
      ];
    });
    expect(last('expired_total')).toBeGreaterThan(0);
    expect(last('no_session_total')).toBeGreaterThan(500);
    // The relay still sends to the port of old: the caller hears nothing for the last three seconds.
    expect(legs.every((leg) => leg.endedMs - leg.lastRtpMs > 2_500)).toBe(true);
  });

  it('two faults on one thing: the later one holds, and when both are over it is as it was', () => {
    const { store } = play(
      ['nat-table-limit@1s+2s,maxFlows=100', 'nat-table-limit@1500ms+500ms,maxFlows=10'],
      (plan) => {
        plan.call.media = 'none';
      },
    );
    const limit = (tMs: number): number =>
      store.telemetry.filter((row) => row.metric === 'sessions_max' && row.tMs <= tMs).at(-1)!.value;
    expect([500, 1400, 1900, 2400, 3400].map(limit)).toEqual([4096, 100, 10, 100, 4096]);
    expect(store.faults.every((fault) => fault.provenRemoved)).toBe(true);
  });
});

describe('refused, with one line', () => {
  const check = (text: string, change: (plan: RunPlan) => void = () => undefined): (() => unknown) => {
    return () => play([text], change);
  };
  it.each([
    ['cpu-limit@1s+1s', /--fault cpu-limit: is not done to the embedded platform, which has packet-loss, delay/],
    ['node-kill@1s+1s,on=node-3', /node-3: there are 2 of them/],
    ['node-kill@1s+1s,on=relay', /on=relay: on the embedded platform it is done to node/],
    ['partition@1s+1s,on=node-1,peer=mars', /mars: the embedded platform has nat, edge, node/],
    ['packet-loss@1s+1s,on=registrar', /registrar: there is none in this run/],
    ['db-stall@1s+1s,by=toxiproxy', /can be locked only/],
    ['packet-loss@1s+1s,backend=nft', /does its faults itself/],
    ['packet-loss@1s+1s,percent=95,burst=3', /one good datagram between bursts/],
  ])('%s', (text, why) => expect(check(text)).toThrow(why));

  it('a router where there is none', () => {
    const without = (plan: RunPlan): void => {
      if (plan.target.kind === 'embedded') plan.target.config.nat.enabled = false;
    };
    expect(check('nat-table-limit@1s+1s', without)).toThrow(/nat: there is none in this run/);
  });
});
