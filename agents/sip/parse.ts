import { H, headerAt, methodAt } from './names.js';
import { afterAddress, afterQuoted, allDigits, endOfText, isSpace, isVersion, lineEnd, sameBytes } from './scan.js';
import { ascii, latin1, readUint } from './text.js';

/** Why a datagram is not a SIP message that we can act on. Closed list; each is counted. */
export const PARSE = {
  OK: 0,
  /** Only CRLF: a keep-alive (RFC 5626 3.5.1). */
  KEEP_ALIVE: 1,
  BAD_START_LINE: 2,
  BAD_VERSION: 3,
  BAD_HEADER: 4,
  TOO_MANY_HEADERS: 5,
  /** One of Via, From, To, Call-ID, CSeq is absent (RFC 3261 8.1.1). */
  MISSING_HEADER: 6,
  BAD_CSEQ: 7,
  /** Content-Length is not a number, or more than the datagram holds (RFC 3261 18.3). */
  BAD_LENGTH: 8,
  /** From, To or Via whose parameters cannot be read. */
  BAD_PARAMETER: 9,
} as const;

const MAX_HEADERS = 96;
const CR = 13;
const LF = 10;
const SP = 32;
const TAB = 9;
const COLON = 58;
const SEMI = 59;
const LT = 60;
const _GT = 62;
const QUOTE = 34;
const COMMA = 44;
const EQUALS = 61;
const _BACKSLASH = 92;

/**
 * One parsed message: offsets into the buffer it arrived in, valid until that buffer is used again. One instance
 * serves all messages; nothing is allocated. Headers that are read rarely are found on demand (`find`).
 */
export class SipMessage {
  bytes: Uint8Array = new Uint8Array(0);
  off = 0;
  end = 0;
  isRequest = false;
  /** Method of the request, or of CSeq in a response. */
  method = 0;
  methodOff = 0;
  methodLen = 0;
  uriOff = 0;
  uriLen = 0;
  status = 0;
  phraseOff = 0;
  phraseLen = 0;
  cseq = 0;
  callIdOff = 0;
  callIdLen = 0;
  fromOff = 0;
  fromLen = 0;
  fromTagOff = 0;
  fromTagLen = 0;
  toOff = 0;
  toLen = 0;
  toTagOff = 0;
  toTagLen = 0;
  /** Topmost Via value (up to a comma), its branch and its sent-by. */
  viaOff = 0;
  viaLen = 0;
  /** There is a Via below the topmost. */
  moreVias = false;
  branchOff = 0;
  branchLen = 0;
  sentByOff = 0;
  sentByLen = 0;
  contactOff = 0;
  contactLen = 0;
  bodyOff = 0;
  bodyLen = 0;
  /** -1 when absent. */
  maxForwards = -1;
  /** End of the start line's CRLF: where the first header begins. */
  headersOff = 0;
  headerCount = 0;
  readonly headerId = new Uint8Array(MAX_HEADERS);
  readonly nameOff = new Int32Array(MAX_HEADERS);
  readonly valueOff = new Int32Array(MAX_HEADERS);
  readonly valueLen = new Int32Array(MAX_HEADERS);
  /** End of the header line with its CRLF. */
  readonly lineEnd = new Int32Array(MAX_HEADERS);

  /** Index of the nth header `id`, or -1. */
  find(id: number, nth = 0): number {
    let left = nth;
    for (let i = 0; i < this.headerCount; i++) if (this.headerId[i] === id && left-- === 0) return i;
    return -1;
  }

  text(off: number, len: number): string {
    return latin1(this.bytes, off, len);
  }

  /** Value of the first header `id` as a number, -1 if absent or not one. */
  numberOf(id: number): number {
    const i = this.find(id);
    return i < 0 ? -1 : readUint(this.bytes, this.valueOff[i]!, this.valueOff[i]! + this.valueLen[i]!);
  }

  /**
   * Parses bytes[off, off+len). Returns one of PARSE; on anything but OK the fields are not to be used. `framed`: from a
   * stream whose messages end where Content-Length says, so that it must be there (RFC 3261 18.3).
   */
  parse(bytes: Uint8Array, off: number, len: number, framed = false): number {
    this.bytes = bytes;
    let p = off;
    const limit = off + len;
    // RFC 3261 7.5: CRLFs before the start line are ignored.
    while (p < limit && (bytes[p] === CR || bytes[p] === LF)) p++;
    if (p === limit) return PARSE.KEEP_ALIVE;
    this.off = p;
    this.status = 0;
    this.cseq = -1;
    this.callIdLen = this.fromLen = this.toLen = this.viaLen = this.contactLen = 0;
    this.fromTagLen = this.toTagLen = this.branchLen = this.sentByLen = 0;
    this.bodyLen = 0;
    this.moreVias = false;
    this.maxForwards = -1;
    this.headerCount = 0;

    p = this.#startLine(p, limit);
    if (p < 0) return -p;
    this.headersOff = p;

    let contentLength = -1;
    let count = 0;
    for (;;) {
      if (p >= limit) return PARSE.BAD_HEADER; // no empty line after the headers
      const c0 = bytes[p]!;
      if (c0 === CR || c0 === LF) {
        p += lineEnd(bytes, p, limit);
        break;
      }
      if (count === MAX_HEADERS) return PARSE.TOO_MANY_HEADERS;
      const nameStart = p;
      for (let c = c0; c !== COLON; c = bytes[p]!) {
        if (c === CR || c === LF || ++p >= limit) return PARSE.BAD_HEADER;
      }
      let nameEnd = p;
      while (nameEnd > nameStart && (bytes[nameEnd - 1] === SP || bytes[nameEnd - 1] === TAB)) nameEnd--;
      if (nameEnd === nameStart) return PARSE.BAD_HEADER;
      p++;
      // The value ends at a line end that is not followed by white space (folding, RFC 3261 7.3.1).
      let valueStart = p;
      let eol: number;
      for (;;) {
        eol = endOfText(bytes, p, limit);
        if (eol >= limit) return PARSE.BAD_HEADER;
        p = eol + lineEnd(bytes, eol, limit);
        if (p < limit && (bytes[p] === SP || bytes[p] === TAB)) continue;
        break;
      }
      while (valueStart < eol && isSpace(bytes[valueStart]!)) valueStart++;
      let valueEnd = eol;
      while (valueEnd > valueStart && isSpace(bytes[valueEnd - 1]!)) valueEnd--;

      const id = headerAt(bytes, nameStart, nameEnd - nameStart);
      this.headerId[count] = id;
      this.nameOff[count] = nameStart;
      this.valueOff[count] = valueStart;
      const valueLen = valueEnd - valueStart;
      this.valueLen[count] = valueLen;
      this.lineEnd[count] = p;
      count++;
      switch (id) {
        case H.VIA:
          if (this.viaLen !== 0) this.moreVias = true;
          else if (!this.#via(valueStart, valueEnd)) return PARSE.BAD_PARAMETER;
          break;
        case H.FROM:
          if (this.fromLen !== 0) return PARSE.BAD_HEADER;
          this.fromOff = valueStart;
          this.fromLen = valueLen;
          if (!this.#tag(valueStart, valueEnd)) return PARSE.BAD_PARAMETER;
          this.fromTagOff = this.#foundOff;
          this.fromTagLen = this.#foundLen;
          break;
        case H.TO:
          if (this.toLen !== 0) return PARSE.BAD_HEADER;
          this.toOff = valueStart;
          this.toLen = valueLen;
          if (!this.#tag(valueStart, valueEnd)) return PARSE.BAD_PARAMETER;
          this.toTagOff = this.#foundOff;
          this.toTagLen = this.#foundLen;
          break;
        case H.CALL_ID:
          if (this.callIdLen !== 0) return PARSE.BAD_HEADER;
          this.callIdOff = valueStart;
          this.callIdLen = valueLen;
          break;
        case H.CSEQ: {
          if (this.cseq >= 0) return PARSE.BAD_HEADER;
          const n = readUint(bytes, valueStart, valueEnd);
          let q = valueStart;
          while (q < valueEnd && bytes[q]! >= 48 && bytes[q]! <= 57) q++;
          const gap = q;
          while (q < valueEnd && isSpace(bytes[q]!)) q++;
          // RFC 3261 8.1.1.5: the number is below 2^31.
          if (n < 0 || n > 0x7fffffff || q === gap || q === valueEnd) return PARSE.BAD_CSEQ;
          this.cseq = n;
          const m = methodAt(bytes, q, valueEnd - q);
          if (this.isRequest) {
            if (m !== this.method) return PARSE.BAD_CSEQ;
            if (m === 0 && !sameBytes(bytes, q, valueEnd - q, this.methodOff, this.methodLen)) return PARSE.BAD_CSEQ;
          } else this.method = m;
          break;
        }
        case H.CONTACT:
          if (this.contactLen === 0) {
            this.contactOff = valueStart;
            this.contactLen = valueLen;
          }
          break;
        case H.CONTENT_LENGTH: {
          const length = allDigits(bytes, valueStart, valueEnd) ? readUint(bytes, valueStart, valueEnd) : -1;
          // Two that differ: nobody can tell where the body ends (RFC 4475 3.3.8).
          if (length < 0 || (contentLength >= 0 && contentLength !== length)) return PARSE.BAD_LENGTH;
          contentLength = length;
          break;
        }
        case H.MAX_FORWARDS:
          this.maxForwards = readUint(bytes, valueStart, valueEnd);
          break;
      }
    }
    this.headerCount = count;
    if (this.cseq < 0 || this.viaLen === 0 || this.fromLen === 0 || this.toLen === 0 || this.callIdLen === 0) {
      return PARSE.MISSING_HEADER;
    }
    this.bodyOff = p;
    const room = limit - p;
    if (contentLength > room || (framed && contentLength < 0)) return PARSE.BAD_LENGTH;
    // RFC 3261 18.3: over UDP bytes beyond Content-Length are dropped; without it the body is the rest.
    this.bodyLen = contentLength < 0 ? room : contentLength;
    this.end = p + this.bodyLen;
    return PARSE.OK;
  }

  /** Position after the start line, or minus a PARSE code. */
  #startLine(start: number, limit: number): number {
    const bytes = this.bytes;
    const eol = endOfText(bytes, start, limit);
    if (eol >= limit) return -PARSE.BAD_START_LINE;
    if (isVersion(bytes, start, eol) && bytes[start + 7] === SP) {
      this.isRequest = false;
      const s = start + 8;
      if (eol - s < 3) return -PARSE.BAD_START_LINE;
      const status = readUint(bytes, s, s + 3);
      if (status < 100 || status > 699) return -PARSE.BAD_START_LINE;
      if (s + 3 < eol && bytes[s + 3] !== SP) return -PARSE.BAD_START_LINE;
      this.status = status;
      this.phraseOff = Math.min(s + 4, eol);
      this.phraseLen = eol - this.phraseOff;
      this.method = 0;
    } else {
      this.isRequest = true;
      let a = start;
      while (a < eol && bytes[a] !== SP) a++;
      let b = eol;
      while (b > a && bytes[b - 1] !== SP) b--;
      // METHOD SP URI SP VERSION: exactly one space each (RFC 3261 25.1).
      if (a === start || b - 1 <= a || b === eol) return -PARSE.BAD_START_LINE;
      if (!isVersion(bytes, b, eol) || eol - b !== 7) return -PARSE.BAD_VERSION;
      for (let i = a + 1; i < b - 1; i++) if (bytes[i] === SP || bytes[i] === LT) return -PARSE.BAD_START_LINE;
      this.methodOff = start;
      this.methodLen = a - start;
      this.method = methodAt(bytes, start, a - start);
      this.uriOff = a + 1;
      this.uriLen = b - 1 - this.uriOff;
      if (this.uriLen === 0) return -PARSE.BAD_START_LINE;
    }
    return eol + lineEnd(bytes, eol, limit);
  }

  #via(start: number, end: number): boolean {
    const bytes = this.bytes;
    let stop = start;
    while (stop < end && bytes[stop] !== COMMA) stop = bytes[stop] === QUOTE ? afterQuoted(bytes, stop, end) : stop + 1;
    this.viaOff = start;
    this.viaLen = stop - start;
    this.moreVias = stop < end;
    // sent-protocol LWS sent-by *( SEMI via-params )
    let p = start;
    while (p < stop && !isSpace(bytes[p]!)) p++;
    // "SIP / 2.0 / UDP" may be written with spaces around the slashes.
    for (;;) {
      let q = p;
      while (q < stop && isSpace(bytes[q]!)) q++;
      if (q < stop && (bytes[q] === 47 || bytes[p - 1] === 47)) {
        p = q;
        while (p < stop && !isSpace(bytes[p]!)) p++;
        continue;
      }
      p = q;
      break;
    }
    if (p >= stop) return false;
    this.sentByOff = p;
    while (p < stop && bytes[p] !== SEMI) p++;
    let sentEnd = p;
    while (sentEnd > this.sentByOff && isSpace(bytes[sentEnd - 1]!)) sentEnd--;
    this.sentByLen = sentEnd - this.sentByOff;
    this.param(p, stop, BRANCH);
    this.branchOff = this.#foundOff;
    this.branchLen = this.#foundLen;
    // An empty parameter before the branch (";;"): RFC 4475 3.1.2.1.
    return this.sentByLen > 0 && !this.#foundEmpty;
  }

  /**
   * False when a quote or a bracket is never closed: where the address ends, nobody can tell (RFC 4475 3.1.2.6). And when
   * the tag has no value: with ours added to such a To, no two readers would agree on its tag.
   */
  #tag(start: number, end: number): boolean {
    const { bytes } = this;
    const after = afterAddress(bytes, start, end);
    if (after >= end) for (let i = start; i < end; i++) if (bytes[i] === QUOTE || bytes[i] === LT) return false;
    return !this.param(after, end, TAG) || this.#foundLen > 0;
  }

  #foundOff = 0;
  #foundLen = 0;
  #foundEmpty = false;
  get foundOff(): number {
    return this.#foundOff;
  }
  get foundLen(): number {
    return this.#foundLen;
  }

  /** Looks for `;name=value` in [start, end); true if there (found* say where the value is; length 0 without one). */
  param(start: number, end: number, lower: Uint8Array): boolean {
    const bytes = this.bytes;
    this.#foundOff = this.#foundLen = 0;
    this.#foundEmpty = false;
    let p = start;
    while (p < end) {
      while (p < end && bytes[p] !== SEMI) p = bytes[p] === QUOTE ? afterQuoted(bytes, p, end) : p + 1;
      if (p >= end) return false;
      p++;
      while (p < end && isSpace(bytes[p]!)) p++;
      const nameStart = p;
      while (p < end && bytes[p] !== EQUALS && bytes[p] !== SEMI && !isSpace(bytes[p]!)) p++;
      const nameLen = p - nameStart;
      if (nameLen === 0 && p < end) this.#foundEmpty = true;
      while (p < end && isSpace(bytes[p]!)) p++;
      let valueStart = p;
      let valueEnd = p;
      if (p < end && bytes[p] === EQUALS) {
        p++;
        while (p < end && isSpace(bytes[p]!)) p++;
        valueStart = p;
        if (bytes[p] === QUOTE) p = afterQuoted(bytes, p, end);
        else while (p < end && bytes[p] !== SEMI && !isSpace(bytes[p]!)) p++;
        valueEnd = p;
      }
      if (nameLen === lower.length) {
        let i = 0;
        while (i < nameLen && (bytes[nameStart + i]! | 32) === lower[i]) i++;
        if (i === nameLen) {
          this.#foundOff = valueStart;
          this.#foundLen = valueEnd - valueStart;
          return true;
        }
      }
    }
    return false;
  }
}

const TAG = ascii('tag');
const BRANCH = ascii('branch');
