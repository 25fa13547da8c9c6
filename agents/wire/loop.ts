/**
 * The two ways to run actors on a real wire. Each turn ticks every actor, sends what they committed, and waits for
 * packets until the earliest deadline, but not longer than IDLE_MAX_US, so that shouldStop is asked.
 */
import { performance } from 'node:perf_hooks';
import type { LinuxWire } from './linux.js';
import type { Actor } from './types.js';

const IDLE_MAX_US = 10_000;
/** setTimeout counts in whole milliseconds and is late by up to one: below this, setImmediate. */
const TIMER_MIN_US = 2_000;

/** A turn with this many datagrams is busy, and the rest after it is so many times as long. */
const BUSY_PACKETS = 8;
const BUSY_RESTS = 4;

export interface LoopTimes {
  /** Microseconds that the loop worked, and that it waited. Up to date at every onTurn. */
  busyUs: number;
  idleUs: number;
  turns: number;
}

/** Called once a turn, before the wait: the place to take control messages and to publish counters. */
export type OnTurn = (nowUs: number, times: LoopTimes) => void;

function tickAll(actors: readonly Actor[], nowUs: number): number {
  let deadline = nowUs + IDLE_MAX_US;
  for (let i = 0; i < actors.length; i++) {
    const next = actors[i]!.tick(nowUs);
    if (next < deadline) deadline = next;
  }
  return deadline;
}

/**
 * Keeps its thread until shouldStop: no promise, timer or message event of this thread runs meanwhile (control messages:
 * receiveMessageOnPort or shared memory, in onTurn). `restUs`: how long packets may gather after a turn that had some.
 */
export function runBlocking(
  wire: LinuxWire,
  actors: readonly Actor[],
  shouldStop: () => boolean,
  onTurn?: OnTurn,
  restUs = 0,
): LoopTimes {
  const times: LoopTimes = { busyUs: 0, idleUs: 0, turns: 0 };
  const startUs = wire.nowUs();
  const idleBefore = wire.idleUs;
  let handled = 0;
  while (!shouldStop()) {
    const nowUs = wire.nowUs();
    times.turns++;
    times.idleUs = wire.idleUs - idleBefore;
    times.busyUs = nowUs - startUs - times.idleUs;
    onTurn?.(nowUs, times);
    const deadline = tickAll(actors, nowUs);
    wire.flush();
    // Under traffic a short rest lets packets gather: one turn then serves many, at a tenth of the wake-ups.
    // A busy loop rests longer: packets come sooner than they are missed, and a wake-up costs as much as ten of them.
    const wishUs = handled >= BUSY_PACKETS ? restUs * BUSY_RESTS : restUs;
    if (handled > 0 && restUs > 0) wire.rest(Math.min(wishUs, deadline - wire.nowUs()));
    handled = wire.poll(deadline - wire.nowUs());
    // Answers committed by the sinks must not wait for slow ticks.
    wire.flush();
  }
  times.idleUs = wire.idleUs - idleBefore;
  times.busyUs = wire.nowUs() - startUs - times.idleUs;
  return times;
}

/** A wire whose sockets wake Node's event loop. */
export interface EventedWire {
  nowUs(): number;
  flush(): void;
  /** Set by the loop; called after whatever came in. */
  onReceive: () => void;
  /** Reads sockets that wake nobody: asked in every turn, and a turn comes every millisecond then. */
  readonly poll?: (() => void) | undefined;
}

/** The same on the event loop. Rejects with what a tick threw. */
export function runEvented(
  wire: EventedWire,
  actors: readonly Actor[],
  shouldStop: () => boolean,
  onTurn?: OnTurn,
): Promise<LoopTimes> {
  const times: LoopTimes = { busyUs: 0, idleUs: 0, turns: 0 };
  // Sinks run between the turns: only the loop itself knows how long it waited.
  const before = performance.eventLoopUtilization();
  let timer: NodeJS.Timeout | undefined;
  let immediate: NodeJS.Immediate | undefined;
  return new Promise((resolve, reject) => {
    const soon = (): void => {
      immediate ??= setImmediate(turn);
    };
    const finish = (): void => {
      clearTimeout(timer);
      clearImmediate(immediate);
      wire.onReceive = () => undefined;
    };
    const turn = (): void => {
      clearTimeout(timer);
      clearImmediate(immediate);
      immediate = undefined;
      try {
        const nowUs = wire.nowUs();
        const { active, idle } = performance.eventLoopUtilization(before);
        times.busyUs = active * 1000;
        times.idleUs = idle * 1000;
        if (shouldStop()) {
          finish();
          resolve(times);
          return;
        }
        times.turns++;
        onTurn?.(nowUs, times);
        wire.poll?.();
        const deadline = tickAll(actors, nowUs);
        wire.flush();
        const waitUs = deadline - wire.nowUs();
        if (wire.poll !== undefined) timer = setTimeout(turn, 1);
        else if (waitUs < TIMER_MIN_US) soon();
        else timer = setTimeout(turn, waitUs / 1000 - 1);
      } catch (error) {
        finish();
        reject(error);
      }
    };
    wire.onReceive = soon;
    turn();
  });
}
