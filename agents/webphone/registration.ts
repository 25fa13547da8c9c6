import { type Core, Registerer, type UserAgent } from 'sip.js';
import {
  REGISTRATION_LAYOUT,
  REGISTRATION_OUTCOMES,
  REGISTRATION_REASONS,
  type RegistrationOutcome,
  type RegistrationReason,
} from '../registration-record.js';
import type { Host } from './host.js';

const O = REGISTRATION_LAYOUT.offsets;
/** A registration that failed is tried again after this. */
const RETRY_MS = 5_000;
/** Of what was granted; sip.js itself would wait for 99 %. */
const REFRESH_SHARE = 0.7;

/** One webphone's binding: registered, refreshed and tried again, each attempt a record. sip.js answers the challenges. */
export class WebphoneRegistration {
  #registerer: Registerer | null = null;
  #slot = -1;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(
    private readonly host: Host,
    private readonly phone: number,
    private readonly agent: UserAgent,
  ) {}

  /** Connects and registers. */
  begin(intendedMs: number, reason: RegistrationReason = 'wave'): void {
    if (this.#stopped) return;
    const { registrations: store, nowMs, worker } = this.host;
    const slot = store.take();
    if (slot < 0) {
      this.#again(RETRY_MS, 'retry');
      return;
    }
    this.#slot = slot;
    store.setF64(slot, O.intendedMs, intendedMs);
    store.setF64(slot, O.startedMs, nowMs());
    store.setU32(slot, O.phone, this.phone);
    store.setU8(slot, O.reason, REGISTRATION_REASONS.indexOf(reason));
    store.setU8(slot, O.worker, worker);
    this.#attempt().catch(() => this.#failed('timeout', 0));
  }

  /** The connection is gone, and with it the way to us. */
  lost(): void {
    this.#failed('timeout', 0);
    this.#again(RETRY_MS, 'retry');
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  async #attempt(): Promise<void> {
    if (!this.agent.isConnected()) await this.agent.start();
    this.#registerer ??= new Registerer(this.agent, { expires: this.host.expiresS, refreshFrequency: 99 });
    await this.#registerer.register({
      requestDelegate: {
        onAccept: ({ message }) => this.#accepted(message),
        // No Via: sip.js made it up, for nobody answered.
        onReject: ({ message }) =>
          message.hasHeader('via') ? this.#failed('rejected', message.statusCode ?? 0) : this.#failed('timeout', 0),
      },
    });
  }

  #accepted(message: Core.IncomingResponseMessage): void {
    const grantedS = Number(/expires=(\d+)/i.exec(message.getHeaders('contact').join(','))?.[1] ?? 0);
    if (grantedS === 0) {
      this.#failed('rejected', 200);
      return;
    }
    if (this.#slot >= 0) this.host.registrations.setU32(this.#slot, O.grantedExpiresS, grantedS);
    this.#end('registered', 200);
    this.#again(grantedS * 1000 * REFRESH_SHARE, 'refresh');
  }

  #failed(outcome: RegistrationOutcome, status: number): void {
    this.#end(outcome, status);
    this.#again(RETRY_MS, 'retry');
  }

  #again(ms: number, reason: RegistrationReason): void {
    clearTimeout(this.#timer);
    if (this.#stopped) return;
    const dueMs = this.host.nowMs() + ms;
    this.#timer = setTimeout(() => this.begin(dueMs, reason), ms);
  }

  #end(outcome: RegistrationOutcome, status: number): void {
    if (this.#slot < 0) return;
    const { registrations: store, nowMs } = this.host;
    store.setF64(this.#slot, O.doneMs, nowMs());
    store.setU16(this.#slot, O.finalCode, status);
    store.setU8(this.#slot, O.outcome, REGISTRATION_OUTCOMES.indexOf(outcome));
    store.done(this.#slot);
    this.#slot = -1;
  }
}
