import { Counters } from '../../../agents/counters.js';
import { InDialog } from '../../../agents/sip/in-dialog.js';
import { H, METHOD } from '../../../agents/sip/names.js';
import type { SipMessage } from '../../../agents/sip/parse.js';
import { EMPTY_BODY, statusLine } from '../../../agents/sip/respond.js';
import { SdpView } from '../../../agents/sip/sdp.js';
import { SipStack } from '../../../agents/sip/stack.js';
import { slotOfTag } from '../../../agents/sip/tag.js';
import { writeBytes } from '../../../agents/sip/text.js';
import { IndexPool } from '../../../agents/sip/timers.js';
import { UriView } from '../../../agents/sip/uri.js';
import { QuietUser } from '../../../agents/sip/user.js';
import type { Wire } from '../../../agents/wire/types.js';
import {
  A,
  answerEmpty,
  B,
  type Call,
  callerOf,
  cdrOf,
  copyLines,
  ENDING,
  echoOf,
  FREE,
  newCall,
  newTag,
  quietUs,
  SETUP,
  SIGNALLED,
  type TrunkView,
  UP,
  writeBody,
  writeTrunkInvite,
} from './call.js';
import { MidCall } from './mid-call.js';
import { contactOf, type NodeOptions, REASON, TAG } from './node-options.js';
import { ThreadPool } from './threads.js';

/**
 * A PBX node: a back-to-back user agent (RFC 7092) between the edge and the trunks. Media goes through the relay. A call
 * whose audio stops is ended after rtpTimeoutMs, as Asterisk's rtp_timeout does. Every call leaves a CDR.
 */
export class PbxNode extends QuietUser {
  readonly threads: ThreadPool;
  readonly views: TrunkView[];
  rtpTimeoutTotal = 0;
  unanchoredTotal = 0;
  /** In-dialog requests for calls that this node does not know: answered 481. */
  strayTotal = 0;
  readonly #o: NodeOptions;
  readonly #stack: SipStack;
  readonly #pool: IndexPool;
  readonly #calls: Call[] = [];
  /** Per leg (call * 2 + leg), as slotOfTag wants it. */
  readonly #generation: Uint16Array;
  readonly #legs: InDialog;
  readonly #mid: MidCall;
  readonly #sdp = new SdpView();
  readonly #uri = new UriView();
  readonly #contact: Uint8Array;
  readonly #wire: Wire;
  #nowUs = 0;
  #nextSweepUs = 0;

  constructor(wire: Wire, options: NodeOptions) {
    super();
    this.#o = options;
    this.#wire = wire;
    const n = options.maxCalls;
    this.#pool = new IndexPool(n);
    this.#generation = new Uint16Array(n * 2);
    this.views = options.trunks.map(() => ({ calls: 0, attemptsTotal: 0, rejectedTotal: 0 }));
    // What a call's parties do within it goes out once more in the other leg, and is kept for 5 s (client) or 32 s (server).
    const room = Math.max(1024, n * 8);
    const limits = { clientTransactions: room, serverTransactions: room * 4, messages: room };
    this.#stack = new SipStack(this, new Counters(), limits, options.salt, wire.nowUs());
    this.threads = new ThreadPool(options.threads, options.inboxLimit, (bytes, off, len, srcIp, srcPort) =>
      this.#stack.receive(bytes, off, len, srcIp, srcPort, this.#nowUs),
    );
    this.#stack.port = wire.bind(options.ip, options.port, (bytes, off, len, srcIp, srcPort, nowUs) => {
      this.#nowUs = nowUs;
      if (options.isDeaf()) this.threads.droppedTotal++;
      else this.threads.receive(bytes, off, len, srcIp, srcPort);
    });
    this.#contact = contactOf(options);
    this.#legs = new InDialog(this.#stack, n * 2, options.salt & 0xffff);
    this.#mid = new MidCall(this.#stack, this.#legs, this.#contact);
  }

  get calls(): number {
    return this.#pool.used;
  }

  tick(nowUs: number): number {
    this.#nowUs = nowUs;
    const due = this.#stack.tick(nowUs);
    if (nowUs >= this.#nextSweepUs) {
      this.#nextSweepUs = nowUs + 500_000;
      this.#sweep(nowUs);
    }
    return Math.min(due, this.#pool.used > 0 ? this.#nextSweepUs : Number.POSITIVE_INFINITY);
  }

  /** Calls without audio (rtp_timeout): from the answer, or from the last packet of the side that went quiet. */
  #sweep(nowUs: number): void {
    for (let c = 0; c < this.#calls.length; c++) {
      const call = this.#calls[c];
      // A refused INVITE takes a number and leaves no call.
      if (call === undefined || call.state !== UP || quietUs(call, nowUs) < this.#o.rtpTimeoutMs * 1000) continue;
      this.rtpTimeoutTotal++;
      this.#bye(c, A, REASON.RTP_TIMEOUT);
      this.#bye(c, B, REASON.RTP_TIMEOUT);
      this.#finish(c, 200, null);
    }
  }

  onRequest(msg: SipMessage, tx: number, srcIp: number, srcPort: number, nowUs: number): void {
    if (msg.method === METHOD.INVITE && msg.toTagLen === 0) {
      this.#invite(msg, tx, srcIp, srcPort, nowUs);
      return;
    }
    if (msg.method === METHOD.OPTIONS && msg.toTagLen === 0) {
      this.#stack.reply(tx, 200, srcIp, srcPort, TAG, null, nowUs);
      return;
    }
    const leg = this.#legOf(msg.bytes, msg.toTagOff, msg.toTagLen);
    if (leg < 0) {
      this.strayTotal++;
      this.#stack.reply(tx, 481, srcIp, srcPort, TAG, null, nowUs);
      return;
    }
    const c = leg >> 1;
    const call = this.#calls[c]!;
    if (msg.method === METHOD.OPTIONS) {
      this.#stack.reply(tx, 200, srcIp, srcPort, null, null, nowUs);
      return;
    }
    if (msg.method !== METHOD.BYE) {
      this.#mid.onRequest(c, call, leg, msg, tx, srcIp, srcPort, nowUs);
      return;
    }
    if (call.state === ENDING) {
      this.#stack.reply(tx, 200, srcIp, srcPort, null, null, nowUs); // its commit is under way
      return;
    }
    if (call.aTx >= 0) this.#stack.server.accepted(call.aTx, nowUs); // its ACK was lost, and its BYE says as much
    // The 200 waits with the CDR when the thread does: keep what it has to repeat of the request.
    const kept = echoOf(msg, srcIp, srcPort, null);
    this.#finish(c, 200, () => {
      answerEmpty(this.#stack, tx, 200, kept, this.#nowUs);
      this.#bye(c, (leg & 1) === A ? B : A, null);
    });
  }

  #invite(msg: SipMessage, tx: number, srcIp: number, srcPort: number, nowUs: number): void {
    const o = this.#o;
    const c = this.#pool.take();
    if (c < 0) {
      this.#stack.reply(tx, 503, srcIp, srcPort, TAG, null, nowUs);
      return;
    }
    const tag = this.#tag(c * 2 + A);
    this.#stack.reply(tx, 100, srcIp, srcPort, null, null, nowUs);
    const hasUri = this.#uri.parse(msg.bytes, msg.uriOff, msg.uriLen);
    const user = msg.text(this.#uri.userOff, this.#uri.userLen);
    const caller = callerOf(msg, this.#uri);
    const full = !o.caps.take(caller.site);
    const relay = full ? null : o.relay.allocate();
    const refused = relay === null && o.onExhausted === 'reject';
    if (full || refused || !hasUri || !this.#legs.dialogs.openAsCallee(c * 2 + A, msg, tag)) {
      if (!full) o.caps.give(caller.site);
      relay?.release();
      this.#pool.give(c);
      const [status, reason] = full ? [486, REASON.TENANT_FULL] : refused ? [503, REASON.NO_RESOURCE] : [400, null];
      this.#stack.reply(tx, status, srcIp, srcPort, tag, reason, nowUs);
      return;
    }
    const call = newCall(msg, tx, echoOf(msg, srcIp, srcPort, tag), user, caller, relay, nowUs);
    this.#calls[c] = call;
    this.#stack.server.setUser(tx, c);
    if (relay === null) this.unanchoredTotal++;
    else if (this.#sdp.read(msg.bytes, msg.bodyOff, msg.bodyLen)) relay.setRemote(A, this.#sdp.ip, this.#sdp.port);
    o.pacer.submit(nowUs, () => this.#dial(c, call));
  }

  /** INVITE to the call's current trunk. */
  #dial(c: number, call: Call): void {
    if (call.state !== SETUP || call.cancelled) return;
    const o = this.#o;
    const trunk = o.trunks[call.trunk]!;
    const tx = this.#stack.client.open(c, METHOD.INVITE);
    if (tx < 0) {
      this.#fail(c, 503, null);
      return;
    }
    call.bTx = tx;
    call.bCseq = call.trunk + 1;
    this.#legs.use(tx);
    this.views[call.trunk]!.attemptsTotal++;
    const { port } = this.#stack;
    const at = port.slot();
    const tag = this.#tag(c * 2 + B);
    const p = writeTrunkInvite(call, o, trunk, tag, this.#legs.branch, this.#contact, port.tx, at);
    if (!this.#stack.client.send(tx, at, p - at, trunk.ip, trunk.port, this.#nowUs)) this.#fail(c, 503, null);
  }

  override onResponse(c: number, tx: number, msg: SipMessage, nowUs: number): void {
    if (this.#mid.onResponse(tx, msg, nowUs)) return;
    const call = this.#calls[c];
    if (call === undefined || msg.method !== METHOD.INVITE || tx !== call.bTx) return;
    const { status } = msg;
    if (status < 200) {
      if (call.cancelled) this.#stack.client.cancel(tx, nowUs);
      else if (status > 100) {
        // A reliable one makes an early dialog, for the PRACK that will be passed on (RFC 3262).
        if (msg.find(H.RSEQ) >= 0) this.#openB(c, msg);
        this.#respond(call, status, copyLines(msg, SIGNALLED), false);
      }
      return;
    }
    call.bTx = -1;
    if (status >= 300) {
      this.#rejected(c, call, msg, status);
      return;
    }
    if (!this.#openB(c, msg)) {
      this.#fail(c, 503, null);
      return;
    }
    this.#legs.ack(c * 2 + B, msg.cseq);
    call.bUp = true;
    if (call.state !== SETUP || call.cancelled) {
      this.#bye(c, B, null);
      this.#release(c);
      return;
    }
    call.state = UP;
    call.answerUs = nowUs;
    call.speaksSinceUs = [nowUs, nowUs];
    this.views[call.trunk]!.calls++;
    if (this.#sdp.read(msg.bytes, msg.bodyOff, msg.bodyLen)) call.relay?.setRemote(B, this.#sdp.ip, this.#sdp.port);
    if (call.relay === null) call.offer = msg.bytes.slice(msg.bodyOff, msg.bodyOff + msg.bodyLen);
    this.#respond(call, 200, copyLines(msg, SIGNALLED), true);
  }

  /** The dialog with the called party. An early one's requests counted on (RFC 3261 12.2.1.1). */
  #openB(c: number, msg: SipMessage): boolean {
    const leg = c * 2 + B;
    const { dialogs } = this.#legs;
    const known = dialogs.matches(leg, msg) ? dialogs.localCseq(leg) : 0;
    if (!dialogs.openAsCaller(leg, msg, Math.max(msg.cseq, known))) return false;
    const trunk = this.#o.trunks[this.#calls[c]!.trunk]!;
    if (dialogs.hopIp(leg) < 0) dialogs.setHop(leg, trunk.ip, trunk.port);
    return true;
  }

  #rejected(c: number, call: Call, msg: SipMessage, status: number): void {
    if (call.cancelled) {
      this.#release(c);
      return;
    }
    if (status === 503) {
      this.views[call.trunk]!.rejectedTotal++;
      if (call.trunk + 1 < this.#o.trunks.length) {
        call.trunk++;
        this.#o.pacer.submit(this.#nowUs, () => this.#dial(c, call));
        return;
      }
    }
    this.#fail(c, status, copyLines(msg, SIGNALLED));
  }

  #respond(call: Call, status: number, extra: Uint8Array | null, withSdp: boolean): void {
    if (call.aTx < 0) return;
    const { port } = this.#stack;
    const at = port.slot();
    let p = writeBytes(port.tx, at, statusLine(status));
    p = writeBytes(port.tx, p, call.head);
    if (status < 300) p = writeBytes(port.tx, p, this.#contact);
    if (extra !== null) p = writeBytes(port.tx, p, extra);
    p = withSdp ? writeBody(call, A, port.tx, p) : writeBytes(port.tx, p, EMPTY_BODY);
    this.#stack.server.send(call.aTx, status, at, p - at, this.#nowUs);
  }

  /** The call cannot be set up. */
  #fail(c: number, status: number, reason: Uint8Array | null): void {
    const call = this.#calls[c]!;
    this.#respond(call, status, reason, false);
    this.#finish(c, status, null);
  }

  override onAck(msg: SipMessage, nowUs: number): void {
    const leg = this.#legOf(msg.bytes, msg.toTagOff, msg.toTagLen);
    if (leg < 0) return;
    const call = this.#calls[leg >> 1]!;
    if (this.#mid.onAck(call, leg, msg, nowUs) || call.aTx < 0) return;
    this.#stack.server.accepted(call.aTx, nowUs);
    this.#forgetTx(call);
  }

  override onCancel(c: number, _tx: number, _msg: SipMessage, nowUs: number): void {
    const call = c < 0 ? undefined : this.#calls[c];
    if (call === undefined || call.state !== SETUP || call.cancelled) return;
    call.cancelled = true;
    this.#respond(call, 487, null, false);
    this.#forgetTx(call);
    if (call.bTx < 0) this.#release(c);
    else this.#stack.client.cancel(call.bTx, nowUs); // if too early, with its first provisional response
  }

  /** The subscriber never acknowledged our 200 (RFC 3261 13.3.1.4). */
  override onNoAck(c: number, _tx: number, accepted: boolean): void {
    const call = c < 0 ? undefined : this.#calls[c];
    if (!accepted || call === undefined || call.state !== UP) return;
    call.aTx = -1;
    this.#bye(c, A, null);
    this.#bye(c, B, null);
    this.#finish(c, 200, null);
  }

  override onTimeout(c: number, tx: number, method: number, nowUs: number): void {
    if (this.#mid.onTimeout(tx, nowUs)) return;
    const call = c < 0 ? undefined : this.#calls[c];
    if (call === undefined || method !== METHOD.INVITE || call.bTx !== tx) return;
    call.bTx = -1;
    if (call.cancelled) this.#release(c);
    else this.#fail(c, 408, null);
  }

  override onStrayResponse(msg: SipMessage): void {
    const leg = this.#legOf(msg.bytes, msg.fromTagOff, msg.fromTagLen);
    if (leg >= 0 && msg.method === METHOD.INVITE && msg.status >= 200 && msg.status < 300) {
      this.#legs.ack(leg, msg.cseq); // the 200 came again: our ACK was lost
    }
  }
  #bye(c: number, leg: 0 | 1, reason: Uint8Array | null): void {
    if (leg === A || this.#calls[c]!.bUp) this.#legs.bye(c * 2 + leg, -1, reason, this.#nowUs);
  }

  /** Writes the CDR. In line: this thread waits for the commit, and only then goes on with `then` and frees the call. */
  #finish(c: number, code: number, then: (() => void) | null): void {
    const o = this.#o;
    const call = this.#calls[c]!;
    if (call.state === UP) this.views[call.trunk]!.calls--;
    call.state = ENDING;
    const row = cdrOf(call, o, code, this.#nowUs);
    const release = (): void => {
      then?.();
      this.#release(c);
    };
    if (!o.cdrInline) {
      o.cdr.write(row, () => undefined);
      release();
      return;
    }
    this.threads.occupy();
    o.cdr.write(row, () => {
      this.#nowUs = this.#wire.nowUs();
      release();
      this.threads.release();
    });
  }

  /** Its process is gone without a word to anybody: what comes of it later finds no call, and a closed port. */
  abandon(): void {
    this.threads.block();
    for (let c = 0; c < this.#calls.length; c++) if (this.#calls[c] !== undefined) this.#release(c);
  }

  #release(c: number): void {
    const call = this.#calls[c]!;
    if (call.state === FREE) return;
    this.#mid.end(call, c, this.#nowUs);
    if (call.aTx >= 0) this.#forgetTx(call);
    call.relay?.release();
    call.relay = null;
    this.#o.caps.give(call.tenant);
    call.state = FREE;
    this.#legs.dialogs.close(c * 2);
    this.#legs.dialogs.close(c * 2 + 1);
    this.#generation[c * 2]!++;
    this.#generation[c * 2 + 1]!++;
    this.#pool.give(c);
  }

  /** The INVITE's transaction goes on without us. */
  #forgetTx(call: Call): void {
    this.#stack.server.setUser(call.aTx, -1);
    call.aTx = -1;
  }

  #tag(leg: number): Uint8Array {
    return newTag(leg, this.#generation[leg]!, this.#o.salt);
  }

  #legOf(bytes: Uint8Array, off: number, len: number): number {
    const leg = slotOfTag(bytes, off, len, this.#o.salt & 0xffff, this.#generation);
    return leg >= 0 && this.#calls[leg >> 1] !== undefined && this.#calls[leg >> 1]!.state !== FREE ? leg : -1;
  }
}
