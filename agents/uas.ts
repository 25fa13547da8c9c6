import { draw } from '../harness/plan/dist.js';
import type { DurationDist } from '../harness/plan/types.js';
import { KeyedPrng } from '../harness/prng.js';
import { COUNTER_INDEX, type Counters } from './counters.js';
import { Habits, RINGS_OUT } from './habits.js';
import { notePeerAgent, noteReason, noteUnmade, O } from './leg.js';
import type { LegMedia } from './media.js';
import { ENDED_BY, type EndedBy, LEG_FIELDS, OUTCOMES, type Outcome, ROLE } from './record.js';
import { FOREIGN_CALLS } from './rtp/identity.js';
import { InDialog } from './sip/in-dialog.js';
import { callNoOf } from './sip/invite.js';
import { localOf } from './sip/local.js';
import { METHOD } from './sip/names.js';
import { NO_DIALOG, type Objection, objectionTo } from './sip/objection.js';
import type { SipMessage } from './sip/parse.js';
import { ALLOW_LINE } from './sip/refuse.js';
import { EMPTY_BODY, statusLine, writeEcho } from './sip/respond.js';
import { SdpView, sdpLength, writeSdp } from './sip/sdp.js';
import { MessageSlab } from './sip/slab.js';
import { SipStack } from './sip/stack.js';
import { slotOfTag, TAG_LENGTH, writeTag } from './sip/tag.js';
import { ascii, writeBytes, writeRange, writeUint } from './sip/text.js';
import { IndexPool, TimerWheel } from './sip/timers.js';
import { UriView } from './sip/uri.js';
import { QuietUser } from './sip/user.js';
import type { LegStore } from './store.js';
import type { Actor, Wire } from './wire/types.js';

/** A call's life at the callee (UAS core, RFC 3261 13.3). */
const FREE = 0;
const RINGING = 1;
const ANSWERED = 2;
const UP = 3;

export interface CalleeOptions {
  ip: number;
  port: number;
  /** Before 200 OK; 180 goes out at once. */
  ringMs: DurationDist;
  /** Share of calls that are not answered for ordinary reasons; 0 without it. */
  ordinaryFailures?: number;
  seed: number;
  worker: number;
  salt: number;
  maxCalls: number;
  t0Us: number;
  store: LegStore;
  counters: Counters;
  media: LegMedia | null;
}

/** Keeps the callee's chance apart from the caller's for the same call. */
const RING_KEY = 0x20000000;

export class Callee extends QuietUser implements Actor {
  readonly stack: SipStack;
  readonly #o: CalleeOptions;
  readonly #pool: IndexPool;
  readonly #state: Uint8Array;
  readonly #generation: Uint16Array;
  readonly #record: Int32Array;
  readonly #callNo: Uint32Array;
  readonly #tx: Int32Array;
  readonly #leg: Int32Array;
  readonly #head: Int32Array;
  readonly #timers: TimerWheel;
  readonly #fire: (slot: number) => void;
  readonly #dialogs: InDialog;
  readonly #heads: MessageSlab;
  readonly #sdp = new SdpView();
  readonly #uri = new UriView();
  readonly #chance: KeyedPrng;
  readonly #habits: Habits;
  readonly #values: Float64Array;
  readonly #tag = new Uint8Array(TAG_LENGTH);
  readonly #scratch = new Uint8Array(4096);
  readonly #contact: Uint8Array;
  #foreign = 0;
  #nowUs = 0;

  constructor(wire: Wire, options: CalleeOptions) {
    super();
    this.#o = options;
    const n = options.maxCalls;
    const nowUs = wire.nowUs();
    this.#pool = new IndexPool(n);
    this.#state = new Uint8Array(n);
    this.#generation = new Uint16Array(n);
    this.#record = new Int32Array(n);
    this.#callNo = new Uint32Array(n);
    this.#tx = new Int32Array(n).fill(-1);
    this.#leg = new Int32Array(n).fill(-1);
    this.#head = new Int32Array(n).fill(-1);
    this.#timers = new TimerWheel(n, nowUs);
    this.#fire = (slot) => this.#answer(slot, this.#nowUs);
    this.#heads = new MessageSlab(n);
    this.#chance = new KeyedPrng(options.seed);
    this.#habits = new Habits(options.ordinaryFailures ?? 0, options.seed);
    this.#values = options.counters.values;
    this.stack = new SipStack(
      this,
      options.counters,
      // Timer J keeps a BYE for 32 s after the call, so more transactions than calls.
      {
        clientTransactions: Math.max(1024, n),
        serverTransactions: Math.min(1 << 19, Math.max(8192, n * 16)),
        messages: n * 4,
      },
      options.salt & 0xffff,
      nowUs,
    );
    this.#dialogs = new InDialog(this.stack, n, options.salt & 0xffff);
    this.stack.bind(wire, options.ip, options.port);
    const { host, params } = localOf(this.stack.port);
    this.#contact = ascii(`Contact: <sip:deadair@${host}${params}>\r\nServer: deadair\r\n`);
  }

  get callsUp(): number {
    return this.#pool.used;
  }

  tick(nowUs: number): number {
    this.#nowUs = nowUs;
    this.#timers.advance(nowUs, this.#fire);
    return Math.min(this.stack.tick(nowUs), this.#timers.nextUs());
  }

  onRequest(msg: SipMessage, tx: number, srcIp: number, srcPort: number, nowUs: number): void {
    if (msg.toTagLen === 0) {
      const objection = objectionTo(msg, this.#uri);
      if (msg.method === METHOD.INVITE) this.#invite(msg, objection, tx, srcIp, srcPort, nowUs);
      else this.stack.reply(tx, objection?.status ?? 200, srcIp, srcPort, PLAIN_TAG, objection?.extra ?? ALLOW, nowUs);
      return;
    }
    const slot = this.#slotOf(msg);
    if (slot < 0) {
      this.stack.reply(tx, 481, srcIp, srcPort, PLAIN_TAG, null, nowUs);
      return;
    }
    if (!this.#dialogs.dialogs.acceptCseq(slot, msg.cseq)) {
      this.stack.reply(tx, 500, srcIp, srcPort, null, null, nowUs);
      return;
    }
    if (msg.method === METHOD.BYE) {
      this.stack.reply(tx, 200, srcIp, srcPort, null, null, nowUs);
      const record = this.#record[slot]!;
      this.#o.store.setF64(record, O.byeMs, (nowUs - this.#o.t0Us) / 1000);
      noteReason(this.#o.store, record, msg);
      if (this.#state[slot] === RINGING || this.#state[slot] === ANSWERED) this.#forgetInvite(slot, 487, nowUs);
      this.#end(slot, 'completed', 'them', nowUs);
      return;
    }
    // A re-INVITE that changes nothing is legal to refuse (RFC 3261 14.2); OPTIONS in a dialog is a ping.
    const status = msg.method === METHOD.OPTIONS ? 200 : msg.method === METHOD.INVITE ? 488 : 501;
    this.stack.reply(tx, status, srcIp, srcPort, null, null, nowUs);
  }

  #invite(msg: SipMessage, no: Objection | null, tx: number, srcIp: number, srcPort: number, nowUs: number): void {
    const o = this.#o;
    const slot = this.#pool.take();
    const leg = slot >= 0 && o.media !== null ? o.media.open() : -1;
    const record = slot >= 0 && (o.media === null || leg >= 0) ? o.store.take() : -1;
    if (record < 0) {
      // Our own limit: 503, and counted, so that the verdict blames the generator.
      this.#values[COUNTER_INDEX.calleeRefused]!++;
      if (leg >= 0) o.media!.close(leg);
      if (slot >= 0) this.#pool.give(slot);
      this.stack.reply(tx, 503, srcIp, srcPort, PLAIN_TAG, null, nowUs);
      return;
    }
    const generation = (this.#generation[slot]! + 1) & 0xffff;
    this.#generation[slot] = generation;
    writeTag(this.#tag, 0, slot, generation, o.salt & 0xffff);
    const headLen = writeEcho(msg, srcIp, srcPort, this.#tag, this.#scratch, 0);
    const head = no === null ? this.#heads.keep(this.#scratch, 0, headLen) : -1;
    if (head < 0 || !this.#dialogs.dialogs.openAsCallee(slot, msg, this.#tag)) {
      if (head >= 0) this.#heads.drop(head);
      const { status, extra } = no ?? NO_DIALOG;
      this.#noteRefused(record, msg, status, nowUs);
      if (leg >= 0) o.media!.close(leg);
      this.#pool.give(slot);
      this.stack.reply(tx, status, srcIp, srcPort, PLAIN_TAG, extra, nowUs);
      return;
    }
    this.#head[slot] = head;
    if (this.#dialogs.dialogs.hopIp(slot) < 0) this.#dialogs.dialogs.setHop(slot, srcIp, srcPort);
    this.stack.server.setUser(tx, slot);
    this.#state[slot] = RINGING;
    this.#record[slot] = record;
    this.#tx[slot] = tx;
    this.#leg[slot] = leg;
    let callNo = callNoOf(msg.bytes, this.#uri.userOff, this.#uri.userLen);
    if (callNo < 0) callNo = FOREIGN_CALLS + this.#foreign++;
    this.#callNo[slot] = callNo;
    const { store } = o;
    store.setU32(record, O.callNo, callNo);
    store.setU8(record, O.role, ROLE.CALLEE);
    store.setU8(record, O.worker, o.worker);
    store.setF64(record, O.startedMs, (nowUs - o.t0Us) / 1000);
    store.setU16(record, O.mediaPort, leg >= 0 ? o.media!.port(leg) : 9);
    store.setText(record, O.callId, LEG_FIELDS.callId.text, msg.bytes, msg.callIdOff, msg.callIdLen);
    notePeerAgent(store, record, msg);
    if (this.#sdp.read(msg.bytes, msg.bodyOff, msg.bodyLen)) {
      store.setU32(record, O.remoteMediaIp, this.#sdp.ip);
      store.setU16(record, O.remoteMediaPort, this.#sdp.port);
    }
    this.#values[COUNTER_INDEX.calleeStarted]!++;

    const status = this.#habits.statusOf(callNo);
    if (status >= 300) {
      this.#decline(slot, status, nowUs);
      return;
    }
    const ringUs = draw(o.ringMs, this.#chance.at(callNo + RING_KEY)) * 1000;
    this.#respond(slot, 180, false, nowUs);
    store.setF64(record, O.ringingMs, (nowUs - o.t0Us) / 1000);
    store.incU16(record, O.count180);
    if (status === RINGS_OUT) return;
    if (ringUs <= 0) this.#answer(slot, nowUs);
    else this.#timers.set(slot, nowUs + ringUs);
  }

  #decline(slot: number, status: number, nowUs: number): void {
    this.#o.store.setU16(this.#record[slot]!, O.finalCode, status);
    this.#o.store.setF64(this.#record[slot]!, O.rejectedMs, (nowUs - this.#o.t0Us) / 1000);
    this.#forgetInvite(slot, status, nowUs);
    this.#end(slot, 'rejected', 'us', nowUs);
  }

  /** An INVITE that could not become a call: a record all the same, so that the sums are right. */
  #noteRefused(record: number, msg: SipMessage, status: number, nowUs: number): void {
    const { store, worker, t0Us } = this.#o;
    store.setU8(record, O.worker, worker);
    store.setU32(record, O.callNo, FOREIGN_CALLS + this.#foreign++);
    noteUnmade(store, record, msg, status, (nowUs - t0Us) / 1000);
    store.done(record);
    this.#values[COUNTER_INDEX.calleeStarted]!++;
    this.#values[COUNTER_INDEX.calleeEnded]!++;
  }

  /** A response on the call's INVITE transaction, from the head that was kept of the request. */
  #respond(slot: number, status: number, withSdp: boolean, nowUs: number): void {
    const { port } = this.stack;
    const at = port.slot();
    const to = port.tx;
    const head = this.#head[slot]!;
    let p = writeBytes(to, at, statusLine(status));
    p = writeRange(to, p, this.#heads.chunk(head), this.#heads.offset(head), this.#heads.length(head));
    if (status < 300) p = writeBytes(to, p, this.#contact);
    if (withSdp) {
      const leg = this.#leg[slot]!;
      const mediaPort = leg >= 0 ? this.#o.media!.port(leg) : 9;
      const session = this.#callNo[slot]!;
      p = writeBytes(to, p, SDP_HEAD);
      p = writeUint(to, p, sdpLength(this.#o.ip, mediaPort, session));
      to[p++] = 13;
      to[p++] = 10;
      to[p++] = 13;
      to[p++] = 10;
      p = writeSdp(to, p, this.#o.ip, mediaPort, session);
    } else p = writeBytes(to, p, EMPTY_BODY);
    this.#values[COUNTER_INDEX.sipSent]!++;
    this.stack.server.send(this.#tx[slot]!, status, at, p - at, nowUs);
  }

  #answer(slot: number, nowUs: number): void {
    if (this.#state[slot] !== RINGING) return;
    const o = this.#o;
    const record = this.#record[slot]!;
    this.#state[slot] = ANSWERED;
    this.#respond(slot, 200, true, nowUs);
    o.store.setU16(record, O.finalCode, 200);
    o.store.setF64(record, O.answeredMs, (nowUs - o.t0Us) / 1000);
    const leg = this.#leg[slot]!;
    const base = o.store.at(record);
    const remotePort = o.store.u16[(base + O.remoteMediaPort) >> 1]!;
    if (leg >= 0 && remotePort > 0) {
      const callNo = this.#callNo[slot]!;
      o.media!.start(
        leg,
        {
          slot: record,
          callNo,
          role: ROLE.CALLEE,
          remoteIp: o.store.u32[(base + O.remoteMediaIp) >> 2]!,
          remotePort,
          ssrc: (Math.imul(callNo + 1, 0x85ebca6b) ^ o.seed) >>> 0,
        },
        nowUs,
      );
    }
  }

  override onAck(msg: SipMessage, nowUs: number): void {
    const slot = this.#slotOf(msg);
    if (slot < 0 || this.#state[slot] === RINGING) {
      this.#values[COUNTER_INDEX.strayMessages]!++;
      return;
    }
    const record = this.#record[slot]!;
    this.#o.store.incU16(record, O.ackCount);
    if (this.#state[slot] === UP) return;
    this.#state[slot] = UP;
    this.#o.store.setF64(record, O.ackedMs, (nowUs - this.#o.t0Us) / 1000);
    this.stack.server.accepted(this.#tx[slot]!, nowUs);
    this.#releaseTx(slot);
    this.#dropHead(slot);
  }

  override onCancel(slot: number, _tx: number, msg: SipMessage, nowUs: number): void {
    if (slot < 0 || this.#state[slot] !== RINGING) return;
    const record = this.#record[slot]!;
    noteReason(this.#o.store, record, msg);
    this.#forgetInvite(slot, 487, nowUs);
    this.#o.store.setU16(record, O.finalCode, 487);
    this.#end(slot, 'cancelled-by-peer', 'them', nowUs);
  }

  /** 13.3.1.4: no ACK in 64*T1 after the 2xx: the session is ended by BYE. */
  override onNoAck(slot: number, _tx: number, accepted: boolean, nowUs: number): void {
    if (!accepted || slot < 0 || this.#state[slot] !== ANSWERED) return;
    this.#bye(slot, nowUs);
    this.#end(slot, 'no-ack', 'timer', nowUs);
  }

  // The only request that a callee sends is the BYE after a missing ACK: its answer changes nothing.
  override onRetransmit(): void {
    this.#values[COUNTER_INDEX.retransmitsSent]!++;
  }
  override onStrayResponse(): void {
    this.#values[COUNTER_INDEX.strayMessages]!++;
  }
  override onRepeat(slot: number, status: number): void {
    if (slot >= 0 && status >= 200 && this.#state[slot] === ANSWERED) {
      this.#o.store.incU16(this.#record[slot]!, O.answerRetransmits);
    }
  }
  override onRequestAgain(slot: number, method: number): void {
    if (slot < 0 || this.#state[slot] === FREE) return;
    if (method === METHOD.INVITE) this.#o.store.incU16(this.#record[slot]!, O.inviteRetransmits);
  }

  #bye(slot: number, nowUs: number): void {
    if (this.#dialogs.bye(slot, -1, NO_ACK_REASON, nowUs) < 0) return;
    this.#values[COUNTER_INDEX.sipSent]!++;
    this.#o.store.setF64(this.#record[slot]!, O.byeMs, (nowUs - this.#o.t0Us) / 1000);
  }

  #slotOf(msg: SipMessage): number {
    const slot = slotOfTag(msg.bytes, msg.toTagOff, msg.toTagLen, this.#o.salt & 0xffff, this.#generation);
    return slot >= 0 && this.#state[slot] !== FREE && this.#dialogs.dialogs.isCallId(slot, msg) ? slot : -1;
  }

  /** Ends an INVITE transaction that still waits: a final error if none was sent, else no more 200s. */
  #forgetInvite(slot: number, status: number, nowUs: number): void {
    const tx = this.#tx[slot]!;
    if (tx < 0) return;
    if (this.stack.server.isProceeding(tx)) this.#respond(slot, status, false, nowUs);
    else this.stack.server.accepted(tx, nowUs);
    this.#releaseTx(slot);
  }

  /** The transaction lives on for its timers, but no longer speaks for this slot, which may get another call. */
  #releaseTx(slot: number): void {
    this.stack.server.setUser(this.#tx[slot]!, -1);
    this.#tx[slot] = -1;
  }

  #dropHead(slot: number): void {
    const head = this.#head[slot]!;
    if (head >= 0) this.#heads.drop(head);
    this.#head[slot] = -1;
  }

  #end(slot: number, outcome: Outcome, by: EndedBy, nowUs: number): void {
    const { store, media, t0Us } = this.#o;
    const record = this.#record[slot]!;
    const leg = this.#leg[slot]!;
    if (leg >= 0) {
      media!.stop(leg, nowUs);
      media!.close(leg);
      this.#leg[slot] = -1;
    }
    store.setF64(record, O.endedMs, (nowUs - t0Us) / 1000);
    store.setU8(record, O.outcome, OUTCOMES.indexOf(outcome));
    store.setU8(record, O.endedBy, ENDED_BY.indexOf(by));
    store.done(record);
    this.#timers.clear(slot);
    this.#dropHead(slot);
    this.#dialogs.dialogs.close(slot);
    this.#state[slot] = FREE;
    this.#pool.give(slot);
    this.#values[COUNTER_INDEX.calleeEnded]!++;
  }
}

const PLAIN_TAG = ascii('deadair');
const ALLOW = ascii(ALLOW_LINE);
const SDP_HEAD = ascii('Content-Type: application/sdp\r\nContent-Length: ');
const NO_ACK_REASON = ascii('Reason: SIP;cause=408;text="ACK timeout"\r\n');
