import { KeyedPrng } from '../harness/prng.js';
import { ArrivalTurn, STARTS_PER_TICK } from './arrival-turn.js';
import { ChallengeBook } from './challenge-book.js';
import { bucketOf, COUNTER_INDEX } from './counters.js';
import { Population } from './identity.js';
import { PhoneBook } from './phone-book.js';
import type { PhoneParts } from './phone-party.js';
import type { PhoneCallHandler, RegistrantOptions } from './registrant-options.js';
import { phonesOf, retryDelayMs, type Schedule, scheduleOf } from './registrant-schedule.js';
import { type Flow, PhoneSockets, type SocketUser } from './registrant-sockets.js';
import { PhoneStates } from './registrant-state.js';
import { answerStray, grantedIn, newWords, type RegisterProof, RegisterWriter } from './registrant-writer.js';
import {
  REGISTRATION_LAYOUT,
  REGISTRATION_OUTCOMES,
  REGISTRATION_REASONS,
  type RegistrationOutcome,
  type RegistrationReason,
} from './registration-record.js';
import { ServiceRoutes } from './service-route.js';
import { challengesOf, DigestClient } from './sip/auth.js';
import { ClientTransactions } from './sip/client.js';
import { isFramed } from './sip/local.js';
import { H, METHOD } from './sip/names.js';
import { PARSE, SipMessage } from './sip/parse.js';
import { MessageSlab } from './sip/slab.js';
import { TimerWheel } from './sip/timers.js';
import type { Actor, UdpPort, Wire } from './wire/types.js';

export type { RegistrantOptions };

const O = REGISTRATION_LAYOUT.offsets;
/** A nonce that is stale again and again is a registrar that cannot be satisfied. */
const CHALLENGES_MAX = 4;
/** Beside one for each phone: an answer takes the next before its own is free. */
const TRANSACTIONS_SPARE = 64;
/** Index of a transaction is written in 5 hex digits. */
const TRANSACTIONS_MAX = 1 << 20;

/**
 * The phones of one worker: each registers, refreshes before what was granted is over, and tries again after a refusal as
 * its policy says (RFC 3261 10.2). State is in arrays by phone; an idle phone has one timer and no transaction. Several
 * phones share a socket, and each has a contact of its own; they all share one parser and one transaction layer.
 */
export class Registrant implements Actor, SocketUser {
  readonly client: ClientTransactions;
  readonly phones: number;
  readonly #o: RegistrantOptions;
  readonly #values: Float64Array;
  readonly #sockets: PhoneSockets;
  readonly #msg = new SipMessage();
  readonly #writer: RegisterWriter;
  readonly #schedule: Schedule;
  readonly #chance: KeyedPrng;
  #next = 0;
  #nowUs: number;
  readonly #turn: ArrivalTurn;
  #inFlight = 0;
  #stopped = false;
  /** Two for a phone: its next attempt, and the end of its binding. */
  readonly #timers: TimerWheel;
  readonly #fire: (id: number) => void;
  readonly #s: PhoneStates;
  readonly #challenges: ChallengeBook;
  readonly #book: PhoneBook;
  readonly #population: Population;
  readonly #routes: ServiceRoutes;
  /** Null: they take no calls. */
  #calls: PhoneCallHandler | null = null;
  readonly #words = newWords();
  readonly #proof: RegisterProof = { challenge: null as never, user: null as never, proxy: false, nc: 0 };
  #branchTx = 0;
  readonly #branch = (to: Uint8Array, at: number): number => this.client.writeBranch(this.#branchTx, to, at);

  constructor(wire: Wire, options: RegistrantOptions) {
    this.#o = options;
    const { plan, first, stride, salt, seed, ip } = options;
    const n = phonesOf(plan, first, stride);
    const nowUs = wire.nowUs();
    this.phones = n;
    this.#nowUs = nowUs;
    this.#turn = new ArrivalTurn(wire);
    this.#values = options.counters.values;
    const population = new Population(plan, seed, options.users ?? null);
    this.#schedule = scheduleOf(plan, population, first, stride, seed);
    this.#chance = new KeyedPrng(seed ^ 0x4e915);
    this.#writer = new RegisterWriter(salt, options.runTag, new DigestClient(), options.route ?? null);
    this.#s = new PhoneStates(n, plan.expiresS);
    this.#challenges = new ChallengeBook(n);
    this.#timers = new TimerWheel(n * 2, nowUs);
    this.#fire = (id) => this.#onTimer(id);
    this.#routes = new ServiceRoutes(n);
    this.#population = population;
    this.#book = new PhoneBook(population, first, stride, n);
    this.#sockets = new PhoneSockets(wire, ip, n, plan.phonesPerSocket, this);
    const transactions = Math.min(TRANSACTIONS_MAX, n + TRANSACTIONS_SPARE);
    this.client = new ClientTransactions(
      transactions,
      nowUs,
      salt,
      new MessageSlab(n + 1),
      (phone) => this.#sockets.portOf(phone),
      {
        onResponse: (phone, tx, msg, us) => this.#onResponse(phone, tx, msg, us),
        onTimeout: (phone, _tx, _method, us) => this.#unanswered(phone, 'timeout', us),
        onTransportError: (phone, _tx, _method, _why, us) => this.#unanswered(phone, 'unconnected', us),
        onRetransmit: (phone) => {
          this.#values[COUNTER_INDEX.registerRetransmits]!++;
          this.#values[COUNTER_INDEX.sipSent]!++;
          this.#o.store.incU16(this.#s.record[phone]!, O.retransmissions);
        },
      },
    );
  }

  /** The plan's time is over, and nobody waits for an answer. */
  get idle(): boolean {
    return this.#inFlight === 0 && (this.#stopped || this.#nowUs >= this.#o.t0Us + this.#o.untilMs * 1000);
  }

  /** What calls of these phones need of them; `make` takes the message that they are parsed into. */
  takeCalls(make: (parts: PhoneParts, msg: SipMessage) => PhoneCallHandler): void {
    const { first, stride } = this.#o;
    const parts = { population: this.#population, first, stride, phones: this.phones };
    this.#calls = make({ ...parts, book: this.#book, sockets: this.#sockets, routes: this.#routes }, this.#msg);
  }

  /** No further attempts. */
  stop(): void {
    this.#stopped = true;
  }

  tick(nowUs: number): number {
    this.#nowUs = nowUs;
    const { dueMs, phone, wave } = this.#schedule;
    const nowMs = (nowUs - this.#o.t0Us) / 1000;
    let started = 0;
    while (this.#next < dueMs.length && dueMs[this.#next]! <= nowMs && started < STARTS_PER_TICK) {
      const i = this.#next++;
      this.#join(phone[i]!, wave[i]!, dueMs[i]!, nowUs);
      started++;
    }
    this.#timers.advance(nowUs, this.#fire);
    this.client.advance(nowUs);
    const due = Math.min(this.#timers.nextUs(), this.client.nextUs());
    if (this.#stopped || this.#next >= dueMs.length) return due;
    return Math.min(due, this.#turn.nextUs(this.#o.t0Us + dueMs[this.#next]! * 1000, nowUs, started));
  }

  /** A wave reaches a phone: what it had is gone. */
  #join(phone: number, wave: number, intendedMs: number, nowUs: number): void {
    if (this.#s.record[phone]! >= 0) {
      this.client.drop(this.#s.tx[phone]!);
      this.#s.tx[phone] = -1;
      this.#end(phone, 'superseded', nowUs);
    }
    this.#unbind(phone);
    this.#s.wave[phone] = wave;
    this.#s.failures[phone] = 0;
    if (this.#o.plan.waves[wave]!.restart) {
      this.#s.boot[phone]!++;
      this.#s.cseq[phone] = 0;
      this.#challenges.forget(phone);
      this.#s.expiresS[phone] = this.#o.plan.expiresS;
    }
    this.#timers.clear(phone * 2);
    this.#begin(phone, 'wave', this.#o.t0Us + intendedMs * 1000, nowUs);
  }

  #onTimer(id: number): void {
    const phone = id >> 1;
    if ((id & 1) === 1) this.#unbind(phone);
    else
      this.#begin(phone, this.#s.failures[phone]! > 0 ? 'retry' : 'refresh', this.#s.intendedUs[phone]!, this.#nowUs);
  }

  #begin(phone: number, reason: RegistrationReason, intendedUs: number, nowUs: number): void {
    const { store, counters, t0Us, untilMs, first, stride, worker } = this.#o;
    if (this.#stopped || nowUs > t0Us + untilMs * 1000) return;
    const v = this.#values;
    v[COUNTER_INDEX.registrationsOffered]!++;
    const tx = this.client.open(phone, METHOD.REGISTER);
    const record = tx < 0 ? -1 : store.take();
    if (record < 0) {
      if (tx >= 0) this.client.drop(tx);
      v[COUNTER_INDEX.registrationsBlocked]!++;
      this.#again(phone, -1, nowUs);
      return;
    }
    this.#s.record[phone] = record;
    const number = first + phone * stride;
    store.setF64(record, O.intendedMs, (intendedUs - t0Us) / 1000);
    store.setF64(record, O.startedMs, (nowUs - t0Us) / 1000);
    store.setU32(record, O.phone, number);
    store.setU16(record, O.tenant, this.#book.tenant(number));
    store.setU16(record, O.failures, this.#s.failures[phone]!);
    store.setU8(record, O.reason, REGISTRATION_REASONS.indexOf(reason));
    store.setU8(record, O.wave, this.#s.wave[phone]!);
    store.setU8(record, O.worker, worker);
    counters.callLateness[bucketOf(nowUs - intendedUs)]!++;
    v[COUNTER_INDEX.registrationsStarted]!++;
    this.#inFlight++;
    this.#send(phone, tx, nowUs);
  }

  /** The REGISTER of an attempt under way: its first, or one that answers a challenge or a 423. */
  #send(phone: number, tx: number, nowUs: number): void {
    const { hopIp, hopPort, first, stride } = this.#o;
    if (tx < 0) {
      this.#values[COUNTER_INDEX.transactionsFull]!++;
      this.#fail(phone, 'rejected', -1, nowUs);
      return;
    }
    const port = this.#sockets.portOf(phone);
    const at = port.slot();
    const w = this.#words;
    w.phone = first + phone * stride;
    w.user = this.#book.user(phone);
    w.domain = this.#book.domain(w.phone);
    w.local = this.#sockets.localOf(phone);
    w.slot = phone;
    w.boot = this.#s.boot[phone]!;
    w.cseq = ++this.#s.cseq[phone]!;
    w.expiresS = this.#s.expiresS[phone]!;
    const challenge = this.#challenges.get(phone);
    const proof = challenge === null ? null : this.#proof;
    if (proof !== null) {
      proof.challenge = challenge!;
      proof.user = this.#book.secret(phone);
      proof.proxy = this.#s.proxy[phone] === 1;
      proof.nc = ++this.#s.nc[phone]!;
    }
    this.#branchTx = tx;
    const len = this.#writer.write(port.tx, at, w, proof, this.#branch) - at;
    this.#values[COUNTER_INDEX.sipSent]!++;
    this.#s.tx[phone] = tx;
    if (len > 0 && this.client.send(tx, at, len, hopIp, hopPort, nowUs)) return;
    this.client.drop(tx);
    this.#s.tx[phone] = -1;
    this.#fail(phone, 'rejected', -1, nowUs);
  }

  #onResponse(phone: number, tx: number, msg: SipMessage, nowUs: number): void {
    const { status } = msg;
    if (status < 200 || this.#s.tx[phone] !== tx) return;
    this.#s.tx[phone] = -1;
    // Timer K only swallows repeats of a final answer (17.1.2.2). Here they are strays, and an idle phone has no transaction.
    this.client.drop(tx);
    const { store } = this.#o;
    const v = this.#values;
    const record = this.#s.record[phone]!;
    store.setU16(record, O.finalCode, status);
    if (status < 300) {
      v[COUNTER_INDEX.register200]!++;
      this.#accepted(phone, msg, nowUs);
      return;
    }
    if (status === 401 || status === 407) {
      v[COUNTER_INDEX.register401]!++;
      if (this.#challenged(phone, msg)) {
        this.#send(phone, this.client.open(phone, METHOD.REGISTER), nowUs);
        return;
      }
      this.#challenges.forget(phone);
    } else if (status === 423) {
      const minS = msg.numberOf(H.MIN_EXPIRES);
      store.incU16(record, O.n423);
      // RFC 3261 10.2.8: the same again, for as long as it wants; once.
      if (minS > this.#s.expiresS[phone]!) {
        this.#s.expiresS[phone] = minS;
        this.#send(phone, this.client.open(phone, METHOD.REGISTER), nowUs);
        return;
      }
    }
    if (status === 503) {
      v[COUNTER_INDEX.register503]!++;
      store.incU16(record, O.n503);
    } else v[COUNTER_INDEX.registerRejected]!++;
    const retryAfterS = msg.numberOf(H.RETRY_AFTER);
    if (retryAfterS >= 0) store.setU16(record, O.retryAfterS, retryAfterS);
    this.#fail(phone, 'rejected', retryAfterS, nowUs);
  }

  /** Keeps the challenge to answer; false when there is none, or when ours was the answer to one as fresh. */
  #challenged(phone: number, msg: SipMessage): boolean {
    const { store } = this.#o;
    const record = this.#s.record[phone]!;
    const before = store.getU16(record, O.n401);
    store.incU16(record, O.n401);
    const proxy = msg.status === 407;
    const challenge = challengesOf(msg, proxy ? H.PROXY_AUTHENTICATE : H.WWW_AUTHENTICATE)[0];
    if (challenge === undefined || before >= CHALLENGES_MAX) return false;
    // Once for each nonce (RFC 3261 22.2); what was reused from an earlier attempt may just have been forgotten there.
    if (before > 0 && !challenge.stale) return false;
    this.#challenges.keep(phone, challenge);
    this.#s.proxy[phone] = proxy ? 1 : 0;
    this.#s.nc[phone] = 0;
    return true;
  }

  #accepted(phone: number, msg: SipMessage, nowUs: number): void {
    const { store, plan } = this.#o;
    const grantedS = grantedIn(msg, this.#book.user(phone), this.#s.expiresS[phone]!);
    if (grantedS <= 0) {
      // RFC 3261 10.2.4: without our contact in it the answer is no registration.
      this.#fail(phone, 'rejected', -1, nowUs);
      return;
    }
    this.#routes.keep(phone, msg);
    store.setU32(this.#s.record[phone]!, O.grantedExpiresS, grantedS);
    if (this.#s.bound[phone] === 0) this.#values[COUNTER_INDEX.registeredPhones]!++;
    this.#s.bound[phone] = 1;
    this.#s.failures[phone] = 0;
    this.#end(phone, 'registered', nowUs);
    this.#timers.set(phone * 2 + 1, nowUs + grantedS * 1e6);
    const share = plan.refreshMin + (plan.refreshMax - plan.refreshMin) * this.#draw(phone);
    this.#wake(phone, nowUs + grantedS * 1e6 * share);
  }

  #unanswered(phone: number, outcome: 'timeout' | 'unconnected', nowUs: number): void {
    this.#s.tx[phone] = -1;
    this.#values[COUNTER_INDEX[outcome === 'timeout' ? 'registerTimeouts' : 'registerUnconnected']]!++;
    this.#fail(phone, outcome, -1, nowUs);
  }

  #fail(phone: number, outcome: RegistrationOutcome, retryAfterS: number, nowUs: number): void {
    this.#end(phone, outcome, nowUs);
    this.#again(phone, retryAfterS, nowUs);
  }

  #again(phone: number, retryAfterS: number, nowUs: number): void {
    const failures = Math.min(this.#s.failures[phone]! + 1, 65_535);
    this.#s.failures[phone] = failures;
    this.#wake(phone, nowUs + retryDelayMs(this.#o.plan.retry, failures, retryAfterS, this.#draw(phone)) * 1000);
  }

  #wake(phone: number, atUs: number): void {
    this.#s.intendedUs[phone] = atUs;
    this.#timers.set(phone * 2, atUs);
  }

  #unbind(phone: number): void {
    if (this.#s.bound[phone] === 0) return;
    this.#s.bound[phone] = 0;
    this.#timers.clear(phone * 2 + 1);
    this.#values[COUNTER_INDEX.registeredPhones]!--;
  }

  #end(phone: number, outcome: RegistrationOutcome, nowUs: number): void {
    const { store, t0Us } = this.#o;
    const record = this.#s.record[phone]!;
    store.setF64(record, O.doneMs, (nowUs - t0Us) / 1000);
    store.setU8(record, O.outcome, REGISTRATION_OUTCOMES.indexOf(outcome));
    store.done(record);
    this.#s.record[phone] = -1;
    this.#inFlight--;
    this.#values[COUNTER_INDEX.registrationsEnded]!++;
  }

  /** A phone's nth number depends on nothing that happened to the others. */
  #draw(phone: number): number {
    return this.#chance
      .at(Math.imul(this.#s.cseq[phone]!, 0x2c1b3c6d) ^ (this.#o.first + phone * this.#o.stride))
      .next();
  }

  lost(flow: Flow, first: number, end: number, why: string, nowUs: number): void {
    this.#calls?.lost(flow.port, flow.peerIp, flow.peerPort, why, nowUs);
    for (let phone = first; phone < end; phone++) {
      if (this.#s.tx[phone]! >= 0) this.client.fail(this.#s.tx[phone]!, why, nowUs);
      else if (this.#s.bound[phone] === 1) this.#again(phone, -1, nowUs);
      this.#unbind(phone);
    }
  }

  receive(
    port: UdpPort,
    bytes: Uint8Array,
    off: number,
    len: number,
    srcIp: number,
    srcPort: number,
    nowUs: number,
  ): void {
    const msg = this.#msg;
    const v = this.#values;
    v[COUNTER_INDEX.sipReceived]!++;
    const code = msg.parse(bytes, off, len, isFramed(port));
    if (code !== PARSE.OK) {
      if (code !== PARSE.KEEP_ALIVE) v[COUNTER_INDEX.parseRejected]!++;
      return;
    }
    this.#nowUs = nowUs;
    const tx = msg.isRequest || msg.moreVias ? -1 : this.client.match(msg);
    if (tx >= 0) this.client.receive(tx, msg, nowUs);
    else if (this.#calls !== null) this.#calls.receive(port, srcIp, srcPort, nowUs);
    else if (!msg.isRequest) v[COUNTER_INDEX.strayMessages]!++;
    else if (answerStray(msg, port, srcIp, srcPort)) v[COUNTER_INDEX.sipSent]!++;
  }
}
