import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Docker } from '../lab/docker/engine.js';
import type { FaultPlan } from '../plan/types.js';
import type { Kept } from './keeper.js';
import type { Lease } from './lease.js';
import { leasesOf } from './leases.js';
import { recordOf } from './record.js';
import { sweepRun } from './sweep.js';
import { Watchdog } from './watchdog.js';

export interface RunFaultsOptions {
  docker: Docker;
  /** As the docker command has it; the watchdog opens its own way to it. */
  engine: string;
  run: string;
  stack: string;
  seed: number;
  authorised: readonly string[];
  /** results/<run>/: faults.jsonl is written there. */
  runDir: string;
  /** What happens, for the person at the terminal. */
  tell?: (line: string) => void;
}

/** The faults of one run on a stack in Docker, in the hands of their watchdog. */
export class RunFaults {
  readonly #ended = new Map<string, Kept>();
  #t0Us = Number.NaN;
  #finished: Promise<ReadonlyMap<string, Kept>> | null = null;

  private constructor(
    readonly leases: readonly Lease[],
    private readonly dog: Watchdog,
    private readonly options: RunFaultsOptions,
  ) {}

  /** Nothing is done yet, and nothing can be left behind any more. Throws HarnessError. */
  static async arm(plans: readonly FaultPlan[], options: RunFaultsOptions): Promise<RunFaults> {
    const { engine, run, runDir, authorised, tell = () => undefined } = options;
    const leases = await leasesOf(plans, options);
    for (const { kind, target, backend, because } of leases.filter((l) => !/-\d+-/.test(l.id))) {
      tell(`fault ${kind} on ${target} by ${backend}${because === '' ? '' : ` (not by ${because})`}`);
    }
    const of = (id: string): Lease => leases.find((lease) => lease.id === id)!;
    let faults: RunFaults | null = null;
    const dog = await Watchdog.start(
      { run, engine, records: join(runDir, 'faults.jsonl'), authorised: [...authorised], leases },
      {
        onApplied: (id, atUs) => tell(`${of(id).kind} is on ${of(id).target}${faults?.late(of(id), atUs) ?? ''}`),
        onEnded: (id, kept) => tell(`${of(id).kind} on ${of(id).target}: ${kept.note}`),
      },
    );
    faults = new RunFaults(leases, dog, options);
    return faults;
  }

  get watchdogPid(): number {
    return this.dog.pid;
  }

  go(t0Us: number): void {
    this.#t0Us = t0Us;
    this.dog.go(t0Us);
  }

  private late({ atMs }: Lease, atUs: number): string {
    return `, ${((atUs - this.#t0Us) / 1000 - atMs).toFixed(0)} ms after its instant`;
  }

  /** Every lease has come to its end. */
  isOver(): Promise<void> {
    return this.dog.isOver();
  }

  /** Undoes what is on; resolves with what became of each when that is proven or given up. */
  finish(): Promise<ReadonlyMap<string, Kept>> {
    this.#finished ??= this.#finish();
    return this.#finished;
  }

  async #finish(): Promise<ReadonlyMap<string, Kept>> {
    await this.dog.finish();
    for (const [id, kept] of this.dog.ended) this.#ended.set(id, kept);
    if (this.dog.died !== null) await this.#inItsStead(this.dog.died);
    return this.#ended;
  }

  /** A watchdog that was killed left its journal: we undo what it says, and say that its faults did not last. */
  async #inItsStead(why: string): Promise<void> {
    const { docker, run, runDir } = this.options;
    const swept = await sweepRun(docker, run);
    for (const lease of this.leases) {
      if (this.#ended.has(lease.id)) continue;
      const removed = swept.find((s) => s.id === lease.id);
      const kept: Kept = {
        appliedAtUs: null,
        removedAtUs: removed?.atUs ?? null,
        proven: removed?.proven ?? false,
        failed: `its watchdog died (${why})`,
        note: `its watchdog died (${why}); ${removed?.note ?? `nothing is known of it: ${lease.byHand}`}`,
      };
      this.#ended.set(lease.id, kept);
      appendFileSync(join(runDir, 'faults.jsonl'), `${JSON.stringify(recordOf(lease, kept, this.#t0Us))}\n`);
    }
  }
}
