import { DATAGRAM_MAX } from '../wire/types.js';
import { H, METHODS } from './names.js';
import type { SipMessage } from './parse.js';
import { uriOf } from './scan.js';
import { ascii, readUint, writeBytes, writeRange, writeUint } from './text.js';
import { UriView } from './uri.js';

/**
 * Dialogs (RFC 3261 12): what an in-dialog request needs, kept as bytes ready to be written. One kilobyte per dialog in
 * one slab; the rare dialog that needs more gets a buffer of its own, so nothing is cut.
 */
const ROOM = 1024;
/** What a request of the dialog may have beside the kept parts: method, our Via, header names, CSeq, Reason. */
const OWN_HEADERS = 384;
const PARTS_MAX = DATAGRAM_MAX - OWN_HEADERS;

const URI = 0;
const LOCAL = 1;
const REMOTE = 2;
const CALL_ID = 3;
const ROUTES = 4;
const PARTS = 5;

const VIA = ascii(' SIP/2.0\r\nVia: ');
const BRANCH = ascii(';rport;branch=');
const MAX_FORWARDS = ascii('\r\nMax-Forwards: 70\r\n');
const ROUTE = ascii('Route: ');
const FROM = ascii('From: ');
const TO = ascii('\r\nTo: ');
const CALL_ID_LINE = ascii('\r\nCall-ID: ');
const CSEQ = ascii('\r\nCSeq: ');
const CRLF = ascii('\r\n');
const METHOD_NAMES = METHODS.map(ascii);

export class DialogStore {
  readonly #slab: Uint8Array;
  readonly #overflow = new Map<number, Uint8Array>();
  /** Offsets of the parts' ends, relative to the dialog's room. */
  readonly #ends: Uint16Array;
  readonly #hopIp: Float64Array;
  readonly #hopPort: Uint16Array;
  readonly #localCseq: Uint32Array;
  readonly #remoteCseq: Uint32Array;
  /** Where the remote tag lies within the part REMOTE, and its length: 0 with an RFC 2543 peer. */
  readonly #tagOff: Uint16Array;
  readonly #tagLen: Uint16Array;
  readonly #uri = new UriView();
  readonly #range = new Int32Array(2);
  // Routes are longer here than they came: a comma of the header becomes a line of its own.
  readonly #scratch = new Uint8Array(8 * DATAGRAM_MAX);

  constructor(capacity: number) {
    this.#slab = new Uint8Array(capacity * ROOM);
    this.#ends = new Uint16Array(capacity * PARTS);
    this.#hopIp = new Float64Array(capacity);
    this.#hopPort = new Uint16Array(capacity);
    this.#localCseq = new Uint32Array(capacity);
    this.#remoteCseq = new Uint32Array(capacity);
    this.#tagOff = new Uint16Array(capacity);
    this.#tagLen = new Uint16Array(capacity);
  }

  /** From a 2xx (or reliable 1xx) to our INVITE (12.1.2): route set is Record-Route reversed. */
  openAsCaller(dialog: number, response: SipMessage, cseq: number): boolean {
    return this.#open(dialog, response, true, null, cseq);
  }

  /** From an INVITE that we answer (12.1.1); `tag` is our To tag. */
  openAsCallee(dialog: number, request: SipMessage, tag: Uint8Array): boolean {
    return this.#open(dialog, request, false, tag, 0);
  }

  close(dialog: number): void {
    this.#overflow.delete(dialog);
  }

  /**
   * A tag of ours finds the dialog; it is the message's only if the Call-ID and the other side's tag are the dialog's
   * too (RFC 3261 12).
   */
  matches(dialog: number, msg: SipMessage): boolean {
    const start = this.#ends[dialog * PARTS + REMOTE]!;
    if (this.#ends[dialog * PARTS + CALL_ID]! - start !== msg.callIdLen) return false;
    const bytes = this.#bytes(dialog);
    const at = this.#base(dialog) + start;
    for (let i = 0; i < msg.callIdLen; i++) if (bytes[at + i] !== msg.bytes[msg.callIdOff + i]) return false;
    return this.isRemoteTag(dialog, msg);
  }

  /** Is the tag of the message's sender the dialog's? */
  isRemoteTag(dialog: number, msg: SipMessage): boolean {
    const off = msg.isRequest ? msg.fromTagOff : msg.toTagOff;
    const len = this.#tagLen[dialog]!;
    if ((msg.isRequest ? msg.fromTagLen : msg.toTagLen) !== len) return false;
    const bytes = this.#bytes(dialog);
    const at = this.#base(dialog) + this.#ends[dialog * PARTS + LOCAL]! + this.#tagOff[dialog]!;
    for (let i = 0; i < len; i++) if (bytes[at + i] !== msg.bytes[off + i]) return false;
    return true;
  }

  /** A target refresh (12.2.1.2, 12.2.2): the Contact of a re-INVITE, an UPDATE, or a 2xx to one. Without one: no change. */
  retarget(dialog: number, msg: SipMessage): void {
    if (msg.contactLen === 0 || !uriOf(msg.bytes, msg.contactOff, msg.contactLen, this.#range)) return;
    const off = this.#range[0]!;
    const len = this.#range[1]!;
    if (!isOneWord(msg.bytes, off, len)) return;
    const bytes = this.#bytes(dialog);
    const base = this.#base(dialog);
    const e = dialog * PARTS;
    const known = this.#ends[e + URI]!;
    let i = 0;
    if (len === known) while (i < len && bytes[base + i] === msg.bytes[off + i]) i++;
    if (len === known && i === len) return;
    const total = this.#ends[e + PARTS - 1]! - known;
    if (len + total > PARTS_MAX) return; // its requests would not fit into a datagram: the old target is better than none
    const s = this.#scratch;
    writeRange(s, writeRange(s, 0, msg.bytes, off, len), bytes, base + known, total);
    const routes = this.#ends[e + ROUTES]! > this.#ends[e + CALL_ID]!;
    for (let part = URI; part < PARTS; part++) this.#ends[e + part]! += len - known;
    if (len + total <= ROOM && bytes === this.#slab) this.#slab.set(s.subarray(0, len + total), base);
    else this.#overflow.set(dialog, s.slice(0, len + total));
    if (!routes && this.#uri.parse(msg.bytes, off, len) && this.#uri.ip >= 0) {
      this.setHop(dialog, this.#uri.ip, this.#uri.port);
    }
  }

  /** Address that in-dialog requests go to; -1 when the next hop is a name. */
  hopIp(dialog: number): number {
    return this.#hopIp[dialog]!;
  }
  hopPort(dialog: number): number {
    return this.#hopPort[dialog]!;
  }
  /** Sends everything of this dialog to a fixed address: an outbound proxy. */
  setHop(dialog: number, ip: number, port: number): void {
    this.#hopIp[dialog] = ip;
    this.#hopPort[dialog] = port;
  }

  nextCseq(dialog: number): number {
    this.#localCseq[dialog]!++;
    return this.#localCseq[dialog]!;
  }
  /** CSeq of our last request. */
  localCseq(dialog: number): number {
    return this.#localCseq[dialog]!;
  }

  /** The Request-URI of our requests, for a digest: bytes, offset, length through `out`. */
  target(dialog: number, out: { bytes: Uint8Array; off: number; len: number }): void {
    out.bytes = this.#bytes(dialog);
    out.off = this.#base(dialog);
    out.len = this.#ends[dialog * PARTS + URI]!;
  }

  /** RFC 3261 12.2.2: a request with a lower CSeq than the last is out of order: 500. */
  acceptCseq(dialog: number, cseq: number): boolean {
    if (cseq < this.#remoteCseq[dialog]!) return false;
    this.#remoteCseq[dialog] = cseq;
    return true;
  }

  /**
   * Writes an in-dialog request (12.2.1.1) up to its CSeq; header lines and body are the caller's. `via` is protocol and
   * sent-by of its Via, `branch` writes the branch.
   */
  writeHead(
    dialog: number,
    method: number,
    cseq: number,
    via: Uint8Array,
    branch: (to: Uint8Array, at: number) => number,
    to: Uint8Array,
    at: number,
  ): number {
    const bytes = this.#bytes(dialog);
    const base = this.#base(dialog);
    let p = writeBytes(to, at, METHOD_NAMES[method]!);
    to[p++] = 32;
    p = this.#writePart(dialog, URI, bytes, base, to, p);
    p = writeBytes(to, p, VIA);
    p = writeBytes(to, p, via);
    p = writeBytes(to, p, BRANCH);
    p = branch(to, p);
    p = writeBytes(to, p, MAX_FORWARDS);
    p = this.#writePart(dialog, ROUTES, bytes, base, to, p);
    p = writeBytes(to, p, FROM);
    p = this.#writePart(dialog, LOCAL, bytes, base, to, p);
    p = writeBytes(to, p, TO);
    p = this.#writePart(dialog, REMOTE, bytes, base, to, p);
    p = writeBytes(to, p, CALL_ID_LINE);
    p = this.#writePart(dialog, CALL_ID, bytes, base, to, p);
    p = writeBytes(to, p, CSEQ);
    p = writeUint(to, p, cseq);
    to[p++] = 32;
    p = writeBytes(to, p, METHOD_NAMES[method]!);
    return writeBytes(to, p, CRLF);
  }

  #base(dialog: number): number {
    return this.#overflow.size > 0 && this.#overflow.has(dialog) ? 0 : dialog * ROOM;
  }
  #bytes(dialog: number): Uint8Array {
    return (this.#overflow.size > 0 ? this.#overflow.get(dialog) : undefined) ?? this.#slab;
  }

  #writePart(dialog: number, part: number, bytes: Uint8Array, base: number, to: Uint8Array, at: number): number {
    const start = part === 0 ? 0 : this.#ends[dialog * PARTS + part - 1]!;
    const end = this.#ends[dialog * PARTS + part]!;
    return writeRange(to, at, bytes, base + start, end - start);
  }

  #open(dialog: number, msg: SipMessage, caller: boolean, tag: Uint8Array | null, cseq: number): boolean {
    const s = this.#scratch;
    const { bytes } = msg;
    // An RFC 2543 peer (no branch) need not send a Contact: its From is the target then (RFC 4475 3.4.1).
    const target = msg.contactLen > 0 || caller || msg.branchLen > 0;
    const targetOff = target ? msg.contactOff : msg.fromOff;
    if (!uriOf(bytes, targetOff, target ? msg.contactLen : msg.fromLen, this.#range)) return false;
    if (!isOneWord(bytes, this.#range[0]!, this.#range[1]!)) return false;
    const ends = this.#ends;
    const e = dialog * PARTS;
    let p = writeRange(s, 0, bytes, this.#range[0]!, this.#range[1]!);
    ends[e + URI] = p;
    // LOCAL is From in our requests: as caller the From that we sent, as callee the To with our tag.
    p = caller ? writeRange(s, p, bytes, msg.fromOff, msg.fromLen) : writeRange(s, p, bytes, msg.toOff, msg.toLen);
    if (!caller && tag !== null && msg.toTagLen === 0) {
      p = writeBytes(s, p, TAG);
      p = writeBytes(s, p, tag);
    }
    ends[e + LOCAL] = p;
    p = caller ? writeRange(s, p, bytes, msg.toOff, msg.toLen) : writeRange(s, p, bytes, msg.fromOff, msg.fromLen);
    ends[e + REMOTE] = p;
    this.#tagOff[dialog] = caller ? msg.toTagOff - msg.toOff : msg.fromTagOff - msg.fromOff;
    this.#tagLen[dialog] = caller ? msg.toTagLen : msg.fromTagLen;
    p = writeRange(s, p, bytes, msg.callIdOff, msg.callIdLen);
    ends[e + CALL_ID] = p;
    let hopOff = this.#range[0]!;
    let hopLen = this.#range[1]!;
    let routes = 0;
    while (msg.find(H.RECORD_ROUTE, routes) >= 0) routes++;
    for (let n = 0; n < routes; n++) {
      const i = msg.find(H.RECORD_ROUTE, caller ? routes - 1 - n : n);
      p = this.#writeRoutes(msg, i, caller, p);
      if (n === 0) {
        const value = this.#edgeValue(msg, i, caller);
        if (value !== undefined && uriOf(bytes, value.off, value.len, this.#range)) {
          hopOff = this.#range[0]!;
          hopLen = this.#range[1]!;
        }
      }
    }
    ends[e + ROUTES] = p;
    if (p > PARTS_MAX) return false; // its requests would not fit into a datagram
    const hop = this.#uri.parse(bytes, hopOff, hopLen);
    this.#hopIp[dialog] = hop ? this.#uri.ip : -1;
    this.#hopPort[dialog] = hop ? this.#uri.port : 0;
    this.#localCseq[dialog] = cseq;
    this.#remoteCseq[dialog] = caller ? 0 : msg.cseq;
    if (p <= ROOM) this.#slab.set(s.subarray(0, p), dialog * ROOM);
    else this.#overflow.set(dialog, s.slice(0, p));
    return true;
  }

  /** One Record-Route header may hold several values; the first or last of them is the nearest hop. */
  #edgeValue(msg: SipMessage, header: number, last: boolean): { off: number; len: number } | undefined {
    const parts = splitValues(msg.bytes, msg.valueOff[header]!, msg.valueLen[header]!);
    return parts[last ? parts.length - 1 : 0];
  }

  #writeRoutes(msg: SipMessage, header: number, reversed: boolean, at: number): number {
    const parts = splitValues(msg.bytes, msg.valueOff[header]!, msg.valueLen[header]!);
    let p = at;
    for (let n = 0; n < parts.length; n++) {
      const part = parts[reversed ? parts.length - 1 - n : n]!;
      p = writeBytes(this.#scratch, p, ROUTE);
      p = writeRange(this.#scratch, p, msg.bytes, part.off, part.len);
      p = writeBytes(this.#scratch, p, CRLF);
    }
    return p;
  }
}

const TAG = ascii(';tag=');

/** A Contact may have what no Request-URI can: white space, or another bracket (RFC 3261 25.1). */
function isOneWord(bytes: Uint8Array, off: number, len: number): boolean {
  for (let i = off; i < off + len; i++) if (bytes[i]! <= 32 || bytes[i] === 60) return false;
  return true;
}

/** Comma-separated values, commas in <> and quotes aside. Once per dialog, so it may allocate. */
export function splitValues(bytes: Uint8Array, off: number, len: number): { off: number; len: number }[] {
  const out: { off: number; len: number }[] = [];
  const end = off + len;
  let start = off;
  let angle = false;
  let quoted = false;
  for (let p = off; p <= end; p++) {
    const c = p < end ? bytes[p]! : 44;
    if (quoted && c === 92 && p + 1 < end) p++;
    else if (p < end && c === 34) quoted = !quoted;
    else if (!quoted && c === 60) angle = true;
    else if (!quoted && c === 62) angle = false;
    if (p < end && (c !== 44 || angle || quoted)) continue;
    let a = start;
    let b = p;
    while (a < b && (bytes[a] === 32 || bytes[a] === 9)) a++;
    while (b > a && (bytes[b - 1] === 32 || bytes[b - 1] === 9)) b--;
    if (b > a) out.push({ off: a, len: b - a });
    start = p + 1;
  }
  return out;
}

/** `cause=` of a Reason header for one protocol (RFC 3326), 0 when absent. */
export function reasonCause(msg: SipMessage, protocol: 'SIP' | 'Q.850'): number {
  for (let n = 0; ; n++) {
    const i = msg.find(H.REASON, n);
    if (i < 0) return 0;
    const off = msg.valueOff[i]!;
    const end = off + msg.valueLen[i]!;
    const name = protocol === 'SIP' ? SIP_PROTOCOL : Q850_PROTOCOL;
    let k = 0;
    while (k < name.length && msg.bytes[off + k] === name[k]) k++;
    if (k < name.length || !msg.param(off + k, end, CAUSE)) continue;
    const cause = readUint(msg.bytes, msg.foundOff, msg.foundOff + msg.foundLen);
    if (cause > 0) return cause;
  }
}
const CAUSE = ascii('cause');
const SIP_PROTOCOL = ascii('SIP');
const Q850_PROTOCOL = ascii('Q.850');
