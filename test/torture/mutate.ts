import { DATAGRAM_MAX } from '../../agents/wire/types.js';
import type { Prng } from '../../harness/prng.js';

/**
 * A seeded mutator of SIP messages, as Latin-1 text (a byte is a character). It knows just enough of the format to hurt
 * it where it is soft: line ends, numbers, quotes, brackets, names.
 */
const SPECIALS = [
  ...['\0', '\r', '\n', '\r\n', '\r\n\r\n', '\r\n ', '\t', ' ', '"', '\\', '\\"', '<', '>', ';', ';;', ',', ':', '='],
  ...['@', '[', ']', '%', '%00', '/', '?', '\x7f', '\x80', '\xff', '\xc0\xaf', '-', '*'],
];
const NUMBERS = [
  ...[
    '0',
    '-1',
    '00000000000000000000000001',
    '65535',
    '65536',
    '2147483647',
    '2147483648',
    '4294967295',
    '4294967296',
  ],
  ...['9007199254740993', '18446744073709551616', '9'.repeat(40), '1e9', '0x10', ''],
];
const WORDS = [
  ...['INVITE', 'ACK', 'BYE', 'CANCEL', 'OPTIONS', 'REGISTER', 'SIP/2.0', 'SIP/7.0', 'SIP/2.0 100 ', 'SIP/2.0 200 OK'],
  ...['SIP/2.0 486 Busy', 'Via: ', 'v: ', 'From: ', 'f: ', 'To: ', 't: ', 'Call-ID: ', 'i: ', 'CSeq: ', 'Contact: '],
  ...['m: ', 'Content-Length: ', 'l: ', 'Max-Forwards: ', 'Route: ', 'Record-Route: ', 'Require: ', 'Accept: '],
  ...[
    'Content-Type: ',
    'Reason: ',
    'Retry-After: ',
    'Server: ',
    ';tag=',
    ';branch=',
    ';rport',
    ';rport=',
    ';received=',
  ],
  ...['z9hG4bK', 'sip:', 'sips:', 'tel:', '[2001:db8::1]', '192.0.2.200', 'c=IN IP4 ', 'm=audio ', 'a=sendrecv'],
];
/** Mutations of one message, at most. */
const ROUNDS = 4;

export class Mutator {
  constructor(
    private readonly chance: Prng,
    /** Where splices and borrowed lines come from. */
    private readonly other: () => string,
  ) {}

  mutate(message: string): string {
    let text = message;
    for (let n = 1 + this.chance.below(ROUNDS); n > 0; n--) text = this.#once(text);
    return text.slice(0, DATAGRAM_MAX);
  }

  #once(text: string): string {
    const at = this.chance.below(text.length + 1);
    switch (this.chance.below(13)) {
      case 0:
        return this.#flipped(text);
      case 1: {
        const other = this.other();
        return text.slice(0, at) + other.slice(this.chance.below(other.length + 1));
      }
      case 2:
        return text.slice(0, at);
      case 3:
        return this.#lines(text, (lines, i) => lines.splice(i, 0, ...Array<string>(this.#many()).fill(lines[i]!)));
      case 4:
        return this.#lines(text, (lines, i) => {
          const j = this.chance.below(lines.length);
          [lines[i], lines[j]] = [lines[j]!, lines[i]!];
        });
      case 5:
        return this.#renumbered(text);
      case 6:
      case 7:
        return text.slice(0, at) + this.#one(SPECIALS) + text.slice(at);
      case 8:
        return text.slice(0, at) + text.slice(at + 1 + this.chance.below(40));
      case 9:
        return this.#lines(text, (lines, i) => lines.splice(i, 1));
      case 10:
        return this.#lines(text, (lines, i) => {
          const borrowed = this.other().split('\r\n');
          lines.splice(i, this.chance.below(2), borrowed[this.chance.below(borrowed.length)]!);
        });
      case 11: {
        // To the edge of a datagram, where an answer is longer than its request.
        const room = DATAGRAM_MAX - this.chance.below(120) - text.length;
        return text.slice(0, at) + 'x'.repeat(Math.max(0, room)) + text.slice(at);
      }
      default:
        return text.slice(0, at) + this.#one(WORDS) + text.slice(at + this.chance.below(12));
    }
  }

  #flipped(text: string): string {
    const bytes = Buffer.from(text, 'latin1');
    if (bytes.length === 0) return text;
    for (let n = 1 + this.chance.below(8); n > 0; n--) {
      const i = this.chance.below(bytes.length);
      bytes[i] = bytes[i]! ^ (1 << this.chance.below(8));
    }
    return bytes.toString('latin1');
  }

  #lines(text: string, change: (lines: string[], i: number) => void): string {
    const lines = text.split('\r\n');
    change(lines, this.chance.below(lines.length));
    return lines.join('\r\n');
  }

  /** One run of digits becomes another number. */
  #renumbered(text: string): string {
    const runs = [...text.matchAll(/\d+/g)];
    if (runs.length === 0) return text;
    const run = runs[this.chance.below(runs.length)]!;
    return text.slice(0, run.index) + this.#one(NUMBERS) + text.slice(run.index + run[0].length);
  }

  #many(): number {
    return this.chance.below(8) === 0 ? 100 : 1 + this.chance.below(4);
  }
  #one(list: readonly string[]): string {
    return list[this.chance.below(list.length)]!;
  }
}
