import { hostOf } from '../wire/types.js';
import type { Local } from './local.js';
import { ALLOW_LINE } from './refuse.js';
import { sdpLength, writeSdp } from './sdp.js';
import { writeTag } from './tag.js';
import { ascii, latin1, writeBytes, writePadded, writeUint } from './text.js';

/**
 * Writes our INVITEs from parts that were encoded once. The Request-URI's user is the call's number, nine digits: it
 * survives every B2BUA, so the callee's leg can be matched with the caller's.
 */
export const NUMBER_DIGITS = 9;

const INVITE = ascii('INVITE ');
const NOBODY = ascii('deadair');
/** Display name of From where the Request-URI's user is not the call's number: a proxy and a B2BUA leave it as it is. */
const NAMED = ascii('"call ');
const NAMED_END = ascii('" ');
const OPEN = ascii('<sip:');
const CLOSE_TAG = ascii('>;tag=');
const VIA = ascii(' SIP/2.0\r\nVia: ');
const BRANCH = ascii(';rport;branch=');
const SIP = ascii('sip:');
const TO = ascii('\r\nTo: <');
const AFTER_TO = ascii('>\r\nCall-ID: ');
const CSEQ = ascii('\r\nCSeq: ');
const INVITE_LINE = ascii(' INVITE\r\n');

export interface InviteIdentity {
  /** Of the SDP. */
  ip: number;
  local: Local;
  /** host or host:port of the Request-URI and To. */
  domain: string;
  /** Fixed user of the Request-URI; null: the call's number. */
  user: string | null;
  /** Whom to call, by the call's number: user@host. Absent: as `user` says. */
  dial?: (callNo: number) => Uint8Array;
  /** Which phone a call is from; absent: all are from one that has no name. */
  from?: (slot: number) => InvitingPhone;
  salt: number;
  /** Makes Call-IDs differ between runs against the same target. */
  runTag: string;
  /** Header lines of every INVITE beside the usual: Supported, Require. */
  lines?: string;
}

export interface InvitingPhone {
  /** user@domain. */
  aor: Uint8Array;
  /** Route lines. */
  routes: Uint8Array;
  /** Its Contact line, and sent-by of its Via. */
  contact: Uint8Array;
  via: Uint8Array;
}

export class InviteWriter {
  /** Where the last INVITE's Call-ID lies. */
  callIdOff = 0;
  callIdLen = 0;
  readonly #atDomain: Uint8Array;
  readonly #via: Uint8Array;
  readonly #from: Uint8Array;
  readonly #fromHost: Uint8Array;
  readonly #host: Uint8Array;
  readonly #contact: Uint8Array;
  readonly #rest: Uint8Array;
  readonly #sdpHead: Uint8Array;
  readonly #user: Uint8Array | null;
  readonly #callId: Uint8Array;

  constructor(private readonly id: InviteIdentity) {
    const host = hostOf(id.ip);
    this.#user = id.user === null ? null : ascii(id.user);
    this.#atDomain = ascii(`@${id.domain}`);
    const { via, host: contactHost, params } = id.local;
    this.#via = ascii(` SIP/2.0\r\nVia: ${latin1(via, 0, via.length)};rport;branch=`);
    this.#from = ascii('\r\nMax-Forwards: 70\r\nFrom: ');
    this.#fromHost = ascii(`@${host}>;tag=`);
    this.#callId = ascii(`${id.runTag}-`);
    this.#host = ascii(`@${host}`);
    this.#contact = ascii(`Contact: <sip:deadair@${contactHost}${params}>\r\n`);
    this.#rest = ascii(`User-Agent: deadair\r\n${ALLOW_LINE}${id.lines ?? ''}`);
    this.#sdpHead = ascii('Content-Type: application/sdp\r\nContent-Length: ');
  }

  /**
   * `cseq` is 1 for a call's first INVITE, and one more each time that it is sent anew (RFC 3261 8.1.3.5). `uri` stands in
   * for the Request-URI after a redirection (8.1.3.4), `called` for the URI in To; `extra` is header lines.
   */
  write(
    to: Uint8Array,
    at: number,
    callNo: number,
    slot: number,
    generation: number,
    mediaPort: number,
    branch: (to: Uint8Array, at: number) => number,
    cseq: number,
    uri: Uint8Array | null,
    extra: Uint8Array | null,
    called: Uint8Array | null = null,
  ): number {
    const { id } = this;
    const phone = id.from === undefined ? null : id.from(slot);
    let p = writeBytes(to, at, INVITE);
    if (uri === null) p = this.writeUri(to, p, callNo);
    else p = writeBytes(to, p, uri);
    if (phone === null) p = writeBytes(to, p, this.#via);
    else p = writeBytes(to, writeBytes(to, writeBytes(to, p, VIA), phone.via), BRANCH);
    p = branch(to, p);
    p = writeBytes(to, p, this.#from);
    if (id.dial !== undefined) {
      p = writeBytes(to, writePadded(to, writeBytes(to, p, NAMED), callNo, NUMBER_DIGITS), NAMED_END);
    }
    p = writeBytes(to, p, OPEN);
    if (phone !== null) p = writeBytes(to, writeBytes(to, p, phone.aor), CLOSE_TAG);
    else p = writeBytes(to, writeBytes(to, p, NOBODY), this.#fromHost);
    p = writeTag(to, p, slot, generation, id.salt);
    p = writeBytes(to, p, TO);
    p = called === null ? this.writeUri(to, p, callNo) : writeBytes(to, p, called);
    p = writeBytes(to, p, AFTER_TO);
    this.callIdOff = p;
    p = writeBytes(to, p, this.#callId);
    p = writeUint(to, p, callNo);
    p = writeBytes(to, p, this.#host);
    this.callIdLen = p - this.callIdOff;
    p = writeBytes(to, p, CSEQ);
    p = writeBytes(to, writeUint(to, p, cseq), INVITE_LINE);
    p = writeBytes(to, writeBytes(to, p, phone === null ? this.#contact : phone.contact), this.#rest);
    if (phone !== null) p = writeBytes(to, p, phone.routes);
    if (extra !== null) p = writeBytes(to, p, extra);
    p = writeBytes(to, p, this.#sdpHead);
    p = writeUint(to, p, sdpLength(id.ip, mediaPort, callNo));
    to[p++] = 13;
    to[p++] = 10;
    to[p++] = 13;
    to[p++] = 10;
    return writeSdp(to, p, id.ip, mediaPort, callNo);
  }

  /** The Request-URI of a call's first INVITE. */
  writeUri(to: Uint8Array, at: number, callNo: number): number {
    let p = writeBytes(to, at, SIP);
    if (this.id.dial !== undefined) return writeBytes(to, p, this.id.dial(callNo));
    p = this.#user !== null ? writeBytes(to, p, this.#user) : writePadded(to, p, callNo, NUMBER_DIGITS);
    return writeBytes(to, p, this.#atDomain);
  }
}

/** The call's number in the user part of a Request-URI: its last nine digits; -1 when it is not one of ours. */
export function callNoOf(bytes: Uint8Array, off: number, len: number): number {
  if (len < NUMBER_DIGITS) return -1;
  let n = 0;
  for (let i = off + len - NUMBER_DIGITS; i < off + len; i++) {
    const c = bytes[i]!;
    if (c < 48 || c > 57) return -1;
    n = n * 10 + (c - 48);
  }
  return n;
}

/** The call's number in the display name of a From; -1 when it is not one of ours. [off, end) is the header's value. */
export function callNoNamed(bytes: Uint8Array, off: number, end: number): number {
  const at = off + NAMED.length;
  if (at + NUMBER_DIGITS > end) return -1;
  // A B2BUA may leave the quotes out where a token would do; with a space in it, it has to have them.
  for (let i = 0; i < NAMED.length; i++) if (bytes[off + i] !== NAMED[i]) return -1;
  return callNoOf(bytes, at, NUMBER_DIGITS);
}
