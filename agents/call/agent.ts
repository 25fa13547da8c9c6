import { COUNTER_INDEX } from '../counters.js';
import { noteReason, O } from '../leg.js';
import { type EndedBy, ROLE } from '../record.js';
import { InviteWriter, type InvitingPhone } from '../sip/invite.js';
import { localOf } from '../sip/local.js';
import { METHOD } from '../sip/names.js';
import type { SipMessage } from '../sip/parse.js';
import { ALLOW_LINE } from '../sip/refuse.js';
import { SipStack, type StackLimits, type TransactionUser } from '../sip/stack.js';
import { ascii } from '../sip/text.js';
import type { Actor, Wire } from '../wire/types.js';
import { Answers } from './answers.js';
import { Credentials } from './credentials.js';
import { Incoming, type IncomingOptions } from './incoming.js';
import { Outgoing, type OutgoingOwner } from './outgoing.js';
import type { Party } from './party.js';
import { Retries } from './retries.js';
import { type SessionPlan, Sessions } from './session.js';
import { CALL, type CallParts, CallTable, TIMER, TIMERS } from './table.js';
import { Transfers } from './transfer.js';

export interface AgentOptions extends CallParts {
  port: number;
  plan: SessionPlan;
  limits: StackLimits;
  /** host or host:port that our INVITEs call, and the user there; null: the call's number. */
  domain: string;
  user: string | null;
  dial?: (callNo: number) => Uint8Array;
  runTag: string;
  /** Phones that it calls and answers for, on ports of their own. Absent: it has one port, and no name. */
  party?: Party | null;
  /** Whose messages it handles, where somebody else reads the ports. */
  msg?: SipMessage;
  /** Header lines of every INVITE: a route out. */
  lines?: string;
}

/**
 * A user agent with many calls on one socket: what the transaction layer tells is handed to the part that it concerns.
 * Outgoing calls, and incoming ones where it takes any; in a dialog both are alike.
 */
export abstract class CallAgent implements Actor, TransactionUser, OutgoingOwner {
  readonly stack: SipStack;
  protected readonly table: CallTable;
  protected readonly sessions: Sessions;
  protected readonly outgoing: Outgoing;
  readonly #answers: Answers;
  readonly #incoming: Incoming | null;
  readonly #transfers: Transfers;
  readonly #fire: (id: number) => void;
  protected readonly values: Float64Array;
  protected nowUs = 0;

  constructor(wire: Wire, o: AgentOptions, incoming: IncomingOptions | null) {
    const nowUs = wire.nowUs();
    const salt = o.salt & 0xffff;
    this.values = o.counters.values;
    const party = o.party ?? null;
    this.stack = new SipStack(this, o.counters, o.limits, salt, nowUs, o.msg);
    if (party === null) this.stack.bind(wire, o.ip, o.port);
    else this.stack.port = party.portOf(0);
    const local = localOf(this.stack.port);
    this.table = new CallTable(this.stack, o, nowUs, party !== null);
    const { phone } = this.table;
    const contact = ascii(`Contact: <sip:deadair@${local.host}${local.params}>\r\n`);
    this.sessions = new Sessions(
      this.table,
      o.plan,
      party === null ? () => contact : (slot) => party.contact(phone[slot]!),
      o.seed,
      (slot, to, now) => this.#transfers.refer(slot, to, now),
      party === null ? null : new Credentials((slot) => party.secret(phone[slot]!), o.seed),
    );
    const reliable = o.plan.reliable === 'supported' ? ', 100rel' : '';
    const writer = new InviteWriter({
      ip: o.ip,
      local,
      domain: o.domain,
      user: o.user,
      ...(o.dial === undefined ? {} : { dial: o.dial }),
      ...(party === null ? {} : { from: (slot) => invitingOf(party, phone[slot]!) }),
      salt,
      runTag: o.runTag,
      lines: `${o.lines ?? ''}Supported: timer${reliable}\r\n${o.plan.reliable === 'required' ? 'Require: 100rel\r\n' : ''}`,
    });
    const retries = new Retries(this.table, this.sessions, writer);
    this.outgoing = new Outgoing(this.table, this.sessions, writer, retries, this);
    this.#answers = new Answers(this.table, this.sessions);
    this.#incoming = incoming === null ? null : new Incoming(this.table, this.sessions, incoming);
    this.#transfers = new Transfers(this.table, this.sessions, this.outgoing, `sip:transfer@${o.domain}`);
    this.#fire = (id) => this.#onTimer(Math.floor(id / TIMERS), id % TIMERS, this.nowUs);
    this.table.onEnd = (slot) => {
      this.sessions.end(slot);
      this.#answers.end(slot);
      this.#incoming?.end(slot);
      this.#transfers.end(slot);
    };
  }

  get callsUp(): number {
    return this.table.used;
  }

  tick(nowUs: number): number {
    this.nowUs = nowUs;
    const { timers } = this.table;
    timers.advance(nowUs, this.#fire);
    return Math.min(this.stack.tick(nowUs), timers.nextUs());
  }

  #onTimer(slot: number, kind: number, nowUs: number): void {
    this.table.turnTo(slot);
    const state = this.table.state[slot];
    if (kind !== TIMER.CALL) {
      if (state === CALL.RINGING) this.#incoming!.onReliableTimer(slot, nowUs);
      else this.sessions.onTimer(slot, kind, nowUs);
      return;
    }
    if (state === CALL.CALLING) this.outgoing.giveUp(slot, nowUs);
    else if (state === CALL.RINGING) this.#incoming!.answer(slot, nowUs);
    else if (state === CALL.UP) this.sessions.hangUp(slot, 'completed', 'us', null, nowUs);
  }

  onRequest(msg: SipMessage, tx: number, srcIp: number, srcPort: number, nowUs: number): void {
    const { stack, table } = this;
    if (msg.toTagLen === 0) {
      if (this.#incoming !== null) this.#incoming.onRequest(msg, tx, srcIp, srcPort, nowUs);
      else {
        const status = msg.method === METHOD.OPTIONS ? 200 : msg.method === 0 ? 501 : 405;
        stack.reply(tx, status, srcIp, srcPort, PLAIN_TAG, ALLOW, nowUs);
      }
      return;
    }
    const slot = table.inDialog(msg);
    if (slot < 0) {
      stack.reply(tx, 481, srcIp, srcPort, PLAIN_TAG, null, nowUs);
      return;
    }
    if (!table.calls.dialogs.acceptCseq(slot, msg.cseq)) {
      stack.reply(tx, 500, srcIp, srcPort, null, null, nowUs);
      return;
    }
    table.stay(slot);
    const up = table.state[slot] === CALL.UP;
    let status = 0;
    if (table.state[slot] === CALL.CALLING && msg.method !== METHOD.UPDATE) {
      status = 481; // an early dialog of ours: nothing else is the called party's to ask there (RFC 3261 15)
    } else if (msg.method === METHOD.BYE) {
      stack.reply(tx, 200, srcIp, srcPort, null, null, nowUs);
      this.#onBye(slot, msg, nowUs);
    } else if (msg.method === METHOD.OPTIONS) status = 200;
    else if (table.state[slot] === CALL.HANGING_UP) status = 481;
    else if (msg.method === METHOD.INVITE) {
      if (up) this.#answers.onReinvite(slot, msg, tx, srcIp, srcPort, nowUs);
      else status = 491; // our 2xx waits for its ACK
    } else if (msg.method === METHOD.UPDATE) {
      // RFC 3311 5.2: the INVITE's own offer is not answered, or not acknowledged, yet.
      if (!up && msg.bodyLen > 0) status = 500;
      else this.#answers.onUpdate(slot, msg, tx, srcIp, srcPort, nowUs);
    } else if (msg.method === METHOD.PRACK) {
      status = this.#incoming === null ? 481 : this.#incoming.reliable.onPrack(slot, msg, nowUs);
    } else if (msg.method === METHOD.REFER) this.#transfers.onRefer(slot, msg, tx, srcIp, srcPort, nowUs);
    else if (msg.method === METHOD.NOTIFY) this.#transfers.onNotify(slot, msg, tx, srcIp, srcPort, nowUs);
    else status = 501;
    if (status > 0) stack.reply(tx, status, srcIp, srcPort, null, status === 501 ? ALLOW : null, nowUs);
  }

  #onBye(slot: number, msg: SipMessage, nowUs: number): void {
    const { table } = this;
    const state = table.state[slot]!;
    if (state === CALL.HANGING_UP) return; // both hung up: our own BYE decides
    const record = table.record[slot]!;
    table.store.setF64(record, O.byeMs, table.ms(nowUs));
    noteReason(table.store, record, msg);
    if (state === CALL.RINGING || state === CALL.ANSWERED) this.#incoming!.forget(slot, 487, nowUs);
    table.end(slot, table.role[slot] === ROLE.CALLER ? 'dropped' : 'completed', 'them', nowUs);
  }

  onResponse(slot: number, tx: number, msg: SipMessage, nowUs: number): void {
    if (slot < 0) return; // nobody waits for it
    this.table.turnTo(slot);
    if (tx === this.table.tx[slot]) this.outgoing.onResponse(slot, msg, nowUs);
    else this.sessions.onResponse(slot, tx, msg, nowUs);
  }

  onStrayResponse(msg: SipMessage, nowUs: number): void {
    const { table } = this;
    const slot = msg.method === METHOD.INVITE && msg.status >= 200 && msg.status < 300 ? table.ofResponse(msg) : -1;
    const open = slot >= 0 && (table.state[slot] === CALL.UP || table.state[slot] === CALL.HANGING_UP);
    if (!open) {
      this.values[COUNTER_INDEX.strayMessages]!++;
      return;
    }
    table.turnTo(slot);
    if (table.role[slot] !== ROLE.CALLEE) this.outgoing.onStray2xx(slot, msg, nowUs);
    else {
      this.values[COUNTER_INDEX.retransmitsSeen]!++;
      this.sessions.ack(slot, msg.cseq);
    }
  }

  onTimeout(slot: number, tx: number, method: number, nowUs: number): void {
    if (slot < 0) return;
    this.table.turnTo(slot);
    if (tx === this.table.tx[slot]) this.outgoing.onTimeout(slot, nowUs);
    else this.sessions.onTimeout(slot, tx, method, nowUs);
  }

  /** RFC 3261 8.1.3.1: as a 503 would be, with our word for the reason. */
  onTransportError(slot: number, tx: number, method: number, why: string, nowUs: number): void {
    if (slot < 0) return;
    this.table.turnTo(slot);
    if (tx === this.table.tx[slot]) this.outgoing.onTransportError(slot, why, nowUs);
    else this.sessions.onTimeout(slot, tx, method, nowUs);
  }

  onRetransmit(slot: number, method: number): void {
    this.values[COUNTER_INDEX.retransmitsSent]!++;
    if (slot < 0) return;
    const { table } = this;
    const record = table.record[slot]!;
    if (method === METHOD.BYE) table.store.incU16(record, O.byeRetransmits);
    else if (method === METHOD.INVITE && table.state[slot] === CALL.CALLING)
      table.store.incU16(record, O.inviteRetransmits);
  }

  onAck(msg: SipMessage, nowUs: number): void {
    const slot = this.table.inDialog(msg);
    if (slot >= 0) this.table.turnTo(slot);
    if (slot >= 0 && this.#answers.onAck(slot, msg, nowUs)) return;
    if (slot >= 0 && this.#incoming !== null && this.#incoming.onAck(slot, msg, nowUs)) return;
    this.values[COUNTER_INDEX.strayMessages]!++;
  }

  onCancel(slot: number, _tx: number, msg: SipMessage, nowUs: number): void {
    if (slot >= 0) this.table.turnTo(slot);
    if (slot >= 0 && this.#incoming !== null) this.#incoming.onCancel(slot, msg, nowUs);
    else this.values[COUNTER_INDEX.strayMessages]!++;
  }

  onNoAck(slot: number, tx: number, accepted: boolean, nowUs: number): void {
    if (slot >= 0) this.table.turnTo(slot);
    if (!accepted || slot < 0 || this.#answers.onNoAck(slot, tx, nowUs)) return;
    this.#incoming?.onNoAck(slot, nowUs);
  }

  onRepeat(slot: number, status: number): void {
    const { table } = this;
    if (slot >= 0 && status >= 200 && table.state[slot] === CALL.ANSWERED) {
      table.store.incU16(table.record[slot]!, O.answerRetransmits);
    }
  }

  onRequestAgain(slot: number, method: number): void {
    const { table } = this;
    if (slot < 0 || method !== METHOD.INVITE) return;
    const state = table.state[slot];
    if (state === CALL.RINGING || state === CALL.ANSWERED) {
      table.store.incU16(table.record[slot]!, O.inviteRetransmits);
    }
  }

  onAnswered(slot: number, nowUs: number): void {
    if (this.table.role[slot] === ROLE.TRANSFER) this.#transfers.answered(slot, nowUs);
    else this.onUp(slot, nowUs);
  }

  onFailed(slot: number, outcome: 'rejected' | 'cancelled' | 'timeout', by: EndedBy, nowUs: number): void {
    const { table } = this;
    const record = table.record[slot]!;
    if (table.role[slot] === ROLE.TRANSFER) {
      const code = table.store.getU16(record, O.finalCode);
      this.#transfers.failed(slot, code >= 300 ? code : 408, nowUs);
    }
    table.end(slot, outcome, by, nowUs);
  }

  /** A call that this agent placed was answered; it decides how long it lasts. */
  protected abstract onUp(slot: number, nowUs: number): void;
}

function invitingOf(party: Party, phone: number): InvitingPhone {
  const { aor, routes } = party.inviting(phone);
  return { aor, routes, contact: party.contact(phone), via: localOf(party.portOf(phone)).via };
}

const PLAIN_TAG = ascii('deadair');
const ALLOW = ascii(ALLOW_LINE);
