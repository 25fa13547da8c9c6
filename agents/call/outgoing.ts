import { COUNTER_INDEX } from '../counters.js';
import { notePeerAgent, noteProvisional, noteReason, noteTransportError, O } from '../leg.js';
import { type EndedBy, LEG_FIELDS, ROLE } from '../record.js';
import type { InviteWriter } from '../sip/invite.js';
import { H, METHOD } from '../sip/names.js';
import type { SipMessage } from '../sip/parse.js';
import { ascii, writeBytes, writeUint } from '../sip/text.js';
import { REL_TAG } from './reliable.js';
import type { Retries } from './retries.js';
import type { Sessions } from './session.js';
import { hasTag } from './session-timer.js';
import { CALL, type CallTable } from './table.js';

/** Not asked for; the CANCEL waits for a provisional response (RFC 3261 9.1); sent. */
const CANCEL = { NO: 0, WAITS: 1, SENT: 2 } as const;

/** RFC 3892: who is called can tell that somebody else asked for it. */
const REFERRED = ascii('Referred-By: <sip:deadair@invalid>\r\n');
const RACK = ascii('RAck: ');
const RACK_END = ascii(' INVITE\r\nContent-Length: 0\r\n\r\n');

/** What the owner of outgoing calls decides. */
export interface OutgoingOwner {
  /** Acknowledged, audio runs. The owner says when it ends. */
  onAnswered(slot: number, nowUs: number): void;
  /** It is over before an answer; the record is written but for its outcome. */
  onFailed(slot: number, outcome: 'rejected' | 'cancelled' | 'timeout', by: EndedBy, nowUs: number): void;
}

/** Calls that we place: INVITE to its final answer (RFC 3261 13.2, seen from the UAC core). */
export class Outgoing {
  readonly #cancel: Uint8Array;
  /** CSeq of the INVITE that counts, and what it went to. */
  readonly #cseq: Uint16Array;
  readonly #hopIp: Float64Array;
  readonly #hopPort: Uint16Array;
  /** RSeq of the last reliable provisional response (RFC 3262 4); 0: no early dialog was made. */
  readonly #rseq: Uint32Array;

  constructor(
    private readonly table: CallTable,
    private readonly sessions: Sessions,
    private readonly writer: InviteWriter,
    private readonly retries: Retries,
    private readonly owner: OutgoingOwner,
  ) {
    const n = table.capacity;
    this.#cancel = new Uint8Array(n);
    this.#cseq = new Uint16Array(n);
    this.#hopIp = new Float64Array(n);
    this.#hopPort = new Uint16Array(n);
    this.#rseq = new Uint32Array(n);
  }

  /**
   * Sends the INVITE of a slot that was taken (CALL.CALLING) with its callNo. `tx` is a client transaction that was opened
   * for it. `uri` stands in for the Request-URI, or null. False: no room to keep it, and the call is over.
   */
  place(slot: number, tx: number, uri: Uint8Array | null, ip: number, port: number, nowUs: number): boolean {
    const { table } = this;
    const record = table.record[slot]!;
    this.#cancel[slot] = CANCEL.NO;
    this.#cseq[slot] = 0;
    this.#rseq[slot] = 0;
    this.sessions.reset(slot);
    if (this.retries.size > 0) this.retries.forget(slot);
    table.store.setU32(record, O.callNo, table.callNo[slot]!);
    table.store.setF64(record, O.startedMs, table.ms(nowUs));
    return this.#invite(slot, tx, uri, null, ip, port, nowUs);
  }

  #invite(
    slot: number,
    tx: number,
    uri: Uint8Array | null,
    extra: Uint8Array | null,
    ip: number,
    port: number,
    nowUs: number,
  ): boolean {
    const { table, writer } = this;
    const { stack, store } = table;
    const record = table.record[slot]!;
    const at = stack.port.slot();
    table.tx[slot] = tx;
    stack.client.setUser(tx, slot);
    table.calls.use(tx);
    this.#cseq[slot]!++;
    this.#hopIp[slot] = ip;
    this.#hopPort[slot] = port;
    const callNo = table.callNo[slot]!;
    const referred = table.role[slot] === ROLE.TRANSFER;
    const p = writer.write(
      stack.port.tx,
      at,
      callNo,
      slot,
      table.generation[slot]!,
      table.mediaPort(slot),
      table.calls.branch,
      this.#cseq[slot]!,
      uri,
      extra ?? (referred ? REFERRED : this.retries.first()),
      referred ? uri : null,
    );
    store.setText(record, O.callId, LEG_FIELDS.callId.text, stack.port.tx, writer.callIdOff, writer.callIdLen);
    store.incU8(record, O.invites);
    table.values[COUNTER_INDEX.sipSent]!++;
    if (stack.client.send(tx, at, p - at, ip, port, nowUs)) return true;
    stack.client.drop(tx);
    table.tx[slot] = -1;
    table.values[COUNTER_INDEX.transactionsFull]!++;
    table.end(slot, 'timeout', 'nobody', nowUs);
    return false;
  }

  isCalling(slot: number): boolean {
    return this.table.state[slot] === CALL.CALLING;
  }

  onResponse(slot: number, msg: SipMessage, nowUs: number): void {
    const { table } = this;
    const { status } = msg;
    const { store } = table;
    const record = table.record[slot]!;
    if (status < 200) {
      noteProvisional(store, record, status, table.ms(nowUs));
      const waits = this.#cancel[slot] === CANCEL.WAITS;
      if (waits && table.stack.client.cancel(table.tx[slot]!, nowUs)) this.#cancel[slot] = CANCEL.SENT;
      else if (status > 100 && msg.toTagLen > 0 && msg.find(H.RSEQ) >= 0) this.#prack(slot, msg, nowUs);
      return;
    }
    table.tx[slot] = -1;
    store.setU16(record, O.finalCode, status);
    notePeerAgent(store, record, msg);
    if (status < 300) {
      this.#answered(slot, msg, nowUs);
      return;
    }
    const cancelled = this.#cancel[slot] !== CANCEL.NO;
    if (!cancelled && this.#again(slot, msg, nowUs)) return;
    store.setF64(record, O.rejectedMs, table.ms(nowUs));
    const retryAfter = msg.numberOf(H.RETRY_AFTER);
    if (retryAfter > 0) store.setU16(record, O.retryAfterS, retryAfter);
    noteReason(store, record, msg);
    this.owner.onFailed(slot, cancelled ? 'cancelled' : 'rejected', cancelled ? 'us' : 'them', nowUs);
  }

  /** A refusal that says what else to try: the INVITE goes out anew, in the same call (8.1.3.4, 8.1.3.5, 22.2). */
  #again(slot: number, msg: SipMessage, nowUs: number): boolean {
    const next = this.retries.after(slot, msg, this.#hopIp[slot]!, this.#hopPort[slot]!);
    if (next === null) return false;
    const tx = this.table.stack.client.open(slot, METHOD.INVITE);
    if (tx < 0) {
      this.table.values[COUNTER_INDEX.transactionsFull]!++;
      return false;
    }
    this.#invite(slot, tx, next.uri, next.lines, next.ip, next.port, nowUs);
    return true;
  }

  #answered(slot: number, msg: SipMessage, nowUs: number): void {
    const { table, sessions } = this;
    const { store } = table;
    const { dialogs } = table.calls;
    const record = table.record[slot]!;
    store.setF64(record, O.answeredMs, table.ms(nowUs));
    if (table.role[slot] === ROLE.CALLER) table.values[COUNTER_INDEX.answered]!++;
    table.state[slot] = CALL.UP;
    // Requests of the early dialog counted on: what follows must not be lower (12.2.1.1).
    const cseq = this.#rseq[slot] === 0 ? msg.cseq : Math.max(msg.cseq, dialogs.localCseq(slot));
    if (!dialogs.openAsCaller(slot, msg, cseq)) {
      // A 2xx without a usable Contact cannot be acknowledged in a dialog: it ends here.
      table.end(slot, 'dropped', 'us', nowUs);
      return;
    }
    if (dialogs.hopIp(slot) < 0) dialogs.setHop(slot, this.#hopIp[slot]!, this.#hopPort[slot]!);
    if (table.sdp.read(msg.bytes, msg.bodyOff, msg.bodyLen)) sessions.offers.answered(slot, nowUs);
    if (this.retries.size > 0) {
      const proof = this.retries.proof(slot);
      if (proof !== null) sessions.proofs.set(slot, proof);
    }
    this.#ack(slot, msg.cseq);
    store.setF64(record, O.ackedMs, table.ms(nowUs));
    if (this.#cancel[slot] !== CANCEL.NO) {
      // The answer crossed our CANCEL (RFC 3261 15): the call is up, so it is ended by BYE.
      sessions.hangUp(slot, 'completed', 'us', null, nowUs);
      return;
    }
    this.owner.onAnswered(slot, nowUs);
    if (msg.find(H.SESSION_EXPIRES) >= 0) sessions.timers.answered(slot, msg, nowUs);
    sessions.begin(slot, nowUs);
  }

  /** RFC 3262 4: PRACK for a provisional response that wants one, once, and in the order of RSeq. */
  #prack(slot: number, msg: SipMessage, nowUs: number): void {
    const { table } = this;
    const { calls } = table;
    if (!hasTag(msg, H.REQUIRE, REL_TAG)) return;
    const rseq = msg.numberOf(H.RSEQ);
    const known = this.#rseq[slot]!;
    if (known !== 0 && calls.dialogs.isRemoteTag(slot, msg)) {
      if (rseq !== known + 1) return;
    } else {
      const cseq = known === 0 ? msg.cseq : Math.max(msg.cseq, calls.dialogs.localCseq(slot));
      if (!calls.dialogs.openAsCaller(slot, msg, cseq)) return;
      if (calls.dialogs.hopIp(slot) < 0) calls.dialogs.setHop(slot, this.#hopIp[slot]!, this.#hopPort[slot]!);
    }
    let p = calls.begin(slot, -1, METHOD.PRACK);
    if (p < 0) {
      table.values[COUNTER_INDEX.transactionsFull]!++;
      return;
    }
    this.#rseq[slot] = rseq;
    const { tx } = table.stack.port;
    p = writeUint(tx, writeBytes(tx, p, RACK), rseq);
    tx[p++] = 32;
    p = writeBytes(tx, writeUint(tx, p, msg.cseq), RACK_END);
    table.store.incU8(table.record[slot]!, O.pracks);
    table.values[COUNTER_INDEX.sipSent]!++;
    calls.send(p, nowUs);
  }

  #ack(slot: number, cseq: number): void {
    this.sessions.ack(slot, cseq);
    this.table.store.incU16(this.table.record[slot]!, O.ackCount);
  }

  /**
   * A 2xx to an INVITE that no transaction waits for. Of our dialog: the ACK was lost, send it again. Of another branch of
   * a forked INVITE: acknowledged and hung up at once (13.2.2.4).
   */
  onStray2xx(slot: number, msg: SipMessage, nowUs: number): void {
    const { table, sessions } = this;
    const { dialogs } = table.calls;
    const record = table.record[slot]!;
    if (dialogs.isRemoteTag(slot, msg)) {
      if (msg.cseq === this.#cseq[slot]) {
        table.store.incU16(record, O.answerRetransmits);
        this.#ack(slot, msg.cseq);
      } else sessions.ack(slot, msg.cseq);
      table.values[COUNTER_INDEX.retransmitsSeen]!++;
      return;
    }
    const spare = table.capacity;
    if (!dialogs.openAsCaller(spare, msg, msg.cseq)) {
      table.values[COUNTER_INDEX.strayMessages]!++;
      return;
    }
    if (dialogs.hopIp(spare) < 0) dialogs.setHop(spare, this.#hopIp[slot]!, this.#hopPort[slot]!);
    table.store.incU8(record, O.forks);
    table.calls.ack(spare, msg.cseq, sessions.proofs.get(slot) ?? null);
    table.calls.bye(spare, -1, null, nowUs);
    table.values[COUNTER_INDEX.sipSent]! += 2;
    dialogs.close(spare);
  }

  /** Patience is over. Without a provisional response the CANCEL waits for one, or for timer B (RFC 3261 9.1). */
  giveUp(slot: number, nowUs: number): void {
    if (this.#cancel[slot] !== CANCEL.NO) return;
    this.#cancel[slot] = CANCEL.WAITS;
    if (this.table.stack.client.cancel(this.table.tx[slot]!, nowUs)) this.#cancel[slot] = CANCEL.SENT;
  }

  onTransportError(slot: number, why: string, nowUs: number): void {
    const { table } = this;
    table.tx[slot] = -1;
    noteTransportError(table.store, table.record[slot]!, why, table.ms(nowUs));
    this.owner.onFailed(slot, this.#cancel[slot] === CANCEL.SENT ? 'cancelled' : 'rejected', 'nobody', nowUs);
  }

  onTimeout(slot: number, nowUs: number): void {
    this.table.tx[slot] = -1;
    this.owner.onFailed(slot, this.#cancel[slot] === CANCEL.SENT ? 'cancelled' : 'timeout', 'timer', nowUs);
  }
}
