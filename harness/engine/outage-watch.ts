import type { FaultRecord, TelemetryRow } from '../collect/schema.js';
import type { FaultPlan } from '../plan/types.js';

/** How long after its planned end an outage may go unnoticed: readings come every 250 ms. */
const GRACE_MS = 2_000;

/**
 * A registrar that cannot be reached, as its own readings tell it: it came when messages to it were lost, and it went when
 * one was heard again. What the plan intends is not taken for what happened.
 */
export class OutageWatch {
  readonly record: FaultRecord;
  #heard = Number.NaN;
  #unheard = 0;
  #lost = 0;
  #clearMs: number | null = null;

  constructor(private readonly plan: FaultPlan) {
    this.record = {
      kind: plan.kind,
      intendedAtMs: plan.atMs,
      appliedAtMs: null,
      removedAtMs: null,
      provenRemoved: true,
      note: 'never applied: the run ended before',
    };
  }

  /** Readings of one instant come one after the other: unreachable, then heard_total and unheard_total, in any order. */
  see({ tMs, source, metric, value }: TelemetryRow): void {
    if (source !== 'registrar') return;
    if (metric === 'unreachable') this.#state(tMs, value > 0);
    else if (metric === 'heard_total') this.#hears(tMs, value);
    else if (metric === 'unheard_total') {
      if (this.#isOn) this.#lost += value - this.#unheard;
      this.#unheard = value;
    }
  }

  get #isOn(): boolean {
    return this.record.appliedAtMs !== null && this.record.removedAtMs === null;
  }

  #state(tMs: number, out: boolean): void {
    const { record, plan } = this;
    if (out && record.appliedAtMs === null && tMs >= plan.atMs) {
      record.appliedAtMs = tMs;
      record.provenRemoved = false;
      record.note = 'on, and not seen to end';
    }
    if (out) this.#clearMs = null;
    else if (this.#isOn) this.#clearMs ??= tMs;
  }

  #hears(tMs: number, total: number): void {
    if (this.#isOn && this.#clearMs !== null && total > this.#heard) {
      this.record.removedAtMs = tMs;
      this.record.provenRemoved = true;
    }
    this.#heard = total;
  }

  /** When the run is over, its platform with it. */
  finish(endMs: number): FaultRecord {
    const { record, plan } = this;
    const messages = `${this.#lost} messages to the registrar were lost`;
    const over = plan.atMs + plan.forMs + GRACE_MS;
    if (record.appliedAtMs === null) {
      if (endMs > over) record.note = 'never seen: the registrar told of no outage';
    } else if (record.removedAtMs !== null) record.note = `${messages}; then it was heard again`;
    else if (this.#clearMs !== null) {
      record.removedAtMs = this.#clearMs;
      record.provenRemoved = true;
      record.note = `${messages}; it says that it is back, and nobody spoke to it since`;
    } else if (endMs < over) {
      record.removedAtMs = endMs;
      record.provenRemoved = true;
      record.note = `${messages}; the run ended before it did, and the platform with it`;
    }
    return record;
  }
}
