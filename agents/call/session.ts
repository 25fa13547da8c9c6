import type { CallPlan } from '../../harness/plan/types.js';
import { KeyedPrng } from '../../harness/prng.js';
import { COUNTER_INDEX } from '../counters.js';
import { O } from '../leg.js';
import { ENDED_BY, type EndedBy, OUTCOMES, type Outcome, ROLE } from '../record.js';
import { METHOD, METHODS } from '../sip/names.js';
import type { SipMessage } from '../sip/parse.js';
import { EMPTY_BODY } from '../sip/respond.js';
import { ascii, writeBytes } from '../sip/text.js';
import { Credentials } from './credentials.js';
import { NOTE, noteInDialog, SENT } from './log.js';
import { OfferAnswer } from './offer.js';
import { SessionTimers } from './session-timer.js';
import { DO, type Step, stepsByRole } from './steps.js';
import { CALL, type CallTable, TIMER } from './table.js';

export type SessionPlan = Pick<CallPlan, 'steps' | 'session' | 'reliable' | 'credentials' | 'redirects'>;

const NOTES: Record<number, number> = {
  [DO.HOLD]: NOTE.HOLD,
  [DO.RESUME]: NOTE.RESUME,
  [DO.REINVITE]: NOTE.REINVITE,
  [DO.MEDIA]: NOTE.MEDIA,
  [DO.UPDATE]: NOTE.UPDATE,
  [DO.REFER]: NOTE.REFER,
  [DO.REFRESH]: NOTE.SESSION,
};

const SUPPORTED = ascii('Supported: timer\r\n');
const EXPIRED = ascii('Reason: SIP;cause=408;text="Session expired"\r\n');
const REFRESH_FAILED = ascii('Reason: SIP;cause=408;text="Session refresh failed"\r\n');
const LOST = ascii('Reason: SIP;cause=481;text="Dialog lost"\r\n');
const METHOD_BYTES = METHODS.map(ascii);
/** A step that finds another request of ours still unanswered looks again after this. */
const BUSY_US = 50_000;
/** A refresh that was refused for a reason that may pass is tried again after this, until the session expires. */
const REFRESH_AGAIN_US = 5_000_000;
/** The same request is sent again at most so often: 401, 407, 422; and so often after 491. */
const TRIES_MAX = 4;
const GLARE_KEY = 0x10000000;

/**
 * The UAC's part within dialogs: what a party does of its own accord once a call is up, one request at a time, and the
 * BYE that ends it. Steps and refreshes are data on the table's timers.
 */
export class Sessions {
  readonly offers: OfferAnswer;
  readonly timers: SessionTimers;
  readonly credentials: Credentials | null;
  /** Header lines that the INVITE was let in with, for its ACK (RFC 3261 22.1). */
  readonly proofs = new Map<number, Uint8Array>();
  /** Transaction of the request that we wait for, and what it is about; -1 and NOTHING. */
  readonly #pending: Int32Array;
  readonly #doing: Uint8Array;
  readonly #sentUs: Float64Array;
  /** What has to be sent again when TIMER.STEP fires, and how often it was. */
  readonly #again: Uint8Array;
  readonly #tries: Uint8Array;
  readonly #step: Uint8Array;
  readonly #answerUs: Float64Array;
  readonly #outcome: Uint8Array;
  readonly #endedBy: Uint8Array;
  readonly #steps: Record<number, readonly Step[]>;
  readonly #chance: KeyedPrng;
  readonly #target = { bytes: new Uint8Array(0), off: 0, len: 0 };

  constructor(
    readonly table: CallTable,
    readonly plan: SessionPlan,
    /** 'Contact: …' and what else every request that may refresh the target has. */
    readonly contactOf: (slot: number) => Uint8Array,
    seed: number,
    /** Sends REFER; null where nobody can be transferred. */
    private readonly refer: (slot: number, to: string | null, nowUs: number) => number,
    credentials: Credentials | null = null,
  ) {
    const n = table.capacity;
    this.offers = new OfferAnswer(table);
    this.timers = new SessionTimers(table, plan.session);
    this.credentials = plan.credentials === undefined ? credentials : Credentials.of(plan.credentials, seed);
    this.#pending = new Int32Array(n).fill(-1);
    this.#doing = new Uint8Array(n);
    this.#sentUs = new Float64Array(n);
    this.#again = new Uint8Array(n);
    this.#tries = new Uint8Array(n);
    this.#step = new Uint8Array(n);
    this.#answerUs = new Float64Array(n);
    this.#outcome = new Uint8Array(n);
    this.#endedBy = new Uint8Array(n);
    this.#steps = stepsByRole(plan.steps);
    this.#chance = new KeyedPrng(seed);
  }

  /** A new call. */
  reset(slot: number): void {
    this.#pending[slot] = -1;
    this.#doing[slot] = DO.NOTHING;
    this.#again[slot] = DO.NOTHING;
    this.#tries[slot] = 0;
    this.#step[slot] = 0;
    this.offers.reset(slot);
    this.timers.reset(slot);
  }

  /** The call is answered: steps count from here. */
  begin(slot: number, nowUs: number): void {
    this.#answerUs[slot] = nowUs;
    this.#armStep(slot);
  }

  /** An offer of ours is under way: theirs has to wait (RFC 3261 14.2, RFC 3311 5.2). */
  isOffering(slot: number): boolean {
    const doing = this.#doing[slot]!;
    if (doing === DO.REFRESH) return this.plan.session?.method !== 'update';
    return doing !== DO.NOTHING && doing !== DO.REFER && doing !== DO.BYE;
  }

  /** The slot is free; what is still under way for it speaks for nobody. */
  end(slot: number): void {
    const tx = this.#pending[slot]!;
    if (tx >= 0) {
      if (this.#doing[slot] !== DO.BYE) this.#note(slot, 0);
      this.table.stack.client.setUser(tx, -1);
    }
    this.#pending[slot] = -1;
    this.#doing[slot] = DO.NOTHING;
    if (this.proofs.size > 0) this.proofs.delete(slot);
  }

  onTimer(slot: number, kind: number, nowUs: number): void {
    const { table } = this;
    if (table.state[slot] !== CALL.UP) {
      // A callee's steps wait for the ACK.
      if (table.state[slot] === CALL.ANSWERED && kind !== TIMER.EXPIRY) table.arm(slot, kind, nowUs + BUSY_US);
      return;
    }
    if (kind === TIMER.EXPIRY) this.#expire(slot, nowUs);
    else if (this.#doing[slot] !== DO.NOTHING) table.arm(slot, kind, nowUs + BUSY_US);
    else if (kind === TIMER.REFRESH) {
      this.#tries[slot] = 0;
      this.#do(slot, DO.REFRESH, nowUs);
    } else if (this.#again[slot] !== DO.NOTHING) {
      const what = this.#again[slot]!;
      this.#again[slot] = DO.NOTHING;
      this.#do(slot, what, nowUs);
    } else {
      this.#tries[slot] = 0;
      this.#do(slot, this.#stepsOf(slot)[this.#step[slot]!]!.what, nowUs);
    }
  }

  /** BYE, and then this outcome; a refused or unanswered BYE of a call that would be completed is `bye-failed`. */
  hangUp(slot: number, outcome: Outcome, by: EndedBy, reason: Uint8Array | null, nowUs: number): void {
    const { table } = this;
    this.#abandon(slot);
    for (const kind of [TIMER.CALL, TIMER.STEP, TIMER.REFRESH, TIMER.EXPIRY]) table.disarm(slot, kind);
    table.stopMedia(slot, nowUs);
    table.store.setF64(table.record[slot]!, O.byeMs, table.ms(nowUs));
    table.state[slot] = CALL.HANGING_UP;
    this.#outcome[slot] = OUTCOMES.indexOf(outcome);
    this.#endedBy[slot] = ENDED_BY.indexOf(by);
    this.#doing[slot] = DO.BYE;
    this.#tries[slot] = 0;
    this.#bye(slot, reason, nowUs);
  }

  #bye(slot: number, extra: Uint8Array | null, nowUs: number): void {
    const tx = this.table.calls.bye(slot, slot, extra, nowUs);
    this.table.values[COUNTER_INDEX.sipSent]!++;
    this.#pending[slot] = tx;
    if (tx < 0) this.table.end(slot, 'bye-failed', 'us', nowUs);
  }

  /** A response to a request of ours within a dialog, but for PRACK and NOTIFY. */
  onResponse(slot: number, tx: number, msg: SipMessage, nowUs: number): void {
    const { table } = this;
    const { status } = msg;
    if (tx !== this.#pending[slot] || status < 200) return;
    if (status < 300 && msg.method === METHOD.INVITE) this.ack(slot, msg.cseq);
    if ((status === 401 || status === 407) && this.#resend(slot, msg, nowUs)) return;
    if (msg.method === METHOD.BYE) {
      this.#pending[slot] = -1;
      table.store.setU16(table.record[slot]!, O.byeCode, status);
      this.#byeOver(slot, status < 300, ENDED_BY[this.#endedBy[slot]!]!, nowUs);
      return;
    }
    const what = this.#doing[slot]!;
    this.#pending[slot] = -1;
    this.#note(slot, status);
    this.#doing[slot] = DO.NOTHING;
    if (status < 300) this.#succeeded(slot, what, msg, nowUs);
    else this.#failed(slot, what, msg, status, nowUs);
  }

  onTimeout(slot: number, tx: number, method: number, nowUs: number): void {
    if (tx !== this.#pending[slot]) return;
    this.#pending[slot] = -1;
    if (method === METHOD.BYE) {
      this.#byeOver(slot, false, 'timer', nowUs);
      return;
    }
    const what = this.#doing[slot]!;
    this.#note(slot, 0);
    this.#doing[slot] = DO.NOTHING;
    this.#refused(slot, method, 408);
    this.#undo(slot, what);
    this.#lose(slot, what, nowUs);
  }

  /** Acknowledges a 2xx to an INVITE of this dialog: the first, or one that came again (13.2.2.4). */
  ack(slot: number, cseq: number): void {
    this.table.calls.ack(slot, cseq, this.proofs.size > 0 ? (this.proofs.get(slot) ?? null) : null);
    this.table.values[COUNTER_INDEX.sipSent]!++;
  }

  #byeOver(slot: number, fine: boolean, by: EndedBy, nowUs: number): void {
    const planned = OUTCOMES[this.#outcome[slot]!]!;
    this.table.end(slot, planned === 'completed' && !fine ? 'bye-failed' : planned, by, nowUs);
  }

  #stepsOf(slot: number): readonly Step[] {
    return this.#steps[this.table.role[slot]!]!;
  }

  #armStep(slot: number): void {
    const step = this.#stepsOf(slot)[this.#step[slot]!];
    if (step !== undefined) this.table.arm(slot, TIMER.STEP, this.#answerUs[slot]! + step.atUs);
  }

  #do(slot: number, what: number, nowUs: number): void {
    const { table } = this;
    this.#doing[slot] = what;
    this.#sentUs[slot] = nowUs;
    if (what === DO.BYE) {
      this.hangUp(slot, 'completed', 'us', null, nowUs);
      return;
    }
    if (what === DO.REFER) {
      const tx = this.refer(slot, this.#stepsOf(slot)[this.#step[slot]!]?.to ?? null, nowUs);
      this.#sent(slot, tx, what);
      return;
    }
    if (what === DO.HOLD || what === DO.RESUME) this.offers.want(slot, what === DO.HOLD);
    if (what === DO.HOLD) table.store.incU8(table.record[slot]!, O.holds);
    const leg = table.leg[slot]!;
    if (what === DO.MEDIA && leg >= 0) table.media!.move(leg);
    this.#request(slot, what, null, nowUs);
  }

  /** A re-INVITE or UPDATE, with our offer unless an UPDATE only refreshes. `extra` is header lines. */
  #request(slot: number, what: number, extra: Uint8Array | null, nowUs: number): void {
    const { table } = this;
    const update = what === DO.UPDATE || (what === DO.REFRESH && this.plan.session?.method === 'update');
    const to = table.stack.port.tx;
    let p = table.calls.begin(slot, slot, update ? METHOD.UPDATE : METHOD.INVITE);
    if (p < 0) {
      this.#sent(slot, -1, what);
      return;
    }
    p = writeBytes(to, writeBytes(to, p, this.contactOf(slot)), SUPPORTED);
    if (this.timers.agreed(slot) > 0) p = this.timers.writeAsk(slot, to, p);
    if (extra !== null) p = writeBytes(to, p, extra);
    const bare = update && what === DO.REFRESH;
    p = bare ? writeBytes(to, p, EMPTY_BODY) : this.offers.writeOffer(slot, to, p);
    const record = table.record[slot]!;
    table.store.incU16(record, update ? O.updatesSent : O.reinvitesSent);
    table.values[COUNTER_INDEX.sipSent]!++;
    this.#sent(slot, table.calls.send(p, nowUs), what);
  }

  #sent(slot: number, tx: number, what: number): void {
    this.#pending[slot] = tx;
    if (tx >= 0) return;
    // No room for a transaction: our own limit, and counted as such. The step is given up.
    this.table.values[COUNTER_INDEX.transactionsFull]!++;
    this.#doing[slot] = DO.NOTHING;
    this.#next(slot, what);
  }

  /** The same request with credentials; false when that would not help. */
  #resend(slot: number, msg: SipMessage, nowUs: number): boolean {
    const what = this.#doing[slot]!;
    if (this.credentials === null || what === DO.REFER || this.#tries[slot]! >= TRIES_MAX) return false;
    const { table } = this;
    const t = this.#target;
    table.calls.dialogs.target(slot, t);
    const method = METHOD_BYTES[msg.method]!;
    const key = table.callNo[slot]! + msg.cseq;
    const extra = this.credentials.answer(slot, msg, method, t.bytes, t.off, t.len, key, this.#tries[slot]! > 0);
    if (extra === null) return false;
    if (msg.method === METHOD.INVITE) this.proofs.set(slot, extra);
    table.store.incU8(table.record[slot]!, O.challenges);
    this.#tries[slot]!++;
    if (what === DO.BYE) this.#bye(slot, extra, nowUs);
    else this.#request(slot, what, extra, nowUs);
    return true;
  }

  #succeeded(slot: number, what: number, msg: SipMessage, nowUs: number): void {
    const { table } = this;
    if (what === DO.REFER) {
      table.store.incU8(table.record[slot]!, O.transfers);
      this.#next(slot, what);
      return;
    }
    table.calls.dialogs.retarget(slot, msg);
    if (table.sdp.read(msg.bytes, msg.bodyOff, msg.bodyLen)) this.offers.answered(slot, nowUs);
    const leg = table.leg[slot]!;
    if (what === DO.MEDIA && leg >= 0) table.media!.settle(leg, true);
    if (this.timers.agreed(slot) > 0) this.timers.answered(slot, msg, nowUs);
    if (what === DO.REFRESH) table.store.incU16(table.record[slot]!, O.refreshes);
    this.#next(slot, what);
  }

  #failed(slot: number, what: number, msg: SipMessage, status: number, nowUs: number): void {
    const { table } = this;
    this.#refused(slot, msg.method, status);
    this.#undo(slot, what);
    if (status === 491) {
      table.store.incU8(table.record[slot]!, O.glares);
      if (++this.#tries[slot]! <= TRIES_MAX) {
        this.#again[slot] = what;
        table.arm(slot, TIMER.STEP, nowUs + this.#glareUs(slot));
        return;
      }
    }
    if (status === 422 && this.timers.raise(slot, msg) && ++this.#tries[slot]! <= TRIES_MAX) {
      this.#do(slot, what, nowUs);
      return;
    }
    if (status === 481 || (status === 408 && what !== DO.REFER)) {
      this.#lose(slot, what, nowUs);
      return;
    }
    if (what === DO.REFRESH) table.arm(slot, TIMER.REFRESH, nowUs + REFRESH_AGAIN_US);
    this.#next(slot, what);
  }

  /** RFC 3261 14.1: whoever made the Call-ID waits 2.1 to 4 s, the other 0 to 2 s, in units of 10 ms. */
  #glareUs(slot: number): number {
    const { table } = this;
    const chance = this.#chance.at(table.callNo[slot]! + GLARE_KEY * (1 + this.#tries[slot]!));
    const owner = table.role[slot] !== ROLE.CALLEE;
    return (owner ? 210 + chance.below(191) : chance.below(201)) * 10_000;
  }

  /** A refused offer leaves things as they were (RFC 3261 14.1). */
  #undo(slot: number, what: number): void {
    if (what === DO.HOLD || what === DO.RESUME) this.offers.want(slot, what === DO.RESUME);
    const leg = this.table.leg[slot]!;
    if (what === DO.MEDIA && leg >= 0) this.table.media!.settle(leg, false);
  }

  #refused(slot: number, method: number, status: number): void {
    const { store, record } = this.table;
    store.setU16(record[slot]!, O.midCode, status);
    store.setU8(record[slot]!, O.midMethod, method);
  }

  /** RFC 3261 12.2.1.2: 481, 408 or silence means that the other side has no such dialog. We still say BYE. */
  #lose(slot: number, what: number, nowUs: number): void {
    const refresh = what === DO.REFRESH;
    this.hangUp(slot, refresh ? 'refresh-failed' : 'dialog-lost', 'us', refresh ? REFRESH_FAILED : LOST, nowUs);
  }

  /** RFC 4028 10. If our refresh is still unanswered, it is that which failed. */
  #expire(slot: number, nowUs: number): void {
    if (this.timers.refreshes(slot)) {
      if (this.#doing[slot] === DO.REFRESH) {
        this.#refused(slot, this.plan.session?.method === 'update' ? METHOD.UPDATE : METHOD.INVITE, 408);
      }
      this.hangUp(slot, 'refresh-failed', 'timer', REFRESH_FAILED, nowUs);
    } else this.hangUp(slot, 'session-expired', 'timer', EXPIRED, nowUs);
  }

  #next(slot: number, what: number): void {
    if (what === DO.REFRESH) return;
    this.#tries[slot] = 0;
    this.#step[slot]!++;
    this.#armStep(slot);
  }

  /** A request that we no longer wait for. */
  #abandon(slot: number): void {
    const tx = this.#pending[slot]!;
    if (tx >= 0) {
      this.#note(slot, 0);
      this.table.stack.client.setUser(tx, -1);
    }
    this.#pending[slot] = -1;
  }

  #note(slot: number, status: number): void {
    noteInDialog(this.table, slot, SENT, NOTES[this.#doing[slot]!]!, this.#sentUs[slot]!, status);
  }
}
