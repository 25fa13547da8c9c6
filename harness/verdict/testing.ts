import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { blankLeg, ENDED_BY, type Leg, OUTCOMES, type Outcome } from '../collect/legs.js';
import type { EnvRecord, GeneratorRecord, LoadRecord, RegistrationLoad } from '../collect/schema.js';
import { RunStore } from '../collect/store.js';

/**
 * Made-up runs for unit tests of the rules, and for nothing else: whoever needs to know how a platform behaves records
 * one. Times are round and media is perfect, so that what a test changes is all there is.
 */
const RELAY_IP = 0x7f000a01;
const RING_MS = 200;

export interface Pair {
  caller: Leg;
  callee: Leg;
}

export function setOutcome(leg: Leg, outcome: Outcome, endedBy: (typeof ENDED_BY)[number]): void {
  leg.outcome = OUTCOMES.indexOf(outcome);
  leg.endedBy = ENDED_BY.indexOf(endedBy);
}

/** A call that went well: 100 at 5 ms, 180 at 30 ms, 200 at 205 ms, talk, BYE by the caller. */
export function goodCall(callNo: number, atMs: number, holdMs = 10_000): Pair {
  const caller = blankLeg();
  const callee = blankLeg();
  for (const leg of [caller, callee]) {
    leg.callNo = callNo;
    leg.intendedMs = atMs;
    leg.callId = `${callNo}@synthetic`;
    leg.finalCode = 200;
    leg.ackCount = 1;
    leg.remoteMediaIp = RELAY_IP;
    leg.count180 = 1;
    leg.peerAgent = 'synthetic';
  }
  callee.role = 1;
  callee.callId = `${callNo}-b@synthetic`;
  caller.mediaPort = 10_000 + ((2 * callNo) % 20_000);
  callee.mediaPort = caller.mediaPort + 20_000;
  caller.remoteMediaPort = 50_001;
  callee.remoteMediaPort = 50_003;
  caller.count100 = 1;
  caller.startedMs = atMs + 0.3;
  caller.tryingMs = atMs + 5;
  callee.startedMs = atMs + 10;
  callee.ringingMs = atMs + 12;
  caller.ringingMs = atMs + 30;
  callee.answeredMs = atMs + RING_MS;
  caller.answeredMs = atMs + RING_MS + 5;
  caller.ackedMs = caller.answeredMs;
  callee.ackedMs = caller.answeredMs + 5;
  caller.plannedEndMs = caller.answeredMs + holdMs;
  hangUp(caller, callee, caller.plannedEndMs);
  talk(caller, callee, holdMs);
  setOutcome(caller, 'completed', 'us');
  setOutcome(callee, 'completed', 'them');
  return { caller, callee };
}

function hangUp(by: Leg, of: Leg, atMs: number): void {
  by.byeMs = atMs;
  of.byeMs = atMs + 5;
  by.byeCode = 200;
  by.endedMs = atMs + 10;
  of.endedMs = atMs + 5;
}

function talk(a: Leg, b: Leg, ms: number): void {
  for (const [leg, answer] of [
    [a, a.answeredMs],
    [b, a.answeredMs],
  ] as const) {
    leg.rtpSent = Math.floor(ms / 20);
    leg.rtpReceived = leg.rtpSent;
    leg.heardPeer = leg.rtpSent;
    leg.firstRtpMs = answer + 20;
    leg.lastRtpMs = answer + ms;
    leg.jitterMs = 0.4;
    leg.maxGapMs = 24;
  }
}

/** That leg hears nothing. */
export function deafen(leg: Leg): void {
  leg.rtpReceived = 0;
  leg.heardPeer = 0;
  leg.firstRtpMs = Number.NaN;
  leg.lastRtpMs = Number.NaN;
  leg.maxGapMs = 0;
}

/** The platform hangs up at both ends. */
export function platformBye(pair: Pair, afterMs: number, q850: number): void {
  const at = pair.caller.answeredMs + afterMs;
  talk(pair.caller, pair.callee, afterMs);
  for (const leg of [pair.caller, pair.callee]) {
    leg.byeMs = at;
    leg.endedMs = at + 1;
    leg.byeCode = 0;
    leg.q850Cause = q850;
    setOutcome(leg, 'dropped', 'them');
  }
}

/** Refused before the callee heard of it: there is no callee leg. */
export function refused(callNo: number, atMs: number, code: number, q850 = 0): Pair['caller'] {
  const { caller } = goodCall(callNo, atMs);
  return unanswered(caller, {
    outcome: 'rejected',
    endedBy: 'them',
    endedMs: atMs + 20,
    finalCode: code,
    rejectedMs: atMs + 20,
    q850Cause: q850,
    ringingMs: Number.NaN,
    count180: 0,
  });
}

export function unanswered(
  leg: Leg,
  {
    outcome,
    endedBy,
    ...more
  }: { outcome: Outcome; endedBy: (typeof ENDED_BY)[number] } & Omit<Partial<Leg>, 'outcome' | 'endedBy'>,
): Leg {
  deafen(leg);
  leg.rtpSent = 0;
  leg.answeredMs = leg.ackedMs = leg.plannedEndMs = leg.byeMs = Number.NaN;
  leg.finalCode = leg.byeCode = leg.ackCount = 0;
  Object.assign(leg, more);
  setOutcome(leg, outcome, endedBy);
  return leg;
}

/** Random loss: `share` of the packets, each alone. */
export function lose(leg: Leg, share: number): void {
  leg.rtpLost = Math.round(leg.rtpSent * share);
  leg.lossEvents = leg.rtpLost;
  leg.rtpReceived = leg.rtpSent - leg.rtpLost;
  leg.heardPeer = leg.rtpReceived;
  leg.maxGapMs = 80;
}

export const goodGenerator: GeneratorRecord = {
  mediaBackend: 'raw',
  wire: 'synthetic',
  workers: [{ name: 'caller-0', died: false, cpuBusy: 0.3 }],
  callLatenessMs: { p50: 0.2, p99: 1, max: 3 },
  rtpLatenessMs: { p50: 0.1, p99: 2, max: 5 },
  rtpSent: 100_000,
  rtpReceived: 100_000,
  sendDropped: 0,
  receiveDropped: 0,
  unreachable: 0,
  parseRejected: 0,
};

export class SyntheticRun {
  readonly store: RunStore;
  #callers = 0;
  #endMs = 0;
  readonly #sources = new Set<string>();

  constructor(dir = mkdtempSync(join(tmpdir(), 'deadair-synthetic-'))) {
    this.store = new RunStore(dir);
  }

  get dir(): string {
    return this.store.runDir;
  }

  add(...legs: Leg[]): this {
    for (const leg of legs) {
      if (leg.role === 0) this.#callers++;
      if (leg.endedMs > this.#endMs) this.#endMs = leg.endedMs;
      this.store.addLeg(leg);
    }
    return this;
  }

  addPair(pair: Pair): this {
    return this.add(pair.caller, pair.callee);
  }

  /** Readings of one source once a second; `at` gives its metrics. */
  telemetry(
    source: string,
    untilMs: number,
    at: (tMs: number) => Record<string, number>,
    instance = `${source}-1`,
  ): this {
    this.#sources.add(source);
    for (let tMs = 1000; tMs <= untilMs; tMs += 1000)
      for (const [metric, value] of Object.entries(at(tMs)))
        this.store.addTelemetry({ tMs, source, instance, metric, value });
    return this;
  }

  /** A platform at ease. */
  calm(untilMs: number, except: readonly string[] = []): this {
    const all: Record<string, Record<string, number>> = {
      nat: { sessions: 100, sessions_max: 4096, refused_total: 0 },
      relay: { ports_used: 100, ports_max: 4000, alloc_failed_total: 0, unanchored_total: 0 },
      trunk: { calls: 20, attempts_total: 0, rejected_total: 0 },
      node: { calls: 20, threads_busy: 1, threads_max: 16, inbox_depth: 0, inbox_dropped_total: 0 },
      cdr: { pending: 0, oldest_pending_ms: 0, committed_total: 10 },
      edge: { requests_total: 1000, no_node_total: 0, stray_in_dialog_total: 0 },
    };
    for (const [source, metrics] of Object.entries(all))
      if (!except.includes(source)) this.telemetry(source, untilMs, () => metrics);
    return this;
  }

  async finish(
    more: {
      load?: Partial<LoadRecord>;
      registrations?: RegistrationLoad;
      generator?: Partial<GeneratorRecord>;
      durationMs?: number;
      tenants?: string[];
    } = {},
  ): Promise<string> {
    const n = this.#callers;
    const env: EnvRecord = {
      schema: 'deadair.env/1',
      runId: 'synthetic',
      startedAt: '2026-01-01T10:00:00.000Z',
      durationMs: more.durationMs ?? this.#endMs + 1000,
      node: 'v20',
      os: 'none',
      cpus: 2,
      cpuModel: 'none',
      deadair: '0',
      interrupted: null,
      ...(more.tenants === undefined ? {} : { tenants: more.tenants }),
      load: { offered: n, blocked: 0, started: n, ended: n, open: 0, blockedBy: {}, ...more.load },
      ...(more.registrations === undefined ? {} : { registrations: more.registrations }),
      generator: { ...goodGenerator, ...more.generator },
      sources: [...this.#sources],
      callee: 'agents',
      media: 'rtp',
    };
    this.store.writeJson('env.json', env);
    await this.store.finish();
    return this.dir;
  }
}
