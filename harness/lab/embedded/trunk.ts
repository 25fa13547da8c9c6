import { Counters } from '../../../agents/counters.js';
import { METHOD } from '../../../agents/sip/names.js';
import type { SipMessage } from '../../../agents/sip/parse.js';
import { SipStack } from '../../../agents/sip/stack.js';
import { ascii } from '../../../agents/sip/text.js';
import { QuietUser } from '../../../agents/sip/user.js';
import { ipToString, type Wire } from '../../../agents/wire/types.js';
import type { TrunkConfig } from '../../plan/types.js';
import { forwardRequest, forwardResponse } from './forward.js';

export interface TrunkOptions extends TrunkConfig {
  ip: number;
  port: number;
  /** Where the called parties are. */
  calleeIp: number;
  calleePort: number;
}

const TAG = ascii('carrier');
/** Q.850 causes as carriers send them (RFC 3326, Q.850 2.2.7): 42 switching equipment congestion, 34 no circuit. */
const CONGESTION = ascii('Reason: Q.850;cause=42;text="Switching equipment congestion"\r\n');
const NO_CIRCUIT = ascii('Reason: Q.850;cause=34;text="No circuit/channel available"\r\n');

/**
 * The carrier: passes calls to the called parties, and enforces what the contract allows: INVITEs in any second, and
 * calls at once. Everything else is forwarded statelessly.
 */
export class Trunk extends QuietUser {
  readonly #stack: SipStack;
  readonly #recordRoute: Uint8Array;
  /** Call-IDs of the calls that hold a channel. */
  readonly #calls = new Map<string, { up: boolean }>();
  /** Instants of the last `cps` accepted INVITEs, a ring. */
  #accepted = new Float64Array(1);
  #acceptedCount = 0;
  #cps = 0;
  channels: number;
  /** Every call is refused with this code; 0: none for that reason. */
  rejectWith = 0;

  constructor(
    wire: Wire,
    private readonly o: TrunkOptions,
    salt: number,
  ) {
    super();
    this.cps = o.cps;
    this.channels = o.channels;
    this.#recordRoute = ascii(`Record-Route: <sip:${ipToString(o.ip)}:${o.port};lr>\r\n`);
    const limits = { clientTransactions: 16, serverTransactions: 16384, messages: 16384 };
    this.#stack = new SipStack(this, new Counters(), limits, salt, wire.nowUs());
    this.#stack.port = wire.bind(o.ip, o.port, (bytes, off, len, srcIp, srcPort, nowUs) =>
      this.#receive(bytes, off, len, srcIp, srcPort, nowUs),
    );
  }

  get cps(): number {
    return this.#cps;
  }
  /** Its count begins anew. */
  set cps(cps: number) {
    this.#cps = cps;
    this.#accepted = new Float64Array(Math.max(1, cps)).fill(Number.NEGATIVE_INFINITY);
    this.#acceptedCount = 0;
  }

  get calls(): number {
    return this.#calls.size;
  }

  tick(nowUs: number): number {
    return this.#stack.tick(nowUs);
  }

  #receive(bytes: Uint8Array, off: number, len: number, srcIp: number, srcPort: number, nowUs: number): void {
    const stack = this.#stack;
    const { msg } = stack;
    if (msg.parse(bytes, off, len) !== 0) return;
    if (!msg.isRequest) {
      this.#follow(msg);
      forwardResponse(msg, stack.port);
      return;
    }
    if (msg.method === METHOD.INVITE && msg.toTagLen === 0 && !this.#calls.has(this.#callId())) {
      this.#newCall(bytes, off, len, srcIp, srcPort, nowUs);
      return;
    }
    if (msg.method === METHOD.ACK && stack.server.match(msg, METHOD.INVITE) >= 0) {
      stack.receive(bytes, off, len, srcIp, srcPort, nowUs); // the ACK to a 503 of ours
      return;
    }
    if (msg.method === METHOD.BYE) this.#calls.delete(this.#callId());
    this.#forward(srcIp, srcPort);
  }

  /** A failed INVITE gives its channel back; a re-INVITE that fails leaves the call as it was (RFC 3261 14.1). */
  #follow(msg: SipMessage): void {
    if (msg.method !== METHOD.INVITE || msg.status < 200) return;
    const call = this.#calls.get(this.#callId());
    if (call === undefined) return;
    if (msg.status < 300) call.up = true;
    else if (!call.up) this.#calls.delete(this.#callId());
  }

  #newCall(bytes: Uint8Array, off: number, len: number, srcIp: number, srcPort: number, nowUs: number): void {
    const { msg, server } = this.#stack;
    const refused = server.match(msg, METHOD.INVITE) >= 0;
    const { cps, channels, rejectWith } = this;
    const oldest = this.#accepted[this.#acceptedCount % this.#accepted.length]!;
    const congested = cps > 0 && nowUs - oldest < 1_000_000;
    if (refused || rejectWith > 0 || congested || (channels > 0 && this.#calls.size >= channels)) {
      this.#reason = rejectWith > 0 ? null : congested ? CONGESTION : NO_CIRCUIT;
      this.#stack.receive(bytes, off, len, srcIp, srcPort, nowUs); // to onRequest, or a repeat of our 503
      return;
    }
    this.#accepted[this.#acceptedCount++ % this.#accepted.length] = nowUs;
    this.#calls.set(this.#callId(), { up: false });
    this.#forward(srcIp, srcPort);
  }

  #reason: Uint8Array | null = CONGESTION;

  onRequest(_msg: SipMessage, tx: number, srcIp: number, srcPort: number, nowUs: number): void {
    this.#stack.reply(tx, this.rejectWith || 503, srcIp, srcPort, TAG, this.#reason, nowUs);
  }

  #forward(srcIp: number, srcPort: number): void {
    const { msg, port } = this.#stack;
    const toCallee = srcIp !== this.o.calleeIp || srcPort !== this.o.calleePort;
    const initial = msg.toTagLen === 0;
    let dstIp = this.o.calleeIp;
    let dstPort = this.o.calleePort;
    if (!toCallee) {
      // In-dialog from the called party: back to the platform at the Request-URI (we are its only hop).
      if (!this.#target(msg)) return;
      dstIp = this.#targetIp;
      dstPort = this.#targetPort;
    }
    forwardRequest(msg, port, {
      srcIp,
      srcPort,
      dstIp,
      dstPort,
      recordRoute: initial ? this.#recordRoute : null,
      dropTopRoute: !initial,
      aliasContact: false,
      stripAlias: false,
    });
  }

  #targetIp = 0;
  #targetPort = 0;
  #target(msg: SipMessage): boolean {
    const text = msg.text(msg.uriOff, msg.uriLen);
    const m = /@?(\d+)\.(\d+)\.(\d+)\.(\d+)(?::(\d+))?/.exec(text);
    if (m === null) return false;
    this.#targetIp = ((Number(m[1]) * 256 + Number(m[2])) * 256 + Number(m[3])) * 256 + Number(m[4]);
    this.#targetPort = Number(m[5] ?? 5060);
    return true;
  }

  #callId(): string {
    const { msg } = this.#stack;
    return msg.text(msg.callIdOff, msg.callIdLen);
  }
}
