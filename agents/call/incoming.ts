import { draw } from '../../harness/plan/dist.js';
import type { DurationDist } from '../../harness/plan/types.js';
import { KeyedPrng } from '../../harness/prng.js';
import { COUNTER_INDEX } from '../counters.js';
import { Habits, RINGS_OUT } from '../habits.js';
import { notePeerAgent, noteReason, O } from '../leg.js';
import { LEG_FIELDS, ROLE } from '../record.js';
import { FOREIGN_CALLS } from '../rtp/identity.js';
import { callNoNamed, callNoOf } from '../sip/invite.js';
import { H, METHOD } from '../sip/names.js';
import { NO_DIALOG, objectionTo } from '../sip/objection.js';
import type { SipMessage } from '../sip/parse.js';
import { ALLOW_LINE } from '../sip/refuse.js';
import { EMPTY_BODY, statusLine, writeEcho } from '../sip/respond.js';
import { MessageSlab } from '../sip/slab.js';
import { TAG_LENGTH, writeTag } from '../sip/tag.js';
import { ascii, writeBytes, writeRange } from '../sip/text.js';
import { UriView } from '../sip/uri.js';
import { MergedRequests } from './merged.js';
import type { Party } from './party.js';
import { ReliableRinging } from './reliable.js';
import type { Sessions } from './session.js';
import { CALL, type CallTable, TIMER } from './table.js';

export interface IncomingOptions {
  /** Before 200 OK; 180 goes out at once. */
  ringMs: DurationDist;
  /** Share of calls that are not answered for ordinary reasons. */
  ordinaryFailures: number;
  seed: number;
  salt: number;
  /** Absent: whoever is called here is one and the same. */
  party?: Party;
}

/** Keeps the callee's chance apart from the caller's for the same call. */
const RING_KEY = 0x20000000;
const PLAIN_TAG = ascii('deadair');
const ALLOW = ascii(ALLOW_LINE);
const NO_ACK_REASON = ascii('Reason: SIP;cause=408;text="ACK timeout"\r\n');
const SERVER = ascii('Server: deadair\r\n');

/** Calls that come to us: INVITE, ringing, answer, ACK (RFC 3261 13.3, seen from the UAS core). */
export class Incoming {
  readonly #o: IncomingOptions;
  readonly #head: Int32Array;
  readonly #heads: MessageSlab;
  readonly #merged: MergedRequests;
  readonly #uri = new UriView();
  readonly #chance: KeyedPrng;
  readonly #habits: Habits;
  readonly #tag = new Uint8Array(TAG_LENGTH);
  readonly #scratch = new Uint8Array(4096);
  /** The INVITE had no offer: ours is in the 200, and their answer in the ACK (RFC 3261 13.2.2.4). */
  readonly #offerless: Uint8Array;
  /** Of the offer. */
  readonly #direction: Uint8Array;
  readonly #cseq: Uint32Array;
  /** The caller was sent to us by REFER (RFC 3892): its call is none of the plan's, and has no steps. */
  readonly #referred: Uint8Array;
  readonly reliable: ReliableRinging;
  #foreign = 0;

  constructor(
    private readonly table: CallTable,
    private readonly sessions: Sessions,
    options: IncomingOptions,
  ) {
    const n = table.capacity;
    this.#o = options;
    this.#head = new Int32Array(n).fill(-1);
    this.#heads = new MessageSlab(n);
    this.#merged = new MergedRequests(n);
    this.#offerless = new Uint8Array(n);
    this.#direction = new Uint8Array(n);
    this.#cseq = new Uint32Array(n);
    this.#referred = new Uint8Array(n);
    this.reliable = new ReliableRinging(table);
    this.#chance = new KeyedPrng(options.seed);
    this.#habits = new Habits(options.ordinaryFailures, options.seed);
  }

  /** A request without To tag. */
  onRequest(msg: SipMessage, tx: number, srcIp: number, srcPort: number, nowUs: number): void {
    const { stack } = this.table;
    const no = objectionTo(msg, this.#uri);
    if (msg.method !== METHOD.INVITE) {
      stack.reply(tx, no?.status ?? 200, srcIp, srcPort, PLAIN_TAG, no?.extra ?? ALLOW, nowUs);
      return;
    }
    if (this.#merged.has(msg)) {
      // 8.2.2.2: the same INVITE came by another way, and rings already.
      stack.reply(tx, 482, srcIp, srcPort, PLAIN_TAG, null, nowUs);
      return;
    }
    const slot = this.table.take(CALL.RINGING, ROLE.CALLEE);
    if (slot < 0) {
      // Our own limit: 503, and counted, so that the verdict blames the generator.
      this.table.values[COUNTER_INDEX.calleeRefused]!++;
      stack.reply(tx, 503, srcIp, srcPort, PLAIN_TAG, null, nowUs);
      return;
    }
    this.#note(slot, msg, nowUs);
    this.sessions.reset(slot);
    if (no === null && this.#o.party !== undefined && !this.#find(slot, msg, this.#o.party)) {
      this.#refuse(slot, 404, nowUs);
      stack.reply(tx, 404, srcIp, srcPort, PLAIN_TAG, null, nowUs);
      return;
    }
    const tooShort = no === null && this.sessions.timers.isTooShort(msg);
    const objection = tooShort ? { status: 422, extra: this.sessions.timers.floorLine() } : no;
    if (objection === null && this.#open(slot, msg, tx, srcIp, srcPort, nowUs)) return;
    const { status, extra } = objection ?? NO_DIALOG;
    this.#refuse(slot, status, nowUs);
    stack.reply(tx, status, srcIp, srcPort, PLAIN_TAG, extra, nowUs);
  }

  /** Which of our phones is it for? False: none. */
  #find(slot: number, msg: SipMessage, party: Party): boolean {
    const { table } = this;
    const phone = party.calledIn(msg);
    if (phone < 0) return false;
    table.phone[slot] = phone;
    table.store.setU32(table.record[slot]!, O.phone, party.number(phone) + 1);
    return true;
  }

  /** A call's number: in the caller's display name, or in the Request-URI, if it is of this run; -1. */
  #callNoOf(slot: number, msg: SipMessage): number {
    const { bytes } = msg;
    const named = callNoNamed(bytes, msg.fromOff, msg.fromOff + msg.fromLen);
    const { party } = this.#o;
    if (party === undefined) return named >= 0 ? named : callNoOf(bytes, this.#uri.userOff, this.#uri.userLen);
    // A phone's own number may have as many digits.
    if (named < 0) return -1;
    const { store, record, phone } = this.table;
    store.setU8(record[slot]!, O.identity, party.identityOf(named, phone[slot]!, msg));
    return named;
  }

  #note(slot: number, msg: SipMessage, nowUs: number): void {
    const { store, record } = this.table;
    store.setF64(record[slot]!, O.startedMs, this.table.ms(nowUs));
    store.setText(record[slot]!, O.callId, LEG_FIELDS.callId.text, msg.bytes, msg.callIdOff, msg.callIdLen);
    this.table.values[COUNTER_INDEX.calleeStarted]!++;
  }

  /** An INVITE that cannot become a call: a record all the same, so that the sums are right. */
  #refuse(slot: number, status: number, nowUs: number): void {
    const { store, record } = this.table;
    store.setF64(record[slot]!, O.rejectedMs, this.table.ms(nowUs));
    store.setU16(record[slot]!, O.finalCode, status);
    store.setU32(record[slot]!, O.callNo, FOREIGN_CALLS + this.#foreign++);
    this.table.end(slot, 'rejected', 'us', nowUs);
  }

  /** False: no dialog can be made of it. */
  #open(slot: number, msg: SipMessage, tx: number, srcIp: number, srcPort: number, nowUs: number): boolean {
    const { table, sessions } = this;
    const { store } = table;
    const { dialogs } = table.calls;
    writeTag(this.#tag, 0, slot, table.generation[slot]!, this.#o.salt & 0xffff);
    const headLen = writeEcho(msg, srcIp, srcPort, this.#tag, this.#scratch, 0);
    const head = this.#heads.keep(this.#scratch, 0, headLen);
    if (head < 0) return false;
    if (!dialogs.openAsCallee(slot, msg, this.#tag)) {
      this.#heads.drop(head);
      return false;
    }
    this.#head[slot] = head;
    if (dialogs.hopIp(slot) < 0) dialogs.setHop(slot, srcIp, srcPort);
    table.stack.server.setUser(tx, slot);
    table.tx[slot] = tx;
    this.#merged.add(slot);
    this.#cseq[slot] = msg.cseq;
    this.#referred[slot] = msg.find(H.REFERRED_BY) < 0 ? 0 : 1;
    let callNo = this.#callNoOf(slot, msg);
    if (callNo < 0) callNo = FOREIGN_CALLS + this.#foreign++;
    table.callNo[slot] = callNo;
    const record = table.record[slot]!;
    store.setU32(record, O.callNo, callNo);
    notePeerAgent(store, record, msg);
    const offer = table.sdp.read(msg.bytes, msg.bodyOff, msg.bodyLen);
    this.#offerless[slot] = offer ? 0 : 1;
    if (offer) {
      this.#direction[slot] = table.sdp.direction;
      store.setU32(record, O.remoteMediaIp, table.sdp.ip);
      store.setU16(record, O.remoteMediaPort, table.sdp.port);
    }
    if (msg.find(H.SESSION_EXPIRES) >= 0 || sessions.plan.session !== undefined) {
      sessions.timers.accept(slot, msg, nowUs);
      sessions.timers.pause(slot); // from the answer on
    }
    const reliable = this.reliable.wanted(msg, sessions.plan.reliable !== undefined);

    const status = this.#habits.statusOf(callNo);
    if (status >= 300) {
      this.#decline(slot, status, nowUs);
      return true;
    }
    const ringUs = draw(this.#o.ringMs, this.#chance.at(callNo + RING_KEY)) * 1000;
    if (reliable) this.reliable.begin(slot, msg, nowUs);
    this.#respond(slot, 180, nowUs);
    store.setF64(record, O.ringingMs, table.ms(nowUs));
    store.incU16(record, O.count180);
    if (status === RINGS_OUT) return true;
    if (ringUs <= 0) this.answer(slot, nowUs);
    else table.arm(slot, TIMER.CALL, nowUs + ringUs);
    return true;
  }

  #decline(slot: number, status: number, nowUs: number): void {
    const { table } = this;
    const record = table.record[slot]!;
    table.store.setU16(record, O.finalCode, status);
    table.store.setF64(record, O.rejectedMs, table.ms(nowUs));
    this.forget(slot, status, nowUs);
    table.end(slot, 'rejected', 'us', nowUs);
  }

  /** A response on the call's INVITE transaction, from the head that was kept of the request. */
  #respond(slot: number, status: number, nowUs: number): void {
    const { table, sessions } = this;
    const { port } = table.stack;
    const at = port.slot();
    const to = port.tx;
    const head = this.#head[slot]!;
    let p = writeBytes(to, at, statusLine(status));
    p = writeRange(to, p, this.#heads.chunk(head), this.#heads.offset(head), this.#heads.length(head));
    if (status < 300) p = writeBytes(to, writeBytes(to, p, sessions.contactOf(slot)), SERVER);
    if (status < 200) p = this.reliable.writeLines(slot, to, p);
    else this.reliable.end(slot);
    if (status === 200) {
      p = writeBytes(to, p, ALLOW);
      p = sessions.timers.writeAnswer(slot, to, p);
      p = this.#offerless[slot] === 1 ? sessions.offers.writeOffer(slot, to, p) : this.#writeAnswer(slot, to, p, nowUs);
    } else p = writeBytes(to, p, EMPTY_BODY);
    table.values[COUNTER_INDEX.sipSent]!++;
    table.stack.server.send(table.tx[slot]!, status, at, p - at, nowUs);
  }

  /** The offer came with the INVITE, which is gone: what is needed of it lies in the record. */
  #writeAnswer(slot: number, to: Uint8Array, at: number, nowUs: number): number {
    const { table } = this;
    const base = table.store.at(table.record[slot]!);
    table.sdp.ip = table.store.u32[(base + O.remoteMediaIp) >> 2]!;
    table.sdp.port = table.store.u16[(base + O.remoteMediaPort) >> 1]!;
    table.sdp.direction = this.#direction[slot]!;
    return this.sessions.offers.writeAnswer(slot, to, at, nowUs);
  }

  answer(slot: number, nowUs: number): void {
    const { table } = this;
    if (table.state[slot] !== CALL.RINGING) return;
    const record = table.record[slot]!;
    table.state[slot] = CALL.ANSWERED;
    this.#respond(slot, 200, nowUs);
    table.store.setU16(record, O.finalCode, 200);
    table.store.setF64(record, O.answeredMs, table.ms(nowUs));
    this.sessions.timers.start(slot, nowUs);
    if (this.#referred[slot] === 0) this.sessions.begin(slot, nowUs);
  }

  /** A provisional response that nobody acknowledges (RFC 3262 3): again, and after 64*T1 the call is refused. */
  onReliableTimer(slot: number, nowUs: number): void {
    if (!this.reliable.repeat(slot, nowUs)) this.#decline(slot, 504, nowUs);
  }

  /** The ACK to our 200; what is repeated of it counts. False when the call does not wait for one. */
  onAck(slot: number, msg: SipMessage, nowUs: number): boolean {
    const { table } = this;
    const state = table.state[slot]!;
    if (table.role[slot] !== ROLE.CALLEE || state === CALL.RINGING || msg.cseq !== this.#cseq[slot]) return false;
    const record = table.record[slot]!;
    table.store.incU16(record, O.ackCount);
    if (state !== CALL.ANSWERED) return true;
    table.state[slot] = CALL.UP;
    table.store.setF64(record, O.ackedMs, table.ms(nowUs));
    table.stack.server.accepted(table.tx[slot]!, nowUs);
    this.#releaseTx(slot);
    this.#dropHead(slot);
    if (this.#offerless[slot] === 1 && table.sdp.read(msg.bytes, msg.bodyOff, msg.bodyLen)) {
      this.sessions.offers.answered(slot, nowUs);
    }
    return true;
  }

  onCancel(slot: number, msg: SipMessage, nowUs: number): void {
    const { table } = this;
    if (table.state[slot] !== CALL.RINGING) return;
    const record = table.record[slot]!;
    noteReason(table.store, record, msg);
    this.forget(slot, 487, nowUs);
    table.store.setU16(record, O.finalCode, 487);
    table.end(slot, 'cancelled-by-peer', 'them', nowUs);
  }

  /** 13.3.1.4: no ACK in 64*T1 after the 2xx: the session is ended by BYE. */
  onNoAck(slot: number, nowUs: number): void {
    const { table } = this;
    if (table.state[slot] !== CALL.ANSWERED) return;
    table.tx[slot] = -1;
    if (table.calls.bye(slot, -1, NO_ACK_REASON, nowUs) >= 0) {
      table.values[COUNTER_INDEX.sipSent]!++;
      table.store.setF64(table.record[slot]!, O.byeMs, table.ms(nowUs));
    }
    table.end(slot, 'no-ack', 'timer', nowUs);
  }

  /** Ends an INVITE transaction that still waits: a final error if none was sent, else no more 200s. */
  forget(slot: number, status: number, nowUs: number): void {
    const tx = this.table.tx[slot]!;
    if (tx < 0) return;
    const { server } = this.table.stack;
    if (server.isProceeding(tx)) this.#respond(slot, status, nowUs);
    else server.accepted(tx, nowUs);
    this.#releaseTx(slot);
  }

  /** The slot is free. */
  end(slot: number): void {
    if (this.table.role[slot] !== ROLE.CALLEE) return;
    this.reliable.end(slot);
    this.#dropHead(slot);
    this.#merged.remove(slot);
  }

  /** The transaction lives on for its timers, but no longer speaks for this slot, which may get another call. */
  #releaseTx(slot: number): void {
    const { table } = this;
    table.stack.server.setUser(table.tx[slot]!, -1);
    table.tx[slot] = -1;
  }

  #dropHead(slot: number): void {
    const head = this.#head[slot]!;
    if (head >= 0) this.#heads.drop(head);
    this.#head[slot] = -1;
  }
}
