import { HarnessError } from '../errors.js';

/**
 * Which datagrams: by what they carry. A SIP method ('INVITE': requests, and responses whose CSeq names it), a status
 * ('180', '2xx'), or one of the words below; several are joined by +.
 */
export type PacketFilter = (bytes: Uint8Array, off: number, len: number) => boolean;

const ascii = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0));
const VERSION = ascii('SIP/2.0 ');
const ZERO = 0x30;

/** RFC 3550 5.1: version 2 in the first two bits; RFC 5761 4: RTCP's packet types, 192 to 223, are no RTP payload types. */
const isMedia = (b: Uint8Array, o: number, len: number): boolean => len >= 8 && b[o]! >>> 6 === 2;
const isRtcp = (b: Uint8Array, o: number, len: number): boolean =>
  isMedia(b, o, len) && b[o + 1]! >= 192 && b[o + 1]! <= 223;
/** A start line begins with a capital letter: a method or SIP/2.0. CRLF keep-alives are no messages. */
const isSip = (b: Uint8Array, o: number, len: number): boolean => len > 8 && b[o]! >= 0x41 && b[o]! <= 0x5a;

function startsWith(b: Uint8Array, o: number, len: number, word: Uint8Array): boolean {
  if (len < word.length) return false;
  for (let i = 0; i < word.length; i++) if (b[o + i] !== word[i]) return false;
  return true;
}

const WORDS: Record<string, PacketFilter> = {
  all: () => true,
  sip: isSip,
  rtp: (b, o, len) => isMedia(b, o, len) && !isRtcp(b, o, len),
  rtcp: isRtcp,
  media: isMedia,
  requests: (b, o, len) => isSip(b, o, len) && !startsWith(b, o, len, VERSION),
  responses: (b, o, len) => startsWith(b, o, len, VERSION),
};

/** 'INVITE+BYE', '2xx', 'rtp', ... BAD_PLAN when a part of it is none of these. */
export function packetFilter(text: string, where: string): PacketFilter {
  const any = text.split('+').map((part) => one(part, where));
  return any.length === 1 ? any[0]! : (b, o, len) => any.some((filter) => filter(b, o, len));
}

function one(text: string, where: string): PacketFilter {
  if (Object.hasOwn(WORDS, text)) return WORDS[text]!;
  if (/^[1-6]\d\d$|^[1-6]xx$/.test(text)) return response(text);
  if (/^[A-Z]{3,20}$/.test(text)) {
    const request = ascii(`${text} `);
    const method = ascii(text);
    return (b, o, len) =>
      startsWith(b, o, len, request) || (startsWith(b, o, len, VERSION) && cseqNames(b, o, len, method));
  }
  const words = Object.keys(WORDS).join(', ');
  throw new HarnessError('BAD_PLAN', `${where}: ${text}: must be a SIP method, a status as 180 or 2xx, or ${words}`);
}

/** RFC 3261 20.16: CSeq, colon, number, method. Header names in any case; a folded line is not looked at. */
function cseqNames(b: Uint8Array, o: number, len: number, method: Uint8Array): boolean {
  const end = o + len;
  for (let i = o; i + 6 < end; i++) {
    if (b[i] !== 0x0a || (b[i + 1]! | 0x20) !== 0x63 || (b[i + 2]! | 0x20) !== 0x73) continue;
    if ((b[i + 3]! | 0x20) !== 0x65 || (b[i + 4]! | 0x20) !== 0x71) continue;
    let p = i + 5;
    // Blanks, the colon and the number: nothing of it is a letter.
    while (p < end && b[p]! < 0x41 && b[p] !== 0x0d) p++;
    return startsWith(b, p, end - p, method) && (b[p + method.length] ?? 0x0d) === 0x0d;
  }
  return false;
}

function response(text: string): PacketFilter {
  const digits = [...text].map((c) => (c === 'x' ? -1 : c.charCodeAt(0)));
  return (b, o, len) => {
    if (len < 12 || !startsWith(b, o, len, VERSION)) return false;
    for (let i = 0; i < 3; i++) {
      const want = digits[i]!;
      const got = b[o + VERSION.length + i]!;
      if (want >= 0 ? got !== want : got < ZERO || got > ZERO + 9) return false;
    }
    return true;
  };
}
