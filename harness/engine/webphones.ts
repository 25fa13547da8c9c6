import { STATE } from '../../agents/control.js';
import { Counters } from '../../agents/counters.js';
import { LegStore, RegistrationStore } from '../../agents/store.js';
import type { WebphonesData } from '../../agents/webphone/worker.js';
import type { GeneratorRecord } from '../collect/schema.js';
import type { RunStore } from '../collect/store.js';
import type { RunPlan } from '../plan/types.js';
import { lastWebphoneCallMs } from '../plan/webphones.js';
import { legCapacity } from './gather.js';
import { targetAddress } from './target.js';
import { Thread } from './threads.js';

/** An attempt a phone under way, and as many that ended and were not collected yet. */
const REGISTRATIONS = 1024;
/** One above the engine's own 64 workers. */
const WORKER = 65;
const LOOPBACK = 127;

/** The webphones of a run: their thread, and their records on the way to the files. None of them count as load. */
export class WebphoneRun {
  readonly thread: Thread;
  readonly #legs: LegStore;
  readonly #registrations: RegistrationStore;
  readonly #counters = new Counters();

  /** `ca`: PEM file of the stack that we brought up, where we did. */
  constructor(
    plan: RunPlan,
    private readonly store: RunStore,
    ca: string | null,
  ) {
    const webphones = plan.webphones!;
    const capacity = legCapacity(webphones.count, 4);
    const legs = LegStore.create(capacity);
    const registrations = RegistrationStore.create(REGISTRATIONS);
    this.#legs = legs.store;
    this.#registrations = registrations.store;
    const { localIp } = targetAddress(plan);
    const data: Omit<WebphonesData, 'control'> = {
      plan: webphones,
      call: plan.call,
      seed: plan.seed,
      // An address of their own on loopback, so that the engine's media ports are not theirs.
      ip: localIp >>> 24 === LOOPBACK ? localIp + 1 : localIp,
      untilMs: lastWebphoneCallMs(plan, webphones),
      worker: WORKER,
      ca: webphones.ca ?? ca,
      legs: legs.shared,
      legCapacity: capacity,
      registrations: registrations.shared,
      registrationCapacity: REGISTRATIONS,
      counters: this.#counters.shared,
    };
    this.thread = new Thread('webphones', { file: '../../agents/webphone/worker', from: import.meta.url }, data);
  }

  get idle(): boolean {
    return this.thread.died !== null || this.thread.control.state === STATE.IDLE;
  }

  poll(): void {
    this.#legs.drain((leg) => this.store.addWebphoneLeg(leg));
    this.#registrations.drain((row) => this.store.addWebphoneRegistration(row));
  }

  /** The last records, those of calls that are still up too. The thread has stopped. */
  finish(): GeneratorRecord['workers'][number] {
    this.poll();
    this.#legs.readOpen((leg) => this.store.addWebphoneLeg(leg));
    this.#registrations.readOpen((row) => this.store.addWebphoneRegistration(row));
    const busy = this.#counters.get('busyUs');
    const all = busy + this.#counters.get('idleUs');
    return { name: this.thread.name, died: this.thread.died !== null, cpuBusy: all > 0 ? busy / all : 0 };
  }
}
