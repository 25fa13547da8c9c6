/**
 * `npm run bench [-- --quick] [--only calls,registrations,media,memory,wire,diagnosis]`: our generator beside SIPp in one run, A B A B, and the
 * figures that the README quotes. CPU time decides, not wall time; results/bench.json has every trial.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { rawRefusal, syscallRefusal } from '../agents/wire/media.js';
import { diagnosisFigure } from './diagnosis.js';
import { machine } from './machine.js';
import { type MediaGenerator, type MediaTrial, mediaTrial, mediaTrialAlone } from './media.js';
import { type MemoryFigure, memoryFigure, phoneFigure } from './memory.js';
import { type RegistrationTrial, registrationTrial, writeUsers } from './registrations.js';
import { type SignallingTrial, signallingTrial } from './signalling.js';
import { sippVersion } from './sipp.js';
import { type BenchResult, markdown, median, registrationRatios } from './table.js';
import { measureWire } from './wire.js';

const quick = process.argv.includes('--quick');
const PARTS = ['calls', 'registrations', 'media', 'memory', 'wire', 'diagnosis'] as const;
type Part = (typeof PARTS)[number];

/** All, or those that `--only` names. Throws on a name that is none. */
function partsWanted(): ReadonlySet<Part> {
  const at = process.argv.indexOf('--only');
  if (at < 0) return new Set(PARTS);
  const names = (process.argv[at + 1] ?? '').split(',');
  const wrong = names.find((name) => !(PARTS as readonly string[]).includes(name));
  if (wrong !== undefined) throw new Error(`--only ${wrong}: the parts are ${PARTS.join(', ')}`);
  return new Set(names as Part[]);
}

const parts = partsWanted();
const SIZE = quick
  ? {
      rounds: 1,
      calls: 1_000,
      rateCps: 1000,
      phones: 1_000,
      registerRate: 1000,
      idlePhones: [500, 1_000],
      legs: 100,
      mediaSeconds: 1,
      calm: [200, 400],
      loud: [50, 100],
      wireSeconds: 1,
      judged: 10_000,
    }
  : {
      rounds: 5,
      // Half a minute each: what a compiler does in its first second is not what a soak costs.
      calls: 150_000,
      rateCps: 5000,
      phones: 90_000,
      registerRate: 5000,
      idlePhones: [10_000, 30_000],
      legs: 1000,
      mediaSeconds: 8,
      calm: [4000, 8000],
      loud: [1000, 2000],
      wireSeconds: 5,
      judged: 1_000_000,
    };

const say = (text: string): boolean => process.stderr.write(`${text}\n`);

async function signalling(dir: string): Promise<NonNullable<BenchResult['signalling']>> {
  const load = { calls: SIZE.calls, rateCps: SIZE.rateCps };
  const trials: SignallingTrial[] = [];
  for (let round = 0; round < SIZE.rounds; round++) {
    for (const generator of ['sipp', 'deadair'] as const) {
      const trial = await signallingTrial(generator, load, dir);
      trials.push(trial);
      say(
        `calls ${round + 1}/${SIZE.rounds} ${generator}: ${Math.round(trial.calls / trial.threadCpuS)} per CPU-second`,
      );
    }
  }
  const [theirs, our] = (['sipp', 'deadair'] as const).map((g) => trials.filter((t) => t.generator === g));
  // A pair in which calls failed was measured while something else had the CPU: it counts only when there is no other.
  const pairs = our!.map((mine, i) => ({ mine, theirs: theirs![i]! }));
  const clean = pairs.filter((p) => p.mine.failed + p.theirs.failed === 0);
  const against = (cpu: (t: SignallingTrial) => number): number =>
    median((clean.length > 0 ? clean : pairs).map((p) => p.theirs.processCpuS / cpu(p.mine)));
  const ratios = {
    cleanPairs: clean.length,
    pairs: pairs.length,
    agentsThread: against((t) => t.threadCpuS),
    loadProcess: against((t) => t.loadCpuS),
    wholeProcess: against((t) => t.processCpuS),
  };
  return { rateCps: load.rateCps, trials, ratios };
}

async function registrations(dir: string): Promise<NonNullable<BenchResult['registrations']>> {
  const load = { phones: SIZE.phones, rate: SIZE.registerRate };
  const users = writeUsers(dir, load.phones);
  const trials: RegistrationTrial[] = [];
  for (let round = 0; round < SIZE.rounds; round++) {
    for (const generator of ['sipp', 'deadair'] as const) {
      const trial = await registrationTrial(generator, load, dir, users);
      trials.push(trial);
      say(
        `registrations ${round + 1}/${SIZE.rounds} ${generator}: ${Math.round(trial.phones / trial.threadCpuS)} per CPU-second, ${trial.retransmits} repeated`,
      );
    }
  }
  return { ...load, trials, ratios: registrationRatios(trials) };
}

async function media(dir: string, withSipp: boolean): Promise<NonNullable<BenchResult['media']>> {
  const load = { legs: SIZE.legs, seconds: SIZE.mediaSeconds };
  const generators: MediaGenerator[] = ['deadair sockets'];
  if (withSipp) generators.unshift('sipp rtp_stream');
  if (rawRefusal() === undefined) generators.push('deadair raw');
  const trials: MediaTrial[] = [];
  for (let round = 0; round < Math.min(3, SIZE.rounds); round++) {
    for (const generator of generators) {
      const trial = await (withSipp ? mediaTrial(generator, load, dir) : mediaTrialAlone(generator, load));
      trials.push(trial);
      say(`media ${round + 1} ${generator}: ${trial.packetsPerCpuSecond} packets per CPU-second`);
    }
  }
  const of = (g: MediaGenerator): number[] => trials.filter((t) => t.generator === g).map((t) => t.packetsPerCpuSecond);
  const theirs = of('sipp rtp_stream');
  const against = (g: MediaGenerator): number | null =>
    of(g).length === 0 || theirs.length === 0 ? null : median(of(g).map((n, i) => n / theirs[i]!));
  return { trials, ratios: { raw: against('deadair raw'), sockets: against('deadair sockets') } };
}

async function memory(dir: string, withSipp: boolean): Promise<MemoryFigure[]> {
  return [
    await memoryFigure('none', SIZE.calm as [number, number], dir, withSipp),
    await memoryFigure('rtp', SIZE.loud as [number, number], dir, withSipp),
  ];
}

const sipp = sippVersion();
const where = machine(sipp);
const missing: string[] = [];
const refusal = syscallRefusal();
if (refusal !== undefined) throw new Error(`the bench measures the Linux wire: ${refusal}`);
if (sipp === null) missing.push('SIPp, and all ratios against it: `sipp` is not on PATH (Debian package sip-tester)');
const raw = rawRefusal();
if (raw !== undefined) missing.push(`raw media: ${raw}`);
const dir = mkdtempSync(join(tmpdir(), 'deadair-bench-'));
try {
  const result: BenchResult = {
    schema: 'deadair.bench/1',
    quick,
    machine: where,
    missing,
    signalling: sipp !== null && parts.has('calls') ? await signalling(dir) : null,
    registrations: sipp !== null && parts.has('registrations') ? await registrations(dir) : null,
    media: parts.has('media') ? await media(dir, sipp !== null) : null,
    memory: parts.has('memory') ? await memory(dir, sipp !== null) : [],
    phones: parts.has('memory') ? [await phoneFigure(SIZE.idlePhones as [number, number], SIZE.registerRate, dir)] : [],
    wire: parts.has('wire') ? measureWire(SIZE.wireSeconds) : [],
    diagnosis: parts.has('diagnosis') ? await diagnosisFigure(SIZE.judged) : null,
  };
  where.load[1] = Math.round(loadavg()[0]! * 100) / 100;
  mkdirSync('results', { recursive: true });
  writeFileSync(join('results', 'bench.json'), `${JSON.stringify(result, null, 2)}\n`);
  process.stdout.write(markdown(result));
} finally {
  rmSync(dir, { recursive: true, force: true });
}
