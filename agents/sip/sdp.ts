import { IP6_NONE, ip6Ascii, isIp6 } from '../wire/ip6.js';
import { ascii, digitsOf, equalsBytes, readIp, readUint, writeBytes, writeIp, writeUint } from './text.js';

/**
 * The one offer that our phones make: PCMU (static payload type 0, RFC 3551), 20 ms (RFC 4566 words).
 * RTCP is on the next port (RFC 3550 11).
 */
const HEAD = ascii('v=0\r\no=- ');
const MIDDLE = ascii('\r\ns=-\r\nc=IN IP4 ');
const MIDDLE6 = ascii('\r\ns=-\r\nc=IN IP6 ');
const MEDIA = ascii('\r\nt=0 0\r\nm=audio ');
const TAIL = ascii(' RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=ptime:20\r\na=');
const ORIGIN = ascii(' IN IP4 ');
const ORIGIN6 = ascii(' IN IP6 ');
const CRLF = ascii('\r\n');

/** Who sends (RFC 3264 5.1), as bits: 1 we, 2 the other side. */
export const DIRECTION = { INACTIVE: 0, SENDONLY: 1, RECVONLY: 2, SENDRECV: 3 } as const;
/** All of one length, so that the length of an SDP does not depend on it. */
const DIRECTIONS = ['inactive', 'sendonly', 'recvonly', 'sendrecv'].map(ascii);

/** The same, seen from the other side. */
export function reversed(direction: number): number {
  return ((direction & 1) << 1) | (direction >> 1);
}

function ipLength(ip: number): number {
  if (isIp6(ip)) return ip6Ascii(ip).length;
  return digitsOf(ip >>> 24) + digitsOf((ip >>> 16) & 255) + digitsOf((ip >>> 8) & 255) + digitsOf(ip & 255) + 3;
}

export function sdpLength(ip: number, port: number, session: number, version = 1): number {
  const fixed =
    HEAD.length + 1 + ORIGIN.length + MIDDLE.length + MEDIA.length + TAIL.length + DIRECTIONS[0]!.length + 2;
  return fixed + digitsOf(session) + digitsOf(version) + 2 * ipLength(ip) + digitsOf(port);
}

/** `version` goes up by one with each change (RFC 3264 8). */
export function writeSdp(
  to: Uint8Array,
  at: number,
  ip: number,
  port: number,
  session: number,
  version = 1,
  direction: number = DIRECTION.SENDRECV,
): number {
  let p = writeBytes(to, at, HEAD);
  p = writeUint(to, p, session);
  to[p++] = 32;
  p = writeUint(to, p, version);
  const is6 = isIp6(ip);
  p = writeBytes(to, p, is6 ? ORIGIN6 : ORIGIN);
  p = writeIp(to, p, ip);
  p = writeBytes(to, p, is6 ? MIDDLE6 : MIDDLE);
  p = writeIp(to, p, ip);
  p = writeBytes(to, p, MEDIA);
  p = writeUint(to, p, port);
  p = writeBytes(to, p, TAIL);
  p = writeBytes(to, p, DIRECTIONS[direction]!);
  return writeBytes(to, p, CRLF);
}

/** What an SDP says of its first audio stream. Reused; valid after read() returned true. */
export class SdpView {
  ip = 0;
  port = 0;
  /**
   * Of its sender: DIRECTION. A stream at port 0, or at 0.0.0.0 (the hold of RFC 2543) or :: (RFC 6157 3.1), wants to hear
   * nothing.
   */
  direction: number = DIRECTION.SENDRECV;

  /** Media-level c= wins over the session's (RFC 4566 5.7). False when there is no usable audio line. */
  read(bytes: Uint8Array, off: number, len: number): boolean {
    const end = off + len;
    let sessionIp = -1;
    let audioIp = -1;
    let port = -1;
    let direction: number = DIRECTION.SENDRECV;
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
          // c=IN IP4 ADDRESS[/ttl], c=IN IP6 ADDRESS
          let stop = p + 9;
          while (stop < eol && bytes[stop] !== 47 && bytes[stop] !== 32) stop++;
          const ip = readIp(bytes, p + 9, stop - p - 9);
          if (section === 0) sessionIp = ip;
          else if (section === 1) audioIp = ip;
        } else if (type === 97 && eol - p === 10 && section < 2) {
          // a=sendonly and its like; the stream's own wins over the session's (RFC 4566 6)
          for (let d = 0; d < DIRECTIONS.length; d++) {
            if (equalsBytes(bytes, p + 2, 8, DIRECTIONS[d]!)) direction = d;
          }
        }
      }
      p = eol;
      while (p < end && (bytes[p] === 13 || bytes[p] === 10)) p++;
    }
    let ip = audioIp >= 0 ? audioIp : sessionIp;
    if (ip === IP6_NONE) ip = 0;
    if (port < 0 || port > 65535 || ip < 0) return false;
    this.ip = ip;
    this.port = port;
    if (port === 0) direction = DIRECTION.INACTIVE;
    else if (ip === 0) direction &= DIRECTION.SENDONLY;
    this.direction = direction;
    return true;
  }
}
