import { describe, expect, it } from 'vitest';
import {
  goodCall,
  lose,
  type Pair,
  platformBye,
  refused,
  type SyntheticRun,
  setOutcome,
  unanswered,
} from './testing.js';
import { causes, deadCall, diagnosed, fullNat, run } from './testing-cases.js';

const END = 60_000;

describe('what drops a call after half a minute is one of four', () => {
  const nat = (tMs: number) => ({
    ...fullNat(0),
    sessions: 400,
    expired_total: tMs < 30_000 ? 0 : 40,
    no_session_total: tMs < 36_000 ? 0 : 40,
  });
  /** Nobody acknowledged the 200 that the PBX sent: it hung up both legs after 64*T1. */
  const unacknowledged = (callNo: number, atMs: number): Pair => {
    const pair = goodCall(callNo, atMs, 60_000);
    platformBye(pair, 32_000, 0);
    pair.caller.answerRetransmits = 10;
    return pair;
  };
  /** The callee hangs up after 16 s; its BYE never comes to the caller, which goes on until it has had enough. */
  const unheardBye = (callNo: number, atMs: number): Pair => {
    const pair = goodCall(callNo, atMs, 30_000);
    const { caller, callee } = pair;
    callee.byeMs = callee.endedMs = caller.answeredMs + 16_000;
    callee.rtpSent = caller.rtpReceived = caller.heardPeer = 800;
    caller.lastRtpMs = callee.lastRtpMs = callee.byeMs;
    setOutcome(callee, 'completed', 'us');
    caller.byeCode = 481;
    setOutcome(caller, 'bye-failed', 'us');
    return pair;
  };
  const expired = (callNo: number, atMs: number): Pair => {
    const pair = goodCall(callNo, atMs, 120_000);
    platformBye(pair, 60_000, 0);
    setOutcome(pair.callee, 'session-expired', 'timer');
    pair.callee.sessionExpiresS = 90;
    return pair;
  };

  it('no ACK, no audio for want of a NAT session, a forgotten mapping, a session that nobody refreshed', async () => {
    const kinds = [unacknowledged, deadCall, unheardBye, expired];
    const made = run(40, (callNo, atMs) => kinds[callNo % 4]!(callNo, atMs));
    made.calm(END * 2, ['nat']).telemetry('nat', END * 2, (t) => ({ ...nat(t), ...fullTable(t) }));
    expect(await causes(made)).toEqual({
      'no-ack': 10,
      'nat-table-full': 10,
      'nat-mapping-expired': 10,
      'session-expired': 10,
    });
  });
  const fullTable = (tMs: number) => ({ ...fullNat(tMs) });

  it('where nobody watches the router, what starved a call is not known, and no name is made up', async () => {
    const kinds = [unacknowledged, deadCall, unheardBye, expired];
    const made = run(40, (callNo, atMs) => kinds[callNo % 4]!(callNo, atMs)).calm(END * 2, ['nat']);
    expect(await causes(made)).toEqual({
      'no-ack': 10,
      'rtp-timeout': 10,
      'nat-mapping-expired': 10,
      'session-expired': 10,
    });
  });
});

describe('a platform that does not get the processor', () => {
  /** In clumps: a third of the packets, gaps of seconds, and no hole in the numbers. */
  const choppy = (callNo: number, atMs: number): Pair => {
    const pair = goodCall(callNo, atMs, 20_000);
    for (const leg of [pair.caller, pair.callee]) {
      leg.rtpReceived = leg.heardPeer = 300;
      leg.maxGapMs = 4_000;
    }
    return pair;
  };
  const busyHost = (tMs: number) => ({
    cpus: 2,
    busy_ms_total: 2 * tMs,
    idle_ms_total: 0,
    steal_ms_total: 0,
    running: 14,
  });
  const calmHost = (tMs: number) => ({ ...busyHost(tMs), busy_ms_total: tMs / 2, idle_ms_total: 1.5 * tMs });
  const waiting = (tMs: number) => ({ cpu_ms_total: 0.2 * tMs, wait_ms_total: 0.8 * tMs, throttled_ms_total: 0 });
  const throttled = (tMs: number) => ({ cpu_ms_total: 0.3 * tMs, wait_ms_total: 0, throttled_ms_total: 0.6 * tMs });
  const easy = (tMs: number) => ({ cpu_ms_total: 0.1 * tMs, wait_ms_total: 0.01 * tMs, throttled_ms_total: 0 });
  const on = (made: SyntheticRun, host: typeof busyHost, cpu: (t: number) => Record<string, number>): SyntheticRun =>
    made.calm(END).telemetry('host', END, host, 'host').telemetry('cpu', END, cpu, 'relay');

  it.each([
    ['its neighbours run', busyHost, waiting],
    ['its quota is used up', calmHost, throttled],
    ['the hypervisor takes it', (t: number) => ({ ...calmHost(t), steal_ms_total: 0.6 * t }), easy],
  ] as const)('since %s', async (_, host, cpu) => {
    expect(await causes(on(run(20, choppy), host, cpu))).toEqual({ 'cpu-starved': 20 });
  });

  it('is not named where it had all that it wanted, nor in a healthy run of a busy machine', async () => {
    expect(Object.keys(await causes(on(run(20, choppy), calmHost, easy)))).not.toContain('cpu-starved');
    expect(await causes(on(run(20, goodCall), busyHost, waiting))).toEqual({});
  });

  it('loses no even loss, with its gaps in the numbers, to a machine that is merely busy', async () => {
    const made = run(20, (callNo, atMs) => {
      const pair = goodCall(callNo, atMs);
      lose(pair.callee, 0.1);
      lose(pair.caller, 0.1);
      return pair;
    });
    expect(await causes(on(made, busyHost, waiting))).toEqual({ 'packet-loss': 20 });
  });
});

describe('a queue, a reload, a policy', () => {
  const givenUp = (callNo: number, atMs: number) =>
    unanswered(goodCall(callNo, atMs).caller, {
      outcome: 'cancelled',
      endedBy: 'us',
      endedMs: atMs + 8000,
      tryingMs: Number.NaN,
      ringingMs: Number.NaN,
      inviteRetransmits: 4,
    });
  const between = (tMs: number): boolean => tMs >= 20_000 && tMs <= 30_000;

  it('call records that wait at their limit, while threads are free', async () => {
    const cdr = (tMs: number) => ({ pending: between(tMs) ? 60 : 1, pending_max: 60, oldest_pending_ms: 9000 });
    const made = run(30, givenUp).calm(END, ['cdr']).telemetry('cdr', END, cdr);
    expect(await causes(made)).toEqual({ 'cdr-backlog': 30 });
    const long = run(30, givenUp).calm(END, ['cdr']);
    expect(await causes(long.telemetry('cdr', END, (t) => ({ ...cdr(t), pending_max: 10_000 })))).toEqual({
      unknown: 30,
    });
  });

  it('a node that loads its configuration', async () => {
    const node = (tMs: number) => ({
      calls: 20,
      threads_busy: 1,
      threads_max: 16,
      reloads_total: tMs < 20_000 ? 3 : 4,
      reloading: between(tMs) ? 1 : 0,
    });
    expect(await causes(run(30, givenUp).calm(END, ['node']).telemetry('node', END, node))).toEqual({
      'config-reload': 30,
    });
  });

  const capped = (callNo: number, atMs: number) => {
    const caller = refused(callNo, atMs, 486, 17);
    caller.reasonText = 'Tenant call limit';
    return caller;
  };
  const counts = (tMs: number) => ({ requests_total: tMs, no_node_total: 0, capped_total: tMs < 20_000 ? 0 : 30 });

  it("a tenant's limit is expected, and no bad call", async () => {
    const made = run(30, capped).calm(END, ['edge']).telemetry('edge', END, counts);
    const { findings, bad } = await diagnosed(made);
    expect(findings).toMatchObject([{ cause: 'tenant-cap', calls: 30, expected: true }]);
    expect(bad).toBe(0);
  });

  it('a called party that is busy itself is no limit, though another call met one', async () => {
    const made = run(30, (callNo, atMs) => {
      const pair = goodCall(callNo, atMs);
      for (const leg of [pair.caller, pair.callee]) {
        unanswered(leg, {
          outcome: 'rejected',
          endedBy: 'them',
          endedMs: atMs + 300,
          finalCode: 486,
          rejectedMs: atMs + 300,
        });
      }
      return pair;
    });
    made.add(capped(300, 20_000)).calm(END, ['edge']).telemetry('edge', END, counts);
    expect(await causes(made)).toEqual({ 'tenant-cap': 1 });
  });

  it('both at once: a limit that is expected, and a database that is not', async () => {
    const cdr = (tMs: number) => ({ pending: between(tMs) ? 60 : 1, pending_max: 60 });
    const made = run(30, (callNo, atMs) => (callNo % 2 === 0 ? givenUp(callNo, atMs) : capped(callNo, atMs)));
    made.calm(END, ['edge', 'cdr']).telemetry('edge', END, counts).telemetry('cdr', END, cdr);
    expect(await causes(made)).toEqual({ 'cdr-backlog': 15, 'tenant-cap': 15 });
  });
});
