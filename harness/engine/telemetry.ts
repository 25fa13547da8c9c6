import { OwnThreads } from '../collect/cgroup.js';
import { readHost } from '../collect/host.js';
import type { Readings } from '../collect/rtpengine.js';
import type { RunStore } from '../collect/store.js';

const EVERY_MS = 1_000;
/** An answer that comes later is of another second. */
const PATIENCE_MS = 900;

/** One part that says something of itself. `read` may take its time: the next look at it waits, the run and the others do not. */
export interface Source {
  source: string;
  instance: string;
  read(): Promise<Readings | null> | Readings | null;
  close(): void;
}

/**
 * Looks at every source once a second, on the run's clock, each by itself: one that does not answer leaves a gap of its own, and neither
 * a late answer nor an error of one is felt by another, or by the run.
 */
export class Telemetry {
  readonly #sources: { of: Source; busy: boolean }[];
  readonly #seen = new Set<string>();
  #nextMs = 0;

  constructor(
    sources: readonly Source[],
    private readonly store: RunStore,
  ) {
    this.#sources = sources.map((of) => ({ of, busy: false }));
  }

  /** Sources that answered at least once. */
  get seen(): string[] {
    return [...this.#seen].sort();
  }

  /** Never waits. */
  poll(tMs: number): void {
    if (tMs < this.#nextMs) return;
    this.#nextMs = Math.floor(tMs / EVERY_MS) * EVERY_MS + EVERY_MS;
    for (const source of this.#sources) void this.#look(source, tMs);
  }

  /** The last look, with what ended since; at most two seconds. */
  async finish(tMs: number): Promise<void> {
    const last = Promise.all(this.#sources.map((source) => this.#look(source, tMs)));
    await Promise.race([last, after(2 * PATIENCE_MS)]);
    for (const { of } of this.#sources) of.close();
  }

  async #look(entry: { of: Source; busy: boolean }, tMs: number): Promise<void> {
    if (entry.busy) return;
    entry.busy = true;
    const { source, instance } = entry.of;
    try {
      const reading = Promise.resolve(entry.of.read());
      const readings = await Promise.race([reading, after(PATIENCE_MS)]);
      if (readings === null) {
        // Too late to be told, and nobody is asked twice at once.
        await reading;
        return;
      }
      this.#seen.add(source);
      for (const [metric, value] of Object.entries(readings)) {
        if (!Number.isNaN(value)) this.store.addTelemetry({ tMs, source, instance, metric, value });
      }
    } catch {
      return; // a part that was paused, killed or taken away says nothing: that is what is to be seen
    } finally {
      entry.busy = false;
    }
  }
}

function after(ms: number): Promise<null> {
  return new Promise((resolve) => {
    setTimeout(() => resolve(null), ms).unref();
  });
}

/** This machine and our own process: of every run on real sockets. */
export function machineSources(): Source[] {
  const own = new OwnThreads();
  const close = (): void => undefined;
  return [
    { source: 'host', instance: 'host', read: readHost, close },
    { source: 'own', instance: 'deadair', read: () => own.read(), close },
  ];
}
