import { DATAGRAM_MAX, type UdpPort } from '../wire/types.js';
import { isReliable, T1_US, T2_US, T4_US, TIMEOUT_US } from './client.js';
import { METHOD } from './names.js';
import type { SipMessage } from './parse.js';
import type { MessageSlab } from './slab.js';
import { ascii } from './text.js';
import { IndexPool, TimerWheel } from './timers.js';

/** Server transaction states (RFC 3261 figures 7 and 8; ACCEPTED is RFC 6026 7.1). */
const FREE = 0;
const PROCEEDING = 1;
const COMPLETED = 2;
const CONFIRMED = 3;
const ACCEPTED = 4;

export interface ServerUser {
  /** INVITE that was answered and never acknowledged: timer H, or 64*T1 after a 2xx (RFC 3261 13.3.1.4). */
  onNoAck(user: number, tx: number, accepted: boolean, nowUs: number): void;
  /** A response of ours went out again. */
  onRepeat(user: number, status: number): void;
}

/**
 * Server transactions (RFC 3261 17.2). A request finds its transaction through a 64-bit hash of branch, sent-by
 * and method (17.2.3; ACK and CANCEL look for their INVITE's): two independent 32-bit hashes, so at 10^6 transactions
 * the chance that any two collide is below 10^-7. Open addressing, linear probing, at most half full.
 */
export class ServerTransactions {
  readonly #pool: IndexPool;
  readonly #state: Uint8Array;
  readonly #method: Uint8Array;
  readonly #status: Uint16Array;
  readonly #user: Int32Array;
  readonly #message: Int32Array;
  readonly #dstIp: Uint32Array;
  readonly #dstPort: Uint16Array;
  readonly #intervalUs: Float64Array;
  /** Where the request came in, which is where its answers go out. */
  readonly #on: UdpPort[] = [];
  readonly #hashA: Int32Array;
  readonly #hashB: Int32Array;
  readonly #table: Int32Array;
  readonly #mask: number;
  readonly #timers: TimerWheel;
  readonly #fire: (id: number) => void;
  #nowUs = 0;
  #a = 0;
  #b = 0;

  constructor(
    capacity: number,
    nowUs: number,
    private readonly slab: MessageSlab,
    /** The port at hand: requests came over it, and what is sent is written there. */
    private readonly port: () => UdpPort,
    private readonly user: ServerUser,
  ) {
    this.#pool = new IndexPool(capacity);
    this.#state = new Uint8Array(capacity);
    this.#method = new Uint8Array(capacity);
    this.#status = new Uint16Array(capacity);
    this.#user = new Int32Array(capacity);
    this.#message = new Int32Array(capacity).fill(-1);
    this.#dstIp = new Uint32Array(capacity);
    this.#dstPort = new Uint16Array(capacity);
    this.#intervalUs = new Float64Array(capacity);
    this.#hashA = new Int32Array(capacity);
    this.#hashB = new Int32Array(capacity);
    let size = 16;
    while (size < capacity * 2) size *= 2;
    this.#table = new Int32Array(size).fill(-1);
    this.#mask = size - 1;
    this.#timers = new TimerWheel(capacity * 2, nowUs);
    this.#fire = (id) => this.#onTimer(id);
  }

  get active(): number {
    return this.#pool.used;
  }
  /** Messages kept, and timers set: both 0 when nothing is active. */
  get kept(): number {
    return this.slab.used;
  }
  get armed(): number {
    return this.#timers.armed;
  }

  /** The transaction of a request that came again, of an ACK to a non-2xx, or of the INVITE that a CANCEL means; or -1. */
  match(msg: SipMessage, method: number): number {
    this.#hash(msg, method);
    let i = this.#a & this.#mask;
    for (;;) {
      const tx = this.#table[i]!;
      if (tx < 0) return -1;
      if (this.#hashA[tx] === this.#a && this.#hashB[tx] === this.#b) return tx;
      i = (i + 1) & this.#mask;
    }
  }

  /** A new transaction for a request that match() did not find; -1 at the limit. Responses go to (ip, port). */
  open(msg: SipMessage, ip: number, port: number): number {
    const tx = this.#pool.take();
    if (tx < 0) return -1;
    this.#hash(msg, msg.method);
    this.#hashA[tx] = this.#a;
    this.#hashB[tx] = this.#b;
    let i = this.#a & this.#mask;
    while (this.#table[i]! >= 0) i = (i + 1) & this.#mask;
    this.#table[i] = tx;
    this.#state[tx] = PROCEEDING;
    this.#method[tx] = msg.method;
    this.#status[tx] = 0;
    this.#user[tx] = -1;
    this.#on[tx] = this.port();
    this.#dstIp[tx] = ip;
    this.#dstPort[tx] = port;
    return tx;
  }

  setUser(tx: number, user: number): void {
    this.#user[tx] = user;
  }
  userOf(tx: number): number {
    return this.#user[tx]!;
  }
  methodOf(tx: number): number {
    return this.#method[tx]!;
  }
  /** A 2xx was sent and not acknowledged yet. */
  isAccepted(tx: number): boolean {
    return this.#state[tx] === ACCEPTED;
  }
  /** No final response was sent yet. */
  isProceeding(tx: number): boolean {
    return this.#state[tx] === PROCEEDING;
  }

  /** The response lies at port.tx[slot, slot+len): sends it, and keeps it for as long as the RFC says. */
  send(tx: number, status: number, slot: number, len: number, nowUs: number): void {
    const port = this.port();
    const ref = this.#message[tx]!;
    // An echo of a request near DATAGRAM_MAX can be longer than one: it is not sent, and the peer gets its timeout.
    const fits = len <= DATAGRAM_MAX;
    if (!fits) this.#dropMessage(tx);
    else if (ref >= 0) this.slab.put(ref, port.tx, slot, len);
    else this.#message[tx] = this.slab.keep(port.tx, slot, len);
    this.#status[tx] = status;
    if (status >= 200) {
      if (this.#method[tx] === METHOD.INVITE) {
        this.#state[tx] = status < 300 ? ACCEPTED : COMPLETED;
        this.#intervalUs[tx] = T1_US;
        // Timer G; for a 2xx the UAS core's own repetition, over streams too: a later hop may be UDP (13.3.1.4).
        if (status < 300 || !isReliable(port)) this.#timers.set(tx * 2, nowUs + T1_US);
        this.#timers.set(tx * 2 + 1, nowUs + TIMEOUT_US); // timer H; for a 2xx the core's 64*T1
      } else {
        this.#state[tx] = COMPLETED;
        this.#timers.set(tx * 2 + 1, nowUs + TIMEOUT_US); // timer J
      }
    }
    const on = this.#on[tx]!;
    if (fits && on === port) port.commit(len, this.#dstIp[tx]!, this.#dstPort[tx]!);
    else if (fits) on.send(port.tx, slot, len, this.#dstIp[tx]!, this.#dstPort[tx]!);
    // Timer J is zero over a reliable transport: nothing is kept.
    if (status >= 200 && this.#method[tx] !== METHOD.INVITE && isReliable(port)) this.#terminate(tx);
  }

  /** The request came again: the last response is the answer (17.2.1, 17.2.2). */
  repeat(tx: number): void {
    if (this.#state[tx] === CONFIRMED || this.#status[tx] === 0) return;
    this.#resend(tx);
    this.user.onRepeat(this.#user[tx]!, this.#status[tx]!);
  }

  /** ACK for a non-2xx final came (17.2.1): timer I absorbs the rest. */
  acknowledge(tx: number, nowUs: number): void {
    if (this.#state[tx] !== COMPLETED) return;
    this.#confirm(tx, nowUs);
  }

  /**
   * The core saw the ACK to its 2xx: no more repetitions. INVITEs that come late, out of a long queue, are absorbed until
   * 64*T1 after the 2xx (RFC 6026 timer L): the timer that runs already.
   */
  accepted(tx: number, _nowUs: number): void {
    if (this.#state[tx] !== ACCEPTED) return;
    this.#state[tx] = CONFIRMED;
    this.#timers.clear(tx * 2);
    this.#dropMessage(tx);
  }

  drop(tx: number): void {
    this.#terminate(tx);
  }

  /** Fires what is due. */
  advance(nowUs: number): void {
    this.#nowUs = nowUs;
    this.#timers.advance(nowUs, this.#fire);
  }
  nextUs(): number {
    return this.#timers.nextUs();
  }

  #confirm(tx: number, nowUs: number): void {
    if (isReliable(this.#on[tx]!)) {
      this.#terminate(tx); // timer I is zero
      return;
    }
    this.#state[tx] = CONFIRMED;
    this.#timers.clear(tx * 2);
    this.#timers.set(tx * 2 + 1, nowUs + T4_US); // timer I
    this.#dropMessage(tx);
  }

  #onTimer(id: number): void {
    const tx = id >> 1;
    if ((id & 1) === 0) {
      this.#intervalUs[tx] = Math.min(this.#intervalUs[tx]! * 2, T2_US);
      this.#timers.set(id, this.#nowUs + this.#intervalUs[tx]!);
      this.#resend(tx);
      this.user.onRepeat(this.#user[tx]!, this.#status[tx]!);
      return;
    }
    const unacknowledged =
      this.#method[tx] === METHOD.INVITE && (this.#state[tx] === COMPLETED || this.#state[tx] === ACCEPTED);
    const accepted = this.#state[tx] === ACCEPTED;
    const user = this.#user[tx]!;
    this.#terminate(tx); // timer H, I or J
    if (unacknowledged) this.user.onNoAck(user, tx, accepted, this.#nowUs);
  }

  #resend(tx: number): void {
    const ref = this.#message[tx]!;
    if (ref < 0) return;
    const { slab } = this;
    this.#on[tx]!.send(slab.chunk(ref), slab.offset(ref), slab.length(ref), this.#dstIp[tx]!, this.#dstPort[tx]!);
  }

  #dropMessage(tx: number): void {
    const ref = this.#message[tx]!;
    if (ref >= 0) this.slab.drop(ref);
    this.#message[tx] = -1;
  }

  #terminate(tx: number): void {
    if (this.#state[tx] === FREE) return;
    this.#timers.clear(tx * 2);
    this.#timers.clear(tx * 2 + 1);
    this.#dropMessage(tx);
    this.#state[tx] = FREE;
    this.#unlink(tx);
    this.#pool.give(tx);
  }

  /** Removes from the table, moving later entries of the same run back (no tombstones). */
  #unlink(tx: number): void {
    const table = this.#table;
    const mask = this.#mask;
    let hole = this.#hashA[tx]! & mask;
    while (table[hole] !== tx) hole = (hole + 1) & mask;
    let i = hole;
    for (;;) {
      i = (i + 1) & mask;
      const other = table[i]!;
      if (other < 0) break;
      const home = this.#hashA[other]! & mask;
      if (((i - home) & mask) >= ((i - hole) & mask)) {
        table[hole] = other;
        hole = i;
      }
    }
    table[hole] = -1;
  }

  #hash(msg: SipMessage, method: number): void {
    const bytes = msg.bytes;
    // ACK and CANCEL carry their INVITE's branch; the caller asks for METHOD.INVITE then.
    let a = 0x811c9dc5 ^ method;
    let b = 0x9e3779b9 ^ Math.imul(method, 0x85ebca6b);
    for (let i = msg.branchOff, end = i + msg.branchLen; i < end; i++) {
      const c = bytes[i]!;
      a = Math.imul(a ^ c, 0x01000193);
      b = Math.imul(b + c, 0x5bd1e995) ^ (b >>> 13);
    }
    for (let i = msg.sentByOff, end = i + msg.sentByLen; i < end; i++) {
      const c = bytes[i]!;
      a = Math.imul(a ^ c, 0x01000193);
      b = Math.imul(b + c, 0x5bd1e995) ^ (b >>> 13);
    }
    if (!hasIdentifier(bytes, msg.branchOff, msg.branchLen)) {
      // RFC 2543 peers: no magic cookie. Call-ID, CSeq and From tag stand in (17.2.3).
      for (let i = msg.callIdOff, end = i + msg.callIdLen; i < end; i++) {
        a = Math.imul(a ^ bytes[i]!, 0x01000193);
        b = Math.imul(b + bytes[i]!, 0x5bd1e995);
      }
      for (let i = msg.fromTagOff, end = i + msg.fromTagLen; i < end; i++) a = Math.imul(a ^ bytes[i]!, 0x01000193);
      a = Math.imul(a ^ msg.cseq, 0x01000193);
      b = Math.imul(b + msg.cseq, 0x5bd1e995);
    }
    // Final mix: FNV's low bits alone would cluster in the table.
    a ^= a >>> 15;
    a = Math.imul(a, 0x2c1b3c6d);
    this.#a = a ^ (a >>> 12);
    this.#b = b | 0;
  }
}

const COOKIE = ascii('z9hG4bK');

/** The branch is the cookie and something: the cookie alone identifies nothing (RFC 4475 3.2.1). */
function hasIdentifier(bytes: Uint8Array, off: number, len: number): boolean {
  if (len <= COOKIE.length) return false;
  for (let i = 0; i < COOKIE.length; i++) if (bytes[off + i] !== COOKIE[i]) return false;
  return true;
}
