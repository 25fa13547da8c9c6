import type { Cause } from '../plan/causes.js';
import type { Source } from './platform.js';
import type { Row } from './read.js';

/** A fact that speaks for a cause: one aggregate over `mine`, the calls it was given. No text, no evidence. */
export interface Evidence {
  source: Source | 'legs' | 'frames';
  sql: string;
  text: (row: Row) => string | null;
}

/**
 * One cause. The SQL reads `suspects` (bad calls), `policed` (refused by the platform itself, and not bad), `graded` (all calls) and
 * the platform's tables, nothing else: the diagnosis is blind. It gives (callNo, confidence); where several causes claim a call, the most confident has it.
 *
 *   0.9 and more   the platform's own numbers and the call agree, and the look-alikes are ruled out
 *   0.7 - 0.9      the call shows it, and the platform does not contradict
 *   below 0.6      it says how the call ended, not why
 */
export interface CauseRule {
  name: Cause;
  summary: string;
  /**
   * Telemetry that would confirm the cause or rule it out. Where it is missing the rule itself is less sure, and the finding
   * names what was missing.
   */
  needs: readonly Source[];
  cure: string;
  expected?: boolean;
  /** Named intermediate tables of this cause. */
  prepare?: readonly string[];
  rule: string;
  /**
   * What it did to phones that register, in one row: attempts, since, until, known, confidence. No row: nothing. They are not
   * calls, and are counted by themselves.
   */
  phones?: string;
  evidence: readonly Evidence[];
}

export function num(row: Row, key: string): number {
  return Number(row[key] ?? 0);
}

/** 1234 -> "1,234"; small numbers keep two digits. */
export function nice(value: number): string {
  return Math.abs(value) >= 100 || Number.isInteger(value)
    ? Math.round(value).toLocaleString('en-US')
    : String(Number(value.toPrecision(3)));
}

export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

export function span(row: Row): string {
  return `between ${seconds(num(row, 'since'))} and ${seconds(num(row, 'until'))} of the run`;
}
