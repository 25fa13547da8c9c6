import { DATAGRAM_MAX } from '../wire/types.js';
import { METHODS } from './names.js';
import { PARSE } from './parse.js';
import { latin1 } from './text.js';

/**
 * The answer to a request that cannot be parsed but says where its answer must go: RFC 3261 21.4.1 (400, with a phrase
 * that names the fault), 21.5.6 (505) and 21.5.2 (501: RFC 4475 3.1.2.18). Stateless (8.2.7): a repetition is answered
 * anew. This path is rare, so it reads the datagram again as text and may allocate; every pattern is linear.
 */
export interface Refusal {
  status: number;
  bytes: Uint8Array;
  /** Port at the source's address (18.2.2; RFC 3581 4 with rport). */
  port: number;
}

export const ALLOW_LINE = 'Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, PRACK, UPDATE, REFER, NOTIFY\r\n';

const PHRASES: Record<number, string> = {
  [PARSE.BAD_START_LINE]: 'Malformed Request-Line',
  [PARSE.BAD_HEADER]: 'Malformed or Repeated Header Field',
  [PARSE.TOO_MANY_HEADERS]: 'Too Many Header Fields',
  [PARSE.BAD_CSEQ]: 'Bad CSeq',
  [PARSE.BAD_LENGTH]: 'Bad Content-Length',
  [PARSE.BAD_PARAMETER]: 'Malformed Via, From or To',
};

const REQUEST_LINE = /^([!-~]+)[ \t].*[ \t]SIP\/(\d{1,9})\.(\d{1,9})[ \t]*$/i;
const SENT_BY = /^SIP\s*\/\s*[^/\s]+\s*\/\s*[^/\s;,]+\s+(\[[0-9a-f:.]+\]|[^\s:;,[\]]+)(?:\s*:\s*(\d{1,5}))?/i;
const COMPACT: Record<string, string> = { v: 'via', f: 'from', t: 'to', i: 'call-id' };
const ECHOED = ['Via', 'From', 'To', 'Call-ID', 'CSeq'];

/** null: no answer is due (an ACK, a response, no SIP at all) or none is possible (no Via that can be read). */
export function refusalOf(
  code: number,
  bytes: Uint8Array,
  off: number,
  len: number,
  source: string,
  srcPort: number,
  tag: string,
): Refusal | null {
  const head = unfolded(latin1(bytes, off, len));
  const start = REQUEST_LINE.exec(head[0]!);
  if (start === null || start[1] === 'ACK') return null;
  const fields = new Map<string, string[]>();
  for (const line of head.slice(1)) {
    const colon = line.indexOf(':');
    const name = trimmed(line.slice(0, Math.max(0, colon))).toLowerCase();
    const values = fields.get(COMPACT[name] ?? name) ?? [];
    values.push(trimmed(line.slice(colon + 1)));
    fields.set(COMPACT[name] ?? name, values);
  }
  const vias = fields.get('via') ?? [];
  const sentBy = SENT_BY.exec(vias[0] ?? '');
  if (sentBy === null) return null;
  const port = answerPort(vias[0]!, sentBy, srcPort);
  if (port < 1 || port > 65535) return null;
  vias[0] = topVia(vias[0]!, sentBy, source, srcPort);

  const missing = ECHOED.filter((name) => !fields.has(name.toLowerCase()));
  const [status, phrase] = verdict(code, start, missing);
  let text = `SIP/2.0 ${status} ${phrase}\r\n`;
  for (const name of ECHOED) {
    const values = fields.get(name.toLowerCase()) ?? [];
    // Of a header that must not be repeated, the first is echoed: the sender can still tell which request this answers.
    for (const value of name === 'Via' ? values : values.slice(0, 1)) {
      const untagged = name === 'To' && !/;\s*tag\s*=/i.test(value);
      text += `${name}: ${value}${untagged ? `;tag=${tag}` : ''}\r\n`;
    }
  }
  if (status === 501) text += ALLOW_LINE;
  const answer = Buffer.from(`${text}Content-Length: 0\r\n\r\n`, 'latin1');
  return answer.length > DATAGRAM_MAX ? null : { status, bytes: answer, port };
}

/** String.trim would take bytes of UTF-8 for white space. */
function trimmed(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && (text[start] === ' ' || text[start] === '\t')) start++;
  while (end > start && (text[end - 1] === ' ' || text[end - 1] === '\t')) end--;
  return text.slice(start, end);
}

function verdict(code: number, start: RegExpExecArray, missing: readonly string[]): [status: number, phrase: string] {
  const isVersion2 = Number(start[2]) === 2 && Number(start[3]) === 0;
  if (code === PARSE.BAD_VERSION) return isVersion2 ? [400, 'Malformed SIP-Version'] : [505, 'Version Not Supported'];
  if (code === PARSE.MISSING_HEADER && missing.length > 0) return [400, `Missing ${missing.join(', ')}`];
  // A method that nobody knows, and a CSeq of another one: what it means is not ours to say (RFC 4475 3.1.2.18).
  if (code === PARSE.BAD_CSEQ && !METHODS.includes(start[1] as 'INVITE')) return [501, 'Not Implemented'];
  return [400, PHRASES[code] ?? 'Bad Request'];
}

/** Start line and header lines, folded ones joined (RFC 3261 7.3.1), up to the empty line or the end. */
function unfolded(text: string): string[] {
  const lines = text.replace(/^[\r\n]+/, '').split(/\r\n|\r|\n/);
  const head: string[] = [lines[0]!];
  for (let i = 1; i < lines.length && lines[i] !== ''; i++) {
    const line = lines[i]!;
    if (/^[ \t]/.test(line) && head.length > 1) head[head.length - 1] += ` ${trimmed(line)}`;
    else head.push(line);
  }
  return head;
}

function answerPort(via: string, sentBy: RegExpExecArray, srcPort: number): number {
  if (/;\s*rport\s*(?:[=;,]|$)/i.test(via.slice(sentBy[0].length))) return srcPort;
  return sentBy[2] === undefined ? 5060 : Number(sentBy[2]);
}

/** `received` right behind sent-by, where no garbage of the rest can swallow it; an empty rport is filled in. */
function topVia(via: string, sentBy: RegExpExecArray, source: string, srcPort: number): string {
  const rest = via.slice(sentBy[0].length);
  const filled = rest.replace(/^([^,]*;\s*rport)\s*(?=[;,]|$)/i, `$1=${srcPort}`);
  const received = sentBy[1] === source && filled === rest ? '' : `;received=${source}`;
  return sentBy[0] + received + filled;
}
