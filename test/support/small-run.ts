import type { LegStore } from '../../agents/store.js';
import type { Impairments } from '../../agents/wire/memory.js';
import type { CdrRecord } from '../../harness/collect/cdrs.js';
import type { Leg } from '../../harness/collect/legs.js';
import type { Registration } from '../../harness/collect/registrations.js';
import type { FaultRecord, FrameRow, TelemetryRow } from '../../harness/collect/schema.js';
import type { RunStore } from '../../harness/collect/store.js';
import { runSimulated } from '../../harness/engine/simulated.js';
import type { EngineOutcome } from '../../harness/engine/types.js';
import { readFault } from '../../harness/plan/fault.js';
import { type EmbeddedConfig, type RunPlan, STEP_ACTIONS } from '../../harness/plan/types.js';
import { type Prng, prng } from '../../harness/prng.js';

/** Rows stay objects in memory: hundreds of small runs are judged without a database. */
export class MemoryRunStore {
  readonly legs: Leg[] = [];
  readonly registrations: Registration[] = [];
  readonly telemetry: TelemetryRow[] = [];
  /** The last value of every counter, by name and worker. */
  readonly counters = new Map<string, Map<string, number>>();
  readonly faults: FaultRecord[] = [];
  readonly cdrs: CdrRecord[] = [];
  addLeg(leg: ReturnType<LegStore['read']>): void {
    this.legs.push(leg);
  }
  addRegistration(row: Registration): void {
    this.registrations.push(row);
  }
  addTelemetry(row: TelemetryRow): void {
    this.telemetry.push(row);
  }
  addFrame(row: FrameRow): void {
    let workers = this.counters.get(row.name);
    if (workers === undefined) {
      workers = new Map();
      this.counters.set(row.name, workers);
    }
    workers.set(row.worker, row.value);
  }
  appendFault(record: FaultRecord): void {
    this.faults.push(record);
  }
  addCdrs(rows: Iterable<CdrRecord>): void {
    this.cdrs.push(...rows);
  }
}

/** After the last of a run's calls nothing happens for longer than any chain of timers takes (RFC 3261 Table 4). */
export const QUIET_MS = 150_000;
const LAST_WAVE_MS = 300;

export interface SmallRun {
  plan: RunPlan;
  impairments: Partial<Impairments>;
  /** When the calls of the last wave begin: by then the platform must have everything back. */
  lastWaveMs: number;
  /** Calls of the last wave: as many as the trunk has channels, where it has a limit. */
  lastWave: number;
}

/** SIP is longer than any RTP (172 + 10 bytes through the router) or RTCP packet of ours. */
const isSip = (_port: number, len: number): boolean => len > 200;

/**
 * The same with things that happen within calls, by both parties, all of it decided by the seed: steps, session timers,
 * reliable ringing, an edge that routes requests within a call anew.
 */
export function livelyRun(seed: number): SmallRun {
  const run = smallRun(seed);
  const chance = prng(seed ^ 0x11fe);
  const { call, target } = run.plan;
  const parties = ['caller', 'callee'] as const;
  call.steps = Array.from({ length: 1 + chance.below(6) }, () => {
    const action = STEP_ACTIONS[chance.below(STEP_ACTIONS.length)]!;
    return { at: `answer+${chance.below(2500)}ms`, by: parties[chance.below(2)]!, do: action };
  });
  if (chance.below(2) === 0) {
    // Below the floor of RFC 4028, so that sessions are refreshed, and expire, in the seconds that a call lasts.
    const [refresher, method] = [parties[chance.below(2)]!, chance.below(2) === 0 ? 'reinvite' : 'update'] as const;
    call.session = { expiresS: 2 + chance.below(4), minSeS: 1, refresher, method };
  }
  if (chance.below(3) === 0) call.reliable = chance.below(2) === 0 ? 'supported' : 'required';
  // A call whose BYE goes astray ends by the node's RTP timeout, which a call without a relay has not.
  if (target.kind === 'embedded' && target.config.relay.onExhausted === 'reject' && chance.below(4) === 0) {
    target.config.edge.inDialog = 'dispatch';
  }
  if (target.kind === 'embedded' && chance.below(4) === 0) target.config.edge.drops = 'UPDATE';
  return run;
}

/** 30 to 60 calls in a second or two, a platform with one limit or none, a bad network; all of it decided by the seed. */
export function smallRun(seed: number): SmallRun {
  const chance = prng(seed);
  const pick = <T>(...options: T[]): T => options[chance.below(options.length)]!;
  const calls = 30 + chance.below(31);
  const burstMs = pick(500, 1000, 2000);
  const config = platform(chance);
  const faults: RunPlan['faults'] = [];
  const media = chance.below(8) === 0 ? 'rtp' : 'none';
  switch (chance.below(8)) {
    case 0:
      config.relay = { ports: 4 * pick(5, 15), onExhausted: pick('reject', 'relay-anyway') };
      break;
    case 1:
      config.trunks = [{ cps: pick(5, 20), channels: 0 }];
      break;
    case 2:
      config.trunks = Array.from({ length: pick(1, 2) }, () => ({ cps: 0, channels: pick(8, 15) }));
      break;
    case 3:
      config.cdr.mode = 'inline';
      config.node.threads = pick(1, 4);
      faults.push(readFault({ kind: 'db-stall', at: chance.below(2000), for: pick(500, 4000, 12_000) }, 'faults'));
      break;
    case 4:
      config.nat.maxSessions = pick(1, 20);
      break;
    case 5:
      config.pacingCps = pick(10, 50);
      break;
    default:
  }
  const channels = config.trunks.reduce((sum, t) => sum + t.channels, 0);
  const lastWave = channels > 0 ? channels : 5;
  const rate = (n: number, ms: number): { fromCps: number; toCps: number } => ({
    fromCps: (n * 1000) / ms,
    toCps: (n * 1000) / ms,
  });
  const hold = pick({ minMs: 400, maxMs: 2500 }, { minMs: 1500, maxMs: 1600 }, { minMs: 0, maxMs: 100 });
  const plan: RunPlan = {
    schema: 'deadair.plan/1',
    runId: `small-${seed}`,
    scenario: 'small',
    incident: 'none',
    cured: false,
    injectedCause: null,
    seed,
    mode: 'simulated',
    params: {},
    target: { kind: 'embedded', config },
    arrivals: [
      { name: 'calls', durationMs: burstMs, ...rate(calls, burstMs) },
      { name: 'quiet', durationMs: QUIET_MS, fromCps: 0, toCps: 0 },
      { name: 'last wave', durationMs: LAST_WAVE_MS, ...rate(lastWave, LAST_WAVE_MS) },
    ],
    drainMs: QUIET_MS,
    call: {
      ringMs: { kind: 'uniform', minMs: 0, maxMs: pick(10, 800, 3000) },
      // The last wave wants all channels at once.
      holdMs: { kind: 'uniform', ...(channels > 0 ? { minMs: 2500, maxMs: 2600 } : hold) },
      patienceMs: pick(300, 2000, 8000),
      media,
      rtcp: true,
    },
    agents: { callerWorkers: pick(1, 1, 2), maxCallsPerWorker: pick(128, 128, 16), mediaBackend: 'auto' },
    faults,
    budgets: [],
    command: '',
  };
  const impairments = {
    loss: pick(0, 0.01, 0.05, 0.1),
    duplicate: pick(0, 0.05, 0.2),
    reorder: pick(0, 0.1, 0.5),
    reorderUs: pick(2000, 50_000, 400_000),
    only: isSip,
  };
  return { plan, impairments, lastWaveMs: burstMs + QUIET_MS, lastWave };
}

function platform(chance: Prng): EmbeddedConfig {
  return {
    nat: { enabled: chance.below(4) !== 0, maxSessions: 4096, idleTimeoutMs: 30_000, linkLoss: 0 },
    edge: { dispatch: chance.below(2) === 0 ? 'round-robin' : 'call-id-hash' },
    nodes: 1 + chance.below(3),
    node: { threads: 16, inboxLimit: 1000, rtpTimeoutMs: 30_000 },
    relay: { ports: 2000, onExhausted: 'reject' },
    trunks: [{ cps: 0, channels: 0 }],
    pacingCps: 0,
    cdr: { mode: chance.below(2) === 0 ? 'queue' : 'inline', queueLimit: 10_000 },
  };
}

export function simulate(run: SmallRun): { store: MemoryRunStore; outcome: EngineOutcome } {
  const store = new MemoryRunStore();
  const outcome = runSimulated(run.plan, store as unknown as RunStore, {}, run.impairments);
  return { store, outcome };
}
