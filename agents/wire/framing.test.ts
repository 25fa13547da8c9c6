import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Framer, STREAM_MESSAGE_MAX } from './framing.js';

/** What a stream of these chunks is cut into: messages, `.` for a CRLF between them, and why it broke. */
function cut(...chunks: (string | Uint8Array)[]): string[] {
  const seen: string[] = [];
  const framer = new Framer({
    onMessage: (bytes, off, len) => seen.push(Buffer.from(bytes.subarray(off, off + len)).toString('latin1')),
    onCrlf: () => seen.push('.'),
    onBroken: (why) => seen.push(why),
  });
  for (const chunk of chunks) framer.push(typeof chunk === 'string' ? Buffer.from(chunk, 'latin1') : chunk);
  return seen;
}

const message = (body: string, length = `Content-Length: ${body.length}`, name = 'a'): string =>
  `OPTIONS sip:${name} SIP/2.0\r\nVia: SIP/2.0/TCP h\r\n${length}\r\n\r\n${body}`;

const A = message('');
const B = message('v=0\r\n\r\nx', undefined, 'b');

test('two messages in one segment, a body with an empty line in it', () => {
  expect(cut(A + B + A)).toEqual([A, B, A]);
});

test('one message, split at every byte, and byte by byte', () => {
  const stream = `\r\n\r\n${B}${A}`;
  for (let i = 1; i < stream.length; i++) {
    expect(cut(stream.slice(0, i), stream.slice(i)).filter((s) => s !== '.')).toEqual([B, A]);
  }
  expect(cut(...stream).filter((s) => s !== '.')).toEqual([B, A]);
});

test('any messages, split anywhere, come out as they went in', () => {
  const text = fc.string({ maxLength: 40 }).map((s) => Buffer.from(s).toString('latin1'));
  const any = fc.tuple(text, fc.constantFrom('Content-Length', 'content-length', 'CONTENT-LENGTH', 'l', 'L'));
  fc.assert(
    fc.property(fc.array(any, { maxLength: 6 }), fc.array(fc.nat(400), { maxLength: 12 }), (bodies, at) => {
      const messages = bodies.map(([body, name]) => message(body, `${name} :  ${body.length} `));
      const stream = messages.join('');
      const cuts = [0, ...at.filter((n) => n < stream.length).sort((a, b) => a - b), stream.length];
      const chunks = cuts.slice(1).map((end, i) => stream.slice(cuts[i], end));
      expect(cut(...chunks)).toEqual(messages);
    }),
    { numRuns: 2000 },
  );
});

test('no bytes of any kind crash it, and the chunks they come in make no difference', () => {
  const word = fc.constantFrom('\r', '\n', '\r\n', 'l:', '3', ' ', 'Content-Length: 2', 'x', '\r\n\r\n', '\0', '\xff');
  fc.assert(
    fc.property(fc.array(word, { maxLength: 60 }), (words) => {
      const stream = words.join('');
      expect(cut(...stream)).toEqual(cut(stream));
    }),
    { numRuns: 3000 },
  );
});

test('CRLFs between messages are told one by one (RFC 5626 3.5.1)', () => {
  expect(cut(`\r\n\r\n${A}\r`, '\n', A)).toEqual(['.', '.', A, '.', A]);
});

test('a folded Content-Length counts, and so does the compact form', () => {
  const folded = message('xyz', 'Content-Length:\r\n 3');
  expect(cut(folded + message('xy', 'l:2'))).toEqual([folded, message('xy', 'l:2')]);
});

test.each([
  ['none', 'Subject: x'],
  ['no number', 'Content-Length: many'],
  ['a sign', 'Content-Length: -1'],
  ['two numbers', 'Content-Length: 1 2'],
  ['empty', 'Content-Length:'],
  ['another name', 'Content-Lengths: 0'],
])('without a Content-Length that can be read (%s) the head is handed over, and nothing more (18.3)', (_, line) => {
  const bad = message('', line);
  expect(cut(A + bad + A, A)).toEqual([A, bad, 'no length']);
});

test('longer than a message may be: the stream ends', () => {
  const huge = message('', `Content-Length: ${STREAM_MESSAGE_MAX}`);
  expect(cut(A + huge)).toEqual([A, 'too long']);
  expect(cut('x'.repeat(STREAM_MESSAGE_MAX), 'x', 'x')).toEqual(['too long']);
  expect(cut(message('', 'Content-Length: 99999999999999999999'))).toEqual(['too long']);
});

test('the longest message, and one after it', () => {
  const head = message('', 'Content-Length: 65000').length;
  const longest = message('y'.repeat(65_000), 'Content-Length: 65000');
  expect(longest.length).toBe(head + 65_000);
  const chunks = longest.match(/[\s\S]{1,1448}/g)!;
  expect(cut(...chunks, A)).toEqual([longest, A]);
});
