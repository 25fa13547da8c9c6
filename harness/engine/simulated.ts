import { Counters } from '../../agents/counters.js';
import { Fleet } from '../../agents/fleet.js';
import { LegStore, RegistrationStore } from '../../agents/store.js';
import { type Impairments, MemoryWorld } from '../../agents/wire/memory.js';
import { openTap } from '../../agents/wire/tap.js';
import type { AbortRecord } from '../collect/schema.js';
import type { RunStore } from '../collect/store.js';
import { HarnessError } from '../errors.js';
import { addressesOf } from '../lab/embedded/addresses.js';
import { MemoryCdrStore } from '../lab/embedded/cdr.js';
import { EmbeddedPlatform } from '../lab/embedded/platform.js';
import { directoryOf, outagesOf, type RegistrarParts, simulatedParts } from '../lab/embedded/platform-registrar.js';
import { arrivalInstants } from '../plan/arrivals.js';
import { occurrences } from '../plan/fault.js';
import type { RunPlan } from '../plan/types.js';
import { plannedUsers } from '../plan/users.js';
import { subSeed } from '../prng.js';
import { BudgetWatch } from './budget-watch.js';
import { billedBy } from './cdrs.js';
import { EmbeddedFaultLog } from './embedded-faults.js';
import { fleetPlans, legRoom, registrationCapacity } from './fleets.js';
import { Gatherer } from './gather.js';
import { OutageWatch } from './outage-watch.js';
import type { EngineOptions, EngineOutcome } from './types.js';

const STEP_US = 250_000;
/** Virtual time begins here, so that no instant is 0. */
const START_US = 1_000_000;

/** The same agents and platform on the in-memory network: one thread, virtual time, the seed decides everything. */
export function runSimulated(
  plan: RunPlan,
  store: RunStore,
  options: EngineOptions,
  impairments: Partial<Impairments> = {},
): EngineOutcome {
  if (plan.target.kind !== 'embedded') {
    throw new HarnessError('BAD_PLAN', 'a simulated run has no network: leave out --target, or --simulate');
  }
  const { config } = plan.target;
  const world = new MemoryWorld({ seed: subSeed(plan.seed, 'network'), startUs: START_US, impairments });
  const addresses = addressesOf(0, config.nodes, config.trunks.length);
  const arrivals = arrivalInstants(plan.arrivals, plan.seed);
  const t0Us = START_US + 100_000;
  const lastMs = plan.arrivals.reduce((ms, stage) => ms + stage.durationMs, 0);
  const endUs = t0Us + (lastMs + plan.drainMs) * 1000;

  const platformWire = world.wire('platform');
  const cdr = new MemoryCdrStore({ nowUs: () => world.nowUs, limit: config.cdr.queueLimit });
  for (const { plan: fault, atMs, forMs } of occurrences(plan.faults)) {
    const fromUs = t0Us + atMs * 1000;
    if (fault.kind !== 'db-stall') continue;
    cdr.lockBetween(fromUs, fromUs + forMs * 1000);
    store.appendFault({
      kind: fault.kind,
      intendedAtMs: atMs,
      appliedAtMs: atMs,
      removedAtMs: atMs + forMs,
      provenRemoved: true,
      note: 'virtual time',
    });
  }
  const maxCalls = plan.agents.maxCallsPerWorker * plan.agents.callerWorkers;
  const seed = subSeed(plan.seed, 'platform');
  const users = plannedUsers(plan);
  const registrar: RegistrarParts | null =
    config.registrar === undefined || plan.registrations === undefined
      ? null
      : {
          ...simulatedParts(config.registrar, plan.registrations, users, plan.seed, () => world.nowUs),
          ...directoryOf(plan.registrations, plan.seed, users),
          outages: outagesOf(plan.faults, t0Us),
        };
  const faultLog = new EmbeddedFaultLog(plan.faults);
  const faults = { plans: plan.faults, board: faultLog.board };
  const platformOptions = { config, addresses, cdr, seed, maxCalls, t0Us, registrar, faults };
  const platform = new EmbeddedPlatform(platformWire, platformOptions);
  world.add(platform, platformWire);

  if (options.recorder !== undefined) options.recorder.t0Us = t0Us;
  const watch = new BudgetWatch(plan.budgets);
  const gatherer = new Gatherer(store, watch.live);
  const fleets = fleetPlans(plan, addresses, users, `sim${plan.seed}`, subSeed(plan.seed, 'salt')).map((fleetPlan) => {
    const wire = world.wire(`agents-${fleetPlan.worker}`);
    const capacity = legRoom(fleetPlan);
    const { store: legs } = LegStore.create(capacity);
    const counters = new Counters();
    const rows = registrationCapacity(plan.registrations, plan.agents.callerWorkers);
    const registrations = rows === 0 ? null : RegistrationStore.create(rows).store;
    const tap = options.recorder === undefined ? null : openTap(options.recorder.open());
    const fleet = new Fleet(wire, fleetPlan, arrivals, legs, counters, t0Us, registrations, null, tap);
    world.add(fleet, wire);
    const { first, stride } = fleetPlan.callers ?? fleetPlan.registrants!;
    gatherer.workers.push({
      name: `agents-${fleetPlan.worker}`,
      legs,
      registrations,
      counters,
      arrivals,
      first,
      stride,
      died: false,
      ended: 0,
    });
    return fleet;
  });

  const watches = plan.faults.filter((f) => f.kind === 'registrar-outage').map((f) => new OutageWatch(f));
  let interrupted: string | null = null;
  let aborted: AbortRecord | null = null;
  for (let us = START_US + STEP_US; ; us += STEP_US) {
    world.runUntil(Math.min(us, endUs));
    const tMs = (world.nowUs - t0Us) / 1000;
    gatherer.poll(tMs);
    for (const m of platform.metrics) {
      const row = { tMs, source: m.source, instance: m.instance, metric: m.metric, value: m.read() };
      store.addTelemetry(row);
      for (const watch of watches) watch.see(row);
    }
    const totals = gatherer.totals(plan.registrations?.phones);
    options.onProgress?.({ tMs, endMs: (endUs - t0Us) / 1000, ...totals, bad: watch.live.bad() });
    aborted = watch.poll(tMs, totals.blocked);
    if (options.signal?.aborted) interrupted = 'interrupted';
    if (interrupted !== null || aborted !== null || world.nowUs >= endUs || fleets.every((f) => f.idle)) break;
  }
  const endMs = (world.nowUs - t0Us) / 1000;
  store.addCdrs(billedBy(cdr.rows));
  for (const watch of watches) store.appendFault(watch.finish(endMs));
  for (const record of faultLog.records(t0Us, endMs)) store.appendFault(record);
  const load = gatherer.finish(endMs);
  const media = plan.call.media === 'rtp' ? 'memory' : 'none';
  return {
    durationMs: endMs,
    load,
    registrations: plan.registrations === undefined ? null : gatherer.registrations(),
    generator: gatherer.generator('memory', media),
    interrupted,
    aborted,
    sources: [...new Set(platform.metrics.map((m) => m.source))],
    callee: 'agents',
    silent: null,
  };
}
