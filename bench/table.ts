import type { DiagnosisFigure } from './diagnosis.js';
import type { Machine } from './machine.js';
import type { MediaTrial } from './media.js';
import type { MemoryFigure, PhoneFigure } from './memory.js';
import type { RegistrationTrial } from './registrations.js';
import type { SignallingTrial } from './signalling.js';
import type { MediaFigure } from './wire.js';

/** Everything that one run of the bench measured; results/bench.json is this. Null or empty: not measured; not asked for, or `missing` says why. */
export interface BenchResult {
  schema: 'deadair.bench/1';
  quick: boolean;
  machine: Machine;
  missing: string[];
  signalling: { rateCps: number; trials: SignallingTrial[]; ratios: SignallingRatios } | null;
  registrations: { phones: number; rate: number; trials: RegistrationTrial[]; ratios: RegistrationRatios } | null;
  media: { trials: MediaTrial[]; ratios: { raw: number | null; sockets: number | null } } | null;
  memory: MemoryFigure[];
  phones: PhoneFigure[];
  wire: MediaFigure[];
  diagnosis: DiagnosisFigure | null;
}

export interface RegistrationRatios {
  pairs: number;
  /** Neighbouring trials in which every phone registered. */
  cleanPairs: number;
  /** Medians over clean pairs of our registrations per CPU-second by SIPp's. */
  agentsThread: number;
  loadProcess: number;
}

export function registrationRatios(trials: readonly RegistrationTrial[]): RegistrationRatios {
  const [theirs, ours] = (['sipp', 'deadair'] as const).map((g) => trials.filter((t) => t.generator === g));
  const pairs = ours!.map((mine, i) => ({ mine, theirs: theirs![i]! }));
  const clean = pairs.filter((p) => p.mine.failed + p.theirs.failed === 0);
  const against = (cpu: (t: RegistrationTrial) => number): number =>
    median((clean.length > 0 ? clean : pairs).map((p) => p.theirs.processCpuS / cpu(p.mine)));
  return {
    pairs: pairs.length,
    cleanPairs: clean.length,
    agentsThread: against((t) => t.threadCpuS),
    loadProcess: against((t) => t.loadCpuS),
  };
}

export interface SignallingRatios {
  pairs: number;
  /** Neighbouring trials without a failed call. */
  cleanPairs: number;
  /** Medians over clean pairs of our calls per CPU-second by SIPp's. */
  agentsThread: number;
  loadProcess: number;
  wholeProcess: number;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

const int = (n: number): string => Math.round(n).toLocaleString('en-US');
const ratio = (n: number | null): string => (n === null ? '-' : `${n.toFixed(2)}x`);

function rows(head: string[], body: string[][]): string {
  const line = (cells: string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, i) => (i === 0 ? '---' : '---:'))), ...body.map(line)].join('\n');
}

export function markdown(r: BenchResult): string {
  const m = r.machine;
  const where =
    `${m.cpu}, ${m.cores} cores, ${m.memoryGb} GB, ${m.kernel}, Node ${m.node}, SIPp ${m.sipp ?? 'missing'}, ` +
    `deadair ${m.deadair}; load average ${m.load[0]} before, ${m.load[1]} after${r.quick ? '; quick run' : ''}`;
  const parts = [`## deadair bench`, where, ...r.missing.map((why) => `**Not measured:** ${why}`)];
  if (r.signalling !== null) parts.push(signallingPart(r.signalling));
  if (r.registrations !== null) parts.push(registrationsPart(r.registrations));
  if (r.media !== null) parts.push(mediaPart(r.media));
  if (r.memory.length > 0) parts.push(memoryPart(r.memory));
  if (r.phones.length > 0) parts.push(phonesPart(r.phones));
  if (r.wire.length > 0) parts.push(wirePart(r.wire));
  if (r.diagnosis !== null) parts.push(diagnosisPart(r.diagnosis));
  return `${parts.join('\n\n')}\n`;
}

const GENERATORS = ['sipp', 'deadair'] as const;

function registrationsPart({ rate, trials, ratios }: NonNullable<BenchResult['registrations']>): string {
  const of = (generator: string, cpu: (t: RegistrationTrial) => number): string =>
    int(median(trials.filter((t) => t.generator === generator).map((t) => t.phones / cpu(t))));
  const sum = (generator: string, n: (t: RegistrationTrial) => number): string =>
    int(trials.filter((t) => t.generator === generator).reduce((total, t) => total + n(t), 0));
  const who = (g: string): string[] => [sum(g, (t) => t.phones), sum(g, (t) => t.failed), sum(g, (t) => t.retransmits)];
  return [
    `### Registrations with digest per CPU-second, ${int(rate)} a second: REGISTER, 401, REGISTER, 200; one registrar, one file of users`,
    rows(
      ['generator', 'registrations per CPU-second', 'against SIPp', 'phones', 'failed', 'repeated'],
      [
        ['SIPp', of('sipp', (t) => t.processCpuS), '1.00x', ...who('sipp')],
        ['deadair, agents thread', of('deadair', (t) => t.threadCpuS), ratio(ratios.agentsThread), ...who('deadair')],
        ['deadair, process while under load', of('deadair', (t) => t.loadCpuS), ratio(ratios.loadProcess), '', '', ''],
      ],
    ),
    `Medians over the ${ratios.cleanPairs} of ${ratios.pairs} neighbouring pairs in which every phone registered. The registrar verifies each digest, in a process of its own. Each on one socket.`,
  ].join('\n\n');
}

function phonesPart(figures: readonly PhoneFigure[]): string {
  return [
    '### Memory per phone that is registered and idle, bytes: slope between two populations, on one socket',
    rows(
      ['phones', 'resident', 'heap + external', 'growth over idle'],
      figures.map((f) => [
        f.phones.map(int).join(' / '),
        int(f.rssPerPhone),
        int(f.heapPerPhone),
        `${f.rssGrowthMb} MB`,
      ]),
    ),
  ].join('\n\n');
}

function signallingPart({ rateCps, trials, ratios }: NonNullable<BenchResult['signalling']>): string {
  const whole = trials.filter((t) => t.failed === 0);
  const counted = GENERATORS.every((g) => whole.some((t) => t.generator === g)) ? whole : trials;
  const of = (generator: string, cpu: (t: SignallingTrial) => number): string =>
    int(median(counted.filter((t) => t.generator === generator).map((t) => t.calls / cpu(t))));
  const sum = (generator: string, n: (t: SignallingTrial) => number): string =>
    int(trials.filter((t) => t.generator === generator).reduce((total, t) => total + n(t), 0));
  const who = (generator: string): string[] => [
    sum(generator, (t) => t.calls),
    sum(generator, (t) => t.failed),
    sum(generator, (t) => t.retransmits),
  ];
  return [
    `### Calls per CPU-second, ${int(rateCps)} calls a second, seven messages a call, a SIPp answers both`,
    rows(
      ['generator', 'calls per CPU-second', 'against SIPp', 'calls', 'failed', 'retransmits'],
      [
        ['SIPp UAC', of('sipp', (t) => t.processCpuS), '1.00x', ...who('sipp')],
        ['deadair, agents thread', of('deadair', (t) => t.threadCpuS), ratio(ratios.agentsThread), ...who('deadair')],
        ['deadair, process while under load', of('deadair', (t) => t.loadCpuS), ratio(ratios.loadProcess), '', '', ''],
        [
          'deadair, process from exec to exit',
          of('deadair', (t) => t.processCpuS),
          ratio(ratios.wholeProcess),
          '',
          '',
          '',
        ],
      ],
    ),
    (ratios.cleanPairs > 0
      ? `Ratios are medians over the ${ratios.cleanPairs} of ${ratios.pairs} neighbouring pairs in which no call failed. `
      : 'No pair of trials was without failed calls: the machine was busy, and the ratios are not to be quoted. ') +
      'SIPp is counted from exec to exit. Ours in three ways: the thread that places calls; with the collector of records and the compiler; with start-up.',
  ].join('\n\n');
}

function mediaPart({ trials, ratios }: NonNullable<BenchResult['media']>): string {
  const names = [...new Set(trials.map((t) => t.generator))];
  const ms = (n: number | undefined): string => (n === undefined ? '-' : n.toFixed(2));
  const body = names.map((name) => {
    const mine = trials.filter((t) => t.generator === name);
    const by = name === 'deadair raw' ? ratios.raw : name === 'deadair sockets' ? ratios.sockets : 1;
    const late = (q: 'p50' | 'p99' | 'max'): string => {
      const known = mine.flatMap((t) => (t.latenessMs === null ? [] : [t.latenessMs[q]]));
      return ms(known.length === 0 ? undefined : median(known));
    };
    const of = (n: (t: MediaTrial) => number): string => int(median(mine.map(n)));
    return [
      name,
      of((t) => t.packetsPerCpuSecond),
      ratio(by),
      of((t) => t.sent / t.wallS),
      of((t) => t.received / t.wallS),
      `${(median(mine.map((t) => t.pace)) * 100).toFixed(1)} %`,
      late('p50'),
      late('p99'),
      late('max'),
    ];
  });
  return [
    `### RTP packets in and out per CPU-second, ${int(trials[0]!.legs)} legs of G.711 at 20 ms, as many come back`,
    rows(['generator', 'in+out per CPU-s', 'against SIPp', 'out/s', 'in/s', 'pace', 'late p50 ms', 'p99', 'max'], body),
    'CPU is the generator process alone, in a window with all calls up. Out is what arrived at the echo; in is what came ' +
      'back less the kernel’s drops at the generator’s sockets (ours: its own count). SIPp 3.6.1 sends all streams from one ' +
      'socket and reads none of what comes back. Lateness is of sends against their instants.',
  ].join('\n\n');
}

function memoryPart(figures: readonly MemoryFigure[]): string {
  return [
    '### Memory per call, bytes: slope between two numbers of calls up',
    rows(
      ['calls', 'with', 'resident', 'heap + external', 'growth over idle'],
      figures.map((f) => [
        f.calls.map(int).join(' / '),
        f.media === 'rtp' ? 'signalling and audio' : 'signalling only',
        int(f.rssPerCall),
        int(f.heapPerCall),
        `${f.rssGrowthMb} MB`,
      ]),
    ),
  ].join('\n\n');
}

function wirePart(figures: readonly MediaFigure[]): string {
  return [
    '### Wire alone, both ends in one process: packets in and out per CPU-second',
    rows(
      ['media', 'legs', 'in+out per CPU-s', 'loss', 'CPU share', 'late p99 ms'],
      figures.map((f) => [
        f.media,
        int(f.legs),
        int(f.packetsPerCpuSecond),
        `${(f.lossRatio * 100).toFixed(3)} %`,
        f.cpuShare.toFixed(2),
        f.latenessP99Ms.toFixed(1),
      ]),
    ),
  ].join('\n\n');
}

function diagnosisPart(d: DiagnosisFigure): string {
  const row = [int(d.calls), int(d.bad), d.seconds.toFixed(1), int(d.peakMb), String(d.causes.length)];
  return `### Verdict, from the files of a made-up run with telemetry

${rows(['calls', 'bad', 'seconds', 'peak memory, MB', 'causes named'], [row])}`;
}
