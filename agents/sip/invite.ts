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
const SIP = ascii('sip:');
const TO = ascii('\r\nTo: <');
const AFTER_TO = ascii('>\r\nCall-ID: ');
const CSEQ = ascii('\r\nCSeq: ');

export interface InviteIdentity {
  /** Of the SDP. */
  ip: number;
  local: Local;
  /** host or host:port of the Request-URI and To. */
  domain: string;
  /** Fixed user of the Request-URI; null: the call's number. */
  user: string | null;
  /** Who is called, by the call's number; the number is the caller's then (user of From). Absent: as `user` says. */
  dial?: (callNo: number) => Uint8Array;
  salt: number;
  /** Makes Call-IDs differ between runs against the same target. */
  runTag: string;
  /** Header lines of every INVITE beside the usual: Supported, Require. */
  lines?: string;
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
    this.#from = ascii('\r\nMax-Forwards: 70\r\nFrom: <sip:');
    this.#fromHost = ascii(`@${host}>;tag=`);
    this.#callId = ascii(`${id.runTag}-`);
    this.#host = ascii(`@${host}`);
    this.#rest = ascii(
      ` INVITE\r\nContact: <sip:deadair@${contactHost}${params}>\r\nUser-Agent: deadair\r\n${ALLOW_LINE}${id.lines ?? ''}`,
    );
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
    let p = writeBytes(to, at, INVITE);
    if (uri === null) p = this.writeUri(to, p, callNo);
    else p = writeBytes(to, p, uri);
    p = writeBytes(to, p, this.#via);
    p = branch(to, p);
    p = writeBytes(to, p, this.#from);
    p = id.dial === undefined ? writeBytes(to, p, NOBODY) : writePadded(to, p, callNo, NUMBER_DIGITS);
    p = writeBytes(to, p, this.#fromHost);
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
    p = writeUint(to, p, cseq);
    p = writeBytes(to, p, this.#rest);
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
    return writeBytes(to, this.#writeUser(to, writeBytes(to, at, SIP), callNo), this.#atDomain);
  }

  #writeUser(to: Uint8Array, at: number, callNo: number): number {
    if (this.id.dial !== undefined) return writeBytes(to, at, this.id.dial(callNo));
    return this.#user !== null ? writeBytes(to, at, this.#user) : writePadded(to, at, callNo, NUMBER_DIGITS);
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
