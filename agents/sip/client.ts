import { DATAGRAM_MAX, type UdpPort } from '../wire/types.js';
import { ackFor, cancelFor } from './derive.js';
import { METHOD } from './names.js';
import type { SipMessage } from './parse.js';
import type { MessageSlab } from './slab.js';
import { ascii, readHex, writeHex, writeRange } from './text.js';
import { IndexPool, TimerWheel } from './timers.js';

/** RFC 3261 Table 4, microseconds. */
export const T1_US = 500_000;
export const T2_US = 4_000_000;
export const T4_US = 5_000_000;
/** Timers B, F, H, J: 64*T1. */
export const TIMEOUT_US = 64 * T1_US;
/** Timer D: at least 32 s on UDP. */
export const TIMER_D_US = 32_000_000;

/** Client transaction states (RFC 3261 figures 5 and 6). */
const FREE = 0;
const CALLING = 1; // INVITE
const TRYING = 2; // anything else
const PROCEEDING = 3;
const COMPLETED = 4;

/** What a response means to the transaction user. */
export const RESPONSE = { PROVISIONAL: 0, FINAL: 1 } as const;

export interface ClientUser {
  /** A response that the transaction passes up; retransmitted finals are absorbed before. */
  onResponse(user: number, tx: number, msg: SipMessage, nowUs: number): void;
  /** Timer B or F (RFC 3261 17.1.1.2, 17.1.2.2): treat as 408. */
  onTimeout(user: number, tx: number, method: number, nowUs: number): void;
  /** The connection is gone or was never made (17.1.4, 18.4): treat as 503 (8.1.3.1). `why` is for a record. */
  onTransportError(user: number, tx: number, method: number, why: string, nowUs: number): void;
  /** A request of ours went out again. */
  onRetransmit(user: number, method: number): void;
}

export const BRANCH_COOKIE = ascii('z9hG4bKda');
/** cookie + 4 hex of this stack + 5 hex of the index + 4 hex of its generation. */
export const BRANCH_LENGTH = 9 + 4 + 5 + 4;

/** RFC 3261 Table 4: over a reliable transport timers A, E and G are not set, and D, I, J and K are zero. */
export function isReliable(port: UdpPort): boolean {
  return port.transport !== undefined && port.transport !== 'udp';
}

/**
 * Client transactions (RFC 3261 17.1). The branch of a request carries the transaction's index, so a response
 * finds it without a table; the generation tells a late response to an earlier user of the same index.
 */
export class ClientTransactions {
  readonly #pool: IndexPool;
  readonly #state: Uint8Array;
  readonly #method: Uint8Array;
  readonly #generation: Uint16Array;
  readonly #user: Int32Array;
  readonly #message: Int32Array;
  readonly #ack: Int32Array;
  readonly #dstIp: Uint32Array;
  readonly #dstPort: Uint16Array;
  readonly #intervalUs: Float64Array;
  /** A transaction stays on the port that it began on. */
  readonly #on: UdpPort[] = [];
  readonly #timers: TimerWheel;
  readonly #fire: (id: number) => void;
  #nowUs = 0;

  constructor(
    capacity: number,
    nowUs: number,
    private readonly salt: number,
    private readonly slab: MessageSlab,
    /** The port of a user's requests; most stacks have one. The request is written there. */
    private readonly port: (user: number) => UdpPort,
    private readonly user: ClientUser,
  ) {
    this.#pool = new IndexPool(capacity);
    this.#state = new Uint8Array(capacity);
    this.#method = new Uint8Array(capacity);
    this.#generation = new Uint16Array(capacity);
    this.#user = new Int32Array(capacity);
    this.#message = new Int32Array(capacity).fill(-1);
    this.#ack = new Int32Array(capacity).fill(-1);
    this.#dstIp = new Uint32Array(capacity);
    this.#dstPort = new Uint16Array(capacity);
    this.#intervalUs = new Float64Array(capacity);
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

  /** Reserves a transaction so that its branch can be written; -1 at the limit. Must be followed by send() or drop(). */
  open(user: number, method: number): number {
    const tx = this.#pool.take();
    if (tx < 0) return -1;
    this.#generation[tx]!++;
    this.#user[tx] = user;
    this.#method[tx] = method;
    this.#state[tx] = method === METHOD.INVITE ? CALLING : TRYING;
    this.#on[tx] = this.port(user);
    return tx;
  }

  writeBranch(tx: number, to: Uint8Array, at: number): number {
    let p = writeRange(to, at, BRANCH_COOKIE, 0, BRANCH_COOKIE.length);
    p = writeHex(to, p, this.salt, 4);
    p = writeHex(to, p, tx, 5);
    return writeHex(to, p, this.#generation[tx]!, 4);
  }

  /** The request lies at port.tx[slot, slot+len): sends it, keeps it, starts timers A/B or E/F. False: no room to keep it. */
  send(tx: number, slot: number, len: number, dstIp: number, dstPort: number, nowUs: number): boolean {
    const port = this.#on[tx]!;
    const ref = this.slab.keep(port.tx, slot, len);
    if (ref < 0) return false;
    this.#message[tx] = ref;
    this.#dstIp[tx] = dstIp;
    this.#dstPort[tx] = dstPort;
    this.#intervalUs[tx] = T1_US;
    if (!isReliable(port)) this.#timers.set(tx * 2, nowUs + T1_US); // timer A or E
    this.#timers.set(tx * 2 + 1, nowUs + TIMEOUT_US); // timer B or F
    port.commit(len, dstIp, dstPort);
    return true;
  }

  /** The transaction lives on for its timers and for another user, or for nobody (-1). */
  setUser(tx: number, user: number): void {
    this.#user[tx] = user;
  }

  /** Gives up a transaction that was opened and not sent, or that its user no longer wants. */
  drop(tx: number): void {
    this.#terminate(tx);
  }

  /** Bytes of the request while it is kept (until its final response): for CANCEL and ACK. */
  request(tx: number): { bytes: Uint8Array; off: number; len: number } | null {
    const ref = this.#message[tx]!;
    return ref < 0 ? null : { bytes: this.slab.chunk(ref), off: this.slab.offset(ref), len: this.slab.length(ref) };
  }

  destinationIp(tx: number): number {
    return this.#dstIp[tx]!;
  }
  destinationPort(tx: number): number {
    return this.#dstPort[tx]!;
  }

  /**
   * Index of the transaction that a response belongs to (RFC 3261 17.1.3: branch and CSeq method), or -1.
   */
  match(msg: SipMessage): number {
    if (msg.branchLen !== BRANCH_LENGTH) return -1;
    const b = msg.bytes;
    let p = msg.branchOff;
    for (let i = 0; i < BRANCH_COOKIE.length; i++) if (b[p + i] !== BRANCH_COOKIE[i]) return -1;
    p += BRANCH_COOKIE.length;
    if (readHex(b, p, 4) !== this.salt) return -1;
    const tx = readHex(b, p + 4, 5);
    if (tx < 0 || tx >= this.#state.length) return -1;
    if (this.#state[tx] === FREE || this.#generation[tx] !== readHex(b, p + 9, 4)) return -1;
    // A CANCEL has the branch of its INVITE (RFC 3261 9.1), so its responses come to the INVITE's index.
    if (msg.method === METHOD.CANCEL && this.#method[tx] === METHOD.INVITE) return tx;
    return this.#method[tx] === msg.method ? tx : -1;
  }

  /**
   * Sends CANCEL for an INVITE that has had a provisional response (RFC 3261 9.1 forbids it before); false otherwise.
   * It is repeated as timer E says; 64*T1 later the INVITE counts as cancelled, answered or not.
   */
  cancel(tx: number, nowUs: number): boolean {
    if (this.#method[tx] !== METHOD.INVITE || this.#state[tx] !== PROCEEDING || this.#ack[tx]! >= 0) return false;
    const ref = this.#message[tx]!;
    const len = cancelFor(this.slab.chunk(ref), this.slab.offset(ref), this.slab.length(ref), scratch);
    const cancel = this.slab.keep(scratch, 0, len);
    if (cancel < 0) return false;
    this.#ack[tx] = cancel;
    this.#intervalUs[tx] = T1_US;
    if (!isReliable(this.#on[tx]!)) this.#timers.set(tx * 2, nowUs + T1_US);
    this.#timers.set(tx * 2 + 1, nowUs + TIMEOUT_US);
    this.#resend(cancel, tx);
    return true;
  }

  /** Feeds a matched response. */
  receive(tx: number, msg: SipMessage, nowUs: number): void {
    const status = msg.status;
    const invite = this.#method[tx] === METHOD.INVITE;
    const state = this.#state[tx]!;
    if (invite && msg.method === METHOD.CANCEL) {
      // Any answer to CANCEL ends its repetition; what became of the call, the INVITE's own final tells.
      if (state === PROCEEDING) this.#timers.clear(tx * 2);
      return;
    }
    if (state === COMPLETED) {
      // RFC 3261 17.1.1.2: a final that comes again is answered by the same ACK, and goes no further.
      if (invite && status >= 300) this.#sendAck(tx);
      return;
    }
    if (status < 200) {
      if (state !== PROCEEDING) {
        this.#state[tx] = PROCEEDING;
        // INVITE: no more retransmissions, no timeout (17.1.1.2). Others: E slows to T2, F goes on (17.1.2.2).
        if (invite) {
          this.#timers.clear(tx * 2);
          this.#timers.clear(tx * 2 + 1);
        } else this.#intervalUs[tx] = T2_US;
      }
      this.user.onResponse(this.#user[tx]!, tx, msg, nowUs);
      return;
    }
    this.#timers.clear(tx * 2);
    this.#timers.clear(tx * 2 + 1);
    const user = this.#user[tx]!;
    if (invite && status >= 300) {
      this.#buildAck(tx, msg);
      this.#sendAck(tx);
    }
    // 17.1.1.2: a 2xx ends the transaction; its ACK and its repeats belong to the UA core (13.2.2.4).
    if ((invite && status < 300) || isReliable(this.#on[tx]!)) {
      this.#terminate(tx); // timers D and K are zero
      this.user.onResponse(user, tx, msg, nowUs);
      return;
    }
    if (invite) {
      this.#state[tx] = COMPLETED;
      this.#timers.set(tx * 2 + 1, nowUs + TIMER_D_US);
    } else {
      this.#state[tx] = COMPLETED;
      this.#dropMessage(tx);
      this.#timers.set(tx * 2 + 1, nowUs + T4_US); // timer K
    }
    this.user.onResponse(user, tx, msg, nowUs);
  }

  /** The transport gave a request up (17.1.4); without effect on one that has its final answer. */
  fail(tx: number, why: string, nowUs: number): void {
    const state = this.#state[tx]!;
    if (state === FREE || state === COMPLETED) return;
    const user = this.#user[tx]!;
    const method = this.#method[tx]!;
    this.#terminate(tx);
    this.user.onTransportError(user, tx, method, why, nowUs);
  }

  /** Every request that went from `on` to (ip, port): the connection is gone. Looks at all transactions, once for a loss. */
  failAll(on: UdpPort, ip: number, port: number, why: string, nowUs: number): void {
    if (this.#pool.used === 0) return;
    for (let tx = 0; tx < this.#on.length; tx++) {
      if (this.#on[tx] !== on || this.#message[tx]! < 0) continue;
      if (this.#dstIp[tx] === ip && this.#dstPort[tx] === port) this.fail(tx, why, nowUs);
    }
  }

  /** Fires what is due. */
  advance(nowUs: number): void {
    this.#nowUs = nowUs;
    this.#timers.advance(nowUs, this.#fire);
  }
  nextUs(): number {
    return this.#timers.nextUs();
  }

  #onTimer(id: number): void {
    const tx = id >> 1;
    const state = this.#state[tx]!;
    if ((id & 1) === 0) {
      // Timer A doubles without bound; E doubles up to T2 (17.1.1.2, 17.1.2.2).
      const doubled = this.#intervalUs[tx]! * 2;
      const cancelling = state === PROCEEDING && this.#ack[tx]! >= 0;
      const invite = this.#method[tx] === METHOD.INVITE && !cancelling;
      this.#intervalUs[tx] = invite ? doubled : Math.min(doubled, T2_US);
      this.#timers.set(id, this.#nowUs + this.#intervalUs[tx]!);
      this.#resend(cancelling ? this.#ack[tx]! : this.#message[tx]!, tx);
      this.user.onRetransmit(this.#user[tx]!, cancelling ? METHOD.CANCEL : this.#method[tx]!);
      return;
    }
    if (state === COMPLETED) {
      this.#terminate(tx); // timer D or K
      return;
    }
    const user = this.#user[tx]!;
    const method = this.#method[tx]!;
    this.#terminate(tx);
    this.user.onTimeout(user, tx, method, this.#nowUs); // timer B or F
  }

  #resend(ref: number, tx: number): void {
    if (ref < 0) return;
    this.#on[tx]!.send(
      this.slab.chunk(ref),
      this.slab.offset(ref),
      this.slab.length(ref),
      this.#dstIp[tx]!,
      this.#dstPort[tx]!,
    );
  }

  #sendAck(tx: number): void {
    this.#resend(this.#ack[tx]!, tx);
  }

  /** RFC 3261 17.1.1.3: the request's start line, Via, From, Call-ID, CSeq number and Route; To from the response. */
  #buildAck(tx: number, response: SipMessage): void {
    const ref = this.#message[tx]!;
    if (ref < 0) return;
    if (this.#ack[tx]! >= 0) this.slab.drop(this.#ack[tx]!); // its CANCEL
    const len = ackFor(this.slab.chunk(ref), this.slab.offset(ref), this.slab.length(ref), response, scratch);
    // A To that leaves no room for the ACK is not acknowledged: the peer repeats it until its timer H.
    if (len <= DATAGRAM_MAX) {
      this.slab.put(ref, scratch, 0, len);
      this.#ack[tx] = ref;
    } else {
      this.slab.drop(ref);
      this.#ack[tx] = -1;
    }
    this.#message[tx] = -1;
  }

  #dropMessage(tx: number): void {
    const ref = this.#message[tx]!;
    if (ref >= 0) this.slab.drop(ref);
    this.#message[tx] = -1;
    const ack = this.#ack[tx]!;
    if (ack >= 0) this.slab.drop(ack);
    this.#ack[tx] = -1;
  }

  #terminate(tx: number): void {
    if (this.#state[tx] === FREE) return;
    this.#timers.clear(tx * 2);
    this.#timers.clear(tx * 2 + 1);
    this.#dropMessage(tx);
    this.#state[tx] = FREE;
    this.#pool.give(tx);
  }
}

const scratch = new Uint8Array(4096);
