/** Digest challenges and credentials as they stand in SIP headers (RFC 3261 20.7, 20.27, 20.28, 20.44, 22; RFC 8760). */
import {
  ALGORITHM,
  ALGORITHM_NAMES,
  type Algorithm,
  copyOf,
  type DigestSecret,
  equal,
  hexLength,
  isSession,
  newInput,
  QOP,
  QOP_NAMES,
  type Qop,
  type Span,
  same,
  span,
  writeResponse,
} from './digest.js';
import type { SipMessage } from './parse.js';
import { ascii, equalsIgnoreCase, latin1, readHex, writeBytes, writeHex } from './text.js';

const PARAMETERS = ['realm', 'nonce', 'opaque', 'algorithm', 'qop', 'stale', 'username', 'uri'] as const;
const ANSWERS = ['response', 'cnonce', 'nc'] as const;
type Parameter = (typeof PARAMETERS)[number] | (typeof ANSWERS)[number];
const KNOWN = [...PARAMETERS, ...ANSWERS].map((name) => ({ name, lower: ascii(name) }));

const SCHEME = ascii('digest');
const TRUE = ascii('true');
const ALGORITHM_LOWER = ALGORITHM_NAMES.map((name) => ascii(name.toLowerCase()));
const QOP_LOWER = QOP_NAMES.map(ascii);
const QUOTE = 34;
const COMMA = 44;
const EQUALS = 61;
const BACKSLASH = 92;
/** Longest value of a header in a datagram. */
const VALUE_MAX = 2048;

function isSpace(c: number): boolean {
  return c === 32 || c === 9 || c === 13 || c === 10;
}

/**
 * The parameters of one Digest header value, without quotes and escapes (RFC 3261 25.1, quoted-pair). `len` of an absent
 * one is -1. Valid until the next parse() and while the buffer is; one instance serves all messages.
 */
export class AuthView implements Record<Parameter, Span> {
  readonly realm = span();
  readonly nonce = span();
  readonly opaque = span();
  readonly algorithm = span();
  readonly qop = span();
  readonly stale = span();
  readonly username = span();
  readonly uri = span();
  readonly response = span();
  readonly cnonce = span();
  readonly nc = span();
  /** Where the parameters end: a second challenge follows there when they stand in one header, as HTTP allows. */
  end = 0;
  /** Values that had escapes. */
  readonly #plain = new Uint8Array(VALUE_MAX);
  #plainUsed = 0;
  /** In the order of KNOWN. */
  readonly #spans: readonly Span[] = KNOWN.map(({ name }) => this[name]);

  /** False when it is not Digest, cannot be read, or says one thing twice (RFC 7616 3.3). */
  parse(bytes: Uint8Array, off: number, len: number): boolean {
    const limit = off + len;
    for (let i = 0; i < this.#spans.length; i++) this.#spans[i]!.len = -1;
    this.#plainUsed = 0;
    let p = off;
    while (p < limit && !isSpace(bytes[p]!)) p++;
    if (len > VALUE_MAX || !equalsIgnoreCase(bytes, off, p - off, SCHEME)) return false;
    for (;;) {
      while (p < limit && (isSpace(bytes[p]!) || bytes[p] === COMMA)) p++;
      const nameOff = p;
      while (p < limit && bytes[p] !== EQUALS && bytes[p] !== COMMA && !isSpace(bytes[p]!)) p++;
      const nameLen = p - nameOff;
      while (p < limit && isSpace(bytes[p]!)) p++;
      if (p >= limit || bytes[p] !== EQUALS) {
        this.end = nameOff;
        return true;
      }
      p++;
      while (p < limit && isSpace(bytes[p]!)) p++;
      const to = this.#named(bytes, nameOff, nameLen);
      if (to !== null && to.len >= 0) return false;
      if (bytes[p] === QUOTE && p < limit) {
        p = this.#quoted(bytes, p + 1, limit, to);
        if (p < 0) return false;
      } else {
        const start = p;
        while (p < limit && bytes[p] !== COMMA && !isSpace(bytes[p]!)) p++;
        if (to !== null) set(to, bytes, start, p - start);
      }
    }
  }

  /** RFC 7616 3.3: MD5 when absent; -1 when we do not know it. */
  algorithmOf(): Algorithm | -1 {
    const { bytes, off, len } = this.algorithm;
    if (len < 0) return ALGORITHM.MD5;
    for (let a = 0; a < ALGORITHM_LOWER.length; a++) {
      if (equalsIgnoreCase(bytes, off, len, ALGORITHM_LOWER[a]!)) return a as Algorithm;
    }
    return -1;
  }

  /** `auth` if it is among those offered, else `auth-int`; -1 when only others are. */
  qopOf(): Qop | -1 {
    const { bytes, off, len } = this.qop;
    if (len < 0) return QOP.NONE;
    let best: Qop | -1 = -1;
    let p = off;
    const end = off + len;
    while (p < end) {
      while (p < end && (bytes[p] === COMMA || isSpace(bytes[p]!))) p++;
      const start = p;
      while (p < end && bytes[p] !== COMMA && !isSpace(bytes[p]!)) p++;
      if (equalsIgnoreCase(bytes, start, p - start, QOP_LOWER[QOP.AUTH]!)) return QOP.AUTH;
      if (equalsIgnoreCase(bytes, start, p - start, QOP_LOWER[QOP.AUTH_INT]!)) best = QOP.AUTH_INT;
    }
    return best;
  }

  #named(bytes: Uint8Array, off: number, len: number): Span | null {
    for (let i = 0; i < KNOWN.length; i++) {
      const { lower } = KNOWN[i]!;
      if (lower.length === len && equalsIgnoreCase(bytes, off, len, lower)) return this.#spans[i]!;
    }
    return null;
  }

  /** Position after the closing quote, or -1 when there is none. */
  #quoted(bytes: Uint8Array, start: number, limit: number, to: Span | null): number {
    let p = start;
    let escapes = 0;
    for (; p < limit && bytes[p] !== QUOTE; p++) {
      if (bytes[p] !== BACKSLASH) continue;
      escapes++;
      p++;
    }
    if (p >= limit) return -1;
    if (to === null) return p + 1;
    if (escapes === 0) {
      set(to, bytes, start, p - start);
      return p + 1;
    }
    set(to, this.#plain, this.#plainUsed, p - start - escapes);
    for (let i = start; i < p; i++) this.#plain[this.#plainUsed++] = bytes[bytes[i] === BACKSLASH ? ++i : i]!;
    return p + 1;
  }
}

function set(to: Span, bytes: Uint8Array, off: number, len: number): void {
  to.bytes = bytes;
  to.off = off;
  to.len = len;
}

/** What a server wants to be answered with; a copy, kept for as long as its nonce is used. */
export interface Challenge {
  readonly algorithm: Algorithm;
  /** The answer names the algorithm only if the challenge did (RFC 7616 3.4). */
  readonly named: boolean;
  readonly qop: Qop;
  /** Only the nonce was too old: the password need not be doubted (RFC 7616 3.3). */
  readonly stale: boolean;
  /** Shared by all challenges of that realm. */
  readonly realm: Uint8Array;
  readonly nonce: Uint8Array;
  readonly opaque: Uint8Array | null;
}

/** Ten thousand phones are in a few hundred realms. */
const REALMS_MAX = 4096;
const realms = new Map<string, Uint8Array>();
function shared(realm: Span): Uint8Array {
  const text = latin1(realm.bytes, realm.off, realm.len);
  const known = realms.get(text);
  if (known !== undefined) return known;
  const bytes = copyOf(realm);
  if (realms.size < REALMS_MAX) realms.set(text, bytes);
  return bytes;
}

const view = new AuthView();

/** Null when it is no Digest challenge that we can answer. */
export function parseChallenge(bytes: Uint8Array, off: number, len: number): Challenge | null {
  if (!view.parse(bytes, off, len) || view.realm.len < 0 || view.nonce.len < 0) return null;
  const algorithm = view.algorithmOf();
  const qop = view.qopOf();
  if (algorithm < 0 || qop < 0) return null;
  return {
    algorithm: algorithm as Algorithm,
    named: view.algorithm.len >= 0,
    qop: qop as Qop,
    stale: view.stale.len > 0 && equalsIgnoreCase(view.stale.bytes, view.stale.off, view.stale.len, TRUE),
    realm: shared(view.realm),
    nonce: copyOf(view.nonce),
    opaque: view.opaque.len < 0 ? null : copyOf(view.opaque),
  };
}

/**
 * The challenges of a 401 (H.WWW_AUTHENTICATE) or 407 (H.PROXY_AUTHENTICATE), one for each realm (RFC 3261 22.3): of
 * several for the same realm the strongest that we know. RFC 8760 2.4 takes the topmost unless local policy says
 * otherwise; ours does, so that a server that lists MD5 first cannot keep us from SHA-256. Among equals: the topmost.
 */
export function challengesOf(msg: SipMessage, header: number): Challenge[] {
  const found: Challenge[] = [];
  for (let n = 0, i = msg.find(header); i >= 0; i = msg.find(header, ++n)) {
    const end = msg.valueOff[i]! + msg.valueLen[i]!;
    for (let p = msg.valueOff[i]!; p < end; p = view.end) {
      view.end = end;
      const challenge = parseChallenge(msg.bytes, p, end - p);
      if (challenge === null) continue;
      const rival = found.findIndex((c) => equal(c.realm, challenge.realm));
      if (rival < 0) found.push(challenge);
      else if (challenge.algorithm > found[rival]!.algorithm) found[rival] = challenge;
    }
  }
  return found;
}

const part = (text: string): Uint8Array => ascii(text);
const USERNAME = part('Digest username="');
const REALM = part('",realm="');
const NONCE = part('",nonce="');
const URI = part('",uri="');
const RESPONSE = part('",response="');
const NAMED = ALGORITHM_NAMES.map((name) => part(`,algorithm=${name}`));
const CNONCE = part(',cnonce="');
const QOP_NC = QOP_NAMES.map((name) => part(`,qop=${name},nc=`));
const OPAQUE = part(',opaque="');
const FIXED_MAX = 220;

/** Answers challenges. One for a worker: it keeps nothing of a user. */
export class DigestClient {
  readonly #input = newInput();

  /**
   * Writes the value of Authorization or Proxy-Authorization at to[at, end); returns the position after it, -1 when there
   * may be no room. `nc` counts the requests with this nonce, from 1 (RFC 7616 3.4); `cnonce` is a token.
   */
  respond(
    challenge: Challenge,
    user: DigestSecret,
    method: Uint8Array,
    uri: Uint8Array,
    uriOff: number,
    uriLen: number,
    nc: number,
    cnonce: Uint8Array,
    to: Uint8Array,
    at: number,
    end: number,
    body: Span | null = null,
  ): number {
    const { algorithm, qop, realm, nonce, opaque } = challenge;
    const quoted = user.name.length + realm.length + nonce.length + cnonce.length + (opaque?.length ?? 0);
    if (at + FIXED_MAX + 2 * (quoted + uriLen) > end) return -1;
    const q = this.#input;
    q.algorithm = algorithm;
    q.qop = qop;
    q.method = method;
    set(q.uri, uri, uriOff, uriLen);
    set(q.nonce, nonce, 0, nonce.length);
    set(q.cnonce, cnonce, 0, cnonce.length);
    q.nc = nc;
    set(q.body, body?.bytes ?? cnonce, body?.off ?? 0, body?.len ?? 0);

    let p = writeQuoted(to, writeBytes(to, at, USERNAME), user.name, 0, user.name.length);
    p = writeQuoted(to, writeBytes(to, p, REALM), realm, 0, realm.length);
    p = writeQuoted(to, writeBytes(to, p, NONCE), nonce, 0, nonce.length);
    p = writeQuoted(to, writeBytes(to, p, URI), uri, uriOff, uriLen);
    p = writeResponse(q, user.ha1(algorithm, realm), to, writeBytes(to, p, RESPONSE));
    to[p++] = QUOTE;
    if (challenge.named) p = writeBytes(to, p, NAMED[algorithm]!);
    // Without qop there must be no cnonce (RFC 2617 3.2.2), but -sess cannot be computed without one.
    if (qop !== QOP.NONE || isSession(algorithm)) {
      p = writeQuoted(to, writeBytes(to, p, CNONCE), cnonce, 0, cnonce.length);
      to[p++] = QUOTE;
    }
    if (qop !== QOP.NONE) p = writeHex(to, writeBytes(to, p, QOP_NC[qop]!), nc, 8);
    if (opaque !== null) {
      p = writeQuoted(to, writeBytes(to, p, OPAQUE), opaque, 0, opaque.length);
      to[p++] = QUOTE;
    }
    return p;
  }
}

/** Without the quotes around it. */
export function writeQuoted(to: Uint8Array, at: number, bytes: Uint8Array, off: number, len: number): number {
  let p = at;
  for (let i = off; i < off + len; i++) {
    const c = bytes[i]!;
    if (c === QUOTE || c === BACKSLASH) to[p++] = BACKSLASH;
    to[p++] = c;
  }
  return p;
}

const asked = newInput();
const expected = new Uint8Array(64);

/**
 * The server's side: is the response right for this HA1 (that of the algorithm without -sess)? Who the user is, whether
 * the nonce is ours and fresh, and whether we offered that algorithm: the caller asks that first.
 */
export function verify(credentials: AuthView, ha1: Uint8Array, method: Uint8Array, body: Span): boolean {
  const { response, uri, nonce, cnonce, nc } = credentials;
  const algorithm = credentials.algorithmOf();
  const qop = credentials.qopOf();
  if (algorithm < 0 || qop < 0 || uri.len < 0 || nonce.len < 0 || ha1.length !== hexLength(algorithm as Algorithm)) {
    return false;
  }
  asked.algorithm = algorithm as Algorithm;
  asked.qop = qop as Qop;
  asked.method = method;
  asked.uri = uri;
  asked.nonce = nonce;
  asked.cnonce = cnonce;
  asked.body = body;
  if ((qop !== QOP.NONE || isSession(asked.algorithm)) && cnonce.len < 0) return false;
  // RFC 3261 25.1: nc-value = 8LHEX.
  asked.nc = nc.len === 8 ? readHex(nc.bytes, nc.off, 8) : -1;
  if (qop !== QOP.NONE && asked.nc < 0) return false;
  writeResponse(asked, ha1, expected, 0);
  return same(ha1.length === 64 ? expected : expected.subarray(0, 32), response);
}
