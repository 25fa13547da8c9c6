import { COUNTER_INDEX, Counters } from '../../../agents/counters.js';
import { isReliable } from '../../../agents/sip/client.js';
import { ALGORITHM, type Algorithm } from '../../../agents/sip/digest.js';
import { H, METHOD } from '../../../agents/sip/names.js';
import type { SipMessage } from '../../../agents/sip/parse.js';
import { EMPTY_BODY, responsePort, writeEcho } from '../../../agents/sip/respond.js';
import { SipStack } from '../../../agents/sip/stack.js';
import { ascii, writeBytes } from '../../../agents/sip/text.js';
import { QuietUser } from '../../../agents/sip/user.js';
import { type Actor, DATAGRAM_MAX, type Wire } from '../../../agents/wire/types.js';
import { assert } from '../../errors.js';
import { type Prng, prng } from '../../prng.js';
import type { CredentialCache, Ha1, SubscriberDb } from './credentials.js';
import { DigestGate } from './credentials-gate.js';
import { FirstLimit, type FirstLimitOptions } from './credentials-limit.js';
import { type Kept, ThreadWait } from './credentials-wait.js';
import {
  type Aor,
  type Binding,
  contactLine,
  EXPIRY_DEFAULTS,
  type ExpiryPolicy,
  grant,
  Location,
  optionTags,
  readAor,
  readContacts,
  readPath,
  rowOf,
} from './location.js';
import { ThreadPool } from './threads.js';

export interface RegistrarOptions extends ExpiryPolicy {
  ip: number;
  port: number;
  /** Without it: the domain of the address-of-record, so that each tenant is a realm. */
  realm?: string;
  /** Offered in this order, each in a header of its own (RFC 8760 2.3), and accepted. */
  algorithms: readonly Algorithm[];
  nonceLifeS: number;
  maxContacts: number;
  /** Where HA1 comes from: `cache` at once, `db` by a row read for each request, for which a thread waits. */
  credentials: 'cached' | 'database';
  cache?: CredentialCache;
  db?: SubscriberDb;
  /** Kamailio usrloc's: 0 keeps contacts in memory only, 1 answers after they are written to the database. */
  dbMode: 0 | 1;
  threads: number;
  /** Size of the socket's receive buffer: datagrams that wait for a thread lie there. */
  receiveBufferBytes: number;
  rateLimit?: FirstLimitOptions;
  /** Server transactions: 200s are kept for 32 s (timer J), 2 KB each; everything else is answered statelessly. */
  transactions: number;
  seed: number;
  /** Stretches in which nothing that is sent to it arrives. */
  outages?: readonly { fromUs: number; toUs: number }[];
}

/** Linux's own buffer (net.core.rmem_default), 4 workers, an hour, contacts in memory. */
export const REGISTRAR_DEFAULTS = {
  algorithms: [ALGORITHM.MD5],
  nonceLifeS: 300,
  ...EXPIRY_DEFAULTS,
  maxContacts: 10,
  credentials: 'cached',
  dbMode: 0,
  threads: 4,
  receiveBufferBytes: 212_992,
  transactions: 32_768,
} as const satisfies Partial<RegistrarOptions>;

const STREAM_INBOX = 65_536;
/** What the kernel charges a socket for a REGISTER: an skb of 1,280 bytes without credentials, 2,304 with. */
const DATAGRAM_COST = 1_792;
/** Datagrams that a socket's receive buffer holds. */
export const datagramsOf = (bytes: number): number => Math.max(1, Math.floor(bytes / DATAGRAM_COST));

export class RegistrarMetrics {
  registersTotal = 0;
  ok200Total = 0;
  challenged401Total = 0;
  /** Of those, with stale=true. */
  staleTotal = 0;
  refused503Total = 0;
  failed403Total = 0;
  /** 400, 420, 423, 500 and 503 for other reasons than the rate. */
  rejectedTotal = 0;
  retransmitsTotal = 0;
  bindings = 0;
  expiredTotal = 0;
  threadsBusy = 0;
  inboxDepth = 0;
  inboxDroppedTotal = 0;
  transactionsFullTotal = 0;
  dbPending = 0;
  dbLatencyMs = 0;
  socketDropsTotal = 0;
  /** 1 while nothing arrives. */
  unreachable = 0;
  /** Datagrams that arrived, and those that went nowhere meanwhile. */
  heardTotal = 0;
  unreachableTotal = 0;
}

const PHRASES = {
  200: 'OK',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  405: 'Method Not Allowed',
  420: 'Bad Extension',
  423: 'Interval Too Brief',
  500: 'Server Internal Error',
  503: 'Service Unavailable',
};
type Status = keyof typeof PHRASES;
const LINES = new Map(
  Object.entries(PHRASES).map(([code, text]) => [Number(code), ascii(`SIP/2.0 ${code} ${text}\r\n`)]),
);

/** Stateless answers must have the same tag each time (RFC 3261 8.2.7). */
const TAG = ascii('registrar');
const ALLOW = 'Allow: REGISTER, OPTIONS\r\n';

/** A REGISTER under way. */
interface Asked extends Kept, Aor {
  tx: number;
  srcIp: number;
  srcPort: number;
}

/** A registrar with digest authentication and a location service (RFC 3261 10.3), on a socket of its own. */
export class Registrar extends QuietUser implements Actor {
  readonly threads: ThreadPool;
  readonly #o: RegistrarOptions;
  readonly #stack: SipStack;
  readonly #location: Location;
  readonly #gate: DigestGate;
  readonly #limit: FirstLimit | null;
  readonly #chance: Prng;
  readonly #metrics = new RegistrarMetrics();
  readonly #waits: ThreadWait;
  /** An answer as it grows: it may turn out too long for a datagram. */
  readonly #out = new Uint8Array(4 * DATAGRAM_MAX);
  readonly #wire: Wire;
  #nowUs: number;

  constructor(wire: Wire, options: RegistrarOptions) {
    super();
    this.#wire = wire;
    const { db, cache, credentials, threads, dbMode, transactions } = options;
    assert(
      credentials === 'cached' ? cache !== undefined : db !== undefined,
      `credentials ${credentials} have a source`,
    );
    assert(dbMode === 0 || db !== undefined, 'dbMode 1 has a database');
    this.#o = options;
    this.#nowUs = wire.nowUs();
    this.#location = new Location(options.maxContacts, this.#nowUs);
    this.#gate = new DigestGate({ ...options, secret: `deadair ${options.seed}` });
    this.#limit = options.rateLimit === undefined ? null : new FirstLimit(options.rateLimit);
    this.#chance = prng(options.seed);
    const limits = { clientTransactions: 1, serverTransactions: transactions, messages: transactions };
    this.#stack = new SipStack(this, new Counters(), limits, options.seed & 0xffff, this.#nowUs);
    this.threads = new ThreadPool(threads, this.inboxLimit, (bytes, off, len, srcIp, srcPort) =>
      this.#stack.receive(bytes, off, len, srcIp, srcPort, this.#nowUs),
    );
    this.#waits = new ThreadWait(this.threads, () => {
      this.#nowUs = wire.nowUs();
    });
    this.#stack.port = wire.bind(options.ip, options.port, (bytes, off, len, srcIp, srcPort, nowUs) => {
      this.#nowUs = nowUs;
      if (this.#isOut(nowUs)) this.#metrics.unreachableTotal++;
      else {
        this.#metrics.heardTotal++;
        this.threads.receive(bytes, off, len, srcIp, srcPort);
      }
    });
  }

  /** A stream drops nothing: what is not read waits at the phone. One request for each connection, and those of late. */
  get inboxLimit(): number {
    if (this.#wire.kind === 'stream') return STREAM_INBOX;
    return datagramsOf(this.#o.receiveBufferBytes);
  }
  get port(): number {
    return this.#stack.port.port;
  }

  /** Up to date at every reading. */
  get metrics(): Readonly<RegistrarMetrics> {
    const m = this.#metrics;
    const { values } = this.#stack.counters;
    m.retransmitsTotal = values[COUNTER_INDEX.retransmitsSeen]!;
    m.transactionsFullTotal = values[COUNTER_INDEX.transactionsFull]!;
    m.bindings = this.#location.bindings;
    m.expiredTotal = this.#location.expiredTotal;
    m.threadsBusy = this.threads.taken;
    m.inboxDepth = this.threads.depth;
    m.inboxDroppedTotal = this.threads.droppedTotal;
    m.dbPending = this.#o.db?.metrics.pending ?? 0;
    m.dbLatencyMs = this.#o.db?.metrics.latencyMs ?? 0;
    m.socketDropsTotal = this.#stack.port.drops?.() ?? 0;
    m.unreachable = this.#isOut(this.#wire.nowUs()) ? 1 : 0;
    return m;
  }

  #isOut(nowUs: number): boolean {
    return this.#o.outages?.some((o) => nowUs >= o.fromUs && nowUs < o.toUs) ?? false;
  }

  /** Contacts of `user@domain`, preferred ones first. With a path: send there; else to the address it came from. */
  lookup(aor: string, nowUs: number): Binding[] {
    return this.#location.find(aor, nowUs);
  }

  tick(nowUs: number): number {
    this.#nowUs = nowUs;
    this.#stack.port.setListening?.(!this.#isOut(nowUs));
    const dbDue = this.#o.db?.tick(nowUs) ?? Number.POSITIVE_INFINITY;
    return Math.min(dbDue, this.#stack.tick(nowUs), this.#location.tick(nowUs));
  }

  onRequest(msg: SipMessage, tx: number, srcIp: number, srcPort: number): void {
    const asked: Asked = { msg, copy: null, tx, srcIp, srcPort, user: '', domain: '', aor: '' };
    if (msg.method === METHOD.OPTIONS) this.#answer(asked, 200, ALLOW);
    else if (msg.method !== METHOD.REGISTER) this.#answer(asked, 405, ALLOW);
    else this.#register(asked);
  }

  #register(asked: Asked): void {
    const { msg } = asked;
    this.#metrics.registersTotal++;
    const unsupported = optionTags(msg, H.REQUIRE).filter((tag) => tag !== 'path');
    // RFC 3261 10.3 steps 2 and 5, 8.2.2.3.
    if (unsupported.length > 0) this.#reject(asked, 420, `Unsupported: ${unsupported.join(', ')}\r\n`);
    else if (!readAor(msg, asked)) this.#reject(asked, 400);
    else if (!this.#gate.read(msg, this.#realm(asked))) this.#first(asked);
    else this.#authenticate(asked);
  }

  #realm(asked: Asked): string {
    return this.#o.realm ?? asked.domain;
  }

  /** A REGISTER without credentials. */
  #first(asked: Asked): void {
    const limit = this.#limit;
    if (limit === null || limit.takes(asked.srcIp, this.#nowUs)) this.#challenge(asked, false);
    else {
      this.#metrics.refused503Total++;
      this.#answer(asked, 503, `Retry-After: ${limit.retryAfterS(this.#chance.next())}\r\n`);
    }
  }

  #challenge(asked: Asked, stale: boolean): void {
    const m = this.#metrics;
    m.challenged401Total++;
    if (stale) m.staleTotal++;
    this.#answer(asked, 401, this.#gate.challenge(this.#realm(asked), stale, this.#nowUs));
  }

  #authenticate(asked: Asked): void {
    const gate = this.#gate;
    const { user, msg } = asked;
    const realm = this.#realm(asked);
    const { credentials, cache, db } = this.#o;
    const state = gate.state(this.#nowUs);
    if (state !== 'fresh') this.#challenge(asked, state === 'stale');
    // Step 4: one may register oneself only.
    else if (gate.user !== user) this.#forbid(asked);
    else if (credentials === 'cached') this.#judge(asked, msg, cache!.find(user, realm));
    else {
      this.#waits.wait<Ha1 | null>(
        asked,
        (done) => db!.find(user, realm, done),
        (ha1, err) => {
          // Other messages were read meanwhile.
          if (err === null && gate.read(asked.msg, realm)) this.#judge(asked, asked.msg, ha1);
          else this.#reject(asked, 500);
        },
      );
    }
  }

  /** An unknown user is told the same as a wrong password. */
  #judge(asked: Asked, msg: SipMessage, ha1: Ha1 | null): void {
    if (ha1 !== null && this.#gate.admits(msg, ha1)) this.#bind(asked);
    else this.#forbid(asked);
  }

  /** Steps 6 and 7. */
  #bind(asked: Asked): void {
    const o = this.#o;
    const { msg, aor, srcIp: receivedIp, srcPort: receivedPort } = asked;
    const contacts = readContacts(msg);
    const header = msg.numberOf(H.EXPIRES);
    if (contacts === 'bad' || (contacts === null && header !== 0)) {
      this.#reject(asked, 400);
      return;
    }
    if (contacts !== null && contacts.length === 0) {
      this.#accept(asked); // a question: which bindings are there?
      return;
    }
    const granted = grant(contacts ?? [], header, o, this.#chance);
    if (granted === null) {
      this.#reject(asked, 423, `Min-Expires: ${o.minExpiresS}\r\n`);
      return;
    }
    const callId = msg.text(msg.callIdOff, msg.callIdLen);
    const wish = { callId, cseq: msg.cseq, contacts, path: readPath(msg), receivedIp, receivedPort };
    const status = this.#location.update(aor, wish, granted, this.#nowUs);
    if (status !== 200) this.#reject(asked, status);
    else if (o.dbMode === 0) this.#accept(asked);
    else this.#write(asked, this.#location.changed.slice());
  }

  /** Write-through: one row after the other, and the answer after the last. */
  #write(asked: Asked, rows: Binding[]): void {
    const binding = rows.shift();
    if (binding === undefined) {
      this.#accept(asked);
      return;
    }
    const row = rowOf(asked.aor, binding);
    this.#waits.wait<null>(
      asked,
      (done) => this.#o.db!.save(row, (err) => done(null, err)),
      (_, err) => {
        if (err !== null) this.#reject(asked, 500);
        else this.#write(asked, rows);
      },
    );
  }

  /** Step 8: every binding of the address-of-record, and how long it has left. */
  #accept(asked: Asked): void {
    this.#metrics.ok200Total++;
    let headers = '';
    for (const b of this.#location.find(asked.aor, this.#nowUs)) headers += contactLine(b, this.#nowUs);
    // RFC 3327 5.3: told to those who said that they would understand it.
    const path = optionTags(asked.msg, H.SUPPORTED).includes('path') ? readPath(asked.msg) : [];
    for (const value of path) headers += `Path: ${value}\r\n`;
    this.#answer(asked, 200, headers);
  }

  #forbid(asked: Asked): void {
    this.#metrics.failed403Total++;
    this.#answer(asked, 403, '');
  }

  #reject(asked: Asked, status: Status, headers = ''): void {
    this.#metrics.rejectedTotal++;
    this.#answer(asked, status, headers);
  }

  #answer({ msg, tx, srcIp, srcPort }: Asked, status: Status, headers: string): void {
    const { port, server } = this.#stack;
    const out = this.#out;
    let p = writeEcho(msg, srcIp, srcPort, TAG, out, writeBytes(out, 0, LINES.get(status)!));
    // What no datagram can carry is not sent: the phone gets its timeout.
    const fits = p + headers.length + EMPTY_BODY.length <= DATAGRAM_MAX;
    if (fits) {
      for (let i = 0; i < headers.length; i++) out[p++] = headers.charCodeAt(i);
      p = writeBytes(out, p, EMPTY_BODY);
      const slot = port.slot();
      port.tx.set(out.subarray(0, p), slot);
      // Repeating a challenge or a refusal is as cheap as making it (RFC 3261 8.2.7); a binding is made once.
      if (status === 200) server.send(tx, status, slot, p, this.#nowUs);
      else port.commit(p, srcIp, isReliable(port) ? srcPort : responsePort(msg, srcPort));
    }
    if (status !== 200 || !fits) server.drop(tx);
  }
}
