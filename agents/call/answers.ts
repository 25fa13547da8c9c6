import { COUNTER_INDEX } from '../counters.js';
import { O } from '../leg.js';
import { H, METHOD } from '../sip/names.js';
import type { SipMessage } from '../sip/parse.js';
import { ALLOW_LINE } from '../sip/refuse.js';
import { EMPTY_BODY, statusLine, writeEcho } from '../sip/respond.js';
import { DIRECTION } from '../sip/sdp.js';
import { ascii, writeBytes } from '../sip/text.js';
import { NOTE, noteInDialog, RECEIVED } from './log.js';
import type { Sessions } from './session.js';
import type { CallTable } from './table.js';

const ALLOW = ascii(ALLOW_LINE);
const UNACKNOWLEDGED = ascii('Reason: SIP;cause=408;text="ACK timeout"\r\n');

/**
 * The UAS's part within dialogs: re-INVITE (RFC 3261 14.2) and UPDATE (RFC 3311 5.2) of the other side, and the ACK to
 * what we answered. BYE and REFER are not its concern.
 */
export class Answers {
  /** Transaction of a re-INVITE that we answered 2xx, until its ACK; -1. */
  readonly #tx: Int32Array;
  readonly #cseq: Uint32Array;
  /** It had no offer, so ours was in the 2xx and their answer is in the ACK. */
  readonly #offered: Uint8Array;

  constructor(
    private readonly table: CallTable,
    private readonly sessions: Sessions,
  ) {
    const n = table.capacity;
    this.#tx = new Int32Array(n).fill(-1);
    this.#cseq = new Uint32Array(n);
    this.#offered = new Uint8Array(n);
  }

  /** The slot is free. */
  end(slot: number): void {
    const tx = this.#tx[slot]!;
    if (tx < 0) return;
    const { server } = this.table.stack;
    server.accepted(tx, 0);
    server.setUser(tx, -1);
    this.#tx[slot] = -1;
  }

  onReinvite(slot: number, msg: SipMessage, tx: number, srcIp: number, srcPort: number, nowUs: number): void {
    const { table } = this;
    table.store.incU16(table.record[slot]!, O.reinvitesReceived);
    const offer = this.#offerIn(slot, msg, NOTE.REINVITE, tx, srcIp, srcPort, nowUs);
    if (offer === REFUSED) return;
    this.end(slot); // the ACK to an earlier one never came, and now it does not matter
    this.#tx[slot] = tx;
    this.#cseq[slot] = msg.cseq;
    this.#offered[slot] = offer === ABSENT ? 1 : 0;
    table.stack.server.setUser(tx, slot);
    this.#accept(slot, msg, tx, srcIp, srcPort, offer === ABSENT ? OURS : THEIRS, nowUs);
  }

  onUpdate(slot: number, msg: SipMessage, tx: number, srcIp: number, srcPort: number, nowUs: number): void {
    const { table } = this;
    table.store.incU16(table.record[slot]!, O.updatesReceived);
    const offer = this.#offerIn(slot, msg, NOTE.UPDATE, tx, srcIp, srcPort, nowUs);
    if (offer !== REFUSED) this.#accept(slot, msg, tx, srcIp, srcPort, offer === ABSENT ? NONE : THEIRS, nowUs);
  }

  /** True when it acknowledges a re-INVITE. */
  onAck(slot: number, msg: SipMessage, nowUs: number): boolean {
    if (this.#tx[slot]! < 0 || this.#cseq[slot] !== msg.cseq) return false;
    this.end(slot);
    if (this.#offered[slot] === 1 && this.table.sdp.read(msg.bytes, msg.bodyOff, msg.bodyLen)) {
      this.sessions.offers.answered(slot, nowUs);
    }
    return true;
  }

  /** 14.2: a re-INVITE whose 2xx nobody acknowledges ends the call. False when the transaction is another one. */
  onNoAck(slot: number, tx: number, nowUs: number): boolean {
    if (this.#tx[slot] !== tx) return false;
    this.#tx[slot] = -1;
    const { store, record } = this.table;
    store.setU16(record[slot]!, O.midCode, 408);
    store.setU8(record[slot]!, O.midMethod, METHOD.ACK);
    this.sessions.hangUp(slot, 'dialog-lost', 'timer', UNACKNOWLEDGED, nowUs);
    return true;
  }

  /** What the request offers, or REFUSED when it was answered here. The table's `sdp` holds an offer that is PRESENT. */
  #offerIn(slot: number, msg: SipMessage, what: number, tx: number, srcIp: number, srcPort: number, nowUs: number) {
    const { table, sessions } = this;
    const hasBody = msg.bodyLen > 0;
    let status = 0;
    let extra: Uint8Array | null = null;
    if (sessions.isOffering(slot) && (hasBody || msg.method === METHOD.INVITE)) {
      status = 491;
      table.store.incU8(table.record[slot]!, O.glares);
    } else if (hasBody && !table.sdp.read(msg.bytes, msg.bodyOff, msg.bodyLen)) status = 488;
    else if (sessions.timers.isTooShort(msg)) {
      status = 422;
      extra = sessions.timers.floorLine();
    }
    if (status > 0) {
      noteInDialog(table, slot, RECEIVED, what, nowUs, status);
      table.stack.reply(tx, status, srcIp, srcPort, null, extra, nowUs);
      return REFUSED;
    }
    const held = sessions.offers.isHeld(slot);
    const holds = hasBody && (table.sdp.direction & DIRECTION.RECVONLY) === 0;
    if (holds && !held) table.store.incU8(table.record[slot]!, O.holds);
    const letter = !hasBody || holds === held ? what : holds ? NOTE.HOLD : NOTE.RESUME;
    noteInDialog(table, slot, RECEIVED, letter, nowUs, 200);
    return hasBody ? PRESENT : ABSENT;
  }

  #accept(
    slot: number,
    msg: SipMessage,
    tx: number,
    srcIp: number,
    srcPort: number,
    body: number,
    nowUs: number,
  ): void {
    const { table, sessions } = this;
    const { stack } = table;
    table.calls.dialogs.retarget(slot, msg);
    if (sessions.timers.agreed(slot) > 0 || msg.find(H.SESSION_EXPIRES) >= 0) sessions.timers.accept(slot, msg, nowUs);
    const at = stack.port.slot();
    const to = stack.port.tx;
    let p = writeBytes(to, at, statusLine(200));
    p = writeEcho(msg, srcIp, srcPort, null, to, p);
    p = writeBytes(to, p, sessions.contactOf(slot));
    p = writeBytes(to, p, ALLOW);
    p = sessions.timers.writeAnswer(slot, to, p);
    if (body === THEIRS) p = sessions.offers.writeAnswer(slot, to, p, nowUs);
    else if (body === OURS) p = sessions.offers.writeOffer(slot, to, p);
    else p = writeBytes(to, p, EMPTY_BODY);
    table.values[COUNTER_INDEX.sipSent]!++;
    stack.server.send(tx, 200, at, p - at, nowUs);
  }
}

const REFUSED = -1;
const ABSENT = 0;
const PRESENT = 1;
/** Whose offer the exchange is about; NONE: an UPDATE without one. */
const NONE = 0;
const THEIRS = 1;
const OURS = 2;
