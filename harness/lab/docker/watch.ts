/** Readiness, from the engine's events: nothing here sleeps and hopes. */
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { HarnessError } from '../../errors.js';
import { type Docker, reasonOf } from './engine.js';
import { LABEL } from './labels.js';
import type { Condition } from './types.js';

/** Lines of a container's own words that go into the error when it does not come up. */
const LOG_LINES = 12;

/** On a machine that is busy bringing up the others, a healthcheck runs out of time, fails a few times, and recovers. */
const UNHEALTHY_MS = 30_000;

/** Where a container stands. */
interface Standing {
  status: string;
  /** none: it has no healthcheck. */
  health: 'none' | 'starting' | 'healthy' | 'unhealthy';
  exitCode: number;
  lastProbe: string;
}

export class Watch {
  readonly #listeners = new Map<string, Set<() => void>>();
  #broken: string | null = null;

  private constructor(
    private readonly docker: Docker,
    private readonly stream: Readable & { destroy(): void },
    private readonly signal: AbortSignal | undefined,
  ) {
    createInterface({ input: stream }).on('line', (line) => {
      const event = JSON.parse(line) as { Actor?: { ID?: string }; id?: string };
      this.#wake(event.Actor?.ID ?? event.id ?? '');
    });
    const over = (): void => {
      this.#broken = 'the engine closed its stream of events';
      this.#wakeAll();
    };
    signal?.addEventListener('abort', this.#wakeAll);
    stream.on('close', over).on('error', over);
  }

  /** Watches everything that carries the run's label, from now on. */
  static async open(docker: Docker, run: string, signal?: AbortSignal): Promise<Watch> {
    const stream = await docker.getEvents({ filters: { type: ['container'], label: [`${LABEL.run}=${run}`] } });
    return new Watch(docker, stream as Readable, signal);
  }

  close(): void {
    this.signal?.removeEventListener('abort', this.#wakeAll);
    this.stream.destroy();
  }

  /**
   * Resolves when the container meets the condition. Throws LAB_NOT_READY with its last words when it ends, stays
   * unhealthy, or is not there by `deadlineMs`, and INTERRUPTED when the signal says so.
   */
  async until(id: string, name: string, condition: Condition, { deadlineMs }: { deadlineMs: number }): Promise<void> {
    let late = false;
    let patience: NodeJS.Timeout | undefined;
    let wake = (): void => undefined;
    const listeners = this.#listeners.get(id) ?? new Set();
    this.#listeners.set(id, listeners);
    const woken = (): void => wake();
    listeners.add(woken);
    const giveUp = (): void => {
      late = true;
      wake();
    };
    const timer = setTimeout(giveUp, deadlineMs);
    try {
      for (;;) {
        // Armed before it is looked at: an event between look and wait is not missed.
        const event = new Promise<void>((resolve) => {
          wake = resolve;
        });
        throwIfInterrupted(this.signal);
        const standing = await standingOf(this.docker, id);
        if (meets(standing, condition)) return;
        const why = hopeless(standing, condition) ?? this.#broken;
        if (why !== null) throw await notReady(this.docker, id, `${name} ${why}`, standing);
        if (standing.health === 'unhealthy') patience ??= setTimeout(giveUp, UNHEALTHY_MS);
        if (late) {
          throw await notReady(
            this.docker,
            id,
            `${name} is not ready in time (${standing.status}, health ${standing.health})`,
            standing,
          );
        }
        await event;
      }
    } finally {
      clearTimeout(timer);
      clearTimeout(patience);
      listeners.delete(woken);
    }
  }

  readonly #wakeAll = (): void => {
    for (const id of this.#listeners.keys()) this.#wake(id);
  };

  #wake(id: string): void {
    for (const listener of this.#listeners.get(id) ?? []) listener();
  }
}

export function throwIfInterrupted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new HarnessError('INTERRUPTED', 'interrupted; what was made is taken down');
}

async function standingOf(docker: Docker, id: string): Promise<Standing> {
  const { State } = await docker.getContainer(id).inspect();
  return {
    status: State.Status,
    health: (State.Health?.Status as Standing['health'] | undefined) ?? 'none',
    exitCode: State.ExitCode,
    lastProbe: State.Health?.Log?.at(-1)?.Output?.trim() ?? '',
  };
}

function meets({ status, health, exitCode }: Standing, condition: Condition): boolean {
  if (condition === 'service_completed_successfully') return status === 'exited' && exitCode === 0;
  if (condition === 'service_started') return status === 'running';
  return status === 'running' && (health === 'healthy' || health === 'none');
}

function hopeless({ status, exitCode }: Standing, condition: Condition): string | null {
  if (status === 'dead' || status === 'removing') return `is ${status}`;
  if (status === 'exited' && !(condition === 'service_completed_successfully' && exitCode === 0)) {
    return `ended with exit code ${exitCode}`;
  }
  return null;
}

async function notReady(
  docker: Docker,
  id: string,
  why: string,
  { health, lastProbe }: Standing,
): Promise<HarnessError> {
  const words = await lastWords(docker, id);
  const probe = health === 'none' || lastProbe === '' ? '' : `; its healthcheck says: ${lastProbe.slice(-300)}`;
  return new HarnessError('LAB_NOT_READY', `${why}${probe}${words === '' ? '' : `; its last words:\n${words}`}`);
}

/** The end of a container's log, indented. */
export async function lastWords(docker: Docker, id: string, lines: number = LOG_LINES): Promise<string> {
  try {
    const log = await docker.getContainer(id).logs({ stdout: true, stderr: true, tail: lines, follow: false });
    return demuxed(log)
      .trimEnd()
      .split('\n')
      .map((line) => `    ${line}`)
      .join('\n')
      .trimEnd();
  } catch (error) {
    return `    (no log: ${reasonOf(error)})`;
  }
}

/** The engine's framing of a log: 8 bytes before each piece, the last four its length, big-endian. */
export function demuxed(log: Buffer): string {
  const pieces: Buffer[] = [];
  for (let at = 0; at + 8 <= log.length; ) {
    const length = log.readUInt32BE(at + 4);
    pieces.push(log.subarray(at + 8, at + 8 + length));
    at += 8 + length;
  }
  return Buffer.concat(pieces).toString('utf8');
}
