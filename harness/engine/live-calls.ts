import { LEG_OFFSETS as AT, OUTCOMES } from '../../agents/record.js';
import type { Measured } from '../plan/budget/evaluate.js';
import type { MetricName } from '../plan/budget/metrics.js';

/**
 * What callers saw of the calls that are over, while others are up: a few counts for the screen, and the figures that a
 * budget with abortOnFail wants. The verdict judges the same calls again afterwards, with both ends and the platform's word.
 */

/** As the verdict has it: a phone that rang later than this had no fair chance to be answered. */
const SLOW_RING_MS = 3000;
/** Q.850 16, normal clearing: a party that is not ours meant to hang up. */
const NORMAL_CLEARING = 16;
const FIRST_ROOM = 1024;

const [COMPLETED, DROPPED, REJECTED, CANCELLED, TIMEOUT, BYE_FAILED] = (
  ['completed', 'dropped', 'rejected', 'cancelled', 'timeout', 'bye-failed'] as const
).map((name) => OUTCOMES.indexOf(name));
const GAVE_UP = (['session-expired', 'refresh-failed', 'dialog-lost'] as const).map((name) => OUTCOMES.indexOf(name));

class Samples {
  #values = new Float64Array(FIRST_ROOM);
  #n = 0;
  add(x: number): void {
    if (!(x >= 0)) return;
    if (this.#n === this.#values.length) {
      const wider = new Float64Array(2 * this.#n);
      wider.set(this.#values);
      this.#values = wider;
    }
    this.#values[this.#n++] = x;
  }
  sorted(): Float64Array {
    return this.#values.slice(0, this.#n).sort();
  }
}

export class LiveCalls {
  #calls = 0;
  #answered = 0;
  #redirected = 0;
  #effective = 0;
  #ineffective = 0;
  #dropped = 0;
  readonly #bad = new Map<string, number>();
  readonly #trends = new Map<MetricName, Samples>();

  /** Samples are kept of `wanted` only. */
  constructor(wanted: readonly MetricName[] = []) {
    for (const metric of wanted) this.#trends.set(metric, new Samples());
  }

  /** A caller's record that is finished; `at`: where it begins. */
  see(bytes: Uint8Array, at: number): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset + at);
    const ms = (offset: number): number => view.getFloat64(offset, true);
    const outcome = view.getUint8(AT.outcome);
    const code = view.getUint16(AT.finalCode, true);
    const cause = view.getUint16(AT.q850Cause, true);
    const [started, ringing, answeredAt] = [ms(AT.startedMs), ms(AT.ringingMs), ms(AT.answeredMs)];
    const answered = !Number.isNaN(answeredAt);
    this.#calls++;
    if (answered) this.#answered++;
    if (code >= 300 && code < 400) this.#redirected++;
    if (answered || [480, 486, 600, 603].includes(code)) this.#effective++;
    if (!answered && ([408, 500, 503, 504].includes(code) || outcome === TIMEOUT)) this.#ineffective++;
    const dropped = GAVE_UP.includes(outcome) || (outcome === DROPPED && cause !== NORMAL_CLEARING);
    if (dropped) this.#dropped++;
    const why = dropped
      ? droppedAs(outcome, cause)
      : badAs(outcome, code, Number.isNaN(ringing) ? Number.POSITIVE_INFINITY : ringing - started);
    if (why !== null) this.#bad.set(why, (this.#bad.get(why) ?? 0) + 1);
    if (this.#trends.size === 0) return;
    this.#trends.get('lateness_ms')?.add(started - ms(AT.intendedMs));
    this.#trends.get('pdd_ms')?.add(ringing - started);
    if (answered)
      this.#trends.get('srd_ms')?.add(Math.min(Number.isNaN(ringing) ? answeredAt : ringing, answeredAt) - started);
    if (outcome === REJECTED && code >= 400 && ![401, 402, 407].includes(code))
      this.#trends.get('srd_failed_ms')?.add(ms(AT.rejectedMs) - started);
    if (outcome === COMPLETED || outcome === BYE_FAILED) this.#trends.get('sdd_ms')?.add(ms(AT.endedMs) - ms(AT.byeMs));
  }

  /** How calls went bad so far, as their callers saw it -> calls, most first. */
  bad(): [what: string, calls: number][] {
    return [...this.#bad].sort((a, b) => b[1] - a[1]);
  }

  /** Of the calls that are over. */
  value(metric: MetricName, blocked: number): Measured | undefined {
    const direct = this.#calls - this.#redirected;
    switch (metric) {
      case 'asr':
        return { hit: this.#answered, total: this.#calls };
      case 'ser':
        return { hit: this.#answered, total: direct };
      case 'seer':
        return { hit: this.#effective, total: direct };
      case 'isa':
        return { hit: this.#ineffective, total: this.#calls };
      case 'drop_rate':
        return { hit: this.#dropped, total: this.#answered };
      case 'blocked':
        return blocked;
      default:
        return this.#trends.get(metric)?.sorted();
    }
  }
}

function droppedAs(outcome: number, cause: number): string {
  if (outcome !== DROPPED) return OUTCOMES[outcome]!.replace('-', ' ');
  return cause > 0 ? `dropped (Q.850 ${cause})` : 'dropped';
}

/** Null: nothing is wrong with it, as far as its caller can tell. */
function badAs(outcome: number, code: number, ringMs: number): string | null {
  if (outcome === TIMEOUT) return 'no answer at all';
  if (outcome === REJECTED && (code === 408 || code >= 500) && code < 600) return String(code);
  if (outcome === BYE_FAILED) return 'BYE failed';
  return outcome === CANCELLED && ringMs > SLOW_RING_MS ? 'no ringing' : null;
}
