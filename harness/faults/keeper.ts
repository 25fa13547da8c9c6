import type { Lease, Step } from './lease.js';
import { type Perform, reason, within } from './perform.js';

/** Why a lease ends before its time when all is well. */
export const RUN_OVER = 'the run is over';

/** Sidecars are started this long before they are needed. */
const PREPARE_MS = 4_000;
/** An undo, a fallback and a proof each have to end by then; a fault is over at most this long times their number late. */
const UNDO_MS = 15_000;
const PROOF_MS = 20_000;
/** A proof may come a moment after what it proves. */
const PROOF_EVERY_MS = 100;
const PROOF_TRIES = 100;
/** A target that was restarted has no fault for at most this long, and what it takes to do it anew. */
const WATCH_MS = 250;

export interface Times {
  nowUs(): number;
  /** Resolves at the instant, or when `over` says so. */
  until(us: number, over: AbortSignal): Promise<void>;
}

/** What became of a lease; instants of the machine's monotonic clock, us. */
export interface Kept {
  appliedAtUs: number | null;
  removedAtUs: number | null;
  proven: boolean;
  /** What was planned did not happen, or not all of the time; null when it did. */
  failed: string | null;
  note: string;
}

export interface KeeperOptions {
  t0Us: number;
  perform: Perform;
  /** Another text when a container was restarted or replaced; '' when none runs. */
  mark: (container: string) => Promise<string>;
  times: Times;
  /** The run is over, or its owner is gone. */
  over: AbortSignal;
  onApplied?: (atUs: number) => void;
  /** Waits for steps that had no end in time; true when there were any: what they did came after the undo. */
  late?: () => Promise<boolean>;
  undoMs?: number;
}

/** Does one lease from its beginning to its proven end. Never throws. */
export async function keep(lease: Lease, options: KeeperOptions): Promise<Kept> {
  const { t0Us, perform, times, over } = options;
  const atUs = t0Us + lease.atMs * 1000;
  const kept: Kept = { appliedAtUs: null, removedAtUs: null, proven: true, failed: null, note: '' };
  const notes: string[] = [];
  await times.until(atUs - (lease.prepare.length > 0 ? PREPARE_MS * 1000 : 0), over);
  if (over.aborted) return { ...kept, note: 'never applied: the run ended before' };
  try {
    await all(perform, [...lease.steady, ...lease.prepare]);
    await times.until(atUs, over);
    if (!over.aborted) {
      await all(perform, lease.apply);
      kept.appliedAtUs = times.nowUs();
      await all(perform, lease.verify);
      options.onApplied?.(kept.appliedAtUs);
    }
  } catch (error) {
    kept.failed = `could not be applied: ${reason(error)}`;
  }
  if (kept.failed === null && kept.appliedAtUs !== null && lease.forMs > 0) {
    kept.failed = await stay(lease, options, atUs, notes);
  }
  if (over.aborted && kept.appliedAtUs !== null && over.reason !== RUN_OVER) {
    kept.failed ??= `ended early: ${String(over.reason)}`;
  }
  let removed = await undo(lease, options);
  if (await options.late?.()) removed = await undo(lease, options);
  kept.proven = removed.proven;
  if (kept.appliedAtUs !== null || !removed.proven) kept.removedAtUs = removed.atUs;
  const never = kept.appliedAtUs === null && kept.failed === null ? ['never applied: the run ended before'] : [];
  kept.note = [...never, ...(kept.failed === null ? [] : [kept.failed]), ...notes, removed.note].join('; ');
  return kept;
}

/** Until its end: climbs the ramp, and follows a target that is restarted. Returns what went wrong; null when nothing did. */
async function stay(lease: Lease, options: KeeperOptions, atUs: number, notes: string[]): Promise<string | null> {
  const { t0Us, perform, mark, times, over } = options;
  const endUs = atUs + lease.forMs * 1000;
  const marks = async (): Promise<string> => (await Promise.all(lease.anchors.map(mark))).join('\n');
  let known = await marks().catch(() => '');
  let turns = [...lease.turns];
  let lostAtUs: number | null = null;
  let lastWhy = '';
  let current: Step[] = [];
  while (!over.aborted && times.nowUs() < endUs) {
    const next = Math.min(
      endUs,
      times.nowUs() + WATCH_MS * 1000,
      turns.length > 0 ? atUs + turns[0]!.atMs * 1000 : endUs,
    );
    await times.until(next, over);
    if (over.aborted || times.nowUs() >= endUs) break;
    try {
      const seen = await marks();
      if (seen !== known || lostAtUs !== null) {
        if (lostAtUs === null) lostAtUs = times.nowUs();
        // One that is down has nothing that could be done to it: it may come back.
        if (seen.split('\n').includes('')) continue;
        await all(perform, [...lease.prepare, ...lease.apply, ...current, ...lease.verify]);
        // It may have gone again while this was done.
        known = await marks();
        if (known !== seen) continue;
        const ms = (us: number): number => Math.round((us - t0Us) / 1000);
        notes.push(
          `${lease.target} was restarted or replaced at ${ms(lostAtUs)} ms, done again at ${ms(times.nowUs())} ms`,
        );
        lostAtUs = null;
      }
      while (turns.length > 0 && times.nowUs() >= atUs + turns[0]!.atMs * 1000) {
        // What was overtaken while we were busy is left out.
        current = turns[0]!.steps;
        turns = turns.slice(1);
        if (turns.length === 0 || times.nowUs() < atUs + turns[0]!.atMs * 1000) await all(perform, current);
      }
    } catch (error) {
      lastWhy = `: ${reason(error)}`;
      if (lostAtUs === null) lostAtUs = times.nowUs();
    }
  }
  if (lostAtUs !== null) {
    const ms = Math.round((lostAtUs - t0Us) / 1000);
    return `was lost at ${ms} ms (${lease.target} was restarted or replaced) and could not be done again${lastWhy}`;
  }
  if (over.aborted && over.reason !== RUN_OVER) return null;
  try {
    await all(perform, lease.verify);
    return null;
  } catch (error) {
    return `was not there any more at its end: ${reason(error)}`;
  }
}

export interface Removed {
  proven: boolean;
  atUs: number;
  note: string;
}

/** Takes it away, by rougher means if need be, and sees that it is gone. Never throws. */
export async function undo(
  lease: Pick<Lease, 'undo' | 'fallbacks' | 'proof' | 'byHand'>,
  { perform, times, undoMs = UNDO_MS }: Pick<KeeperOptions, 'perform' | 'times' | 'undoMs'>,
): Promise<Removed> {
  const ways = [{ what: '', steps: lease.undo }, ...lease.fallbacks];
  const troubles: string[] = [];
  for (const { what, steps } of ways) {
    try {
      await within(undoMs, what || 'undo', () => all(perform, steps, { orGone: true }));
      const atUs = times.nowUs();
      await within(PROOF_MS, 'proof', () => proven(perform, lease.proof));
      const how = what === '' ? 'removed, and seen to be gone' : `removed by ${what}, and seen to be gone`;
      return { proven: true, atUs, note: [...troubles, how].join('; ') };
    } catch (error) {
      troubles.push(`${what === '' ? 'undo' : what}: ${reason(error)}`);
    }
  }
  return { proven: false, atUs: times.nowUs(), note: [...troubles, `by hand: ${lease.byHand}`].join('; ') };
}

async function proven(perform: Perform, proof: readonly Step[]): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      return await all(perform, proof, { orGone: true });
    } catch (error) {
      if (tries >= PROOF_TRIES) throw error;
      await new Promise((resolve) => setTimeout(resolve, PROOF_EVERY_MS));
    }
  }
}

async function all(perform: Perform, steps: readonly Step[], options?: { orGone: boolean }): Promise<void> {
  for (const step of steps) await perform(step, options);
}
