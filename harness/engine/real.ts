import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SnapshotRing, STATE } from '../../agents/control.js';
import { Counters, quantileUs } from '../../agents/counters.js';
import { LegStore, RegistrationStore } from '../../agents/store.js';
import { ip6Bytes, isIp6 } from '../../agents/wire/ip6.js';
import { ipFromString } from '../../agents/wire/types.js';
import { monotonicUs } from '../clock.js';
import type { AbortRecord } from '../collect/schema.js';
import type { RunStore } from '../collect/store.js';
import { UdpDrops } from '../collect/udp-drops.js';
import { HarnessError } from '../errors.js';
import type { Certificate } from '../lab/certificate.js';
import { type Addresses, addressesOf, BLOCKS } from '../lab/embedded/addresses.js';
import { readCdrFile } from '../lab/embedded/cdr-read.js';
import { SAMPLE_CAPACITY } from '../lab/embedded/worker-limits.js';
import { arrivalInstants } from '../plan/arrivals.js';
import { hostPortOf } from '../plan/host.js';
import type { RunPlan } from '../plan/types.js';
import { plannedUsers, type UserRow } from '../plan/users.js';
import type { AgentHost } from './agent-host.js';
import { BudgetWatch } from './budget-watch.js';
import { billedBy } from './cdrs.js';
import { EmbeddedFaultLog } from './embedded-faults.js';
import { FaultSchedule } from './faults.js';
import { answersOf, fleetPlans, legRoom, registrationCapacity } from './fleets.js';
import { Gatherer } from './gather.js';

import { type LabParts, onStack } from './lab.js';

import { certificateFor, platformStreams, refuseStreams, streamPlan, warningsOf } from './streams.js';

import { machineSources, Telemetry } from './telemetry.js';
import { letGo, Thread } from './threads.js';
import type { EngineOptions, EngineOutcome } from './types.js';
import { WebphoneRun } from './webphones.js';

const POLL_MS = 100;
/** From GO to t0: time for every worker to build its tables and bind its sockets. */
const LEAD_US = 600_000;
/** After an interrupt: BYEs are sent, and this long awaited. */
const HANG_UP_MS = 6_000;
/** A target that has answered nothing at all by then is silent (8 INVITE retransmissions would take 32 s). */
const SILENT_MS = 8_000;
const TELEMETRY_WIDTH = 512;

interface Platform {
  thread: Thread;
  ring: SnapshotRing;
  metrics: { source: string; instance: string; metric: string }[];
  faults: EmbeddedFaultLog;
}

/** Real sockets: agents and the embedded platform in threads of their own, everything on one monotonic clock. */
export async function runReal(plan: RunPlan, store: RunStore, options: EngineOptions): Promise<EngineOutcome> {
  const embedded = plan.target.kind === 'embedded' ? plan.target.config : null;
  const addresses = embedded === null ? null : addressesOf(randomInt(BLOCKS), embedded.nodes, embedded.trunks.length);
  const instants = arrivalInstants(plan.arrivals, plan.seed);
  const shared = new SharedArrayBuffer(instants.byteLength);
  const arrivals = new Float64Array(shared);
  arrivals.set(instants);
  if (plan.target.kind === 'stack') {
    return onStack(plan, arrivals, store, options, async (parts) => {
      const webphones = null;
      return conduct(plan, store, options, { ...parts, webphones });
    });
  }

  const users = plannedUsers(plan);
  refuseStreams(plan);
  const certificate = certificateFor(plan, addresses);
  const watch = new BudgetWatch(plan.budgets);
  const gatherer = new Gatherer(store, watch.live);
  const platform = addresses === null ? null : startPlatform(plan, addresses, users, certificate, store.runDir);
  const agents = fleetPlans(plan, addresses, users, randomInt(2 ** 40).toString(16), randomInt(65_536)).map((fleet) => {
    const authority = options.ca === undefined ? null : readFileSync(options.ca, 'utf8');
    fleet.streams = streamPlan(plan, fleet, certificate?.cert ?? authority);
    const capacity = legRoom(fleet);
    const legs = LegStore.create(capacity);
    const rows = registrationCapacity(plan.registrations, plan.agents.callerWorkers);
    const registrations = rows === 0 ? null : RegistrationStore.create(rows);
    const counters = new Counters();
    const { first, stride } = fleet.callers ?? fleet.registrants!;
    const name = `agents-${fleet.worker}`;
    const data = {
      plan: fleet,
      arrivals: shared,
      legs: legs.shared,
      legCapacity: capacity,
      registrations: registrations === null ? null : { shared: registrations.shared, capacity: rows },
      counters: counters.shared,
      tap: options.recorder?.open() ?? null,
      media: plan.agents.mediaBackend,
    };
    const thread = new Thread(name, { file: '../../agents/worker', from: import.meta.url }, data);
    gatherer.workers.push({
      ...{ name, legs: legs.store, registrations: registrations?.store ?? null, counters, arrivals, first, stride },
      ...{ died: false, ended: 0 },
    });
    return thread;
  });
  options.onWorkers?.(agents.map((a) => a.worker));
  const webphones = plan.webphones === undefined ? null : new WebphoneRun(plan, store, options.ca ?? null);
  const threads = [platform?.thread, webphones?.thread, ...agents].filter((t) => t !== undefined);
  try {
    return await conduct(plan, store, options, { gatherer, watch, platform, webphones, agents, threads, arrivals });
  } finally {
    await Promise.all(threads.map((t) => t.stop()));
  }
}

function startPlatform(
  plan: RunPlan,
  addresses: Addresses,
  users: UserRow[] | null,
  certificate: Certificate | null,
  runDir: string,
): Platform {
  if (plan.target.kind !== 'embedded') throw new Error('no embedded platform in this plan');
  const telemetry = new SharedArrayBuffer(SnapshotRing.bytes(TELEMETRY_WIDTH, SAMPLE_CAPACITY));
  const faults = new EmbeddedFaultLog(plan.faults);
  const data = {
    config: plan.target.config,
    addresses,
    seed: plan.seed,
    maxCalls: plan.agents.maxCallsPerWorker * plan.agents.callerWorkers,
    file: join(runDir, CDR_FILE),
    registrations: plan.registrations ?? null,
    users,
    planSeed: plan.seed,
    subscribers: join(runDir, SUBSCRIBER_FILE),
    faults: plan.faults,
    faultBoard: faults.board.shared,
    media: plan.agents.mediaBackend,
    streams: platformStreams(plan, addresses, certificate),
    telemetry,
    telemetryWidth: TELEMETRY_WIDTH,
  };
  const thread = new Thread('platform', { file: '../lab/embedded/worker', from: import.meta.url }, data);
  return { thread, ring: new SnapshotRing(telemetry, TELEMETRY_WIDTH, SAMPLE_CAPACITY), metrics: [], faults };
}

export const CDR_FILE = 'cdr.sqlite';
const SUBSCRIBER_FILE = 'subscribers.sqlite';

export interface Parts {
  gatherer: Gatherer;
  watch: BudgetWatch;
  platform: Platform | null;
  webphones: WebphoneRun | null;
  agents: AgentHost[];
  threads: AgentHost[];
  arrivals: Float64Array;
  /** Of a stack in Docker: where calls go, and whether the called parties are ours. */
  lab?: LabParts['lab'];
}

async function conduct(plan: RunPlan, store: RunStore, options: EngineOptions, parts: Parts): Promise<EngineOutcome> {
  const { gatherer, watch, platform, webphones, agents, threads } = parts;
  const t0Us = await letGo(threads, LEAD_US);
  if (options.recorder !== undefined) options.recorder.t0Us = t0Us;
  const ready = await Promise.all(threads.map((t) => t.ready));
  if (platform !== null) platform.metrics = ready[0]!.info as Platform['metrics'];
  const ours = ready.at(-1)!;
  options.log?.info({ wire: ours.wire, media: ours.media, why: ours.why }, 'agents are ready');
  const behindUs = monotonicUs() - t0Us;
  if (behindUs > 0) options.log?.warn({ behindMs: behindUs / 1000 }, 'the machine was slow to start the workers');

  const lastMs = plan.arrivals.reduce((ms, stage) => ms + stage.durationMs, 0);
  const endMs = lastMs + plan.drainMs;
  const clockMs = (): number => (monotonicUs() - t0Us) / 1000;
  parts.lab?.faults?.go(t0Us);
  const own = plan.target.kind === 'embedded' ? plan.faults : [];
  const faults = new FaultSchedule(own, join(store.runDir, CDR_FILE), clockMs, store, options.log);
  const drops = plan.target.kind === 'sip' ? dropsAt(plan.target) : null;
  const telemetry = parts.lab?.telemetry ?? new Telemetry(machineSources(), store);
  let interrupted: string | null = null;
  let aborted: AbortRecord | null = null;
  let silent: string | null = null;
  let hangUpAtMs = Number.POSITIVE_INFINITY;
  for (;;) {
    await sleep(POLL_MS);
    const tMs = clockMs();
    faults.poll();
    gatherer.poll(tMs);
    webphones?.poll();
    drainTelemetry(platform, store, faults);
    telemetry.poll(tMs);
    if (drops !== null && plan.registrations !== undefined) readDrops(drops, tMs, store);
    const totals = gatherer.totals(plan.registrations?.phones);
    if (tMs > 0) options.onProgress?.({ tMs, endMs, ...totals, bad: watch.live.bad() });
    for (const [i, agent] of agents.entries()) noteDeath(gatherer, i, agent, options);
    if (platform?.thread.died) throw new HarnessError('WORKER_DIED', `the embedded platform: ${platform.thread.died}`);
    const over = interrupted !== null || aborted !== null;
    if (!over && options.signal?.aborted) interrupted = 'interrupted';
    else if (!over) aborted = watch.poll(tMs, totals.blocked);
    const ending = interrupted !== null || aborted !== null;
    if (ending && !over) {
      hangUpAtMs = tMs;
      for (const t of [...agents, webphones?.thread]) t?.hangUp();
    }
    silent ??= silenceOf(plan, parts, tMs);
    const alive = agents.filter((a) => a.died === null);
    const idle = alive.every((a) => a.state === STATE.IDLE) && (webphones?.idle ?? true);
    if (idle && (tMs > lastMs || ending)) break;
    if (silent !== null || tMs >= endMs || tMs >= hangUpAtMs + HANG_UP_MS || alive.length === 0) break;
  }
  // Refused calls end at once: the run may be over before it was time to ask.
  if (interrupted === null && aborted === null) silent ??= silenceOf(plan, parts, Number.POSITIVE_INFINITY);
  await faults.undo();
  await parts.lab?.faults?.finish();
  // The agents first: what they have open now is what is open.
  const overAtMs = clockMs();
  await Promise.all([...agents, webphones?.thread].map((t) => t?.stop()));
  for (const [i, agent] of agents.entries()) noteDeath(gatherer, i, agent, options);
  const durationMs = clockMs();
  await telemetry.finish(durationMs);
  await parts.lab?.harvest(Date.now() - clockMs());
  if (platform !== null) await platform.thread.stop();
  const billed = platform === null ? null : readCdrFile(join(store.runDir, CDR_FILE));
  if (billed !== null) store.addCdrs(billedBy(billed));
  drainTelemetry(platform, store, faults);
  faults.finish();
  for (const record of platform?.faults.records(t0Us, durationMs) ?? []) store.appendFault(record);
  const load = gatherer.finish(durationMs, Math.min(overAtMs, hangUpAtMs));
  const media = plan.call.media === 'none' ? 'none' : ours.media;
  const generator = gatherer.generator(ours.wire, media, plan.registrations?.phones);
  return {
    durationMs,
    load,
    registrations: plan.registrations === undefined ? null : gatherer.registrations(),
    generator: {
      ...generator,
      ...warningsOf(plan),
      workers: webphones === null ? generator.workers : [...generator.workers, webphones.finish()],
      ...(platform === null ? {} : { platformTurnMs: turnsOf(platform.thread) }),
    },
    interrupted,
    aborted,
    sources: [...new Set([...(platform?.metrics.map((m) => m.source) ?? []), ...telemetry.seen])],
    callee: parts.lab?.callee ?? (answersOf(plan) ? 'agents' : 'target'),
    silent,
  };
}

function turnsOf(thread: Thread): { p99: number; max: number } {
  const h = [thread.control.turns];
  return { p99: quantileUs(h, 0.99) / 1000, max: quantileUs(h, 1) / 1000 };
}

function drainTelemetry(platform: Platform | null, store: RunStore, faults: FaultSchedule): void {
  platform?.ring.drain((tMs, values) => {
    for (let i = 0; i < platform.metrics.length; i++) {
      const { source, instance, metric } = platform.metrics[i]!;
      const row = { tMs, source, instance, metric, value: values[i]! };
      store.addTelemetry(row);
      faults.see(row);
    }
  });
}

function dropsAt({ host, port }: { host: string; port: number }): UdpDrops {
  const ip = ipFromString(host);
  return new UdpDrops(isIp6(ip) ? ip6Bytes(ip) : ip, port);
}

/** A target on this machine: what its socket lost, though it says nothing else of itself. */
function readDrops(drops: UdpDrops, tMs: number, store: RunStore): void {
  const reading = drops.read();
  if (reading === null) return;
  const of = { tMs, source: 'registrar', instance: 'target' };
  store.addTelemetry({ ...of, metric: 'socket_dropped_total', value: reading.dropsTotal });
  store.addTelemetry({ ...of, metric: 'queued_bytes', value: reading.queuedBytes });
}

function noteDeath(gatherer: Gatherer, i: number, agent: AgentHost, options: EngineOptions): void {
  const worker = gatherer.workers[i]!;
  if (agent.died === null || worker.died) return;
  worker.died = true;
  options.log?.error({ worker: worker.name, why: agent.died }, 'a worker died; its counts are kept');
}

/** Nothing came back at all: said at once when ICMP said that nobody listens, else when it has had time enough. */
function silenceOf({ target, signalling }: RunPlan, { lab, gatherer, arrivals }: Parts, tMs: number): string | null {
  const firstMs = arrivals[0] ?? 0;
  const at = target.kind === 'sip' ? hostPortOf(target) : lab?.at;
  const begun = gatherer.sum('started') + gatherer.sum('registrationsStarted');
  if (at === undefined || begun === 0 || gatherer.sum('sipReceived') > 0) return null;
  const transport = signalling?.transport ?? 'udp';
  if (gatherer.sum('connectionsTlsFailed') > 0 && gatherer.sum('connectionsMade') === 0 && tMs > firstMs + 1_000) {
    return `${at} does not answer: the TLS handshake failed; give its authority with --set tls_ca=FILE, or try --set tls_verify=off`;
  }
  if (
    gatherer.sum('connectionsWebSocketFailed') > 0 &&
    gatherer.sum('connectionsMade') === 0 &&
    tMs > firstMs + 1_000
  ) {
    return `${at} does not answer: it accepts no WebSocket of sub-protocol sip`;
  }
  if (gatherer.sum('unreachable') > 0 && tMs > firstMs + 1_000) {
    return transport === 'udp'
      ? `${at} does not answer: nothing listens on that UDP port (ICMP port unreachable)`
      : `${at} does not answer: nothing listens on that TCP port (connection refused)`;
  }
  if (tMs < firstMs + SILENT_MS) return null;
  return `${at} does not answer: no reply to any request in ${SILENT_MS / 1000} s; check address, port and firewall`;
}
