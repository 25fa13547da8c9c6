import { callParams, callPlan, embeddedConfig, embeddedParams } from '../../harness/plan/embedded.js';
import type { FaultWish } from '../../harness/plan/fault.js';
import { choice, defineScenario, flag, integer, number, text } from '../../harness/plan/scenario.js';
import { signallingParams, signallingPlan } from '../../harness/plan/signalling.js';
import type { ArrivalStage, RegistrarConfig, RegistrationWave, RetryPolicy } from '../../harness/plan/types.js';
import { webphoneParams, webphoneWish } from '../../harness/plan/webphones.js';

/** The buffer that Linux gives when nobody asks (net.core.rmem_default), and the one that ends the waves. */
const DEFAULT_BUFFER = 212_992;
const BIG_BUFFER = 16 << 20;

const CURES = [
  'none',
  'staggered-expiry',
  'rate-limited-edge',
  'bigger-receive-buffer',
  'cached-credentials',
  'rfc5626-retry',
  'both',
] as const;

export default defineScenario({
  name: 'registration-storm',
  summary: '10,000 phones of 500 tenants register, refresh, and all come back at once',
  params: {
    phones: integer(10_000, { unit: 'phones', min: 1, max: 100_000, doc: 'the population' }),
    tenants: integer(500, { unit: 'tenants', min: 1, max: 65_535, doc: 'each with a domain, which is its realm' }),
    users: text('', {
      doc: "CSV of the phones' names and secrets in SIPp's injection format; at most `phones` of them. Without it they are generated",
    }),
    domain: text('', { doc: 'of users whose row names none; the host of --target when empty' }),
    phonesPerSocket: integer(64, { unit: 'phones', min: 1, doc: 'phones that share a UDP socket of ours' }),
    phonesPerConnection: integer(1, {
      unit: 'phones',
      min: 1,
      doc: 'tcp, tls, ws, wss: phones that share a connection',
    }),
    phase: choice('steady', {
      choices: ['steady', 'storm', 'outage', 'firmware-roll'],
      doc: 'storm: all restart at once; outage: the registrar cannot be reached, and all notice; firmware-roll: tenant by tenant',
    }),
    cure: choice('none', {
      choices: CURES,
      platform: true,
      doc: 'what is changed about registrar or phones; both: staggered-expiry and rate-limited-edge',
    }),
    bootMs: integer(20_000, { unit: 'ms', min: 1, doc: 'over which the phones first register' }),
    atMs: integer(40_000, { unit: 'ms', doc: 'when the phase begins' }),
    overMs: integer(1000, { unit: 'ms', doc: 'storm and outage: from the first phone to the last' }),
    forgetful: flag(true, {
      doc: 'phones that come back have restarted, and forgot their nonce: each is challenged again',
    }),
    outageMs: integer(20_000, { unit: 'ms', platform: true, doc: 'outage: for how long' }),
    rollMs: integer(60_000, { unit: 'ms', doc: 'firmware-roll: from the first tenant to the last' }),
    watchMs: integer(120_000, { unit: 'ms', min: 1, doc: 'how long the run goes on after the phase began' }),
    expiresS: integer(600, { unit: 's', min: 1, doc: 'what phones ask for' }),
    refreshMin: number(0.5, {
      max: 1,
      doc: 'a phone refreshes when this share of what was granted is over, at the soonest',
    }),
    refreshMax: number(0.9, { max: 1, doc: 'and at the latest' }),
    retry: choice('fixed', {
      choices: ['immediate', 'fixed', 'rfc5626'],
      doc: 'what phones do after a refusal without Retry-After, or a timeout',
    }),
    retryMs: integer(5000, { unit: 'ms', doc: 'fixed: the wait; rfc5626: the base of its back-off' }),
    retryMaxMs: integer(1_800_000, { unit: 'ms', doc: 'rfc5626: the longest wait' }),
    cps: number(0, {
      unit: 'calls/s',
      max: 1000,
      doc: 'calls to the phones, at the contacts that they registered; 0: none',
    }),
    calls: choice('phones', {
      choices: ['phones', 'outside'],
      doc: 'who places them: the phones, each as itself, to another of its tenant; or callers outside, through router, edge and node (embedded platform)',
    }),
    answer: flag(false, { doc: 'phones answer calls though cps is 0: those of somebody else' }),
    callerWorkers: integer(1, { min: 1, max: 64, doc: 'threads that share the phones' }),
    'registrar.threads': integer(4, {
      platform: true,
      min: 1,
      max: 1024,
      doc: 'a thread that waits for the database does nothing else',
    }),
    'registrar.receiveBufferBytes': integer(DEFAULT_BUFFER, {
      platform: true,
      unit: 'bytes',
      min: 2048,
      doc: 'about 1,800 bytes a REGISTER',
    }),
    'registrar.credentials': choice('database', {
      platform: true,
      choices: ['cached', 'database'],
      doc: 'cached: secrets in memory; database: a row is read for every request',
    }),
    'registrar.dbLatencyMs': number(5, {
      platform: true,
      unit: 'ms',
      max: 60_000,
      doc: 'the way to the database and back',
    }),
    'registrar.sha256': choice('no', {
      platform: true,
      choices: ['no', 'offered'],
      doc: 'SHA-256 is offered before MD5 (RFC 8760)',
    }),
    'registrar.nonceLifeS': integer(300, { platform: true, unit: 's', min: 1, doc: 'after it stale=true' }),
    'registrar.minExpiresS': integer(60, { platform: true, unit: 's', min: 1, doc: 'less is refused with 423' }),
    'registrar.maxExpiresS': integer(3600, { platform: true, unit: 's', min: 1, doc: 'more is cut' }),
    'registrar.expiresSpread': number(0, {
      platform: true,
      max: 1,
      doc: 'granted: uniform in [1 - this, 1] of what is asked',
    }),
    'registrar.limitPerS': number(0, {
      platform: true,
      unit: 'REGISTERs/s',
      doc: 'first REGISTERs let in, the rest gets 503; 0 = all',
    }),
    'registrar.retryAfterS': integer(1, { platform: true, unit: 's', doc: 'Retry-After of those 503s, at least' }),
    'registrar.retryAfterSpreadS': integer(9, { platform: true, unit: 's', doc: 'and up to this much more' }),
    ...signallingParams,
    ...callParams,
    ...embeddedParams,
    ...webphoneParams,
  },
  // As many phones as a stack's tenants have without being asked, on cores that the platform shares.
  onStack: { phones: 1000, tenants: 50 },
  build: (p) => {
    const { cure, phase } = p;
    const takesCalls = p.cps > 0 || p.answer;
    const limited = cure === 'rate-limited-edge' || cure === 'both';
    const retry: RetryPolicy =
      cure === 'rfc5626-retry' || p.retry === 'rfc5626'
        ? { kind: 'rfc5626', baseMs: p.retryMs, maxMs: p.retryMaxMs }
        : p.retry === 'fixed'
          ? { kind: 'fixed', ms: p.retryMs }
          : { kind: 'immediate' };
    const registrar: RegistrarConfig = {
      threads: p['registrar.threads'],
      receiveBufferBytes: cure === 'bigger-receive-buffer' ? BIG_BUFFER : p['registrar.receiveBufferBytes'],
      credentials: cure === 'cached-credentials' ? 'cached' : p['registrar.credentials'],
      dbLatencyMs: p['registrar.dbLatencyMs'],
      algorithms: p['registrar.sha256'] === 'offered' ? ['SHA-256', 'MD5'] : ['MD5'],
      nonceLifeS: p['registrar.nonceLifeS'],
      minExpiresS: p['registrar.minExpiresS'],
      maxExpiresS: p['registrar.maxExpiresS'],
      expiresSpread: isStaggered(cure) ? STAGGER : p['registrar.expiresSpread'],
      // Threads that wait 5 ms each answer 800 a second; a limit below that leaves room for what comes with credentials.
      limitPerS: limited ? CAPACITY_SHARE * capacityPerS(p) : p['registrar.limitPerS'],
      retryAfterS: p['registrar.retryAfterS'],
      retryAfterSpreadS: p['registrar.retryAfterSpreadS'],
    };
    const waves: RegistrationWave[] = [
      { name: 'boot', atMs: 0, overMs: p.bootMs, order: 'shuffled', restart: true },
      ...waveOf(phase, p),
    ];
    return {
      arrivals: stagesOf(phase, p),
      drainMs: p.cps > 0 ? p.patienceMs : 0,
      call: takesCalls ? callPlan(p) : { ...callPlan(p), media: 'none' },
      registrations: {
        phones: p.phones,
        tenants: p.tenants,
        ...(p.users === '' ? {} : { users: { file: p.users, domain: p.domain, sha256: '' } }),
        phonesPerSocket: p.transport === 'udp' ? p.phonesPerSocket : p.phonesPerConnection,
        expiresS: p.expiresS,
        refreshMin: p.refreshMin,
        refreshMax: p.refreshMax,
        retry,
        ...(takesCalls ? { called: true } : {}),
        ...(takesCalls && p.calls === 'phones' ? { calling: true } : {}),
        waves,
      },
      signalling: signallingPlan(p),
      platform: { ...embeddedConfig(p), registrar },
      webphones: webphoneWish(p),
      agents: {
        callerWorkers: p.callerWorkers,
        maxCallsPerWorker: takesCalls ? Math.ceil((p.cps * (p.holdMsMax + p.patienceMs)) / 1000) + 64 : 1,
      },
    };
  },
  incidents: {
    storm: {
      summary:
        'the mains come back: every phone restarts within a second, and a registrar that waits for its database drops most of them',
      cause: null,
      set: { phase: 'storm' },
      compare: ['none', 'bigger-receive-buffer', 'cached-credentials', 'rate-limited-edge'],
      cure: {
        summary: 'a receive buffer that holds the burst: 16 MB',
        set: { cure: 'bigger-receive-buffer' },
      },
    },
    outage: {
      summary: 'the registrar cannot be reached for 20 s, every phone notices, and all come back in step',
      cause: null,
      set: { phase: 'outage' },
      compare: ['none', 'staggered-expiry', 'rate-limited-edge', 'both'],
      faults: (p): FaultWish[] => [{ kind: 'registrar-outage', at: p.atMs, for: p.outageMs }],
      cure: {
        summary: 'a receive buffer that holds the wave: 16 MB',
        set: { cure: 'bigger-receive-buffer' },
      },
    },
    'firmware-roll': {
      summary: 'new firmware restarts one tenant after the other',
      cause: null,
      set: { phase: 'firmware-roll' },
      noCure: 'the roll is spread by itself: 10,000 phones a minute are within what the registrar answers',
    },
    shed: {
      summary:
        'the mains come back, and a limit in front of the registrar lets in what it can do: the others are told when to come again',
      cause: 'registration-shed',
      set: { phase: 'storm', cure: 'rate-limited-edge' },
      noCure: 'it is the cure of a storm: phones come back without drowning the registrar',
    },
    'expiry-echo': {
      summary:
        'phones that registered in one storm refresh in step, since all were granted the same and refresh at half of it',
      cause: null,
      set: {
        phase: 'storm',
        expiresS: 120,
        refreshMin: 0.5,
        refreshMax: 0.5,
        'registrar.receiveBufferBytes': BIG_BUFFER,
      },
      cure: { summary: 'the registrar grants 60 to 120 s', set: { cure: 'staggered-expiry' } },
    },
  },
  budgets: (p) => [
    'registered_share: rate>=0.999',
    // RFC 6076 4.2 counts every 503, those of a limit that does its work too.
    ...(p.cure === 'rate-limited-edge' || p.cure === 'both' ? [] : ['ira: rate<=0.01']),
    `time_to_95_ms: value<${p.phase === 'outage' ? p.outageMs + BACK_MS : BACK_MS}`,
  ],
});

/** Without calls they only say how long phones register and refresh; with calls, phones go on until the last call is over. */
function stagesOf(
  phase: string,
  p: { bootMs: number; atMs: number; watchMs: number; cps: number; holdMsMax: number; patienceMs: number },
): ArrivalStage[] {
  const bootMs = p.bootMs + BOOTED_MS;
  const idle = { fromCps: 0, toCps: 0 };
  if (p.cps === 0) return [{ name: phase, durationMs: p.atMs + p.watchMs, ...idle }];
  return [
    { name: 'boot', durationMs: bootMs, ...idle },
    { name: phase, durationMs: Math.max(1, p.atMs + p.watchMs - bootMs), fromCps: p.cps, toCps: p.cps },
    { name: 'last calls', durationMs: p.holdMsMax + p.patienceMs, ...idle },
  ];
}

/** Calls begin when the last phone had this long to register. */
const BOOTED_MS = 2_000;

/** By then 95 % are to be back, after a storm or after the end of an outage. */
const BACK_MS = 25_000;

/** Grants are uniform between this share less and what was asked. */
const STAGGER = 0.5;

function isStaggered(cure: string): boolean {
  return cure === 'staggered-expiry' || cure === 'both';
}

interface WaveParams {
  atMs: number;
  overMs: number;
  outageMs: number;
  rollMs: number;
  forgetful: boolean;
  cure: string;
  expiresS: number;
  refreshMax: number;
}

/** Of what the registrar can do, first REGISTERs get this much. */
const CAPACITY_SHARE = 0.75;

/** Requests that threads which wait for the database answer in a second. */
function capacityPerS(p: { 'registrar.threads': number; 'registrar.dbLatencyMs': number }): number {
  return (p['registrar.threads'] * 1000) / Math.max(0.1, p['registrar.dbLatencyMs']);
}

function waveOf(phase: string, p: WaveParams): RegistrationWave[] {
  const { atMs, rollMs, forgetful: restart } = p;
  // Who refreshes at different times notices at different times, and who does so after the outage never notices.
  const spreadMs = STAGGER * p.expiresS * p.refreshMax * 1000;
  const staggered = phase === 'outage' && isStaggered(p.cure) && spreadMs > p.outageMs;
  if (phase === 'storm') return [{ name: 'storm', atMs, overMs: p.overMs, order: 'shuffled', restart }];
  if (phase === 'outage' && staggered) {
    const share = Math.max(p.outageMs, 1) / spreadMs;
    return [{ name: 'outage', atMs, overMs: p.outageMs, order: 'shuffled', share, restart }];
  }
  if (phase === 'outage') return [{ name: 'outage', atMs, overMs: p.overMs, order: 'shuffled', restart }];
  if (phase === 'firmware-roll') {
    return [{ name: 'firmware-roll', atMs, overMs: rollMs, order: 'by-tenant', restart }];
  }
  return [];
}
