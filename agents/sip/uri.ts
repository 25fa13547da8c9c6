import { equalsIgnoreCase, readIp, readUint } from './text.js';

const COLON = 58;
const SEMI = 59;
const QUESTION = 63;
const OPEN = 91;
const CLOSE = 93;
const AT = 64;

/**
 * Where a SIP URI points: user, host, port and one parameter, as offsets. One instance is used again and again.
 * Only literal hosts give an address: names are resolved before a run, never on the data plane.
 */
export class UriView {
  bytes: Uint8Array = new Uint8Array(0);
  userOff = 0;
  userLen = 0;
  hostOff = 0;
  hostLen = 0;
  /** -1 when the host is a name. */
  ip = -1;
  port = 5060;
  paramsOff = 0;
  end = 0;

  /** False when it is no sip: or sips: URI. */
  parse(bytes: Uint8Array, off: number, len: number): boolean {
    this.bytes = bytes;
    const end = off + len;
    this.end = end;
    let p = off;
    while (p < end && bytes[p] !== COLON) p++;
    const schemeLen = p - off;
    if (p >= end || schemeLen < 3 || schemeLen > 4) return false;
    if ((bytes[off]! | 32) !== 115 || (bytes[off + 1]! | 32) !== 105 || (bytes[off + 2]! | 32) !== 112) return false;
    p++;
    let at = -1;
    for (let i = p; i < end && bytes[i] !== QUESTION; i++) {
      if (bytes[i] === AT) {
        at = i;
        break;
      }
    }
    this.userOff = p;
    this.userLen = 0;
    if (at >= 0) {
      let userEnd = p;
      while (userEnd < at && bytes[userEnd] !== COLON) userEnd++;
      this.userLen = userEnd - p;
      p = at + 1;
    }
    this.hostOff = p;
    // "[2001:db8::1]": the colons are the address's (RFC 3261 25.1, IPv6reference).
    if (p < end && bytes[p] === OPEN) {
      while (p < end && bytes[p] !== CLOSE) p++;
      if (p++ >= end) return false;
      if (p < end && bytes[p] !== COLON && bytes[p] !== SEMI && bytes[p] !== QUESTION) return false;
    } else while (p < end && bytes[p] !== COLON && bytes[p] !== SEMI && bytes[p] !== QUESTION) p++;
    this.hostLen = p - this.hostOff;
    if (this.hostLen === 0) return false;
    this.port = 5060;
    if (bytes[p] === COLON && p < end) {
      const port = readUint(bytes, p + 1, end);
      if (port < 1 || port > 65535) return false;
      this.port = port;
      p++;
      while (p < end && bytes[p]! >= 48 && bytes[p]! <= 57) p++;
      if (p < end && bytes[p] !== SEMI && bytes[p] !== QUESTION) return false;
    }
    this.paramsOff = p;
    this.ip = readIp(bytes, this.hostOff, this.hostLen);
    return true;
  }

  /** Offset of the value of `;name=value` (name in lower case), -1 if absent; length in valueLen. */
  valueLen = 0;
  param(lower: Uint8Array): number {
    const { bytes, end } = this;
    let p = this.paramsOff;
    while (p < end && bytes[p] === SEMI) {
      const nameStart = ++p;
      while (p < end && bytes[p] !== 61 && bytes[p] !== SEMI && bytes[p] !== QUESTION) p++;
      const nameLen = p - nameStart;
      let valueStart = p;
      if (bytes[p] === 61 && p < end) {
        valueStart = ++p;
        while (p < end && bytes[p] !== SEMI && bytes[p] !== QUESTION) p++;
      }
      if (equalsIgnoreCase(bytes, nameStart, nameLen, lower)) {
        this.valueLen = p - valueStart;
        return valueStart;
      }
    }
    this.valueLen = 0;
    return -1;
  }
}
