import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { SipMessage } from '../agents/sip/parse.js';
import { prng } from '../harness/prng.js';
import { bytesOf } from './support/sip-text.js';
import { CORPUS } from './torture/corpus.js';
import { NOTHING_HELD } from './torture/ground.js';
import { Mutator } from './torture/mutate.js';
import { expand } from './torture/notation.js';
import { Stranger } from './torture/stranger.js';

/** 50,000 messages in every test run; DEADAIR_FUZZ=1000000 for the long one, DEADAIR_FUZZ_SEED for another course of it. */
const MESSAGES = Number(process.env.DEADAIR_FUZZ ?? 50_000);
const SEED = Number(process.env.DEADAIR_FUZZ_SEED ?? 20_260_101);
/** A step that takes longer than this hangs, whatever the machine. */
const STEP_MAX_MS = 5000;
const LONG = MESSAGES > 50_000;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

function memory(): Record<string, number> {
  collect();
  const { rss, heapUsed, arrayBuffers, external } = process.memoryUsage();
  const mb = (bytes: number): number => Math.round(bytes / 1e5) / 10;
  return { rss: mb(rss), heapUsed: mb(heapUsed), arrayBuffers: mb(arrayBuffers), external: mb(external) };
}

describe('mutated messages', () => {
  test(`${MESSAGES} through transactions, callee and caller: nothing thrown, nothing hangs, nothing stays`, {
    timeout: 60_000 + MESSAGES * 2,
  }, () => {
    const stranger = new Stranger(SEED, MESSAGES);
    const { ground } = stranger;
    for (let i = 0; i < 2000; i++) stranger.step(); // buffers that grow to their size, and compiled code
    const before = memory();
    const startMs = performance.now();
    let slowestMs = 0;
    let text = '';
    try {
      for (let i = 0; i < MESSAGES; i++) {
        const from = performance.now();
        text = stranger.step();
        slowestMs = Math.max(slowestMs, performance.now() - from);
      }
    } catch (cause) {
      throw new Error(`seed ${SEED}, message ${stranger.sent}: ${JSON.stringify(text)}`, { cause });
    }
    const tookMs = performance.now() - startMs;
    expect(slowestMs).toBeLessThan(STEP_MAX_MS);

    ground.caller.hangUpAll(ground.world.nowUs);
    ground.world.wake(ground.caller);
    for (let n = 0; n < 3; n++) {
      stranger.sweep();
      ground.run(300);
    }
    expect(stranger.unreadable).toEqual([]);
    expect(ground.held()).toEqual(NOTHING_HELD);
    const after = memory();
    // The typed arrays are laid out once; the heap may breathe by what one collection leaves.
    expect(after.arrayBuffers! - before.arrayBuffers!).toBeLessThan(8);
    expect(after.heapUsed! - before.heapUsed!).toBeLessThan(16);

    // Depth: calls came up on both sides and ended in every way, so the mutations met every state.
    const { statuses } = stranger;
    for (const kind of [
      '200 INVITE',
      '200 BYE',
      '481 BYE',
      '400 INVITE',
      '482 INVITE',
      'INVITE',
      'ACK',
      'BYE',
      'CANCEL',
    ]) {
      expect(statuses.get(kind) ?? 0, kind).toBeGreaterThan(MESSAGES / 50_000);
    }
    // And all of it can be used again: as many calls at once as there may be, and not one more.
    let up = 0;
    while (up <= 256 && stranger.callAnswered()) up++;
    expect(up).toBe(256);
    if (LONG) {
      const counts = [...statuses].sort((a, b) => b[1] - a[1]).map(([kind, n]) => `${kind}: ${n}`);
      const { calleeCounters: callee, callerCounters: caller } = ground;
      const lines = [
        `seed ${SEED}, ${MESSAGES} messages, ${(tookMs / 1000).toFixed(1)} s, slowest step ${slowestMs.toFixed(1)} ms`,
        `virtual time ${(ground.world.nowUs / 1e6).toFixed(0)} s`,
        `MB before ${JSON.stringify(before)}, after ${JSON.stringify(after)}`,
        `refused by the parser: callee ${callee.get('parseRejected')}, caller ${caller.get('parseRejected')}`,
        `calls: callee ${callee.get('calleeStarted')}, caller ${caller.get('started')} (${caller.get('answered')} answered)`,
        `heard: ${counts.join(', ')}`,
      ];
      process.stdout.write(`${lines.join('\n')}\n`);
    }
  });

  test('the parser reads each byte of a message a bounded number of times', () => {
    const chance = prng(SEED);
    const corpus = CORPUS.map((m) => Buffer.from(expand(m.text)).toString('latin1'));
    const any = (): string => corpus[chance.below(corpus.length)]!;
    const mutator = new Mutator(chance, any);
    const msg = new SipMessage();
    let worst = 0;
    for (let i = 0; i < 2000; i++) {
      const message = bytesOf(mutator.mutate(any()));
      let reads = 0;
      const counting = new Proxy(message, {
        get(target, key): unknown {
          reads++;
          const value: unknown = Reflect.get(target, key, target);
          return typeof value === 'function' ? value.bind(target) : value;
        },
      });
      msg.parse(counting, 0, message.length);
      worst = Math.max(worst, reads / (message.length + 1));
    }
    expect(worst).toBeLessThan(32);
  });
});
