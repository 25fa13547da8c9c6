import { describe, expect, it } from 'vitest';
import { type KeeperOptions, keep, RUN_OVER } from './keeper.js';
import type { Lease, Step } from './lease.js';

/** Virtual time: it goes on when somebody waits. */
function world(): {
  options: KeeperOptions;
  done: string[];
  over: AbortController;
  fails: Map<string, string>;
  marks: string[];
} {
  let nowUs = 0;
  const done: string[] = [];
  const fails = new Map<string, string>();
  const over = new AbortController();
  const marks: string[] = [];
  const options: KeeperOptions = {
    t0Us: 0,
    times: {
      nowUs: () => nowUs,
      until: async (us, signal) => {
        if (!signal.aborted) nowUs = Math.max(nowUs, us);
      },
    },
    over: over.signal,
    undoMs: 50,
    mark: async () => marks.shift() ?? 'same',
    perform: async (step) => {
      const name = 'container' in step ? step.container : step.do;
      const how = fails.get(name);
      if (how === 'hangs') await new Promise(() => undefined);
      if (how !== undefined) throw new Error(how);
      done.push(`${name}@${nowUs / 1000}`);
    },
  };
  return { options, done, over, fails, marks };
}

const step = (container: string): Step => ({ do: 'pause', container });
const lease = (more: Partial<Lease> = {}): Lease => ({
  ...{
    id: 'f1',
    run: 'r',
    kind: 'node-pause',
    target: 'node-1',
    backend: 'docker',
    because: '',
    atMs: 10_000,
    forMs: 5_000,
  },
  ...{
    steady: [],
    prepare: [],
    apply: [step('apply')],
    verify: [step('verify')],
    turns: [],
    undo: [step('undo')],
    fallbacks: [],
  },
  ...{ proof: [step('proof')], anchors: [], byHand: 'pull the plug' },
  ...more,
});

describe('a lease', () => {
  it('is prepared, applied at its instant, seen, undone at its end, and seen to be gone', async () => {
    const { options, done } = world();
    const kept = await keep(lease({ prepare: [step('prepare')] }), options);
    expect(done).toEqual(['prepare@6000', 'apply@10000', 'verify@10000', 'verify@15000', 'undo@15000', 'proof@15000']);
    expect(kept).toMatchObject({ appliedAtUs: 10_000_000, removedAtUs: 15_000_000, proven: true, failed: null });
  });

  it('climbs its ramp', async () => {
    const { options, done } = world();
    await keep(lease({ turns: [1000, 2000].map((atMs) => ({ atMs, steps: [step(`turn ${atMs}`)] })) }), options);
    expect(done.filter((d) => d.startsWith('turn'))).toEqual(['turn 1000@11000', 'turn 2000@12000']);
  });

  it('of a target that is sick at rest is not applied', async () => {
    const { options, done, fails } = world();
    fails.set('well?', 'node-1 is unhealthy, not well');
    const kept = await keep(lease({ steady: [step('well?')] }), options);
    expect(done).toEqual(['undo@10000', 'proof@10000']);
    expect(kept.failed).toBe('could not be applied: node-1 is unhealthy, not well');
  });

  it('that cannot be applied is undone all the same, and the run says so', async () => {
    const { options, done, fails } = world();
    fails.set('apply', 'no such thing');
    const kept = await keep(lease(), options);
    expect(done).toEqual(['undo@10000', 'proof@10000']);
    expect(kept).toMatchObject({ appliedAtUs: null, proven: true, failed: 'could not be applied: no such thing' });
  });

  it('of a target that is restarted is done again there', async () => {
    const { options, done, marks } = world();
    marks.push('one', 'one', 'two', 'two');
    const kept = await keep(lease({ anchors: ['node'] }), { ...options, mark: async () => marks.shift() ?? 'two' });
    expect(done.filter((d) => d.startsWith('apply'))).toEqual(['apply@10000', 'apply@10500']);
    expect(kept.failed).toBeNull();
    expect(kept.note).toMatch(/node-1 was restarted or replaced at 10500 ms, done again at 10500 ms/);
  });

  it('of a target that does not come back is no silent miss', async () => {
    const { options, marks } = world();
    marks.push('one');
    const kept = await keep(lease({ anchors: ['node'] }), { ...options, mark: async () => marks.shift() ?? '' });
    expect(kept.failed).toMatch(
      /^was lost at 10250 ms \(node-1 was restarted or replaced\) and could not be done again/,
    );
  });

  it('that somebody else took away before its end is no silent miss', async () => {
    const { options, done, fails } = world();
    const perform: KeeperOptions['perform'] = async (s, o) => {
      if (done.length >= 2) fails.set('verify', 'it runs');
      await options.perform(s, o);
    };
    expect((await keep(lease(), { ...options, perform })).failed).toBe('was not there any more at its end: it runs');
  });

  it('whose undo hangs is undone by rougher means, in time', async () => {
    const { options, done, fails } = world();
    fails.set('undo', 'hangs');
    const fallbacks = [{ what: 'a restart', steps: [step('restart')] }];
    const kept = await keep(lease({ fallbacks }), options);
    expect(done.slice(-2)).toEqual(['restart@15000', 'proof@15000']);
    expect(kept.proven).toBe(true);
    expect(kept.note).toBe('undo: undo: no end in 0.05 s; removed by a restart, and seen to be gone');
  });

  it('that nothing removes says what to do by hand', async () => {
    const { options, fails } = world();
    fails.set('proof', 'still there');
    const kept = await keep(lease(), options);
    expect(kept.proven).toBe(false);
    expect(kept.note).toMatch(/still there; by hand: pull the plug$/);
  });

  it('ends when its run ends, and is no failure then; when its owner is gone it is one', async () => {
    for (const [why, failed] of [
      [RUN_OVER, null],
      ['whoever ran it is gone', 'ended early: whoever ran it is gone'],
    ] as const) {
      const { options, done, over } = world();
      const perform: KeeperOptions['perform'] = async (s, o) => {
        await options.perform(s, o);
        if ('container' in s && s.container === 'verify') over.abort(why);
      };
      const kept = await keep(lease(), { ...options, perform });
      const looked = failed === null ? ['verify@10000'] : [];
      expect(done).toEqual(['apply@10000', 'verify@10000', ...looked, 'undo@10000', 'proof@10000']);
      expect(kept).toMatchObject({ proven: true, failed });
    }
  });

  it('whose run ends before its instant is never applied', async () => {
    const { options, done, over } = world();
    over.abort(RUN_OVER);
    expect(await keep(lease(), options)).toMatchObject({ appliedAtUs: null, proven: true, failed: null });
    expect(done).toEqual([]);
  });
});
