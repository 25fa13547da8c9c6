/** ACK and CANCEL, made out of the INVITE that we sent: they share its branch, so they are written from its bytes. */
import type { SipMessage } from './parse.js';
import { ascii, writeRange } from './text.js';

const ACK_LINES = ['via:', 'from:', 'call-id:', 'cseq:', 'route:', 'max-forwards:'].map(ascii);

/** Writes the ACK for a non-2xx final; our own requests only, so headers are known to be well formed and unfolded. */
export function ackFor(bytes: Uint8Array, off: number, len: number, response: SipMessage, to: Uint8Array): number {
  return derive(bytes, off, len, ACK, response, to);
}

const ACK = ascii('ACK');
const CANCEL = ascii('CANCEL');
const TO_NAME = ascii('To: ');
const TO_LINE = ascii('to:');
const TAIL = ascii('Content-Length: 0\r\n\r\n');
const CSEQ_LINE = 3;
const VIA_LINE = 0;

/** RFC 3261 9.1: CANCEL has the INVITE's Request-URI, top Via, From, To, Call-ID, CSeq number and Route. */
export function cancelFor(bytes: Uint8Array, off: number, len: number, to: Uint8Array): number {
  return derive(bytes, off, len, CANCEL, null, to);
}

/** ACK or CANCEL out of the INVITE that we sent: chosen header lines are copied, the CSeq method replaced. */
function derive(
  bytes: Uint8Array,
  off: number,
  len: number,
  method: Uint8Array,
  response: SipMessage | null,
  to: Uint8Array,
): number {
  let out = writeRange(to, 0, method, 0, method.length);
  let p = off;
  const end = off + len;
  while (bytes[p] !== 32) p++;
  let lineStart = p;
  let first = true;
  let viaSeen = false;
  while (lineStart < end) {
    let eol = lineStart;
    while (bytes[eol] !== 13) eol++;
    if (eol === lineStart) break;
    if (first) {
      out = writeRange(to, out, bytes, lineStart, eol + 2 - lineStart);
      first = false;
    } else if (startsWith(bytes, lineStart, TO_LINE)) {
      if (response === null) out = writeRange(to, out, bytes, lineStart, eol + 2 - lineStart);
      else {
        out = writeRange(to, out, TO_NAME, 0, TO_NAME.length);
        out = writeRange(to, out, response.bytes, response.toOff, response.toLen);
        to[out++] = 13;
        to[out++] = 10;
      }
    } else {
      for (let i = 0; i < ACK_LINES.length; i++) {
        if (!startsWith(bytes, lineStart, ACK_LINES[i]!)) continue;
        if (i === VIA_LINE) {
          if (viaSeen) break; // only the top Via
          viaSeen = true;
        }
        if (i === CSEQ_LINE) {
          let space = eol;
          while (bytes[space] !== 32) space--;
          out = writeRange(to, out, bytes, lineStart, space + 1 - lineStart);
          out = writeRange(to, out, method, 0, method.length);
          to[out++] = 13;
          to[out++] = 10;
        } else out = writeRange(to, out, bytes, lineStart, eol + 2 - lineStart);
        break;
      }
    }
    lineStart = eol + 2;
  }
  return writeRange(to, out, TAIL, 0, TAIL.length);
}

function startsWith(bytes: Uint8Array, at: number, lower: Uint8Array): boolean {
  for (let i = 0; i < lower.length; i++) {
    const c = bytes[at + i]!;
    if ((c >= 65 && c <= 90 ? c | 32 : c) !== lower[i]) return false;
  }
  return true;
}
