import type { Core } from 'sip.js';
import { ENDED_BY, type EndedBy, LEG_FIELDS, LEG_OFFSETS as O, OUTCOMES, type Outcome } from '../record.js';
import type { LegStore } from '../store.js';

type Message = Core.IncomingResponseMessage | Core.IncomingRequestMessage;
type Times = 'tryingMs' | 'ringingMs' | 'answeredMs' | 'ackedMs' | 'rejectedMs' | 'plannedEndMs' | 'byeMs';

/** One leg of a webphone: the same record as the engine's legs, in the words of sip.js. */
export class LegRecord {
  over = false;

  constructor(
    private readonly store: LegStore,
    readonly slot: number,
    private readonly nowMs: () => number,
    leg: { callNo: number; role: number; worker: number; intendedMs: number; callId: string },
  ) {
    store.setU32(slot, O.callNo, leg.callNo);
    store.setU8(slot, O.role, leg.role);
    store.setU8(slot, O.worker, leg.worker);
    this.#text('callId', leg.callId);
    store.setF64(slot, O.intendedMs, leg.intendedMs);
    store.setF64(slot, O.startedMs, nowMs());
  }

  /** The first time that it happens. */
  mark(what: Times, atMs: number = this.nowMs()): void {
    if (Number.isNaN(this.store.getF64(this.slot, O[what]))) this.store.setF64(this.slot, O[what], atMs);
  }

  at(what: Times): number {
    return this.store.getF64(this.slot, O[what]);
  }

  provisional(status: number): void {
    const { store, slot } = this;
    if (status === 100) {
      store.incU16(slot, O.count100);
      this.mark('tryingMs');
      return;
    }
    store.incU16(slot, status === 180 ? O.count180 : status === 183 ? O.count183 : O.count181to182);
    this.mark('ringingMs');
  }

  final(status: number): void {
    this.store.setU16(this.slot, O.finalCode, status);
  }

  byeAnswered(status: number): void {
    this.store.setU16(this.slot, O.byeCode, status);
  }

  /** Reason (RFC 3326) of a BYE, CANCEL or refusal, else its phrase; and what the other side calls itself. */
  note(message: Message): void {
    const reason = message.getHeaders('reason').join(', ');
    const causeOf = (protocol: string): number => {
      const match = new RegExp(`(?:^|,\\s*)${protocol}\\s*;[^,]*cause=(\\d+)`, 'i').exec(reason);
      return match === null ? 0 : Number(match[1]);
    };
    this.store.setU16(this.slot, O.q850Cause, causeOf('Q\\.850'));
    this.store.setU16(this.slot, O.sipCause, causeOf('SIP'));
    const phrase = 'reasonPhrase' in message ? message.reasonPhrase : undefined;
    this.#text('reasonText', /text="([^"]*)"/.exec(reason)?.[1] ?? phrase ?? '');
  }

  peer(message: Message): void {
    this.#text('peerAgent', message.getHeader('server') ?? message.getHeader('user-agent') ?? '');
  }

  /** Says why, where no message does. */
  because(text: string): void {
    this.#text('reasonText', text);
  }

  end(outcome: Outcome, by: EndedBy): void {
    if (this.over) return;
    this.over = true;
    const { store, slot } = this;
    store.setF64(slot, O.endedMs, this.nowMs());
    store.setU8(slot, O.outcome, OUTCOMES.indexOf(outcome));
    store.setU8(slot, O.endedBy, ENDED_BY.indexOf(by));
    store.done(slot);
  }

  #text(field: 'callId' | 'reasonText' | 'peerAgent', text: string): void {
    const bytes = Buffer.from(text, 'utf8');
    this.store.setText(this.slot, O[field], LEG_FIELDS[field].text, bytes, 0, bytes.length);
  }
}
