/**
 * Whose audio is it? Every PCMU payload we send is a 10-byte mark, repeated, so that it survives a relay, a change of
 * SSRC, and a B2BUA that cuts 20 ms frames anew (160, 80 and 240 bytes are all multiples of 10):
 *
 *      0    1    2    3    4       8      9
 *     +----+----+----+----+-------+------+-------+
 *     | DE | AD | A1 | 52 | callNo| role | check |   callNo big-endian; check = xor of the nine before it
 *     +----+----+----+----+-------+------+-------+
 *
 * It does not survive transcoding: that is FOREIGN, and an honest answer.
 */
export const MARK_BYTES = 10;
/** 20 ms of PCMU at 8,000 samples a second (RFC 3551 4.5.14). */
export const PAYLOAD_BYTES = 160;

const M0 = 0xde;
const M1 = 0xad;
const M2 = 0xa1;
const M3 = 0x52;
const MAGIC_XOR = M0 ^ M1 ^ M2 ^ M3;

/** What a payload is, to the leg that hears it. */
export const HEARD = {
  /** The other end of this call. */
  PEER: 0,
  /** Our own audio came back: same call, our own role. */
  SELF: 1,
  /** Another call's audio: crossed. */
  OTHER: 2,
  /** Nobody's mark. */
  FOREIGN: 3,
  /** Digital silence. */
  SILENCE: 4,
} as const;
export type Heard = (typeof HEARD)[keyof typeof HEARD];

/** A callee that finds no number of ours in the Request-URI numbers its calls from here: no caller knows those numbers. */
export const FOREIGN_CALLS = 0x40000000;

/** Fills `len` bytes with the mark of one speaker. Once per leg; packets copy it. */
export function writeIdentity(bytes: Uint8Array, off: number, len: number, callNo: number, role: number): void {
  const b4 = (callNo >>> 24) & 255;
  const b5 = (callNo >>> 16) & 255;
  const b6 = (callNo >>> 8) & 255;
  const b7 = callNo & 255;
  const mark = [M0, M1, M2, M3, b4, b5, b6, b7, role & 255, MAGIC_XOR ^ b4 ^ b5 ^ b6 ^ b7 ^ (role & 255)];
  for (let i = 0; i < len; i++) bytes[off + i] = mark[i % MARK_BYTES]!;
}

function isMark(b: Uint8Array, o: number): boolean {
  return (
    b[o] === M0 &&
    b[o + 1] === M1 &&
    b[o + 2] === M2 &&
    b[o + 3] === M3 &&
    (MAGIC_XOR ^ b[o + 4]! ^ b[o + 5]! ^ b[o + 6]! ^ b[o + 7]! ^ b[o + 8]!) === b[o + 9]
  );
}

/** Offset of the first whole mark in a payload, or -1. The mark is at `off` unless somebody cut the audio anew. */
export function findIdentity(bytes: Uint8Array, off: number, len: number): number {
  const last = len < 2 * MARK_BYTES ? len - MARK_BYTES : MARK_BYTES - 1;
  for (let i = 0; i <= last; i++) if (isMark(bytes, off + i)) return off + i;
  return -1;
}

/** The call number of the mark at `at`, as findIdentity returned it. */
export function callNoAt(bytes: Uint8Array, at: number): number {
  return ((bytes[at + 4]! << 24) | (bytes[at + 5]! << 16) | (bytes[at + 6]! << 8) | bytes[at + 7]!) >>> 0;
}

/** `expectedRole` is the role of the peer whom this leg wants to hear. */
export function classify(
  bytes: Uint8Array,
  off: number,
  len: number,
  expectedCallNo: number,
  expectedRole: number,
): Heard {
  const at = findIdentity(bytes, off, len);
  if (at < 0) return isSilence(bytes, off, len) ? HEARD.SILENCE : HEARD.FOREIGN;
  const callNo = callNoAt(bytes, at);
  // Ends that number their calls each for themselves (deadair run at a deadair uas) cannot tell whose audio it is.
  if (callNo >= FOREIGN_CALLS !== expectedCallNo >= FOREIGN_CALLS) return HEARD.FOREIGN;
  if (callNo !== expectedCallNo) return HEARD.OTHER;
  return bytes[at + 8] === expectedRole ? HEARD.PEER : HEARD.SELF;
}

/** Zero in u-law (0xff, 0x7f) and A-law (0xd5, 0x55), ITU-T G.711. Five samples of the frame are enough to tell. */
function isSilence(b: Uint8Array, off: number, len: number): boolean {
  if (len === 0) return true;
  const first = b[off]!;
  if (first !== 0xff && first !== 0x7f && first !== 0xd5 && first !== 0x55) return false;
  const step = len >> 2;
  return (
    b[off + step] === first && b[off + 2 * step] === first && b[off + 3 * step] === first && b[off + len - 1] === first
  );
}
