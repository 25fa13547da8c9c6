import { setTimeout as sleep } from 'node:timers/promises';
import { draw } from '../../harness/plan/dist.js';
import type { CallPlan, WebphonePlan } from '../../harness/plan/types.js';
import { KeyedPrng } from '../../harness/prng.js';
import { bucketOf, COUNTER_INDEX, type Counters } from '../counters.js';
import { webphoneIdentityOf } from '../identity.js';
import { MediaEngine } from '../rtp/media.js';
import type { LegStore, RegistrationStore } from '../store.js';
import { DgramWire } from '../wire/dgram.js';
import type { Actor, Wire } from '../wire/types.js';
import type { Host } from './host.js';
import { Webphone } from './phone.js';

export interface WebphonesOptions {
  plan: WebphonePlan;
  call: CallPlan;
  seed: number;
  /** Where audio is sent from. */
  ip: number;
  /** The last call is placed by then, ms of the run. */
  untilMs: number;
  t0Us: number;
  legs: LegStore;
  registrations: RegistrationStore;
  counters: Counters;
  worker: number;
}

const MEDIA_PORT_MIN = 10_000;
const MEDIA_PORT_MAX = 65_535;

/**
 * All webphones of a run, in one thread with an event loop. Each registers, calls the next one, and is called by the one
 * before: so as many calls are up as there are phones, and both ends of each are ours.
 */
export class Webphones implements Actor {
  readonly #o: WebphonesOptions;
  readonly #phones: Webphone[];
  readonly #media: MediaEngine;
  readonly #holds: KeyedPrng;
  #registered = 0;
  #nextCall = 0;
  #stopped = false;

  constructor(wire: Wire, options: WebphonesOptions) {
    this.#o = options;
    const { plan, call, seed, ip, legs, registrations, counters, t0Us, worker } = options;
    const nowUs = (): number => wire.nowUs();
    this.#media = new MediaEngine({
      ...{ store: legs, counters, nowUs: nowUs(), maxLegs: plan.count * LEGS_EACH, t0Us, rtcp: call.rtcp, ptimeMs: 20 },
      clockUs: nowUs,
    });
    this.#media.attach(wire.openMedia({ ip, portMin: MEDIA_PORT_MIN, portMax: MEDIA_PORT_MAX }, this.#media.sink));
    this.#holds = new KeyedPrng(seed ^ 0x77eb);
    const rings = new KeyedPrng(seed ^ 0x21463);
    let rung = 0;
    const byUser = new Map<string, Webphone>();
    const host: Host = {
      ...{ legs, registrations, media: this.#media, ip, worker, nowUs },
      server: plan.server,
      expiresS: plan.expiresS,
      patienceMs: call.patienceMs,
      ringMs: () => draw(call.ringMs, rings.at(rung++)),
      chance: new KeyedPrng(seed ^ 0x55ac).at(0),
      nowMs: () => (nowUs() - t0Us) / 1000,
      poke: () => {
        if (wire instanceof DgramWire) wire.onReceive();
      },
      callOf: (user) => byUser.get(user)?.placing ?? -1,
    };
    this.#phones = Array.from({ length: plan.count }, (_, n) => new Webphone(host, n, webphoneIdentityOf(n, seed)));
    for (const phone of this.#phones) byUser.set(phone.user, phone);
  }

  /** No call is left to place, and none is up. */
  get idle(): boolean {
    const placed = this.#stopped || this.#dueMs(this.#nextCall) > this.#o.untilMs;
    return placed && this.#phones.every((phone) => phone.legsUp === 0);
  }

  hangUpAll(): void {
    this.#stopped = true;
    for (const phone of this.#phones) phone.hangUp();
  }

  tick(nowUs: number): number {
    const { t0Us, plan, untilMs } = this.#o;
    const nowMs = (nowUs - t0Us) / 1000;
    while (this.#registered < plan.count && this.#registerMs(this.#registered) <= nowMs) {
      const n = this.#registered++;
      this.#phones[n]!.registration.begin(this.#registerMs(n));
    }
    while (!this.#stopped && this.#dueMs(this.#nextCall) <= Math.min(nowMs, untilMs)) {
      this.#place(this.#nextCall, this.#dueMs(this.#nextCall), nowUs);
      this.#nextCall++;
    }
    const dueMs = Math.min(
      this.#registered < plan.count ? this.#registerMs(this.#registered) : Number.POSITIVE_INFINITY,
      this.#stopped ? Number.POSITIVE_INFINITY : this.#dueMs(this.#nextCall),
    );
    return Math.min(this.#media.tick(nowUs), t0Us + dueMs * 1000);
  }

  /** Takes the bindings back and closes the connections; a server that does not answer is not waited for. */
  async close(): Promise<void> {
    const gone = Promise.allSettled(this.#phones.map((phone) => phone.stop()));
    await Promise.race([gone, sleep(CLOSE_MS)]);
  }

  /** The next phone in turn, or the first after it that places no call. */
  #place(callNo: number, intendedMs: number, nowUs: number): void {
    const { counters, plan, seed } = this.#o;
    const v = counters.values;
    v[COUNTER_INDEX.offered]!++;
    counters.callLateness[bucketOf(nowUs - this.#o.t0Us - intendedMs * 1000)]!++;
    for (let k = 0; k < plan.count; k++) {
      const n = (callNo + k) % plan.count;
      const phone = this.#phones[n]!;
      if (phone.placing >= 0) continue;
      const holdMs = draw(plan.holdMs, this.#holds.at(callNo));
      const to = webphoneIdentityOf((n + 1) % plan.count, seed);
      if (!phone.place({ callNo, intendedMs, holdMs, to })) break;
      v[COUNTER_INDEX.started]!++;
      return;
    }
    v[COUNTER_INDEX.blockedMaxCalls]!++;
  }

  #registerMs(n: number): number {
    return n * this.#o.plan.registerEveryMs;
  }

  #dueMs(call: number): number {
    const { plan } = this.#o;
    return plan.fromMs + (call * 1000) / plan.callsPerSecond;
  }
}

const CLOSE_MS = 2_000;
/** One that it placed, one that it was called by, and one of each whose BYE is not answered yet. */
const LEGS_EACH = 4;
