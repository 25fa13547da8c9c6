import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { packetFilter } from './filter.js';
import { Held } from './held.js';
import { Line, stage } from './line.js';
import { checkImpairment, type Impairment, NO_IMPAIRMENT } from './types.js';

const PACKETS = 20_000;
const SPACING_US = 20_000;
const BYTES = new Uint8Array(172);

interface Seen {
  flow: number;
  index: number;
  sentUs: number;
  atUs: number;
}

/** Sends so many packets of each flow through a line, in the order that `order` says, and notes what comes out. */
function play(
  impairment: Partial<Impairment>,
  options: { seed?: number; flows?: number; packets?: number; spacingUs?: number; order?: (k: number) => number } = {},
) {
  const { seed = 1, flows = 1, packets = PACKETS, spacingUs = SPACING_US } = options;
  const seen: Seen[] = [];
  const line = new Line((_b, _o, _l, flow, index, sentUs, _w, atUs) => seen.push({ flow, index, sentUs, atUs }));
  const s = stage(seed, { ...NO_IMPAIRMENT, ...impairment });
  line.add(s);
  const counts = new Array<number>(flows).fill(0);
  let nowUs = 1_000_000;
  let next = Number.POSITIVE_INFINITY;
  for (let k = 0; k < packets; k++, nowUs += spacingUs / flows) {
    while (next <= nowUs) next = line.tick(next);
    const flow = options.order?.(k) ?? k % flows;
    const index = counts[flow]!++;
    if (line.pass(BYTES, 0, BYTES.length, flow, 7, 0, flow, index, nowUs, 0, nowUs)) {
      seen.push({ flow, index, sentUs: nowUs, atUs: nowUs });
    }
    next = line.tick(nowUs);
  }
  // Everything that waits, each at its own instant.
  while (next < Number.POSITIVE_INFINITY) next = line.tick(next);
  return { seen, line, decider: s.decider };
}

const lostOf = (seen: Seen[], n: number): number[] => {
  const there = new Set(seen.map((p) => p.index));
  return Array.from({ length: n }, (_, i) => i).filter((i) => !there.has(i));
};
const mean = (x: number[]): number => x.reduce((a, b) => a + b, 0) / x.length;
const sd = (x: number[]): number => {
  const m = mean(x);
  return Math.sqrt(mean(x.map((v) => (v - m) ** 2)));
};
/** Lengths of runs of consecutive losses. */
function bursts(lost: number[]): number[] {
  const out: number[] = [];
  lost.forEach((i, k) => {
    if (k > 0 && lost[k - 1] === i - 1) out[out.length - 1]!++;
    else out.push(1);
  });
  return out;
}

describe(`over ${PACKETS} packets`, () => {
  it.each([0.01, 0.05, 0.3])('independent loss of %d: the share, and no more bursts than chance makes', (loss) => {
    const lost = lostOf(play({ loss }).seen, PACKETS);
    expect(lost.length / PACKETS).toBeCloseTo(loss, 2);
    // A geometric distribution has the mean 1 / (1 - loss).
    expect(mean(bursts(lost))).toBeCloseTo(1 / (1 - loss), 1);
  });

  it.each([
    [0.05, 4],
    [0.1, 8],
    [0.02, 1],
  ])('loss of %d in bursts of %d', (loss, lossBurst) => {
    const lost = lostOf(play({ loss, lossBurst }).seen, PACKETS);
    // Bursts make the share of so many packets waver; a fifth is 4 standard deviations of the worst case here.
    expect(Math.abs(lost.length / PACKETS / loss - 1)).toBeLessThan(0.2);
    expect(Math.abs(mean(bursts(lost)) / lossBurst - 1)).toBeLessThan(0.15);
  });

  it.each([
    ['uniform', 80, 40, 40 / Math.sqrt(3)],
    ['normal', 80, 20, 20],
    ['pareto', 80, 20, 20],
  ] as const)('delay, %s %d±%d ms', (distribution, delayMs, jitterMs, expected) => {
    const { seen } = play({ delayMs, jitterMs, distribution });
    const delays = seen.map((p) => (p.atUs - p.sentUs) / 1000);
    expect(seen).toHaveLength(PACKETS);
    expect(mean(delays)).toBeCloseTo(delayMs, -0.5);
    // The variance of a Pareto tail is slow to show.
    expect(Math.abs(sd(delays) / expected - 1)).toBeLessThan(distribution === 'pareto' ? 0.25 : 0.05);
    expect(seen.some((p, i) => i > 0 && p.index < seen[i - 1]!.index)).toBe(true);
  });

  it('jitter in order: nothing overtakes', () => {
    const { seen } = play({ delayMs: 40, jitterMs: 40, inOrder: true });
    expect(seen.map((p) => p.index)).toEqual(seen.map((_, i) => i));
  });

  it.each([
    [0.05, 1],
    [0.05, 3],
    [0.2, 2],
  ])('reorder: a share of %d comes after %d later ones', (reorder, reorderGap) => {
    const { seen } = play({ reorder, reorderGap });
    let highest = -1;
    const late: number[] = [];
    for (const p of seen) {
      if (p.index < highest) late.push(highest - p.index);
      else highest = p.index;
    }
    expect(seen).toHaveLength(PACKETS);
    // One that is held with all of its successors is not late: share^gap of them.
    expect(late.length / PACKETS).toBeCloseTo(reorder * (1 - reorder ** reorderGap), 2);
    expect(mean(late)).toBeCloseTo(reorderGap, 0);
  });

  it('reordered at the end of its flow: it leaves after its time all the same', () => {
    const { seen } = play({ reorder: 1, reorderGap: 5, reorderMs: 100 }, { packets: 1 });
    expect(seen.map((p) => p.atUs - p.sentUs)).toEqual([100_000]);
  });

  it('duplicate', () => {
    const { seen } = play({ duplicate: 0.05 });
    expect((seen.length - PACKETS) / PACKETS).toBeCloseTo(0.05, 2);
    expect(new Set(seen.map((p) => p.index)).size).toBe(PACKETS);
  });

  it('bandwidth: the rate, the queue before it, and what does not fit is dropped', () => {
    // 172 bytes and 28 of header every ms are 1,600 kbit/s into 800.
    const { seen, decider } = play({ bandwidthKbps: 800, queueMs: 100 }, { spacingUs: 1000 });
    const seconds = (seen.at(-1)!.atUs - seen[0]!.atUs) / 1e6;
    expect((seen.length * 200 * 8) / seconds / 1000).toBeCloseTo(800, -1);
    expect(decider.counts.queueDropped / PACKETS).toBeCloseTo(0.5, 1);
    expect(Math.max(...seen.map((p) => p.atUs - p.sentUs))).toBeLessThanOrEqual(100_000);
    expect(seen.map((p) => p.index)).toEqual(seen.map((p) => p.index).sort((a, b) => a - b));
  });

  it('a line that is wide enough delays nothing', () => {
    const { seen } = play({ bandwidthKbps: 800 });
    expect(seen.every((p) => p.atUs === p.sentUs)).toBe(true);
  });
});

describe('the same seed', () => {
  const ALL: Partial<Impairment> = {
    loss: 0.1,
    lossBurst: 3,
    delayMs: 30,
    jitterMs: 30,
    reorder: 0.05,
    duplicate: 0.05,
  };
  const key = (p: Seen): string => `${p.flow}:${p.index}`;

  it('hits the same packets', () => {
    const once = play(ALL, { flows: 4, packets: 4_000 });
    expect(play(ALL, { flows: 4, packets: 4_000 }).seen).toEqual(once.seen);
    expect(play(ALL, { flows: 4, packets: 4_000, seed: 2 }).seen).not.toEqual(once.seen);
  });

  test('whatever the order in which flows take turns', () => {
    const flows = 3;
    const per = 60;
    const turns = fc.shuffledSubarray(
      Array.from({ length: flows * per }, (_, k) => k % flows),
      { minLength: flows * per },
    );
    const even = play(ALL, { flows, packets: flows * per });
    fc.assert(
      fc.property(turns, (order) => {
        const mixed = play(ALL, { flows, packets: flows * per, order: (k) => order[k]! });
        expect(mixed.seen.map(key).sort()).toEqual(even.seen.map(key).sort());
        expect(mixed.decider.counts).toEqual(even.decider.counts);
      }),
      { numRuns: 50 },
    );
  });

  test('a fault in two stages, one of them gone in between: the other decides as before', () => {
    const out: number[] = [];
    const line = new Line((_b, _o, _l, _x, index) => out.push(index));
    const lossy = stage(5, { ...NO_IMPAIRMENT, loss: 0.2 });
    const other = stage(6, { ...NO_IMPAIRMENT, duplicate: 0.5 });
    line.add(lossy);
    line.add(other);
    const passed: number[] = [];
    for (let i = 0; i < 1000; i++) {
      if (i === 500) line.remove(other);
      if (line.pass(BYTES, 0, 172, 1, 7, 0, 0, i, 0, 0, i * 20_000)) passed.push(i);
    }
    const there = new Set([...out, ...passed]);
    const alone = new Set(play({ loss: 0.2 }, { seed: 5, packets: 1000 }).seen.map((p) => p.index));
    // play() names its flow 0.
    expect(there.size).toBe(lossy.decider.counts.seen - lossy.decider.counts.lost);
    expect(alone.size / 1000).toBeCloseTo(0.8, 1);
    expect(line.stages).toBe(1);
  });
});

test('a line that is frozen holds what comes, to a limit, and gives it back in order', () => {
  const out: number[] = [];
  const line = new Line((_b, _o, _l, _x, index) => out.push(index));
  line.freeze(3);
  for (let i = 0; i < 5; i++) expect(line.pass(BYTES, 0, 172, 1, 7, 0, 0, i, 0, 0, 0)).toBe(false);
  line.tick(1e9);
  expect([out, line.held, line.noRoom]).toEqual([[], 3, 2]);
  line.thaw(2e9);
  expect([out, line.held]).toEqual([[0, 1, 2], 0]);
  expect(line.pass(BYTES, 0, 172, 1, 7, 0, 0, 5, 0, 0, 2e9)).toBe(true);
});

test('slots leave by instant, and as they came within one', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(5), { maxLength: 200 }), (instants) => {
      const held = new Held();
      const model = instants.map((dueUs, i) => {
        const slot = held.take();
        held.meta[slot * 4] = i;
        held.put(slot, dueUs);
        return { dueUs, i };
      });
      model.sort((a, b) => a.dueUs - b.dueUs || a.i - b.i);
      for (const { dueUs, i } of model) {
        expect(held.firstUs).toBe(dueUs);
        const slot = held.shift();
        expect(held.meta[slot * 4]).toBe(i);
        held.release(slot);
      }
      expect(held.size).toBe(0);
    }),
  );
});

describe('which packets', () => {
  const text = (s: string): Uint8Array => Uint8Array.from(s, (c) => c.charCodeAt(0));
  const invite = text('INVITE sip:100@127.0.0.1 SIP/2.0\r\n\r\n');
  const ringing = text('SIP/2.0 180 Ringing\r\nCSeq: 1 INVITE\r\n\r\n');
  const busy = text('SIP/2.0 486 Busy Here\r\ncseq : 2 BYE\r\n\r\n');
  const rtp = Uint8Array.from([0x80, 0, ...new Array(170).fill(0)]);
  const marked = Uint8Array.from([0x80, 0x80, ...new Array(170).fill(0)]);
  const rtcp = Uint8Array.from([0x81, 200, ...new Array(26).fill(0)]);
  const ping = text('\r\n\r\n');
  const all = { invite, ringing, busy, rtp, marked, rtcp, ping };
  const named = (filter: string): string[] => {
    const f = packetFilter(filter, 'test');
    return Object.entries(all)
      .filter(([, b]) => f(b, 0, b.length))
      .map(([name]) => name);
  };

  it.each([
    ['all', ['invite', 'ringing', 'busy', 'rtp', 'marked', 'rtcp', 'ping']],
    ['sip', ['invite', 'ringing', 'busy']],
    ['requests', ['invite']],
    ['responses', ['ringing', 'busy']],
    ['INVITE', ['invite', 'ringing']],
    ['BYE', ['busy']],
    ['BYES', []],
    ['REGISTER+486', ['busy']],
    ['1xx', ['ringing']],
    ['rtp', ['rtp', 'marked']],
    ['rtcp', ['rtcp']],
    ['media', ['rtp', 'marked', 'rtcp']],
  ])('%s', (filter, expected) => expect(named(filter)).toEqual(expected));

  it('anything else is refused with what there is', () => {
    expect(() => packetFilter('invite', '--fault x')).toThrow(/--fault x: invite: must be a SIP method, a status/);
  });
});

it.each([
  [{ loss: 1.5 }, /loss is 1.5; a share is from 0 to 1/],
  [{ loss: 0.95, lossBurst: 2 }, /makes it 0.666/],
  [{ lossBurst: 0.5 }, /at least one/],
  [{ delayMs: 20_000 }, /from 0 to 10000/],
  [{ jitterMs: 10, distribution: 'normal' as const }, /needs a delay/],
  [{ reorder: 0.1, reorderGap: 0 }, /from 1 to 64/],
])('what no chance could do is refused: %o', (impairment, why) => {
  expect(() => checkImpairment({ ...NO_IMPAIRMENT, ...impairment }, 'x')).toThrow(why);
});
