/** What a budget can be set on, and how it may be narrowed. */

/** counter: how many. rate: the share of some that had a property, 0..1. trend: a set of samples. */
export type MetricKind = 'counter' | 'rate' | 'trend';

/**
 * Tags that a metric can be narrowed by, `metric{tag:value}`:
 *   calls   one figure of each call: tenant, window, fault
 *   defects of some calls: these and cause, which counts only calls that were given that cause
 *   audio   of each direction: those of calls, and side, the party that heard it
 *   phones  of each registration: tenant, window, fault
 *   fault   of a fault itself: fault
 *   run     of the whole run: none
 */
export const TAGS_OF = {
  calls: ['tenant', 'window', 'fault'],
  defects: ['tenant', 'window', 'fault', 'cause'],
  audio: ['tenant', 'window', 'fault', 'side'],
  phones: ['tenant', 'window', 'fault'],
  fault: ['fault'],
  run: [],
} as const satisfies Record<string, readonly string[]>;
export type TagName = 'tenant' | 'window' | 'fault' | 'cause' | 'side';

/**
 * Calls by the faults of the run: any of it while one was on; none of it; over before the first; begun after the last.
 */
export const WINDOWS = ['during', 'outside', 'before', 'after'] as const;
export type Window = (typeof WINDOWS)[number];
export const SIDES = ['caller', 'callee'] as const;

interface MetricDoc {
  kind: MetricKind;
  of: keyof typeof TAGS_OF;
  /** Known while the run goes on, from what callers saw of calls that are over: it can end the run. */
  live?: true;
  doc: string;
}

/** Names with a clause are those of RFC 6076; its ratios are percentages, ours go from 0 to 1 as k6's rates do. */
export const METRICS = {
  asr: {
    kind: 'rate',
    of: 'calls',
    live: true,
    doc: 'answer seizure ratio: INVITEs answered with 200 / all INVITEs (ITU-T E.411)',
  },
  ser: {
    kind: 'rate',
    of: 'calls',
    live: true,
    doc: 'session establishment ratio: 200 / INVITEs without those that got 3xx (RFC 6076 4.6)',
  },
  seer: {
    kind: 'rate',
    of: 'calls',
    live: true,
    doc: 'session establishment effectiveness: 200, 480, 486, 600 or 603 / INVITEs without 3xx (RFC 6076 4.7)',
  },
  isa: {
    kind: 'rate',
    of: 'defects',
    live: true,
    doc: 'ineffective session attempts: 408, 500, 503, 504 or nothing / INVITEs (RFC 6076 4.8)',
  },
  scr: {
    kind: 'rate',
    of: 'calls',
    doc: 'session completion ratio: set up and ended as intended / INVITEs (RFC 6076 4.9)',
  },
  srd_ms: {
    kind: 'trend',
    of: 'calls',
    live: true,
    doc: 'session request delay, successful: INVITE to first 18x or 200 (RFC 6076 4.3.1)',
  },
  srd_failed_ms: {
    kind: 'trend',
    of: 'calls',
    live: true,
    doc: 'session request delay, failed: INVITE to 4xx-6xx (RFC 6076 4.3.2)',
  },
  sdd_ms: { kind: 'trend', of: 'calls', live: true, doc: 'session disconnect delay: BYE to its 2xx (RFC 6076 4.4)' },
  sdt_ms: { kind: 'trend', of: 'calls', doc: 'session duration: 200 to BYE of completed calls (RFC 6076 4.5.1)' },
  pdd_ms: { kind: 'trend', of: 'calls', live: true, doc: 'post-dial delay: INVITE to first 18x' },
  drop_rate: {
    kind: 'rate',
    of: 'defects',
    live: true,
    doc: 'answered calls that somebody else ended before the caller meant to / answered',
  },
  bad_rate: { kind: 'rate', of: 'defects', doc: 'calls with any defect / calls started' },
  bad_calls: { kind: 'counter', of: 'defects', doc: 'calls with any defect' },
  dead_air: { kind: 'counter', of: 'defects', doc: 'answered calls in which neither side heard the other' },
  one_way: { kind: 'counter', of: 'defects', doc: 'answered calls in which one side heard nothing' },
  crossed_audio: { kind: 'counter', of: 'defects', doc: 'calls in which the audio of another call was heard' },
  unknown_cause: { kind: 'counter', of: 'calls', doc: 'bad calls whose cause the diagnosis does not know' },
  blocked: {
    kind: 'counter',
    of: 'run',
    live: true,
    doc: 'calls that were due and that the generator could not start',
  },
  mos: { kind: 'trend', of: 'audio', doc: 'mean opinion score of each direction of audio, 1..4.5 (ITU-T G.107)' },
  loss_pct: { kind: 'trend', of: 'audio', doc: 'RTP packets lost of each direction of audio, per cent' },
  jitter_ms: { kind: 'trend', of: 'audio', doc: 'interarrival jitter of each direction of audio (RFC 3550 6.4.1)' },
  recovery_ms: {
    kind: 'counter',
    of: 'fault',
    doc: 'from the end of the last fault until calls that begin go as well as before the first, ms',
  },
  rrd_ms: {
    kind: 'trend',
    of: 'phones',
    doc: 'registration request delay: first REGISTER to its 200 (RFC 6076 4.1)',
  },
  ira: {
    kind: 'rate',
    of: 'phones',
    doc: 'ineffective registration attempts: refused or timed out / ended (RFC 6076 4.2)',
  },
  registered_share: { kind: 'rate', of: 'run', doc: 'phones that hold a binding at the end of the run / phones' },
  time_to_95_ms: {
    kind: 'counter',
    of: 'run',
    doc: 'from the last wave’s first phone until 95 % of its phones were back, ms',
  },
  webphone_asr: { kind: 'rate', of: 'run', doc: 'calls of the sip.js webphones that were answered / tried' },
  webphone_heard: {
    kind: 'rate',
    of: 'run',
    doc: 'answered calls of the webphones with audio both ways / those that could be judged',
  },
  lateness_ms: {
    kind: 'trend',
    of: 'calls',
    live: true,
    doc: 'how long after its intended instant a call was started: ours, not the target’s',
  },
} as const satisfies Record<string, MetricDoc>;

export type MetricName = keyof typeof METRICS;
export const METRIC_NAMES = Object.keys(METRICS) as MetricName[];
export const LIVE_METRICS = METRIC_NAMES.filter((name) => 'live' in METRICS[name]);

export function isMetric(name: string): name is MetricName {
  return Object.hasOwn(METRICS, name);
}

/** k6's, without those for a gauge. `value` of a counter is its count. */
export const AGGREGATIONS: Record<MetricKind, readonly string[]> = {
  counter: ['count', 'value'],
  rate: ['rate'],
  trend: ['avg', 'min', 'med', 'max', 'p(N)'],
};
export const KNOWN_AGGREGATIONS = ['count', 'rate', 'value', 'avg', 'min', 'med', 'max', 'p(N)'];
