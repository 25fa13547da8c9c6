import { COUNTER_INDEX } from '../counters.js';
import { O } from '../leg.js';
import { ROLE } from '../record.js';
import { FOREIGN_CALLS } from '../rtp/identity.js';
import { H, METHOD } from '../sip/names.js';
import type { SipMessage } from '../sip/parse.js';
import { uriOf } from '../sip/scan.js';
import { ascii, readUint, writeBytes, writeUint } from '../sip/text.js';
import { UriView } from '../sip/uri.js';
import { isLoopbackIp } from '../wire/types.js';
import { NOTE, noteInDialog, RECEIVED, SENT } from './log.js';
import type { Outgoing } from './outgoing.js';
import type { Sessions } from './session.js';
import { CALL, type CallTable, TIMER } from './table.js';

/** What the party that was sent elsewhere waits for an answer there, and then talks. */
const PATIENCE_US = 10_000_000;
const TALK_US = 3_000_000;
/** Numbers of such calls: no caller's, and no stranger's. */
const TRANSFERRED_CALLS = FOREIGN_CALLS + 0x20000000;

const PLAIN_TAG = ascii('deadair');
const REFER_TO = ascii('Refer-To: <');
const END_REFER = ascii('>\r\nContent-Length: 0\r\n\r\n');
const EVENT = ascii('Event: refer\r\nSubscription-State: ');
const ACTIVE = ascii('active;expires=60\r\n');
const OVER = ascii('terminated;reason=noresource\r\n');
const FRAGMENT = ascii('Content-Type: message/sipfrag;version=2.0\r\nContent-Length: 13\r\n\r\nSIP/2.0 ');
const FRAGMENT_END = ascii('\r\n');
const STATUS_LINE = 'SIP/2.0 ';

/**
 * Blind transfer (RFC 3515, RFC 5589 6): as transferor REFER and the NOTIFYs about it; as transferee the new call, told
 * of by NOTIFY. The transferor hangs up when the transfer is done.
 */
export class Transfers {
  /** We sent REFER in this call, so a NOTIFY of it belongs here. */
  readonly #referred: Uint8Array;
  /** For a call of role TRANSFER: the call that the REFER came in, and its generation; -1. */
  readonly #parent: Int32Array;
  readonly #parentGeneration: Uint16Array;
  readonly #uri = new UriView();
  readonly #range = new Int32Array(2);
  readonly #target: Uint8Array;
  #serial = 0;

  constructor(
    private readonly table: CallTable,
    private readonly sessions: Sessions,
    private readonly outgoing: Outgoing,
    /** Where REFER sends the other party unless the step says otherwise. */
    target: string,
  ) {
    this.#referred = new Uint8Array(table.capacity);
    this.#parent = new Int32Array(table.capacity).fill(-1);
    this.#parentGeneration = new Uint16Array(table.capacity);
    this.#target = ascii(target);
  }

  /** The slot is free. */
  end(slot: number): void {
    this.#referred[slot] = 0;
    this.#parent[slot] = -1;
  }

  /** REFER; the transaction, or -1 at a limit. */
  refer(slot: number, to: string | null, nowUs: number): number {
    const { calls, stack, values } = this.table;
    let p = calls.begin(slot, slot, METHOD.REFER);
    if (p < 0) return -1;
    const { tx } = stack.port;
    p = writeBytes(tx, writeBytes(tx, p, this.sessions.contactOf(slot)), REFER_TO);
    p = writeBytes(tx, p, to === null ? this.#target : ascii(to));
    this.#referred[slot] = 1;
    values[COUNTER_INDEX.sipSent]!++;
    return calls.send(writeBytes(tx, p, END_REFER), nowUs);
  }

  /** What became of our REFER (RFC 3515 2.4.5): the body is a status line. */
  onNotify(slot: number, msg: SipMessage, tx: number, srcIp: number, srcPort: number, nowUs: number): void {
    const { table } = this;
    const ours = this.#referred[slot] === 1;
    table.stack.reply(tx, ours ? 200 : 481, srcIp, srcPort, ours ? null : PLAIN_TAG, null, nowUs);
    const at = msg.bodyOff + STATUS_LINE.length;
    const status = msg.bodyLen > STATUS_LINE.length ? readUint(msg.bytes, at, msg.bodyOff + msg.bodyLen) : -1;
    if (!ours || status < 100 || status > 699) return;
    noteInDialog(table, slot, RECEIVED, NOTE.NOTIFY, nowUs, status);
    if (status < 200) return;
    this.#referred[slot] = 0;
    table.store.setU16(table.record[slot]!, O.transferCode, status);
    if (status < 300 && table.state[slot] === CALL.UP) this.sessions.hangUp(slot, 'completed', 'us', null, nowUs);
  }

  /** The other party sends us elsewhere: 202, NOTIFY 100, and a call of our own. */
  onRefer(slot: number, msg: SipMessage, tx: number, srcIp: number, srcPort: number, nowUs: number): void {
    const { table } = this;
    const { stack } = table;
    const i = msg.find(H.REFER_TO);
    const range = this.#range;
    let status = 202;
    // RFC 3515 2.4.2: exactly one Refer-To.
    if (i < 0 || msg.find(H.REFER_TO, 1) >= 0 || !uriOf(msg.bytes, msg.valueOff[i]!, msg.valueLen[i]!, range))
      status = 400;
    else if (!this.#uri.parse(msg.bytes, range[0]!, range[1]!)) status = 400;
    // A REFER must not make us flood somebody else: loopback, or where this call's own requests go.
    else if (!isLoopbackIp(this.#uri.ip) && this.#uri.ip !== table.calls.dialogs.hopIp(slot)) status = 403;
    else if (table.state[slot] !== CALL.UP) status = 491;
    noteInDialog(table, slot, RECEIVED, NOTE.REFER, nowUs, status);
    stack.reply(tx, status, srcIp, srcPort, null, status === 202 ? this.sessions.contactOf(slot) : null, nowUs);
    if (status !== 202) return;
    table.store.incU8(table.record[slot]!, O.transfers);
    const uri = msg.bytes.slice(range[0]!, range[0]! + range[1]!);
    const ip = this.#uri.ip;
    const port = this.#uri.port;
    this.#notify(slot, 100, nowUs);
    if (!this.#place(slot, uri, ip, port, nowUs)) this.#notify(slot, 503, nowUs);
  }

  #place(parent: number, uri: Uint8Array, ip: number, port: number, nowUs: number): boolean {
    const { table } = this;
    const tx = table.stack.client.open(-1, METHOD.INVITE);
    const slot = tx < 0 ? -1 : table.take(CALL.CALLING, ROLE.TRANSFER);
    if (slot < 0) {
      if (tx >= 0) table.stack.client.drop(tx);
      return false;
    }
    table.callNo[slot] = TRANSFERRED_CALLS + this.#serial++;
    table.phone[slot] = table.phone[parent]!;
    this.#parent[slot] = parent;
    this.#parentGeneration[slot] = table.generation[parent]!;
    table.arm(slot, TIMER.CALL, nowUs + PATIENCE_US);
    return this.outgoing.place(slot, tx, uri, ip, port, nowUs);
  }

  /** The new call was answered. */
  answered(slot: number, nowUs: number): void {
    this.table.arm(slot, TIMER.CALL, nowUs + TALK_US);
    this.#tell(slot, 200, nowUs);
  }
  /** The new call came to nothing. */
  failed(slot: number, status: number, nowUs: number): void {
    this.#tell(slot, status, nowUs);
  }

  #tell(slot: number, status: number, nowUs: number): void {
    const { table } = this;
    const parent = this.#parent[slot]!;
    if (parent < 0) return;
    this.#parent[slot] = -1;
    const same = table.generation[parent] === this.#parentGeneration[slot] && table.state[parent] === CALL.UP;
    if (same) this.#notify(parent, status, nowUs);
  }

  #notify(slot: number, status: number, nowUs: number): void {
    const { table } = this;
    let p = table.calls.begin(slot, -1, METHOD.NOTIFY);
    if (p < 0) {
      table.values[COUNTER_INDEX.transactionsFull]!++;
      return;
    }
    const { tx } = table.stack.port;
    p = writeBytes(tx, writeBytes(tx, p, this.sessions.contactOf(slot)), EVENT);
    p = writeBytes(tx, writeBytes(tx, p, status < 200 ? ACTIVE : OVER), FRAGMENT);
    p = writeBytes(tx, writeUint(tx, p, status), FRAGMENT_END);
    noteInDialog(table, slot, SENT, NOTE.NOTIFY, nowUs, status);
    if (status >= 200) table.store.setU16(table.record[slot]!, O.transferCode, status);
    table.values[COUNTER_INDEX.sipSent]!++;
    table.calls.send(p, nowUs);
  }
}
