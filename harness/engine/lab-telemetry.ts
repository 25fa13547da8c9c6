import { AMI_PORT, AsteriskReader } from '../collect/asterisk.js';
import { routerReadings } from '../collect/router.js';
import { type Readings, readRelay } from '../collect/rtpengine.js';
import type { RunStore } from '../collect/store.js';
import type { StartedStack } from '../lab/docker/started.js';

const EVERY_MS = 1_000;
const RELAY_METRICS_PORT = 2225;
/** docker/stacks/asterisk/manager.conf: may read what channels counted, and do nothing. */
const AMI_USER = 'deadair-rtp';
const AMI_SECRET = 'deadair-rtp';

interface Source {
  source: string;
  instance: string;
  read(): Promise<Readings | null> | Readings | null;
  close(): void;
}

/**
 * What the parts of a stack say of themselves, once a second, on the run's clock. A part that does not answer leaves a gap.
 * Host and containers are one machine, so their addresses on internal networks are in reach.
 */
export class LabTelemetry {
  readonly #sources: Source[];
  readonly #seen = new Set<string>();
  #nextMs = 0;
  #busy: Promise<void> = Promise.resolve();
  #pending = false;

  private constructor(
    sources: Source[],
    private readonly store: RunStore,
  ) {
    this.#sources = sources;
  }

  static async open(stack: StartedStack, store: RunStore): Promise<LabTelemetry> {
    const sources: Source[] = [];
    for (const service of stack.withRole('relay')) {
      const hosts = [...(await stack.addresses(service)).values()];
      const read = async (): Promise<Readings | null> => {
        for (const host of hosts) {
          const readings = await readRelay(host, RELAY_METRICS_PORT);
          if (readings !== null) return readings;
        }
        return null;
      };
      sources.push({ source: 'relay', instance: service.name, read, close: () => undefined });
    }
    for (const service of stack.withRole('node')) {
      const host = [...(await stack.addresses(service)).values()][0];
      if (host === undefined) continue;
      const asterisk = new AsteriskReader(host, AMI_PORT, AMI_USER, AMI_SECRET);
      const read = (): Readings | null => asterisk.read();
      sources.push({ source: 'node', instance: service.name, read, close: () => asterisk.close() });
    }
    for (const service of stack.withRole('nat')) {
      const read = async (): Promise<Readings | null> => routerReadings(await stack.output(service, ['nat-status']));
      sources.push({ source: 'nat', instance: service.name, read, close: () => undefined });
    }
    return new LabTelemetry(sources, store);
  }

  /** Sources that answered at least once. */
  get sources(): string[] {
    return [...this.#seen];
  }

  /** Never waits: a look that is still under way is not overtaken. */
  poll(tMs: number): void {
    if (tMs < this.#nextMs || this.#pending) return;
    this.#nextMs = Math.floor(tMs / EVERY_MS) * EVERY_MS + EVERY_MS;
    this.#busy = this.#look(tMs);
  }

  /** The last look, with what ended since. */
  async finish(tMs: number): Promise<void> {
    await this.#busy;
    await this.#look(tMs);
    for (const source of this.#sources) source.close();
  }

  async #look(tMs: number): Promise<void> {
    this.#pending = true;
    await Promise.all(
      this.#sources.map(async ({ source, instance, read }) => {
        const readings = await read();
        if (readings === null) return;
        this.#seen.add(source);
        for (const [metric, value] of Object.entries(readings)) {
          this.store.addTelemetry({ tMs, source, instance, metric, value });
        }
      }),
    );
    this.#pending = false;
  }
}
