import { Counters } from '../../../agents/counters.js';
import { DialogStore } from '../../../agents/sip/dialog.js';
import { H, METHOD } from '../../../agents/sip/names.js';
import type { SipMessage } from '../../../agents/sip/parse.js';
import { EMPTY_BODY, statusLine, writeEcho } from '../../../agents/sip/respond.js';
import { SdpView, sdpLength, writeSdp } from '../../../agents/sip/sdp.js';
import { SipStack, type TransactionUser } from '../../../agents/sip/stack.js';
import { slotOfTag, TAG_LENGTH, writeTag } from '../../../agents/sip/tag.js';
import { ascii, writeBytes, writeRange, writeUint } from '../../../agents/sip/text.js';
import { IndexPool } from '../../../agents/sip/timers.js';
import { UriView } from '../../../agents/sip/uri.js';
import { ipToString, type Wire } from '../../../agents/wire/types.js';
import type { NodeConfig } from '../../plan/types.js';
import type { CdrStore } from './cdr.js';
import type { MediaRelay, RelaySession } from './relay.js';
import { type Pacer, ThreadPool } from './threads.js';

export interface NodeOptions extends NodeConfig {
  /** 1, 2, ... */
  number: number;
  ip: number;
  port: number;
  maxCalls: number;
  trunks: readonly { ip: number; port: number }[];
  relay: MediaRelay;
  onExhausted: 'reject' | 'relay-anyway';
  cdr: CdrStore;
  cdrInline: boolean;
  pacer: Pacer;
  salt: number;
  t0Us: number;
}

/** What the node knows of its trunks: the platform's own view of the carrier. */
export interface TrunkView {
  calls: number;
  attemptsTotal: number;
  rejectedTotal: number;
}

/** The two legs of a call: A is the subscriber's, B goes to the trunk. Dialog and tag number = call * 2 + leg. */
const A = 0;
const B = 1;

const FREE = 0;
const SETUP = 1;
const UP = 2;
const ENDING = 3;

interface Call {
  state: number;
  /** Server transaction of the INVITE while it has no final answer; -1 after. */
  aTx: number;
  bTx: number;
  trunk: number;
  head: Uint8Array;
  offer: Uint8Array;
  user: string;
  callId: string;
  relay: RelaySession | null;
  startUs: number;
  answerUs: number;
  cancelled: boolean;
  /** B's side was answered: it wants a BYE. */
  bUp: boolean;
  bCseq: number;
}

const RTP_TIMEOUT = ascii('Reason: Q.850;cause=44;text="RTP timeout"\r\n');
const NO_RESOURCE = ascii('Reason: Q.850;cause=47;text="Resource unavailable"\r\n');
const TAG = ascii('pbx');
const SDP_HEAD = ascii('Content-Type: application/sdp\r\nContent-Length: ');

/**
 * A PBX node: a back-to-back user agent (RFC 7092) between the edge and the trunks. Media goes through the relay. A call
 * whose audio stops is ended after rtpTimeoutMs, as Asterisk's rtp_timeout does. Every call leaves a CDR.
 */
export class PbxNode implements TransactionUser {
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
  readonly #dialogs: DialogStore;
  readonly #sdp = new SdpView();
  readonly #uri = new UriView();
  readonly #contact: Uint8Array;
  readonly #branch: (to: Uint8Array, at: number) => number;
  #branchTx = 0;
  #ackSerial = 0;
  #nowUs = 0;
  #nextSweepUs = 0;

  readonly #wire: Wire;

  constructor(wire: Wire, options: NodeOptions) {
    this.#o = options;
    this.#wire = wire;
    const n = options.maxCalls;
    this.#pool = new IndexPool(n);
    this.#generation = new Uint16Array(n * 2);
    this.#dialogs = new DialogStore(n * 2);
    this.views = options.trunks.map(() => ({ calls: 0, attemptsTotal: 0, rejectedTotal: 0 }));
    const limits = { clientTransactions: n * 4, serverTransactions: n * 8, messages: n * 4 };
    this.#stack = new SipStack(this, new Counters(), limits, options.salt, wire.nowUs());
    this.threads = new ThreadPool(options.threads, options.inboxLimit, (bytes, off, len, srcIp, srcPort) =>
      this.#stack.receive(bytes, off, len, srcIp, srcPort, this.#nowUs),
    );
    this.#stack.port = wire.bind(options.ip, options.port, (bytes, off, len, srcIp, srcPort, nowUs) => {
      this.#nowUs = nowUs;
      this.threads.receive(bytes, off, len, srcIp, srcPort);
    });
    this.#contact = ascii(`Contact: <sip:pbx@${ipToString(options.ip)}:${options.port}>\r\nServer: embedded-pbx\r\n`);
    this.#branch = (to, at) => this.#stack.client.writeBranch(this.#branchTx, to, at);
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
    const limitUs = this.#o.rtpTimeoutMs * 1000;
    for (let c = 0; c < this.#calls.length; c++) {
      const call = this.#calls[c]!;
      if (call.state !== UP || call.relay === null || limitUs <= 0) continue;
      const quiet = (side: 0 | 1): number => {
        const last = call.relay!.lastRtpUs(side);
        return nowUs - (Number.isNaN(last) ? call.answerUs : last);
      };
      if (quiet(A) < limitUs && quiet(B) < limitUs) continue;
      this.rtpTimeoutTotal++;
      this.#bye(c, A, RTP_TIMEOUT);
      this.#bye(c, B, RTP_TIMEOUT);
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
    if (msg.method !== METHOD.BYE) {
      this.#stack.reply(tx, msg.method === METHOD.OPTIONS ? 200 : 488, srcIp, srcPort, null, null, nowUs);
      return;
    }
    const c = leg >> 1;
    const call = this.#calls[c]!;
    if (call.state === ENDING) {
      this.#stack.reply(tx, 200, srcIp, srcPort, null, null, nowUs); // its commit is under way
      return;
    }
    // The 200 waits with the CDR when the thread does: keep what it has to repeat of the request.
    const echo = new Uint8Array(2048);
    const length = writeEcho(msg, srcIp, srcPort, null, echo, 0);
    this.#finish(c, 200, () => {
      const { port } = this.#stack;
      const at = port.slot();
      let p = writeBytes(port.tx, at, statusLine(200));
      p = writeRange(port.tx, p, echo, 0, length);
      p = writeBytes(port.tx, p, EMPTY_BODY);
      this.#stack.server.send(tx, 200, at, p - at, this.#nowUs);
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
    const tag = this.#newTag(c * 2 + A);
    this.#newTag(c * 2 + B);
    this.#stack.reply(tx, 100, srcIp, srcPort, null, null, nowUs);
    const relay = o.relay.allocate();
    const hasUri = this.#uri.parse(msg.bytes, msg.uriOff, msg.uriLen);
    const refused = relay === null && o.onExhausted === 'reject';
    if (refused || !hasUri || !this.#dialogs.openAsCallee(c * 2 + A, msg, tag)) {
      relay?.release();
      this.#pool.give(c);
      this.#stack.reply(tx, refused ? 503 : 400, srcIp, srcPort, tag, refused ? NO_RESOURCE : null, nowUs);
      return;
    }
    const echo = new Uint8Array(2048);
    const call: Call = {
      state: SETUP,
      aTx: tx,
      bTx: -1,
      trunk: 0,
      head: echo.slice(0, writeEcho(msg, srcIp, srcPort, tag, echo, 0)),
      offer: msg.bytes.slice(msg.bodyOff, msg.bodyOff + msg.bodyLen),
      user: msg.text(this.#uri.userOff, this.#uri.userLen),
      callId: msg.text(msg.callIdOff, msg.callIdLen),
      relay,
      startUs: nowUs,
      answerUs: Number.NaN,
      cancelled: false,
      bUp: false,
      bCseq: 1,
    };
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
    this.#branchTx = tx;
    this.views[call.trunk]!.attemptsTotal++;
    const { port } = this.#stack;
    const host = `${ipToString(o.ip)}:${o.port}`;
    const target = `${ipToString(trunk.ip)}:${trunk.port}`;
    const tag = new Uint8Array(TAG_LENGTH);
    writeTag(tag, 0, c * 2 + B, this.#generation[c * 2 + B]!, o.salt & 0xffff);
    const at = port.slot();
    const to = port.tx;
    let p = writeBytes(to, at, ascii(`INVITE sip:${call.user}@${target} SIP/2.0\r\nVia: SIP/2.0/UDP ${host};rport;branch=`));
    p = this.#branch(to, p);
    const headers =
      `\r\nMax-Forwards: 69\r\nFrom: <sip:pbx@${host}>;tag=${Buffer.from(tag).toString('latin1')}\r\n` +
      `To: <sip:${call.user}@${target}>\r\nCall-ID: b2b-${call.callId}\r\nCSeq: ${call.bCseq} INVITE\r\n`;
    p = writeBytes(to, p, ascii(headers));
    p = writeBytes(to, p, this.#contact);
    p = this.#writeBody(call, B, to, p);
    if (!this.#stack.client.send(tx, at, p - at, trunk.ip, trunk.port, this.#nowUs)) this.#fail(c, 503, null);
  }

  /** SDP towards a leg: the relay's address; without a relay the other party's SDP as it came. */
  #writeBody(call: Call, leg: 0 | 1, to: Uint8Array, at: number): number {
    const { relay } = call;
    const length = relay === null ? call.offer.length : sdpLength(relay.relay.ip, relay.port(leg), 1);
    let p = writeBytes(to, at, SDP_HEAD);
    p = writeUint(to, p, length);
    p = writeBytes(to, p, CRLF2);
    if (relay === null) return writeBytes(to, p, call.offer);
    return writeSdp(to, p, relay.relay.ip, relay.port(leg), 1);
  }

  onResponse(c: number, tx: number, msg: SipMessage, nowUs: number): void {
    const call = this.#calls[c];
    if (call === undefined || msg.method !== METHOD.INVITE || tx !== call.bTx) return;
    const { status } = msg;
    if (status < 200) {
      if (call.cancelled) this.#stack.client.cancel(tx, nowUs);
      else if (status > 100) this.#respond(call, status, null, false);
      return;
    }
    call.bTx = -1;
    if (status >= 300) {
      this.#rejected(c, call, msg, status);
      return;
    }
    if (!this.#dialogs.openAsCaller(c * 2 + B, msg, msg.cseq)) {
      this.#fail(c, 503, null);
      return;
    }
    const trunk = this.#o.trunks[call.trunk]!;
    if (this.#dialogs.hopIp(c * 2 + B) < 0) this.#dialogs.setHop(c * 2 + B, trunk.ip, trunk.port);
    this.#ack(c, msg.cseq);
    call.bUp = true;
    if (call.state !== SETUP || call.cancelled) {
      this.#bye(c, B, null);
      this.#release(c);
      return;
    }
    call.state = UP;
    call.answerUs = nowUs;
    this.views[call.trunk]!.calls++;
    if (this.#sdp.read(msg.bytes, msg.bodyOff, msg.bodyLen)) call.relay?.setRemote(B, this.#sdp.ip, this.#sdp.port);
    if (call.relay === null) call.offer = msg.bytes.slice(msg.bodyOff, msg.bodyOff + msg.bodyLen);
    this.#respond(call, 200, null, true);
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
    const i = msg.find(H.REASON);
    const reason = i < 0 ? null : msg.bytes.slice(msg.nameOff[i]!, msg.lineEnd[i]!);
    this.#fail(c, status, reason);
  }

  #respond(call: Call, status: number, extra: Uint8Array | null, withSdp: boolean): void {
    if (call.aTx < 0) return;
    const { port } = this.#stack;
    const at = port.slot();
    let p = writeBytes(port.tx, at, statusLine(status));
    p = writeBytes(port.tx, p, call.head);
    if (status < 300) p = writeBytes(port.tx, p, this.#contact);
    if (extra !== null) p = writeBytes(port.tx, p, extra);
    p = withSdp ? this.#writeBody(call, A, port.tx, p) : writeBytes(port.tx, p, EMPTY_BODY);
    this.#stack.server.send(call.aTx, status, at, p - at, this.#nowUs);
  }

  /** The call cannot be set up. */
  #fail(c: number, status: number, reason: Uint8Array | null): void {
    const call = this.#calls[c]!;
    this.#respond(call, status, reason, false);
    this.#finish(c, status, null);
  }

  onAck(msg: SipMessage, nowUs: number): void {
    const leg = this.#legOf(msg.bytes, msg.toTagOff, msg.toTagLen);
    if (leg < 0) return;
    const call = this.#calls[leg >> 1]!;
    if (call.aTx < 0) return;
    this.#stack.server.accepted(call.aTx, nowUs);
    this.#forgetTx(call);
  }

  onCancel(c: number, _tx: number, _msg: SipMessage, nowUs: number): void {
    const call = c < 0 ? undefined : this.#calls[c];
    if (call === undefined || call.state !== SETUP || call.cancelled) return;
    call.cancelled = true;
    this.#respond(call, 487, null, false);
    this.#forgetTx(call);
    if (call.bTx < 0) this.#release(c);
    else this.#stack.client.cancel(call.bTx, nowUs); // if too early, with its first provisional response
  }

  /** The subscriber never acknowledged our 200 (RFC 3261 13.3.1.4). */
  onNoAck(c: number, _tx: number, accepted: boolean): void {
    const call = c < 0 ? undefined : this.#calls[c];
    if (!accepted || call === undefined || call.state !== UP) return;
    call.aTx = -1;
    this.#bye(c, A, null);
    this.#bye(c, B, null);
    this.#finish(c, 200, null);
  }

  onTimeout(c: number, tx: number, method: number): void {
    const call = c < 0 ? undefined : this.#calls[c];
    if (call === undefined || method !== METHOD.INVITE || call.bTx !== tx) return;
    call.bTx = -1;
    if (call.cancelled) this.#release(c);
    else this.#fail(c, 408, null);
  }

  onStrayResponse(msg: SipMessage): void {
    const leg = this.#legOf(msg.bytes, msg.fromTagOff, msg.fromTagLen);
    if (leg >= 0 && (leg & 1) === B && msg.method === METHOD.INVITE && msg.status >= 200 && msg.status < 300) {
      this.#ack(leg >> 1, msg.cseq); // the 200 came again: our ACK was lost
    }
  }
  onRetransmit(): void {
    // The stack's own counter is enough for the platform.
  }
  onRepeat(): void {
    // As above.
  }
  onRequestAgain(): void {
    // As above.
  }

  #ack(c: number, cseq: number): void {
    const leg = c * 2 + B;
    const { port } = this.#stack;
    const at = port.slot();
    const serial = ++this.#ackSerial;
    const branch = (to: Uint8Array, p: number): number => writeBytes(to, p, ascii(`z9hG4bKb2back${serial}`));
    const end = this.#dialogs.writeRequest(leg, METHOD.ACK, cseq, port.ip, port.port, branch, null, port.tx, at);
    port.commit(end - at, this.#dialogs.hopIp(leg), this.#dialogs.hopPort(leg));
  }

  #bye(c: number, leg: 0 | 1, reason: Uint8Array | null): void {
    if (leg === B && !this.#calls[c]!.bUp) return;
    const tx = this.#stack.client.open(-1, METHOD.BYE);
    if (tx < 0) return;
    this.#branchTx = tx;
    const d = c * 2 + leg;
    const { port } = this.#stack;
    const at = port.slot();
    const cseq = this.#dialogs.nextCseq(d);
    const end = this.#dialogs.writeRequest(d, METHOD.BYE, cseq, port.ip, port.port, this.#branch, reason, port.tx, at);
    const hop = this.#dialogs.hopIp(d);
    if (!this.#stack.client.send(tx, at, end - at, hop, this.#dialogs.hopPort(d), this.#nowUs)) {
      this.#stack.client.drop(tx);
    }
  }

  /** Writes the CDR. In line: this thread waits for the commit, and only then goes on with `then` and frees the call. */
  #finish(c: number, code: number, then: (() => void) | null): void {
    const o = this.#o;
    const call = this.#calls[c]!;
    if (call.state === UP) this.views[call.trunk]!.calls--;
    call.state = ENDING;
    const { t0Us } = o;
    const row = {
      callId: call.callId,
      node: o.number,
      from: 'deadair',
      to: call.user,
      startMs: (call.startUs - t0Us) / 1000,
      answeredMs: (call.answerUs - t0Us) / 1000,
      endedMs: (this.#nowUs - t0Us) / 1000,
      code,
    };
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

  #release(c: number): void {
    const call = this.#calls[c]!;
    if (call.state === FREE) return;
    if (call.aTx >= 0) this.#forgetTx(call);
    call.relay?.release();
    call.relay = null;
    call.state = FREE;
    this.#dialogs.close(c * 2);
    this.#dialogs.close(c * 2 + 1);
    this.#generation[c * 2]!++;
    this.#generation[c * 2 + 1]!++;
    this.#pool.give(c);
  }

  /** The INVITE's transaction goes on without us. */
  #forgetTx(call: Call): void {
    this.#stack.server.setUser(call.aTx, -1);
    call.aTx = -1;
  }

  #newTag(leg: number): Uint8Array {
    this.#generation[leg]!++;
    const tag = new Uint8Array(TAG_LENGTH);
    writeTag(tag, 0, leg, this.#generation[leg]!, this.#o.salt & 0xffff);
    return tag;
  }

  #legOf(bytes: Uint8Array, off: number, len: number): number {
    const leg = slotOfTag(bytes, off, len, this.#o.salt & 0xffff, this.#generation);
    return leg >= 0 && this.#calls[leg >> 1] !== undefined && this.#calls[leg >> 1]!.state !== FREE ? leg : -1;
  }
}

const CRLF2 = ascii('\r\n\r\n');
