import { HarnessError } from '../errors.js';

/**
 * How a delay is spread around its mean. `uniform`: up to `jitterMs` either side, as tc-netem(8) has it without a table.
 * `normal` and `pareto`: `jitterMs` is the standard deviation; no delay is below 0.
 */
export const DISTRIBUTIONS = ['uniform', 'normal', 'pareto'] as const;
export type Distribution = (typeof DISTRIBUTIONS)[number];

/** What happens to the datagrams of one direction. Shares are from 0 to 1; what is 0 is off. */
export interface Impairment {
  /** Mean share of datagrams that are lost. */
  loss: number;
  /** Mean length of a run of losses, datagrams (Gilbert 1960: p and r follow from both means); 0: each by itself. */
  lossBurst: number;
  delayMs: number;
  jitterMs: number;
  distribution: Distribution;
  /** No datagram of a flow overtakes another one; the mean delay grows by what the slowest hold up. */
  inOrder: boolean;
  /** Share that is held back until `reorderGap` later datagrams of its flow went by, or for `reorderMs`. */
  reorder: number;
  reorderGap: number;
  reorderMs: number;
  /** Share that arrives twice. */
  duplicate: number;
  /** Kilobits a second, with 28 bytes of IP and UDP header a datagram. */
  bandwidthKbps: number;
  /** Longest wait in the queue in front of that; a datagram that would wait longer is lost. */
  queueMs: number;
}

export const NO_IMPAIRMENT: Impairment = {
  loss: 0,
  lossBurst: 0,
  delayMs: 0,
  jitterMs: 0,
  distribution: 'uniform',
  inOrder: false,
  reorder: 0,
  reorderGap: 1,
  reorderMs: 200,
  duplicate: 0,
  bandwidthKbps: 0,
  queueMs: 200,
};

/** Longest delay that any carrier of ours keeps a datagram for. */
export const DELAY_MAX_MS = 10_000;
export const REORDER_GAP_MAX = 64;

/** BAD_PLAN with one line when no chance could do what is asked. */
export function checkImpairment(i: Impairment, where: string): void {
  const bad = (why: string): HarnessError => new HarnessError('BAD_PLAN', `${where}: ${why}`);
  for (const [name, share] of Object.entries({ loss: i.loss, reorder: i.reorder, duplicate: i.duplicate })) {
    if (!(share >= 0 && share <= 1)) throw bad(`${name} is ${share}; a share is from 0 to 1`);
  }
  for (const [name, ms] of Object.entries({
    delay: i.delayMs,
    jitter: i.jitterMs,
    queue: i.queueMs,
    reorder: i.reorderMs,
  })) {
    if (!(ms >= 0 && ms <= DELAY_MAX_MS)) throw bad(`${name} is ${ms} ms; it can be from 0 to ${DELAY_MAX_MS}`);
  }
  if (i.lossBurst !== 0 && !(i.lossBurst >= 1)) throw bad(`a burst of ${i.lossBurst} datagrams: it has at least one`);
  // From good to bad with p = loss * r / (1 - loss), and no chance is above 1.
  const most = i.lossBurst / (i.lossBurst + 1);
  if (i.lossBurst > 0 && i.loss < 1 && i.loss > most) {
    throw bad(`loss ${i.loss} in bursts of ${i.lossBurst}: one good datagram between bursts makes it ${most} at most`);
  }
  if (i.distribution !== 'uniform' && i.jitterMs > 0 && i.delayMs === 0) {
    throw bad(`${i.distribution} jitter needs a delay to vary around`);
  }
  if (!Number.isInteger(i.reorderGap) || i.reorderGap < 1 || i.reorderGap > REORDER_GAP_MAX) {
    throw bad(`a gap of ${i.reorderGap} datagrams; it can be from 1 to ${REORDER_GAP_MAX}`);
  }
  if (!(i.bandwidthKbps >= 0)) throw bad(`bandwidth is ${i.bandwidthKbps} kbit/s`);
}
