import { ALGORITHM, ha1Of } from '../../../agents/sip/digest.js';
import { ascii } from '../../../agents/sip/text.js';
import type { Actor } from '../../../agents/wire/types.js';

/** A phone's name and secret. A realm is a tenant's domain. */
export interface Credential {
  user: string;
  realm: string;
  password: string;
}

/** What a registrar keeps of a password (RFC 7616 3.4.2), as hex. */
export interface Ha1 {
  md5: Uint8Array;
  sha256: Uint8Array;
}

export function ha1sOf({ user, realm, password }: Credential): Ha1 {
  const [u, r, p] = [ascii(user), ascii(realm), ascii(password)];
  return { md5: ha1Of(ALGORITHM.MD5, u, r, p), sha256: ha1Of(ALGORITHM.SHA_256, u, r, p) };
}

/** Credentials in memory, as Kamailio's htable in front of auth_db: answered at once. */
export class CredentialCache {
  readonly #entries = new Map<string, Credential | Ha1>();

  constructor(credentials: Iterable<Credential>) {
    for (const credential of credentials) this.#entries.set(`${credential.user}@${credential.realm}`, credential);
  }

  find(user: string, realm: string): Ha1 | null {
    const key = `${user}@${realm}`;
    const entry = this.#entries.get(key);
    if (entry === undefined) return null;
    if ('md5' in entry) return entry;
    const ha1 = ha1sOf(entry);
    this.#entries.set(key, ha1);
    return ha1;
  }
}

/** A contact as it is kept in the database; `expiresMs` 0 removes it. */
export interface BindingRow {
  aor: string;
  contact: string;
  callId: string;
  cseq: number;
  /** On the run's clock. */
  expiresMs: number;
  path: string;
  /** Address that the REGISTER came from. */
  received: string;
}

export interface SubscriberDbMetrics {
  /** Queries asked and not yet answered. */
  pending: number;
  /** How long the last answer took, from asking. */
  latencyMs: number;
  answeredTotal: number;
  /** Queries refused at the limit, or that the database failed. */
  failedTotal: number;
}

/** `ha1` is null when there is no such subscriber, or `err` says why it is not known. */
export type Found = (ha1: Ha1 | null, err: string | null) => void;
export type Saved = (err: string | null) => void;

/**
 * The registrar's database. Queries are answered one by one, in order, from tick(); a query that is refused is answered
 * from find() or save() itself.
 */
export interface SubscriberDb extends Actor {
  readonly metrics: Readonly<SubscriberDbMetrics>;
  find(user: string, realm: string, done: Found): void;
  save(row: BindingRow, done: Saved): void;
  close(): Promise<void>;
}

export const TOO_MANY_QUERIES = 'too many queries';

export interface MemoryCredentialsOptions {
  nowUs: () => number;
  limit: number;
  credentials: Iterable<Credential>;
  /** How long the database works on a query, one after the other; default 50. */
  serviceUs?: number;
  /** The way there and back, which queries travel side by side; default 0. */
  latencyUs?: number;
}

interface Query {
  askedUs: number;
  answer: () => void;
  /** When the answer is there; NaN while the database has not finished it. */
  dueUs: number;
}

/** Virtual time, for simulation. No query begins while the database is locked. */
export class MemoryCredentials implements SubscriberDb {
  readonly metrics: SubscriberDbMetrics = { pending: 0, latencyMs: 0, answeredTotal: 0, failedTotal: 0 };
  /** What is saved, by AOR and contact. */
  readonly rows = new Map<string, BindingRow>();
  readonly #cache: CredentialCache;
  readonly #nowUs: () => number;
  readonly #limit: number;
  readonly #serviceUs: number;
  readonly #latencyUs: number;
  readonly #locks: { fromUs: number; toUs: number }[] = [];
  readonly #queue: Query[] = [];
  readonly #travelling: Query[] = [];
  /** When the query at the head of the queue is finished; Infinity when there is none. */
  #headUs = Number.POSITIVE_INFINITY;

  constructor(options: MemoryCredentialsOptions) {
    this.#nowUs = options.nowUs;
    this.#limit = options.limit;
    this.#cache = new CredentialCache(options.credentials);
    this.#serviceUs = Math.max(1, options.serviceUs ?? 50);
    this.#latencyUs = options.latencyUs ?? 0;
  }

  /** No query begins from `fromUs` until `toUs`. Told before `fromUs`. */
  lockBetween(fromUs: number, toUs: number): void {
    this.#locks.push({ fromUs, toUs });
    this.#locks.sort((a, b) => a.fromUs - b.fromUs);
  }

  find(user: string, realm: string, done: Found): void {
    if (this.#refuses()) done(null, TOO_MANY_QUERIES);
    else this.#ask(() => done(this.#cache.find(user, realm), null));
  }

  save(row: BindingRow, done: Saved): void {
    if (this.#refuses()) {
      done(TOO_MANY_QUERIES);
      return;
    }
    this.#ask(() => {
      const key = `${row.aor} ${row.contact}`;
      if (row.expiresMs === 0) this.rows.delete(key);
      else this.rows.set(key, row);
      done(null);
    });
  }

  /** Call it again after find() and save(): the next deadline may have come nearer. */
  tick(nowUs: number): number {
    while (this.#headUs <= nowUs) {
      const query = this.#queue.shift()!;
      query.dueUs = this.#headUs + this.#latencyUs;
      this.#travelling.push(query);
      this.#begin(this.#headUs);
    }
    while (this.#travelling.length > 0 && this.#travelling[0]!.dueUs <= nowUs) {
      const { askedUs, dueUs, answer } = this.#travelling.shift()!;
      this.metrics.pending--;
      this.metrics.answeredTotal++;
      this.metrics.latencyMs = (dueUs - askedUs) / 1000;
      answer();
    }
    return Math.min(this.#headUs, this.#travelling[0]?.dueUs ?? Number.POSITIVE_INFINITY);
  }

  async close(): Promise<void> {
    this.#queue.length = 0;
    this.#travelling.length = 0;
    this.#headUs = Number.POSITIVE_INFINITY;
  }

  #refuses(): boolean {
    if (this.metrics.pending < this.#limit) return false;
    this.metrics.failedTotal++;
    return true;
  }

  #ask(answer: () => void): void {
    const askedUs = this.#nowUs();
    this.#queue.push({ askedUs, answer, dueUs: Number.NaN });
    this.metrics.pending++;
    if (this.#queue.length === 1) this.#begin(askedUs);
  }

  #begin(fromUs: number): void {
    let startUs = this.#queue.length === 0 ? Number.POSITIVE_INFINITY : fromUs;
    for (const lock of this.#locks) if (startUs >= lock.fromUs && startUs < lock.toUs) startUs = lock.toUs;
    this.#headUs = startUs + this.#serviceUs;
  }
}
