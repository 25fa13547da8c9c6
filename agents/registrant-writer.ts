import type { Challenge, DigestClient } from './sip/auth.js';
import { isReliable } from './sip/client.js';
import type { DigestSecret } from './sip/digest.js';
import type { Local } from './sip/local.js';
import { H, METHOD } from './sip/names.js';
import type { SipMessage } from './sip/parse.js';
import { EMPTY_BODY, responsePort, statusLine, writeEcho } from './sip/respond.js';
import { writeTag } from './sip/tag.js';
import { ascii, writeBytes, writeHex, writeUint } from './sip/text.js';
import { DATAGRAM_MAX, type UdpPort } from './wire/types.js';

/** What one REGISTER says. */
export interface RegisterWords {
  /** Number in the population, and its user name. */
  phone: number;
  user: Uint8Array;
  domain: Uint8Array;
  /** Of the port that it leaves from, where it is called too. */
  local: Local;
  /** Index within the worker, and how often it was restarted: Call-ID and tag are new then. */
  slot: number;
  boot: number;
  cseq: number;
  expiresS: number;
}

const NOTHING = new Uint8Array(0);

export function newWords(): RegisterWords {
  const local = { via: NOTHING, host: '', params: '' };
  return { phone: 0, user: NOTHING, domain: NOTHING, local, slot: 0, boot: 0, cseq: 0, expiresS: 0 };
}

/** What answers a challenge; `nc` counts the requests with its nonce. */
export interface RegisterProof {
  challenge: Challenge;
  user: DigestSecret;
  proxy: boolean;
  nc: number;
}

const REGISTER = ascii('REGISTER');
const VIA = ascii(' SIP/2.0\r\nVia: ');
const BRANCH = ascii(';rport;branch=');
const FROM = ascii('\r\nMax-Forwards: 70\r\nFrom: <sip:');
const TAG = ascii('>;tag=');
const TO = ascii('\r\nTo: <sip:');
const CSEQ = ascii('\r\nCSeq: ');
const CONTACT = ascii(' REGISTER\r\nContact: <sip:');
const CONTACT_LINE = ascii(';line=');
/** RFC 5626 4.1: the instance is the phone's for ever; 8 hex digits of it are the phone's number. */
const INSTANCE = ascii(';ob>;+sip.instance="<urn:uuid:');
const INSTANCE_REST = ascii('-da1a-4000-8000-000000000000>"\r\nExpires: ');
const REST = ascii('\r\nSupported: path\r\nUser-Agent: deadair\r\n');
const AUTHORIZATION = ascii('Authorization: ');
const PROXY_AUTHORIZATION = ascii('Proxy-Authorization: ');
const CRLF = ascii('\r\n');
const END = ascii('Content-Length: 0\r\n\r\n');
const AT = 64;
const SIP = ascii('sip:');

/** Writes REGISTERs (RFC 3261 10.2). One for a worker. */
export class RegisterWriter {
  readonly #callId: Uint8Array;
  readonly #uri = new Uint8Array(256);
  readonly #cnonce = new Uint8Array(8);
  readonly #contacts = new Map<Local, Uint8Array>();

  constructor(
    private readonly salt: number,
    runTag: string,
    private readonly digest: DigestClient,
    private readonly route: Uint8Array | null = null,
  ) {
    this.#callId = ascii(`>\r\nCall-ID: ${runTag}-r`);
  }

  /** The position after it; -1 when there is no room. */
  write(
    to: Uint8Array,
    at: number,
    w: RegisterWords,
    proof: RegisterProof | null,
    branch: (to: Uint8Array, at: number) => number,
  ): number {
    const uriLen = writeBytes(this.#uri, writeBytes(this.#uri, 0, SIP), w.domain);
    let p = writeBytes(to, at, REGISTER);
    to[p++] = 32;
    for (let i = 0; i < uriLen; i++) to[p++] = this.#uri[i]!;
    p = writeBytes(to, writeBytes(to, p, VIA), w.local.via);
    p = branch(to, writeBytes(to, p, BRANCH));
    p = writeAor(to, writeBytes(to, p, FROM), w);
    p = writeTag(to, writeBytes(to, p, TAG), w.slot, w.boot, this.salt);
    p = writeAor(to, writeBytes(to, p, TO), w);
    p = writeUint(to, writeBytes(to, p, this.#callId), w.phone);
    to[p++] = 45;
    p = writeUint(to, p, w.boot);
    p = writeUint(to, writeBytes(to, p, CSEQ), w.cseq);
    p = writeBytes(to, writeBytes(to, p, CONTACT), w.user);
    to[p++] = AT;
    p = writeBytes(to, writeBytes(to, p, this.#contact(w.local)), CONTACT_LINE);
    p = writeBytes(to, writeUint(to, p, w.slot), INSTANCE);
    p = writeBytes(to, writeHex(to, p, w.phone, 8), INSTANCE_REST);
    p = writeBytes(to, writeUint(to, p, w.expiresS), REST);
    if (this.route !== null) p = writeBytes(to, p, this.route);
    if (proof !== null) {
      p = writeBytes(to, p, proof.proxy ? PROXY_AUTHORIZATION : AUTHORIZATION);
      writeHex(this.#cnonce, 0, (Math.imul(w.phone + 1, 0x9e3779b1) ^ w.cseq) >>> 0, 8);
      const { challenge, user, nc } = proof;
      const end = at + DATAGRAM_MAX - END.length - CRLF.length;
      p = this.digest.respond(challenge, user, REGISTER, this.#uri, 0, uriLen, nc, this.#cnonce, to, p, end);
      if (p < 0) return -1;
      p = writeBytes(to, p, CRLF);
    }
    return writeBytes(to, p, END);
  }

  #contact(local: Local): Uint8Array {
    let contact = this.#contacts.get(local);
    if (contact === undefined) {
      contact = ascii(local.host + local.params);
      this.#contacts.set(local, contact);
    }
    return contact;
  }
}

function writeAor(to: Uint8Array, at: number, w: RegisterWords): number {
  const p = writeBytes(to, at, w.user);
  to[p] = AT;
  return writeBytes(to, p + 1, w.domain);
}

const TAG_OF_STRAYS = ascii('phone');

/**
 * Registering phones answer a ping and take no calls, statelessly (RFC 3261 8.2.7). False: there is nothing to answer.
 */
export function answerStray(msg: SipMessage, port: UdpPort, srcIp: number, srcPort: number): boolean {
  if (msg.method === METHOD.ACK) return false;
  const at = port.slot();
  let p = writeBytes(port.tx, at, statusLine(msg.method === METHOD.OPTIONS ? 200 : 480));
  p = writeBytes(port.tx, writeEcho(msg, srcIp, srcPort, TAG_OF_STRAYS, port.tx, p), EMPTY_BODY);
  port.commit(p - at, srcIp, isReliable(port) ? srcPort : responsePort(msg, srcPort));
  return true;
}

const QUOTE = 34;
const COMMA = 44;
const LESS = 60;
const GREATER = 62;
const EXPIRES = ascii('expires');

/** Seconds that a 200 grants to our contact, of the `askedS` that we wanted; 0 when it is not in there. */
export function grantedIn(msg: SipMessage, user: Uint8Array, askedS: number): number {
  for (let n = 0, i = msg.find(H.CONTACT); i >= 0; i = msg.find(H.CONTACT, ++n)) {
    const granted = grantedTo(msg, msg.valueOff[i]!, msg.valueLen[i]!, user);
    if (granted >= 0) return granted;
    if (granted === -2) continue;
    const header = msg.numberOf(H.EXPIRES);
    return header >= 0 ? header : askedS;
  }
  return 0;
}

/**
 * Seconds granted to the contact with that user in one Contact value of a 200 (RFC 3261 10.3 step 8): -2 when it is not
 * there, -1 when it is and says nothing of its own.
 */
function grantedTo(msg: SipMessage, off: number, len: number, user: Uint8Array): number {
  const { bytes } = msg;
  const end = off + len;
  let start = off;
  while (start < end) {
    let p = start;
    let open = -1;
    let close = start;
    for (; p < end && bytes[p] !== COMMA; p++) {
      if (bytes[p] === LESS) {
        open = p;
        while (p < end && bytes[p] !== GREATER) p++;
        close = p;
      } else if (bytes[p] === QUOTE) {
        for (p++; p < end && bytes[p] !== QUOTE; p++) if (bytes[p] === 92) p++;
      }
    }
    if (open >= 0 && hasUser(bytes, open + 1, close, user)) {
      return msg.param(close + 1, Math.min(p, end), EXPIRES) ? digits(bytes, msg.foundOff, msg.foundLen) : -1;
    }
    start = p + 1;
  }
  return -2;
}

function digits(bytes: Uint8Array, off: number, len: number): number {
  let n = 0;
  for (let i = off; i < off + len; i++) {
    const c = bytes[i]!;
    if (c < 48 || c > 57) return -1;
    n = Math.min(n * 10 + (c - 48), 0xffffffff);
  }
  return len === 0 ? -1 : n;
}

/** `sip:user@` at [at, end). */
function hasUser(bytes: Uint8Array, at: number, end: number, user: Uint8Array): boolean {
  const from = at + SIP.length;
  if (from + user.length >= end || bytes[from + user.length] !== AT) return false;
  for (let i = 0; i < user.length; i++) if (bytes[from + i] !== user[i]) return false;
  return true;
}
