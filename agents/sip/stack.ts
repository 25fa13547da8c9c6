import { COUNTER_INDEX, type Counters } from '../counters.js';
import { ipToString, type UdpPort, type Wire } from '../wire/types.js';
import { ClientTransactions, isReliable } from './client.js';
import { isFramed } from './local.js';
import { METHOD } from './names.js';
import { PARSE, SipMessage } from './parse.js';
import { refusalOf } from './refuse.js';
import { EMPTY_BODY, responsePort, statusLine, writeEcho } from './respond.js';
import { ServerTransactions } from './server.js';
import { MessageSlab } from './slab.js';
import { ascii, writeBytes } from './text.js';

const CANCEL_TAG = ascii('deadair');

/** What a UA core (caller, callee, B2BUA, trunk) is told. `user` is the number that it gave to the transaction. */
export interface TransactionUser {
  /** A new request, not ACK or CANCEL. Answer it on `tx`. */
  onRequest(msg: SipMessage, tx: number, srcIp: number, srcPort: number, nowUs: number): void;
  /** An ACK to a 2xx: it has no transaction (RFC 3261 13.2.2.4). */
  onAck(msg: SipMessage, nowUs: number): void;
  /** CANCEL for an INVITE that has no final answer yet; the CANCEL itself was answered 200. Answer the INVITE 487. */
  onCancel(user: number, tx: number, msg: SipMessage, nowUs: number): void;
  onResponse(user: number, tx: number, msg: SipMessage, nowUs: number): void;
  /** A response that no transaction waits for: a 2xx repeated (acknowledge it again), or a stray. */
  onStrayResponse(msg: SipMessage, nowUs: number): void;
  onTimeout(user: number, tx: number, method: number, nowUs: number): void;
  /** The connection that the request went over is gone: treat as 503 (RFC 3261 8.1.3.1). */
  onTransportError(user: number, tx: number, method: number, why: string, nowUs: number): void;
  onRetransmit(user: number, method: number): void;
  onNoAck(user: number, tx: number, accepted: boolean, nowUs: number): void;
  onRepeat(user: number, status: number): void;
  /** A request came again; its answer was repeated. */
  onRequestAgain(user: number, method: number): void;
}

export interface StackLimits {
  clientTransactions: number;
  serverTransactions: number;
  /** Messages kept for retransmission, 2 KB each. */
  messages: number;
  /** Requests of ours have Vias below our own, as a proxy's have; otherwise such a response is discarded. */
  relays?: boolean;
}

/** Transport and transaction layers of one port, of UDP or of a stream, or of several alike (RFC 3261 17, 18). */
export class SipStack {
  readonly client: ClientTransactions;
  readonly server: ServerTransactions;
  /** The port at hand: of a stack with several, where the last message came from, or what whoever sends has chosen. */
  port!: UdpPort;
  readonly #user: TransactionUser;
  readonly #values: Float64Array;
  readonly #relays: boolean;

  constructor(
    user: TransactionUser,
    readonly counters: Counters,
    limits: StackLimits,
    salt: number,
    nowUs: number,
    readonly msg: SipMessage = new SipMessage(),
  ) {
    this.#user = user;
    this.#values = counters.values;
    const port = (): UdpPort => this.port;
    this.#relays = limits.relays ?? false;
    // Two slabs, so that answers kept for timer J (32 s) cannot crowd out requests that must be repeated.
    this.client = new ClientTransactions(
      limits.clientTransactions,
      nowUs,
      salt,
      new MessageSlab(limits.messages),
      port,
      user,
    );
    this.server = new ServerTransactions(limits.serverTransactions, nowUs, new MessageSlab(limits.messages), port, {
      onNoAck: (u, tx, accepted, now) => user.onNoAck(u, tx, accepted, now),
      onRepeat: (u, status) => {
        this.#values[COUNTER_INDEX.retransmitsSent]!++;
        user.onRepeat(u, status);
      },
    });
  }

  bind(wire: Wire, ip: number, port: number): void {
    this.port = wire.bind(
      ip,
      port,
      (bytes, off, len, srcIp, srcPort, nowUs) => this.receive(bytes, off, len, srcIp, srcPort, nowUs),
      (peerIp, peerPort, why, nowUs) => this.client.failAll(this.port, peerIp, peerPort, why, nowUs),
    );
  }

  tick(nowUs: number): number {
    this.client.advance(nowUs);
    this.server.advance(nowUs);
    // A timer of one may have opened a transaction of the other: a BYE after the missing ACK (RFC 3261 13.3.1.4).
    return Math.min(this.client.nextUs(), this.server.nextUs());
  }

  receive(bytes: Uint8Array, off: number, len: number, srcIp: number, srcPort: number, nowUs: number): void {
    const { msg } = this;
    const code = msg.parse(bytes, off, len, isFramed(this.port));
    this.#values[COUNTER_INDEX.sipReceived]!++;
    if (code !== PARSE.OK) {
      if (code !== PARSE.KEEP_ALIVE) this.#refuse(code, bytes, off, len, srcIp, srcPort);
      return;
    }
    this.handle(srcIp, srcPort, nowUs);
  }

  /** What `msg` holds came over `port`. */
  handle(srcIp: number, srcPort: number, nowUs: number): void {
    if (this.msg.isRequest) this.#request(srcIp, srcPort, nowUs);
    else this.#response(nowUs);
  }

  #refuse(code: number, bytes: Uint8Array, off: number, len: number, srcIp: number, srcPort: number): void {
    this.#values[COUNTER_INDEX.parseRejected]!++;
    const refusal = refusalOf(code, bytes, off, len, ipToString(srcIp), srcPort, 'deadair');
    if (refusal === null) return;
    this.#values[COUNTER_INDEX.sipSent]!++;
    this.port.send(refusal.bytes, 0, refusal.bytes.length, srcIp, isReliable(this.port) ? srcPort : refusal.port);
  }

  #response(nowUs: number): void {
    const { msg, client } = this;
    // RFC 3261 8.1.3.3: with another Via below ours it was misrouted, or is meant to be (RFC 4475 3.3.10).
    if (msg.moreVias && !this.#relays) {
      this.#values[COUNTER_INDEX.strayMessages]!++;
      return;
    }
    const tx = client.match(msg);
    if (tx >= 0) client.receive(tx, msg, nowUs);
    else this.#user.onStrayResponse(msg, nowUs);
  }

  #request(srcIp: number, srcPort: number, nowUs: number): void {
    const { msg, server } = this;
    const user = this.#user;
    if (msg.method === METHOD.ACK) {
      const tx = server.match(msg, METHOD.INVITE);
      // RFC 6026 7.1: after a 2xx the ACK is the core's, even one with the INVITE's branch (RFC 2543 peers).
      if (tx >= 0 && !server.isAccepted(tx)) server.acknowledge(tx, nowUs);
      else user.onAck(msg, nowUs);
      return;
    }
    const again = server.match(msg, msg.method);
    if (again >= 0) {
      this.#values[COUNTER_INDEX.retransmitsSeen]!++;
      server.repeat(again);
      user.onRequestAgain(server.userOf(again), msg.method);
      return;
    }
    // RFC 3261 18.2.2: over a stream, the connection that the request came over.
    const tx = server.open(msg, srcIp, isReliable(this.port) ? srcPort : responsePort(msg, srcPort));
    if (tx < 0) {
      this.#values[COUNTER_INDEX.transactionsFull]!++;
      return; // as a full socket buffer would: the peer repeats
    }
    if (msg.method === METHOD.CANCEL) {
      const invite = server.match(msg, METHOD.INVITE);
      // RFC 3261 8.2.6.2: every final answer has a To tag.
      this.reply(tx, invite >= 0 ? 200 : 481, srcIp, srcPort, CANCEL_TAG, null, nowUs);
      if (invite >= 0 && server.isProceeding(invite)) user.onCancel(server.userOf(invite), invite, msg, nowUs);
      return;
    }
    user.onRequest(msg, tx, srcIp, srcPort, nowUs);
  }

  /** Answers the request in `msg` at once, without body. `extra` is whole header lines; `tag` is the To tag to add. */
  reply(
    tx: number,
    status: number,
    srcIp: number,
    srcPort: number,
    tag: Uint8Array | null,
    extra: Uint8Array | null,
    nowUs: number,
  ): void {
    const slot = this.port.slot();
    const { tx: to } = this.port;
    let p = writeBytes(to, slot, statusLine(status));
    p = writeEcho(this.msg, srcIp, srcPort, tag, to, p);
    if (extra !== null) p = writeBytes(to, p, extra);
    p = writeBytes(to, p, EMPTY_BODY);
    this.#values[COUNTER_INDEX.sipSent]!++;
    this.server.send(tx, status, slot, p - slot, nowUs);
  }
}
