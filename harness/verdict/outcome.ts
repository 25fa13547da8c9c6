import type { EnvRecord, FaultRecord, GeneratorRecord } from '../collect/schema.js';
import type { Diff, Moved } from './diff/types.js';
import { nice } from './rule.js';
import type { BudgetResult, Verdict } from './types.js';

/** Beyond these the run measured the generator. A phone's user does not notice 100 ms before the call, nor a jitter buffer 20 ms. */
export const LIMITS = {
  callLatenessP99Ms: 100,
  rtpLatenessP99Ms: 20,
  /** The embedded platform is ours too: a jitter buffer of 60 ms forgives this much, and the sender's lateness beside it. */
  platformTurnP99Ms: 30,
  blockedShare: 0.01,
  /** Of all calls, those that went bad by our own fault. */
  spoiltShare: 0.01,
  droppedShare: 0.001,
} as const;

/** Reasons for which blocked calls are the generator's fault; an arrival that the plan itself withheld is not. */
const OURS = /maxCalls|noPort|tooLate|workerDead/i;

const pct = (x: number): string => `${Number((100 * x).toPrecision(3))} %`;

/** Why the measurement cannot be trusted; empty when it can. */
export function invalidReasons(
  env: EnvRecord,
  faults: readonly FaultRecord[],
  answeredAnything: boolean,
  spoilt = 0,
): string[] {
  const { generator: g, load } = env;
  const out: string[] = [];
  if (g.callLatenessMs.p99 > LIMITS.callLatenessP99Ms)
    out.push(
      `${load.offered > 0 || env.registrations === undefined ? 'calls were placed' : 'registrations were begun'} late: p99 ${nice(g.callLatenessMs.p99)} ms, allowed ${LIMITS.callLatenessP99Ms} ms`,
    );
  if (env.media === 'rtp' && g.rtpLatenessMs.p99 > LIMITS.rtpLatenessP99Ms)
    out.push(`RTP was sent late: p99 ${nice(g.rtpLatenessMs.p99)} ms, allowed ${LIMITS.rtpLatenessP99Ms} ms`);
  if (env.media === 'rtp' && g.platformTurnMs !== undefined && g.platformTurnMs.p99 > LIMITS.platformTurnP99Ms)
    out.push(
      `this machine could not keep the embedded platform going: packets waited ${nice(g.platformTurnMs.p99)} ms in 1 % of the time, allowed ${LIMITS.platformTurnP99Ms} ms`,
    );
  const ours = Object.entries(load.blockedBy).filter(([why]) => OURS.test(why));
  const blocked = ours.reduce((sum, [, n]) => sum + n, 0);
  if (load.offered > 0 && blocked / load.offered > LIMITS.blockedShare)
    out.push(
      `the generator could not start ${nice(blocked)} of ${nice(load.offered)} calls (${ours
        .filter(([, n]) => n > 0)
        .map(([why, n]) => `${why} ${nice(n)}`)
        .join(', ')})`,
    );
  const phones = env.registrations;
  if (phones !== undefined && phones.blocked > LIMITS.blockedShare * phones.offered)
    out.push(
      `the generator could not start ${nice(phones.blocked)} of ${nice(phones.offered)} registrations: it had no room for the attempts`,
    );
  if (phones !== undefined && phones.offered !== phones.started + phones.blocked && g.workers.every((w) => !w.died))
    out.push(
      `registrations do not add up: ${phones.offered} offered, ${phones.started} started, ${phones.blocked} blocked`,
    );
  const packets = g.rtpSent + g.rtpReceived;
  const drops = g.sendDropped + g.receiveDropped;
  if (drops > 0 && drops / Math.max(1, packets + drops) > LIMITS.droppedShare)
    out.push(`the generator dropped ${nice(drops)} packets of its own (${pct(drops / Math.max(1, packets + drops))})`);
  if (load.started > 0 && spoilt / load.started > LIMITS.spoiltShare)
    out.push(`the generator spoilt ${nice(spoilt)} of ${nice(load.started)} calls itself`);
  const dead = g.workers.filter((w) => w.died).map((w) => w.name);
  if (dead.length > 0) out.push(`worker ${dead.join(', ')} died`);
  if (load.offered !== load.started + load.blocked || load.started !== load.ended + load.open)
    out.push(
      `calls do not add up: ${load.offered} offered, ${load.started} started, ${load.blocked} blocked, ${load.ended} ended, ${load.open} open`,
    );
  if (load.started > 0 && !answeredAnything) out.push('the target was silent: no INVITE got any response');
  for (const f of faults) {
    const what = `fault ${f.kind}${f.on === undefined ? '' : ` on ${f.on}`}`;
    if (f.failed !== undefined) out.push(`${what} ${f.failed}`);
    // The note of one that is left says what to do by hand.
    const left = f.appliedAtMs !== null || f.failed !== undefined;
    if (left && !f.provenRemoved) out.push(`${what} is not proven to be removed: ${f.note}`);
  }
  return out;
}

/** INVALID first: a budget that a broken measurement crossed, or kept, says nothing. */
export function outcomeOf(
  invalid: readonly string[],
  budgets: readonly BudgetResult[],
  baseline: Diff | null = null,
): Verdict['outcome'] {
  if (invalid.length > 0) return { word: 'INVALID', reasons: [...invalid] };
  const crossed = budgets.filter((b) => !b.ok && !b.warn).map((b) => `${b.text}: ${b.reason}`);
  const worse = (baseline?.moved ?? []).filter((m) => m.change === 'worse').map(worseText);
  const reasons = [...crossed, ...worse];
  return { word: reasons.length > 0 ? 'FAIL' : 'PASS', reasons };
}

function worseText({ figure, tenant, before, after, unit }: Moved): string {
  const as = (x: number): string => (unit === 'share' ? pct(x) : `${nice(x)}${unit === 'MOS' ? '' : ` ${unit}`}`);
  const of = tenant === '' ? '' : ` of ${tenant}`;
  return `${figure}${of} is worse than the baseline's: ${as(after.value)}, was ${as(before.value)}`;
}

/** How the generator fared, in a sentence. */
export function generatorText(g: GeneratorRecord): string {
  const busiest = g.workers.reduce((most, w) => Math.max(most, w.cpuBusy), 0);
  const lost = g.sendDropped + g.receiveDropped;
  const warned = (g.warnings ?? []).map((w) => `; WARNING ${w}`).join('');
  return `${g.workers.length} worker${g.workers.length === 1 ? '' : 's'} (busiest ${Math.round(100 * busiest)} % of a core), media ${g.mediaBackend}; calls late by ${nice(g.callLatenessMs.p99)} ms and RTP by ${nice(g.rtpLatenessMs.p99)} ms at p99; ${lost === 0 ? 'no packet' : `${nice(lost)} packets`} dropped by ourselves${warned}`;
}
