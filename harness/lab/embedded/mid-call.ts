import type { InDialog } from '../../../agents/sip/in-dialog.js';
import { H, METHOD } from '../../../agents/sip/names.js';
import type { SipMessage } from '../../../agents/sip/parse.js';
import { EMPTY_BODY, statusLine } from '../../../agents/sip/respond.js';
import { DIRECTION, reversed, SdpView } from '../../../agents/sip/sdp.js';
import type { SipStack } from '../../../agents/sip/stack.js';
import { ascii, writeBytes, writeUint } from '../../../agents/sip/text.js';
import { answerEmpty, type Call, copyLines, echoOf, SETUP, SIGNALLED, UP, writeBody, writePlain } from './call.js';

const RACK = ascii('RAck: ');
const RACK_END = ascii(' INVITE\r\n');

/** A request that came in one leg and went out in the other. */
interface Relayed {
  call: Call;
  /** Dialog that it came in; its peer is the other leg of the call. */
  leg: number;
  method: number;
  serverTx: number;
  echo: Uint8Array;
  /** Of the offer that it had, as DIRECTION of its sender; -1: it had none. */
  offered: number;
}

/** A re-INVITE that we answered 2xx and that waits for its ACK; `lateAck`: the other leg's CSeq, when its ACK waits too. */
interface Unacknowledged {
  tx: number;
  cseq: number;
  lateAck: number;
}

/**
 * What a node does with requests in the middle of a call: it passes them on to the other leg (RFC 7092 3.2.3), re-INVITE,
 * UPDATE, PRACK, REFER, NOTIFY and INFO alike, and their answers back; SDPs get the relay's address. So it is the parties
 * who hold, refresh and transfer, not the node.
 */
export class MidCall {
  readonly #relayed = new Map<number, Relayed>();
  readonly #unacknowledged = new Map<number, Unacknowledged>();
  readonly #sdp = new SdpView();

  constructor(
    private readonly stack: SipStack,
    private readonly legs: InDialog,
    private readonly contact: Uint8Array,
  ) {}

  /** A request other than BYE and OPTIONS in leg `leg` of a call. */
  onRequest(
    c: number,
    call: Call,
    leg: number,
    msg: SipMessage,
    tx: number,
    ip: number,
    port: number,
    nowUs: number,
  ): void {
    const { stack, legs } = this;
    const { method } = msg;
    const known = [METHOD.INVITE, METHOD.UPDATE, METHOD.PRACK, METHOD.REFER, METHOD.NOTIFY, METHOD.INFO].includes(
      method,
    );
    const offers = method === METHOD.INVITE || method === METHOD.UPDATE;
    const early = call.state === SETUP && method === METHOD.PRACK;
    let status = 0;
    if (!known) status = 501;
    else if (!legs.dialogs.acceptCseq(leg, msg.cseq)) status = 500;
    else if (call.state !== UP && !early) status = offers ? 491 : 481;
    else if (offers && [...this.#relayed.values()].some((r) => r.call === call && r.offered !== NO_OFFER)) status = 491;
    if (status > 0) {
      stack.reply(tx, status, ip, port, null, null, nowUs);
      return;
    }
    if (method === METHOD.INVITE) stack.reply(tx, 100, ip, port, null, null, nowUs);
    legs.dialogs.retarget(leg, msg);
    const other = leg ^ 1;
    const end = legs.begin(other, c, method);
    if (end < 0) {
      stack.reply(tx, 503, ip, port, null, null, nowUs);
      return;
    }
    const to = stack.port.tx;
    let p = writeBytes(to, writeBytes(to, end, this.contact), copyLines(msg, SIGNALLED));
    if (method === METHOD.PRACK) p = this.#writeRack(call, msg, to, p);
    const offered = this.#describe(call, leg, msg);
    p = this.#writeBody(call, other, msg, offered, to, p);
    const clientTx = legs.send(p, nowUs);
    if (clientTx < 0) {
      stack.reply(tx, 503, ip, port, null, null, nowUs);
      return;
    }
    const echo = echoOf(msg, ip, port, null);
    stack.server.setUser(tx, c);
    const what = offers ? offered : NO_OFFER;
    this.#relayed.set(clientTx, { call, leg, method, serverTx: tx, echo, offered: what });
  }

  /** True when the transaction is one of a request that was passed on. */
  onResponse(tx: number, msg: SipMessage, nowUs: number): boolean {
    const relayed = this.#relayed.get(tx);
    if (relayed === undefined) return false;
    const { status } = msg;
    if (status < 200) return true;
    this.#relayed.delete(tx);
    const { call, leg, method } = relayed;
    const other = leg ^ 1;
    if (status < 300) this.legs.dialogs.retarget(other, msg);
    const answered = status < 300 ? this.#describe(call, other, msg) : ABSENT;
    if (status < 300 && method === METHOD.INVITE) {
      const { cseq } = msg;
      const late = relayed.offered === ABSENT;
      // Without an offer in the re-INVITE, the answer comes with the ACK, so that has to wait for theirs.
      if (!late) this.legs.ack(other, cseq);
      const theirs = { tx: relayed.serverTx, cseq: cseqOf(relayed.echo), lateAck: late ? cseq : -1 };
      this.#unacknowledged.set(leg, theirs);
    }
    if (answered >= 0 && relayed.offered >= 0) agree(call, leg & 1, relayed.offered & reversed(answered), nowUs);
    const to = this.stack.port.tx;
    const at = this.stack.port.slot();
    let p = writeBytes(to, writeBytes(to, at, statusLine(status)), relayed.echo);
    if (status < 300) p = writeBytes(to, p, this.contact);
    p = writeBytes(to, p, copyLines(msg, SIGNALLED));
    p = this.#writeBody(call, leg, msg, answered, to, p);
    this.stack.server.send(relayed.serverTx, status, at, p - at, nowUs);
    return true;
  }

  onTimeout(tx: number, nowUs: number): boolean {
    const relayed = this.#relayed.get(tx);
    if (relayed === undefined) return false;
    this.#relayed.delete(tx);
    this.#refuse(relayed, 408, nowUs);
    return true;
  }

  /** True when it acknowledges a re-INVITE that was passed on. */
  onAck(call: Call, leg: number, msg: SipMessage, nowUs: number): boolean {
    const waiting = this.#unacknowledged.get(leg);
    if (waiting === undefined || waiting.cseq !== msg.cseq) return false;
    this.#acknowledged(leg, waiting);
    if (waiting.lateAck >= 0) {
      const answered = this.#describe(call, leg, msg);
      const to = new Uint8Array(2048);
      const body = to.slice(0, this.#writeBody(call, leg ^ 1, msg, answered, to, 0));
      this.legs.ack(leg ^ 1, waiting.lateAck, null, body);
      if (answered >= 0) agree(call, leg & 1, answered, nowUs);
    }
    return true;
  }

  /** The call is over: nothing of it is left to be answered. */
  end(call: Call, c: number, nowUs: number): void {
    for (const [tx, relayed] of this.#relayed) {
      if (relayed.call !== call) continue;
      this.#relayed.delete(tx);
      this.stack.client.setUser(tx, -1);
      this.#refuse(relayed, relayed.method === METHOD.INVITE ? 487 : 481, nowUs);
    }
    for (const leg of [c * 2, c * 2 + 1]) {
      const waiting = this.#unacknowledged.get(leg);
      if (waiting !== undefined) this.#acknowledged(leg, waiting);
    }
  }

  #acknowledged(leg: number, waiting: Unacknowledged): void {
    this.#unacknowledged.delete(leg);
    this.stack.server.accepted(waiting.tx, 0);
    this.stack.server.setUser(waiting.tx, -1);
  }

  #refuse(relayed: Relayed, status: number, nowUs: number): void {
    answerEmpty(this.stack, relayed.serverTx, status, relayed.echo, nowUs);
    this.stack.server.setUser(relayed.serverTx, -1);
  }

  /** What a message's SDP says, for the relay; its direction, or ABSENT. */
  #describe(call: Call, leg: number, msg: SipMessage): number {
    if (msg.bodyLen === 0 || !this.#sdp.read(msg.bytes, msg.bodyOff, msg.bodyLen)) return ABSENT;
    call.relay?.setRemote(leg & 1 ? 1 : 0, this.#sdp.ip, this.#sdp.port);
    return this.#sdp.direction;
  }

  #writeBody(call: Call, leg: number, msg: SipMessage, direction: number, to: Uint8Array, at: number): number {
    if (msg.bodyLen === 0) return writeBytes(to, at, EMPTY_BODY);
    if (direction < 0 || call.relay === null) return writePlain(msg, to, at);
    call.version++;
    return writeBody(call, leg & 1 ? 1 : 0, to, at, direction);
  }

  /** RAck names the INVITE's CSeq, which is another one on each leg (RFC 3262 7.2). */
  #writeRack(call: Call, msg: SipMessage, to: Uint8Array, at: number): number {
    const rseq = msg.numberOf(H.RACK);
    const p = writeUint(to, writeBytes(to, at, RACK), Math.max(0, rseq));
    to[p] = 32;
    return writeBytes(to, writeUint(to, p + 1, call.bCseq), RACK_END);
  }
}

const ABSENT = -1;
const NO_OFFER = -2;

/** Who sends from now on: `direction` is that of the leg `side`. A side that is not to send may be quiet for long. */
function agree(call: Call, side: number, direction: number, nowUs: number): void {
  const sends = [(direction & DIRECTION.SENDONLY) !== 0, (direction & DIRECTION.RECVONLY) !== 0];
  for (const [i, speaks] of sends.entries()) {
    const leg = i === 0 ? side : side ^ 1;
    if (!speaks) call.speaksSinceUs[leg] = Number.NaN;
    else if (Number.isNaN(call.speaksSinceUs[leg]!)) call.speaksSinceUs[leg] = nowUs;
  }
}

function cseqOf(echo: Uint8Array): number {
  return Number(/^CSeq\s*:\s*(\d+)/im.exec(Buffer.from(echo).toString('latin1'))?.[1] ?? -1);
}
