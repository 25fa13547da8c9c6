import type { Interval } from '../../plan/budget/interval.js';

/** What two runs differ in beyond noise; part of verdict.json where there is a baseline. */

export type Change = 'worse' | 'better' | 'none';

/** Of one run: a share with what it rests on, or a quantile. */
export interface Side {
  value: number;
  /** Calls, directions of audio, or registrations. */
  n: number;
  /** 95 % of a share (Wilson); null for a quantile. */
  interval: Interval | null;
}

export interface Moved {
  figure: string;
  /** '' for all calls. */
  tenant: string;
  unit: 'share' | 'ms' | 'MOS' | '%';
  before: Side;
  after: Side;
  /** How likely chance alone parts them as far, when nothing changed; as tested, not yet corrected for many tests. */
  p: number;
  change: Change;
}

export interface Diff {
  /** Run ids. */
  before: string;
  after: string;
  /** How many figures were compared. */
  compared: number;
  /** Only those that moved beyond noise, worst first. */
  moved: Moved[];
  /** What a reader has to know: another load, an invalid run. */
  notes: string[];
}
