import { ascii, digitsOf, readIp, readUint, writeBytes, writeIp, writeUint } from './text.js';

/**
 * The one offer that our phones make: PCMU (static payload type 0, RFC 3551), 20 ms (RFC 4566 words).
 * RTCP is on the next port (RFC 3550 11).
 */
const HEAD = ascii('v=0\r\no=- ');
const MIDDLE = ascii('\r\ns=-\r\nc=IN IP4 ');
const MEDIA = ascii('\r\nt=0 0\r\nm=audio ');
const TAIL = ascii(' RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=ptime:20\r\na=sendrecv\r\n');
const ORIGIN = ascii(' 1 IN IP4 ');

function ipLength(ip: number): number {
  return digitsOf(ip >>> 24) + digitsOf((ip >>> 16) & 255) + digitsOf((ip >>> 8) & 255) + digitsOf(ip & 255) + 3;
}

export function sdpLength(ip: number, port: number, session: number): number {
  const fixed = HEAD.length + ORIGIN.length + MIDDLE.length + MEDIA.length + TAIL.length;
  return fixed + digitsOf(session) + 2 * ipLength(ip) + digitsOf(port);
}

export function writeSdp(to: Uint8Array, at: number, ip: number, port: number, session: number): number {
  let p = writeBytes(to, at, HEAD);
  p = writeUint(to, p, session);
  p = writeBytes(to, p, ORIGIN);
  p = writeIp(to, p, ip);
  p = writeBytes(to, p, MIDDLE);
  p = writeIp(to, p, ip);
  p = writeBytes(to, p, MEDIA);
  p = writeUint(to, p, port);
  return writeBytes(to, p, TAIL);
}

/** What an SDP says of its first audio stream. Reused; valid after read() returned true. */
export class SdpView {
  ip = 0;
  port = 0;

  /** Media-level c= wins over the session's (RFC 4566 5.7). False when there is no usable audio line. */
  read(bytes: Uint8Array, off: number, len: number): boolean {
    const end = off + len;
    let sessionIp = -1;
    let audioIp = -1;
    let port = -1;
    let section = 0; // 0 session, 1 our audio, 2 another stream
    let p = off;
    while (p + 1 < end) {
      let eol = p;
      while (eol < end && bytes[eol] !== 13 && bytes[eol] !== 10) eol++;
      const type = bytes[p];
      if (bytes[p + 1] === 61) {
        if (type === 109) {
          // m=audio PORT ...
          const audio = bytes[p + 2] === 97 && bytes[p + 3] === 117 && bytes[p + 4] === 100 && bytes[p + 7] === 32;
          if (audio && port < 0) {
            port = readUint(bytes, p + 8, eol);
            section = 1;
          } else section = 2;
        } else if (type === 99 && eol - p > 9) {
          // c=IN IP4 ADDRESS[/ttl]
          let stop = p + 9;
          while (stop < eol && bytes[stop] !== 47 && bytes[stop] !== 32) stop++;
          const ip = readIp(bytes, p + 9, stop - p - 9);
          if (section === 0) sessionIp = ip;
          else if (section === 1) audioIp = ip;
        }
      }
      p = eol;
      while (p < end && (bytes[p] === 13 || bytes[p] === 10)) p++;
    }
    const ip = audioIp >= 0 ? audioIp : sessionIp;
    if (port < 0 || port > 65535 || ip < 0) return false;
    this.ip = ip;
    this.port = port;
    return true;
  }
}
