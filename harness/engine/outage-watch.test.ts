import { describe, expect, it } from 'vitest';
import { parseFault } from '../plan/fault.js';
import { OutageWatch } from './outage-watch.js';

const PLAN = parseFault('registrar-outage@1s+1s');

function watch(readings: [tMs: number, unreachable: number, heard: number, unheard: number][], endMs: number) {
  const w = new OutageWatch(PLAN);
  for (const [tMs, unreachable, heard, unheard] of readings) {
    const of = (metric: string, value: number) => w.see({ tMs, source: 'registrar', instance: 'r', metric, value });
    of('unreachable', unreachable);
    of('heard_total', heard);
    of('unheard_total', unheard);
  }
  return w.finish(endMs);
}

describe('the watch over a registrar that cannot be reached', () => {
  it('has seen it end when something was heard again', () => {
    const seen = watch(
      [
        [750, 0, 5, 0],
        [1000, 1, 6, 0],
        [1500, 1, 6, 40],
        [2000, 0, 6, 50],
        [2250, 0, 9, 50],
      ],
      9000,
    );
    expect(seen).toMatchObject({ appliedAtMs: 1000, removedAtMs: 2250, provenRemoved: true });
    expect(seen.note).toBe('50 messages to the registrar were lost; then it was heard again');
  });
  it('does not believe the plan: what goes on is not removed', () => {
    const stuck = watch(
      [
        [1000, 1, 6, 0],
        [2000, 1, 6, 40],
        [9000, 1, 6, 90],
      ],
      9000,
    );
    expect(stuck).toMatchObject({ appliedAtMs: 1000, removedAtMs: null, provenRemoved: false });
  });
  it('knows silence from proof, an early end from both, and what never came', () => {
    const silent = watch(
      [
        [1000, 1, 6, 0],
        [2000, 0, 6, 0],
        [9000, 0, 6, 0],
      ],
      9000,
    );
    expect(silent).toMatchObject({ removedAtMs: 2000, provenRemoved: true });
    expect(silent.note).toMatch(/nobody spoke to it since/);
    expect(watch([[1000, 1, 6, 0]], 1200)).toMatchObject({ removedAtMs: 1200, provenRemoved: true });
    expect(watch([[1000, 0, 6, 0]], 9000)).toMatchObject({
      appliedAtMs: null,
      note: expect.stringMatching(/never seen/),
    });
    expect(watch([[500, 0, 6, 0]], 600).note).toMatch(/ended before/);
  });
});
