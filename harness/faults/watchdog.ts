import { entryArgs } from '../entry.js';
import { HarnessError } from '../errors.js';
import { type Outliver, startOutliver } from '../outlive.js';
import type { Kept } from './keeper.js';
import type { Armed } from './watchdog-process.js';

const BEAT_MS = 1_000;
/** A journal is written in that time on any disk. */
const ARM_MS = 30_000;

interface Said {
  armed?: number;
  applied?: string;
  atUs?: number;
  ended?: string;
  kept?: Kept;
  done?: 1;
}

export interface WatchdogEvents {
  onApplied?: (id: string, atUs: number) => void;
  onEnded?: (id: string, kept: Kept) => void;
}

/** Our end of the process that does the faults of a run, and undoes them whatever becomes of us. */
export class Watchdog {
  readonly ended = new Map<string, Kept>();
  /** It ended without a word: what it left is for `sweep`. */
  died: string | null = null;
  readonly #done: Promise<void>;
  readonly #beats: NodeJS.Timeout;

  private constructor(
    private readonly process: Outliver,
    readonly leases: number,
    done: Promise<void>,
  ) {
    this.#done = done;
    this.#beats = setInterval(() => this.process.send('{"beat":1}'), BEAT_MS);
    this.#beats.unref();
    void process.gone.then((why) => {
      clearInterval(this.#beats);
      if (this.ended.size < leases) this.died ??= why;
    });
  }

  /** Armed: from now on nothing can be left behind. Throws LAB_NOT_READY. */
  static async start(what: Armed, events: WatchdogEvents = {}): Promise<Watchdog> {
    const process = await startOutliver("the faults' watchdog", entryArgs('watchdog-process', import.meta.url));
    let isArmed = (): void => undefined;
    let isDone = (): void => undefined;
    const armed = new Promise<void>((resolve) => {
      isArmed = resolve;
    });
    const done = new Promise<void>((resolve) => {
      isDone = resolve;
    });
    let dog: Watchdog | null = null;
    process.onLine((line) => {
      const said = JSON.parse(line) as Said;
      if (said.armed !== undefined) isArmed();
      if (said.applied !== undefined) events.onApplied?.(said.applied, said.atUs!);
      if (said.ended !== undefined) {
        dog?.ended.set(said.ended, said.kept!);
        events.onEnded?.(said.ended, said.kept!);
      }
      if (said.done !== undefined) isDone();
    });
    process.send(JSON.stringify({ arm: what }));
    // This timer keeps us alive, too: the process itself does not.
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<string>((resolve) => {
      timer = setTimeout(resolve, ARM_MS, 'it does not answer');
    });
    const why = await Promise.race([armed.then(() => null), process.gone, late]);
    clearTimeout(timer);
    if (why !== null) throw new HarnessError('LAB_NOT_READY', `the faults' watchdog could not be armed: ${why}`);
    dog = new Watchdog(process, what.leases.length, done);
    return dog;
  }

  get pid(): number {
    return this.process.pid;
  }

  /** The instant from which the leases count, us of the machine's monotonic clock. */
  go(t0Us: number): void {
    this.process.send(JSON.stringify({ go: t0Us }));
  }

  /** Resolves when every lease has come to its end by itself. */
  async isOver(): Promise<void> {
    await Promise.race([this.#done, this.process.join()]);
  }

  /** What is on is undone now; resolves when that is proven, or given up. */
  async finish(): Promise<void> {
    this.process.send('{"over":1}');
    await this.process.join();
    clearInterval(this.#beats);
  }
}
