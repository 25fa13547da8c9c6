import { describe, expect, it } from 'vitest';
import { METHOD_NAMES } from '../collect/legs.js';
import {
  deafen,
  goodCall,
  lose,
  type Pair,
  platformBye,
  refused,
  SyntheticRun,
  setOutcome,
  unanswered,
} from './testing.js';
import { causes, deadCall, fullNat, run } from './testing-cases.js';

const END = 60_000;

const emptyRelay = (tMs: number) => ({
  ports_used: 400,
  ports_max: 400,
  alloc_failed_total: tMs < 20_000 ? 0 : tMs / 1000 - 19,
  unanchored_total: tMs < 20_000 ? 0 : tMs / 1000 - 19,
});

describe('no cause without a bad call', () => {
  it('a healthy run', async () => {
    expect(await causes(run(20, goodCall).calm(END))).toEqual({});
  });

  it('busy, wrong number and no answer are users, not the platform', async () => {
    const made = run(50, goodCall).calm(END);
    made.add(refused(300, 21_000, 486, 17), refused(301, 22_000, 404, 1), refused(302, 23_000, 603));
    const unheard = goodCall(303, 24_000);
    unanswered(unheard.caller, { outcome: 'cancelled', endedBy: 'us', endedMs: 40_000 });
    unanswered(unheard.callee, { outcome: 'cancelled-by-peer', endedBy: 'them', endedMs: 40_000 });
    expect(await causes(made.addPair(unheard))).toEqual({});
  });

  it('a callee of ours that hangs up early meant it', async () => {
    const pair = goodCall(400, 20_000);
    setOutcome(pair.caller, 'dropped', 'them');
    setOutcome(pair.callee, 'completed', 'us');
    expect(await causes(run(5, goodCall).addPair(pair).calm(END))).toEqual({});
  });

  it('an empty run', async () => {
    expect(await causes(new SyntheticRun())).toEqual({});
  });
});

describe('dead air has three look-alikes', () => {
  it('the NAT table was full', async () => {
    const made = run(30, deadCall).calm(END, ['nat']).telemetry('nat', END, fullNat);
    expect(await causes(made)).toEqual({ 'nat-table-full': 30 });
  });

  it('the relay had no port and passed the SDP on', async () => {
    const made = run(30, (callNo, atMs) => {
      const pair = goodCall(callNo, atMs, 12_000);
      pair.caller.remoteMediaPort = pair.callee.mediaPort;
      pair.callee.remoteMediaPort = pair.caller.mediaPort;
      pair.caller.remoteMediaIp = 0x0a000063;
      deafen(pair.caller);
      deafen(pair.callee);
      return pair;
    });
    expect(await causes(made.calm(END, ['relay']).telemetry('relay', END, emptyRelay))).toEqual({
      'rtp-port-exhausted': 30,
    });
  });

  it('both at once are told apart call by call', async () => {
    const made = run(30, (callNo, atMs) => {
      const pair = deadCall(callNo, atMs);
      if (callNo % 3 === 0) {
        pair.caller.remoteMediaPort = pair.callee.mediaPort;
        pair.callee.remoteMediaPort = pair.caller.mediaPort;
      }
      return pair;
    });
    made.calm(END, ['nat', 'relay']).telemetry('nat', END, fullNat).telemetry('relay', END, emptyRelay);
    expect(await causes(made)).toEqual({ 'nat-table-full': 20, 'rtp-port-exhausted': 10 });
  });

  it('nothing says what starved it: only what ended it', async () => {
    expect(await causes(run(30, deadCall).calm(END))).toEqual({ 'rtp-timeout': 30 });
  });

  it('loss is not dead air', async () => {
    const made = run(30, (callNo, atMs) => {
      const pair = goodCall(callNo, atMs);
      lose(pair.callee, 0.1);
      lose(pair.caller, 0.1);
      return pair;
    });
    expect(await causes(made.calm(END, ['nat']).telemetry('nat', END, fullNat))).toEqual({ 'packet-loss': 30 });
  });

  it('loss that our own late sending explains is ours', async () => {
    const made = run(30, (callNo, atMs) => {
      const pair = goodCall(callNo, atMs);
      lose(pair.callee, 0.1);
      pair.caller.rtpSendLate = 100;
      return pair;
    });
    expect(await causes(made.calm(END))).toEqual({ 'generator-limited': 30 });
  });
});

describe('503 has three look-alikes', () => {
  const cps = (tMs: number) => ({
    calls: 20 + tMs / 100,
    attempts_total: tMs / 50 + (tMs < 20_000 ? 0 : (Math.min(tMs, 24_000) - 19_000) / 10),
    rejected_total: tMs < 20_000 ? 0 : (Math.min(tMs, 24_000) - 19_000) / 20,
  });
  /** It takes nothing any more. */
  const broken = (tMs: number) => ({
    calls: 20 + Math.min(tMs, 19_000) / 100 - Math.max(0, tMs - 19_000) / 1000,
    attempts_total: tMs / 10,
    rejected_total: Math.max(0, tMs - 19_000) / 10,
  });
  const channels = (tMs: number) => ({
    calls: tMs < 20_000 ? tMs / 1000 : 20,
    attempts_total: tMs / 10,
    rejected_total: tMs < 20_000 ? 0 : (Math.min(tMs, 24_000) - 19_000) / 20,
  });

  it.each([
    ['trunk-cps-limit', 42, 'trunk', cps],
    ['trunk-cps-limit', 0, 'trunk', cps],
    ['trunk-channel-limit', 34, 'trunk', channels],
    ['trunk-channel-limit', 0, 'trunk', channels],
    ['rtp-port-exhausted', 47, 'relay', emptyRelay],
    ['rtp-port-exhausted', 0, 'relay', emptyRelay],
  ] as const)('%s (Q.850 cause %i)', async (cause, q850, source, readings) => {
    const made = run(30, (callNo, atMs) => refused(callNo, atMs, 503, q850));
    expect(await causes(made.calm(END, [source]).telemetry(source, END, readings))).toEqual({ [cause]: 30 });
  });

  it("a B2BUA made 34 of the trunk's 42: its own count of refusals by reason outranks the Reason", async () => {
    const counted = (tMs: number) => ({
      ...cps(tMs),
      refused_cps_total: cps(tMs).rejected_total,
      refused_channels_total: 0,
    });
    const made = run(30, (callNo, atMs) => refused(callNo, atMs, 503, 34));
    expect(await causes(made.calm(END, ['trunk']).telemetry('trunk', END, counted))).toEqual({ 'trunk-cps-limit': 30 });
  });

  it('a relay counts refused requests, and has used its ports', async () => {
    const out = (used: number) => (tMs: number) => ({
      ports_used: used,
      ports_max: 400,
      request_errors_total: emptyRelay(tMs).alloc_failed_total,
    });
    const made = (): SyntheticRun => run(30, (callNo, atMs) => refused(callNo, atMs, 503, 47));
    const said = (used: number): SyntheticRun => made().calm(END, ['relay']).telemetry('relay', END, out(used));
    expect(await causes(said(398))).toEqual({ 'rtp-port-exhausted': 30 });
    expect(await causes(said(40))).toEqual({ unknown: 30 });
  });

  it('488 to an offer that is taken in other calls: a node had no port to answer with', async () => {
    expect(await causes(run(30, (n, t) => refused(n, t, 488)).calm(END))).toEqual({ 'rtp-port-exhausted': 30 });
  });

  it('a trunk that refuses everything has no limit, it is broken', async () => {
    const made = run(30, (callNo, atMs) => refused(callNo, atMs, 503));
    expect(await causes(made.calm(END, ['trunk']).telemetry('trunk', END, broken))).toEqual({ unknown: 30 });
  });

  it('a counter that was high before the run began has not risen', async () => {
    const made = run(30, (callNo, atMs) => refused(callNo, 200 + atMs / 100, 503));
    const old = { calls: 20, attempts_total: 1e6, rejected_total: 5e5 };
    expect(await causes(made.calm(END, ['trunk']).telemetry('trunk', END, () => old))).toEqual({ unknown: 30 });
  });

  it('an INVITE that found our own table full was never on the wire', async () => {
    const made = run(30, (callNo, atMs) =>
      unanswered(goodCall(callNo, atMs).caller, { outcome: 'timeout', endedBy: 'nobody', endedMs: atMs }),
    );
    expect(await causes(made.calm(END))).toEqual({ 'generator-limited': 30 });
  });

  it('that nothing explains is unknown', async () => {
    expect(await causes(run(30, (n, t) => refused(n, t, 503)).calm(END))).toEqual({ unknown: 30 });
  });
});

describe('silence of the signalling', () => {
  const stall = (tMs: number) => ({
    pending: 40,
    committed_total: 10,
    oldest_pending_ms: tMs < 20_000 || tMs > 30_000 ? 5 : tMs - 19_000,
  });
  const busy = (tMs: number) => ({
    calls: 50,
    threads_busy: tMs < 20_000 || tMs > 30_000 ? 1 : 16,
    threads_max: 16,
    inbox_depth: 90,
  });
  const givenUp = (callNo: number, atMs: number) =>
    unanswered(goodCall(callNo, atMs).caller, {
      outcome: 'cancelled',
      endedBy: 'us',
      endedMs: atMs + 8000,
      tryingMs: Number.NaN,
      ringingMs: Number.NaN,
      inviteRetransmits: 4,
    });

  it('the database stalled and threads waited', async () => {
    const made = run(30, givenUp).calm(END, ['cdr', 'node']).telemetry('cdr', END, stall).telemetry('node', END, busy);
    expect(await causes(made)).toEqual({ 'db-stall': 30 });
  });

  it('a stall that no thread waited for is not the cause', async () => {
    expect(await causes(run(30, givenUp).calm(END, ['cdr']).telemetry('cdr', END, stall))).toEqual({ unknown: 30 });
  });

  it('a node that stopped answering, with its readings', async () => {
    const made = run(30, (callNo, atMs) =>
      unanswered(goodCall(callNo, atMs).caller, {
        outcome: 'timeout',
        endedBy: 'timer',
        endedMs: atMs + 32_000,
        tryingMs: Number.NaN,
        ringingMs: Number.NaN,
      }),
    );
    made.calm(END).telemetry('node', 19_000, () => ({ calls: 1, threads_busy: 1, threads_max: 16 }), 'node-2');
    expect(await causes(made)).toEqual({ 'node-down': 30 });
  });
});

describe('what is not there', () => {
  const lost = (callNo: number, atMs: number) =>
    unanswered(goodCall(callNo, atMs).caller, {
      outcome: 'timeout',
      endedBy: 'timer',
      endedMs: atMs + 32_000,
      tryingMs: Number.NaN,
      ringingMs: Number.NaN,
    });

  it('when every reading stops, the collector went, not the node', async () => {
    const made = run(2, lost).calm(19_000);
    expect(await causes(made)).toEqual({ unknown: 2 });
  });
});

describe('within the call', () => {
  it('the ACK never came', async () => {
    const made = run(10, (callNo, atMs) => {
      const pair = goodCall(callNo, atMs, 32_000);
      pair.callee.ackCount = 0;
      pair.callee.answerRetransmits = 10;
      setOutcome(pair.callee, 'no-ack', 'timer');
      return pair;
    });
    expect(await causes(made.calm(END))).toEqual({ 'no-ack': 10 });
  });

  it('BYEs went to the wrong node', async () => {
    const made = run(10, (callNo, atMs) => {
      const pair = goodCall(callNo, atMs);
      pair.caller.byeCode = 481;
      setOutcome(pair.caller, 'bye-failed', 'us');
      return pair;
    });
    made
      .calm(END, ['edge'])
      .telemetry('edge', END, (t) => ({ requests_total: t, stray_in_dialog_total: t < 30_000 ? 0 : t / 1000 }));
    expect(await causes(made)).toEqual({ 'misrouted-in-dialog': 10 });
  });

  it('the session expired', async () => {
    const made = run(10, (callNo, atMs) => {
      const pair = goodCall(callNo, atMs);
      platformBye(pair, 88_000, 0);
      pair.caller.sipCause = 408;
      pair.caller.reasonText = 'Session timeout';
      return pair;
    });
    expect(await causes(made.calm(200_000))).toEqual({ 'session-expired': 10 });
  });

  /** One party gives the call up in its middle, and says why; the other hears a BYE. */
  const givenUp = (
    pair: Pair,
    by: 'caller' | 'callee',
    outcome: 'dialog-lost' | 'refresh-failed',
    code: number,
  ): Pair => {
    platformBye(pair, 45_000, 0);
    const leg = pair[by];
    setOutcome(leg, outcome, 'us');
    leg.midCode = code;
    leg.midMethod = METHOD_NAMES.indexOf('INVITE');
    leg.reinvitesSent = 1;
    return pair;
  };
  const strays = (t: number) => ({ requests_total: t, stray_in_dialog_total: t < 30_000 ? 0 : t / 1000 });

  it.each(['caller', 'callee'] as const)('re-INVITEs of the %s went to the wrong node', async (by) => {
    const made = run(10, (callNo, atMs) => givenUp(goodCall(callNo, atMs, 90_000), by, 'dialog-lost', 481));
    expect(await causes(made.calm(END * 2, ['edge']).telemetry('edge', END * 2, strays))).toEqual({
      'misrouted-in-dialog': 10,
    });
  });

  it('a refresh that met the wrong node is misrouted, one that met nobody is an expiry', async () => {
    const misrouted = run(10, (callNo, atMs) =>
      givenUp(goodCall(callNo, atMs, 90_000), 'caller', 'refresh-failed', 481),
    );
    expect(await causes(misrouted.calm(END * 2, ['edge']).telemetry('edge', END * 2, strays))).toEqual({
      'misrouted-in-dialog': 10,
    });
    const unheard = run(10, (callNo, atMs) => givenUp(goodCall(callNo, atMs, 90_000), 'caller', 'refresh-failed', 408));
    expect(await causes(unheard.calm(END * 2))).toEqual({ 'session-expired': 10 });
  });

  it('our callee found its session expired: an expiry, even where strays are seen, and not one without audio', async () => {
    const made = run(10, (callNo, atMs) => {
      const pair = goodCall(callNo, atMs, 90_000);
      platformBye(pair, 60_000, 0);
      setOutcome(pair.callee, 'session-expired', 'timer');
      pair.callee.sessionExpiresS = 90;
      // The caller hung up for the same reason at the same instant, and its BYE found nothing.
      setOutcome(pair.caller, 'refresh-failed', 'timer');
      pair.caller.midCode = 408;
      pair.caller.byeCode = 481;
      return pair;
    });
    expect(await causes(made.calm(END * 2, ['edge']).telemetry('edge', END * 2, strays))).toEqual({
      'session-expired': 10,
    });
    const starved = run(10, (callNo, atMs) => {
      const pair = deadCall(callNo, atMs);
      pair.caller.sessionExpiresS = 90;
      return pair;
    });
    expect(await causes(starved.calm(END))).toEqual({ 'rtp-timeout': 10 });
  });

  it("another call's audio", async () => {
    const made = run(10, (callNo, atMs) => {
      const pair = goodCall(callNo, atMs);
      pair.caller.heardOther = 300;
      pair.caller.heardCallNo = callNo + 1;
      return pair;
    });
    expect(await causes(made.calm(END))).toEqual({ 'number-collision': 10 });
  });
});
