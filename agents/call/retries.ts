import { O } from '../leg.js';
import { splitValues } from '../sip/dialog.js';
import type { InviteWriter } from '../sip/invite.js';
import { H } from '../sip/names.js';
import type { SipMessage } from '../sip/parse.js';
import { uriOf } from '../sip/scan.js';
import { ascii, latin1, readUint } from '../sip/text.js';
import { UriView } from '../sip/uri.js';
import { isLoopbackIp } from '../wire/types.js';
import type { Sessions } from './session.js';
import type { CallTable } from './table.js';

/** An INVITE of a call goes out at most so often. */
const INVITES_MAX = 12;
const Q = ascii('q');
const INVITE = ascii('INVITE');

interface Target {
  uri: Uint8Array;
  ip: number;
  port: number;
  /** Thousandths. */
  q: number;
}

interface Retry {
  invites: number;
  redirects: number;
  seen: Set<string>;
  /** Still to be tried, best first. */
  targets: Target[];
  uri: Uint8Array | null;
  www: Uint8Array | null;
  proxy: Uint8Array | null;
}

export interface NextInvite {
  uri: Uint8Array | null;
  lines: Uint8Array | null;
  ip: number;
  port: number;
}

/**
 * What an INVITE's refusal asks for: other targets (3xx, RFC 3261 8.1.3.4), credentials (401, 407, 22.2), a longer session
 * interval (422, RFC 4028 7.3). Few calls need it, so it is kept in objects, and only for those.
 */
export class Retries {
  readonly #calls = new Map<number, Retry>();
  readonly #uri = new UriView();
  readonly #range = new Int32Array(2);
  readonly #scratch = new Uint8Array(1024);
  readonly #first: Uint8Array | null;

  constructor(
    private readonly table: CallTable,
    private readonly sessions: Sessions,
    private readonly writer: InviteWriter,
  ) {
    const { session } = sessions.plan;
    const by = session?.refresher === 'caller' ? 'uac' : 'uas';
    this.#first = session === undefined ? null : ascii(`Session-Expires: ${session.expiresS};refresher=${by}\r\n`);
  }

  /** Calls that have had such a refusal. */
  get size(): number {
    return this.#calls.size;
  }
  forget(slot: number): void {
    this.#calls.delete(slot);
  }
  /** Header lines of a call's first INVITE. */
  first(): Uint8Array | null {
    return this.#first;
  }
  /** Credentials of the INVITE that was let in. */
  proof(slot: number): Uint8Array | null {
    const retry = this.#calls.get(slot);
    return retry === undefined ? null : joined(retry.proxy, retry.www);
  }

  /** The next INVITE after this refusal; null when the call has failed. `ip` and `port` are where the last one went. */
  after(slot: number, msg: SipMessage, ip: number, port: number): NextInvite | null {
    const { status } = msg;
    const { sessions, table } = this;
    const record = table.record[slot]!;
    const retry = this.#calls.get(slot) ?? fresh();
    if (++retry.invites >= INVITES_MAX) return null;
    let next: { uri: Uint8Array | null; ip: number; port: number } | null = { uri: retry.uri, ip, port };
    if (status === 401 || status === 407) {
      if (!this.#prove(slot, msg, retry)) return null;
      table.store.incU8(record, O.challenges);
    } else if (status === 422) {
      if (sessions.plan.session === undefined || !sessions.timers.raise(slot, msg)) return null;
    } else {
      if (status < 400 && retry.redirects < (sessions.plan.redirects ?? 0)) {
        if (this.#learn(msg, retry, ip)) {
          retry.redirects++;
          table.store.incU8(record, O.redirects);
        }
      }
      // 8.1.3.4: the next of the set, best first; after a 6xx there is no point in that (21.6).
      next = status >= 600 ? null : (retry.targets.shift() ?? null);
      if (next === null) return null;
      retry.uri = next.uri;
    }
    this.#calls.set(slot, retry);
    const asks = this.#scratch.slice(0, sessions.timers.writeAsk(slot, this.#scratch, 0));
    return { uri: next.uri, ip: next.ip, port: next.port, lines: joined(asks, joined(retry.proxy, retry.www)) };
  }

  #prove(slot: number, msg: SipMessage, retry: Retry): boolean {
    const { credentials } = this.sessions;
    if (credentials === null) return false;
    const callNo = this.table.callNo[slot]!;
    const uri = retry.uri ?? this.#scratch.slice(0, this.writer.writeUri(this.#scratch, 0, callNo));
    const kind = msg.status === 407 ? 'proxy' : 'www';
    const lines = credentials.answer(slot, msg, INVITE, uri, 0, uri.length, callNo + msg.cseq, retry[kind] !== null);
    if (lines === null) return false;
    retry[kind] = lines;
    return true;
  }

  /**
   * Takes the Contacts of a 3xx that were not tried yet, and that we may send to: loopback, or the address that we were
   * told to call. A redirection must not make us flood somebody else. False when there is none.
   */
  #learn(msg: SipMessage, retry: Retry, ip: number): boolean {
    const found: Target[] = [];
    for (let n = 0, i = msg.find(H.CONTACT); i >= 0; i = msg.find(H.CONTACT, ++n)) {
      for (const { off, len } of splitValues(msg.bytes, msg.valueOff[i]!, msg.valueLen[i]!)) {
        if (!uriOf(msg.bytes, off, len, this.#range)) continue;
        const [uriOff, uriLen] = [this.#range[0]!, this.#range[1]!];
        if (!this.#uri.parse(msg.bytes, uriOff, uriLen)) continue;
        const to = this.#uri.ip;
        if (to !== ip && !isLoopbackIp(to)) continue;
        const text = latin1(msg.bytes, uriOff, uriLen).split('?')[0]!;
        if (retry.seen.has(text)) continue;
        retry.seen.add(text);
        const q = msg.param(uriOff + uriLen, off + len, Q) ? thousandths(msg) : 1000;
        found.push({ uri: ascii(text), ip: to, port: this.#uri.port, q });
      }
    }
    retry.targets = [...found, ...retry.targets].sort((a, b) => b.q - a.q);
    return found.length > 0;
  }
}

function fresh(): Retry {
  return { invites: 0, redirects: 0, seen: new Set(), targets: [], uri: null, www: null, proxy: null };
}

/** qvalue (RFC 3261 25.1): 0, 1, or up to three digits after the point. */
function thousandths(msg: SipMessage): number {
  const { bytes, foundOff: off, foundLen: len } = msg;
  if (bytes[off] === 49) return 1000;
  const digits = Math.min(3, Math.max(0, len - 2));
  return digits === 0 ? 0 : readUint(bytes, off + 2, off + 2 + digits) * 10 ** (3 - digits);
}

function joined(a: Uint8Array | null, b: Uint8Array | null): Uint8Array | null {
  if (a === null || a.length === 0) return b;
  if (b === null || b.length === 0) return a;
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
