import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { MemoryWorld, type MemoryWorldOptions } from './memory.js';
import { IN_FLIGHT_MAX } from './packet-wheel.js';
import { type Actor, ipFromString } from './types.js';

const A = ipFromString('10.0.0.1');
const B = ipFromString('10.0.0.2');
const ignore = (): void => undefined;

/** `count` numbered datagrams from A to B, one every `everyUs`; what arrived, and when. */
function stream(options: MemoryWorldOptions, count: number, everyUs: number) {
  const world = new MemoryWorld(options);
  const got: { id: number; us: number }[] = [];
  world.wire('b').bind(B, 5060, (bytes, off, len, _ip, _port, nowUs) => {
    expect(len).toBe(172);
    got.push({ id: bytes[off]! * 65_536 + bytes[off + 1]! * 256 + bytes[off + 2]!, us: nowUs });
  });
  const wire = world.wire('a');
  const port = wire.bind(A, 5060, ignore);
  let id = 0;
  const sender: Actor = {
    tick: (nowUs) => {
      if (id === count) return Number.POSITIVE_INFINITY;
      port.tx.set([id >> 16, (id >> 8) & 255, id & 255], port.slot());
      port.commit(172, B, 5060);
      id++;
      return nowUs + everyUs;
    },
  };
  world.add(sender, wire);
  world.runUntil((world.nowUs + count * everyUs + 2_000_000) | 0);
  return { world, got, wire };
}

function digest(got: { id: number; us: number }[]): string {
  return createHash('sha256').update(JSON.stringify(got)).digest('hex');
}

function inversions(got: { id: number }[]): number {
  return got.filter((g, i) => i > 0 && g.id < got[i - 1]!.id).length;
}

describe('chance', () => {
  const impairments = { loss: 0.1, duplicate: 0.05, reorder: 0.2, reorderUs: 30_000 };

  test('the same seed gives the same datagrams at the same instants; another seed does not', () => {
    const run = (seed: number): string => digest(stream({ seed, impairments }, 5000, 333).got);
    expect(run(7)).toBe(run(7));
    expect(run(8)).not.toBe(run(7));
  });

  test('rates are what was asked for', () => {
    const { world, got } = stream({ seed: 3, impairments }, 20_000, 500);
    const near = (value: number, wanted: number): void => {
      // Four standard deviations of a binomial.
      expect(Math.abs(value - wanted)).toBeLessThan(4 * Math.sqrt(wanted));
    };
    near(world.fate.lost, 2000);
    near(world.fate.duplicated, 0.9 * 0.05 * 20_000);
    near(world.fate.reordered, 0.9 * 0.2 * 20_000);
    expect(got.length).toBe(20_000 - world.fate.lost + world.fate.duplicated);
    expect(inversions(got)).toBeGreaterThan(1000);
  });

  test('without impairments nothing is lost or overtaken, whatever the jitter', () => {
    const { got, world, wire } = stream({ seed: 5, latencyUs: 1000, jitterUs: 50_000 }, 10_000, 100);
    expect(got.length).toBe(10_000);
    expect(inversions(got)).toBe(0);
    expect(world.fate).toEqual({ delivered: 10_000, lost: 0, duplicated: 0, reordered: 0 });
    expect(wire.counters.sent).toBe(10_000);
  });

  test('impairments keep to what the predicate names, and can be changed under way', () => {
    const world = new MemoryWorld({ seed: 1, impairments: { loss: 1, only: (port) => port === 5060 } });
    const b = world.wire('b');
    const [sip, rtp] = [b.bind(B, 5060, ignore), b.bind(B, 9000, ignore)];
    const a = world.wire('a').bind(A, 0, ignore);
    const both = (): void => {
      for (const { port } of [sip, rtp]) a.commit(100, B, port);
      world.runUntil(world.nowUs + 1000);
    };
    both();
    expect(b.counters.received).toBe(1);
    world.impair({});
    both();
    expect(b.counters.received).toBe(3);
  });
});

describe('virtual time', () => {
  test('a datagram takes the latency, rounded up to whole ticks of 100 us', () => {
    const { got } = stream({ seed: 1, latencyUs: 250, jitterUs: 0 }, 3, 20_000);
    expect(got.map((g) => g.us)).toEqual([300, 20_300, 40_300]);
  });

  test('deadlines are exact, and an actor is ticked at once after a delivery to its wire', () => {
    const world = new MemoryWorld({ seed: 1, latencyUs: 200, jitterUs: 0 });
    const log: string[] = [];
    const wire = world.wire('b');
    let arrived = 0;
    wire.bind(B, 5060, () => arrived++);
    world.add(
      {
        tick: (nowUs) => {
          log.push(`b ${nowUs} ${arrived}`);
          return Number.POSITIVE_INFINITY;
        },
      },
      wire,
    );
    const port = world.wire('a').bind(A, 5060, ignore);
    world.add({
      tick: (nowUs) => {
        log.push(`a ${nowUs}`);
        if (nowUs > 100) return Number.POSITIVE_INFINITY;
        if (nowUs === 77) for (let i = 0; i < 3; i++) port.commit(10, B, 5060);
        return nowUs + 77;
      },
    });
    world.runUntil(1_000_000);
    expect(log).toEqual(['b 0 0', 'a 0', 'a 77', 'a 154', 'b 300 3']);
    expect(world.nowUs).toBe(1_000_000);
  });

  test('an actor that always wants to be called at once does not stop the clock; wake() calls a sleeping one', () => {
    const world = new MemoryWorld({ seed: 1, startUs: 5_000_000_000_000 });
    let restless = 0;
    world.add({
      tick: (nowUs) => {
        restless++;
        return nowUs;
      },
    });
    let sleeper = 0;
    const sleeping: Actor = {
      tick: () => {
        sleeper++;
        return Number.POSITIVE_INFINITY;
      },
    };
    world.add(sleeping);
    world.runUntil(world.nowUs + 10_000);
    expect(restless).toBe(101);
    world.wake(sleeping);
    world.runUntil(world.nowUs);
    expect(sleeper).toBe(2);
  });

  test('nobody there: the sender counts it, whether the port was never bound or closed meanwhile', () => {
    const world = new MemoryWorld({ seed: 1, startUs: 12_345 });
    const wire = world.wire('a');
    const a = wire.bind(A, 0, ignore);
    const b = world.wire('b').bind(B, 5060, ignore);
    a.commit(10, B, 5061);
    a.commit(10, B, 5060);
    b.close();
    world.runUntil(1_000_000);
    expect(wire.counters).toMatchObject({ sent: 2, unreachable: 2 });
  });

  test('what is under way is limited, and a refused send is counted', () => {
    const world = new MemoryWorld({ seed: 1 });
    const [a, b] = [world.wire('a'), world.wire('b')];
    b.bind(B, 5060, ignore);
    const port = a.bind(A, 5060, ignore);
    for (let i = 0; i < IN_FLIGHT_MAX + 10; i++) port.commit(172, B, 5060);
    world.runUntil(1_000_000);
    expect(a.counters.sendDropped).toBe(10);
    expect(b.counters.received).toBe(IN_FLIGHT_MAX);
  });
});

test('a million RTP packets between 1,000 legs are a matter of a second', () => {
  const world = new MemoryWorld({ seed: 1, impairments: { loss: 0.001 } });
  const [wireA, wireB] = [world.wire('a'), world.wire('b')];
  const a = wireA.openMedia({ ip: A, portMin: 10_000, portMax: 11_999 }, ignore);
  const b = wireB.openMedia({ ip: B, portMin: 10_000, portMax: 11_999 }, ignore);
  const ports = Array.from({ length: 1000 }, () => {
    b.openPair();
    return a.openPair();
  });
  world.add({
    tick: (nowUs) => {
      // A twentieth of the legs each millisecond: 20 ms between the packets of one.
      const first = (Math.round(nowUs / 1000) % 20) * 50;
      for (let i = first; i < first + 50; i++) {
        a.commit(172, ports[i]!, B, ports[i]!);
        b.commit(172, ports[i]!, A, ports[i]!);
      }
      return nowUs + 1000;
    },
  });
  const cpu = process.cpuUsage();
  world.runUntil(9_999_999);
  const { user, system } = process.cpuUsage(cpu);
  const { delivered, lost } = world.fate;
  expect(delivered + lost).toBeGreaterThan(999_000);
  // A tenth of the target of 1,500,000 per CPU-second: a slow machine passes, a quadratic mistake does not.
  expect(delivered / ((user + system) / 1e6)).toBeGreaterThan(150_000);
});
