import { describe, expect, test } from 'vitest';
import { basics, bytesOf, parse, placed, sip, view } from '../../test/support/sip-text.js';
import { splitValues } from './dialog.js';
import { H, METHOD, METHODS } from './names.js';
import { PARSE, SipMessage } from './parse.js';
import { uriOf } from './scan.js';

const REQUEST = 'OPTIONS sip:bob@biloxi.example SIP/2.0';
const rest = basics('OPTIONS');
/** A request with one of the basic headers replaced or left out. */
function withHeader(name: string, line: string | null): string {
  const lines = rest.flatMap((l) => (l.toLowerCase().startsWith(`${name.toLowerCase()}:`) ? (line ?? []) : l));
  return sip([REQUEST, ...lines]);
}
function fields(text: string): Record<string, unknown> {
  const { code, msg } = parse(text);
  expect(code, text).toBe(PARSE.OK);
  return view(msg);
}

describe('well-formed messages', () => {
  test('a request, field by field', () => {
    const body = 'v=0\r\n';
    const headers = [...basics('INVITE', 314159), 'Contact: <sip:alice@192.0.2.1:5062>;q=0.5', 'Content-Length: 5'];
    const got = fields(sip(['INVITE sip:bob@biloxi.example;transport=udp SIP/2.0', ...headers], body));
    expect(got).toEqual({
      request: true,
      method: METHOD.INVITE,
      methodName: 'INVITE',
      uri: 'sip:bob@biloxi.example;transport=udp',
      status: 0,
      phrase: '',
      cseq: 314159,
      callId: 'basic@192.0.2.1',
      from: '<sip:alice@atlanta.example>;tag=a1',
      fromTag: 'a1',
      to: '<sip:bob@biloxi.example>',
      toTag: '',
      via: 'SIP/2.0/UDP 192.0.2.1:5062;branch=z9hG4bKbasic',
      branch: 'z9hG4bKbasic',
      sentBy: '192.0.2.1:5062',
      contact: '<sip:alice@192.0.2.1:5062>;q=0.5',
      maxForwards: 70,
      body,
      headers: headers.map((h) => h.slice(h.indexOf(': ') + 2)),
    });
  });

  test('a response: status, phrase, method of its CSeq; the phrase may be empty or have spaces and colons', () => {
    for (const phrase of ['OK', 'Not: Acceptable Here', '']) {
      const got = fields(sip([`SIP/2.0 488 ${phrase}`, ...basics('BYE', 7)]));
      expect(got).toMatchObject({ request: false, status: 488, phrase, method: METHOD.BYE, cseq: 7, methodName: '' });
    }
    expect(fields(sip(['SIP/2.0 200', ...basics('BYE')]))).toMatchObject({ status: 200, phrase: '' });
  });

  test('every method that we know, and one that we do not', () => {
    for (const name of [...METHODS.slice(1), 'NEWMETHOD', 'invite', "!%*_+`'~.-1"]) {
      const got = fields(sip([`${name} sip:b@h SIP/2.0`, ...basics(name)]));
      expect(got).toMatchObject({ methodName: name, method: Math.max(0, METHODS.indexOf(name as 'BYE')) });
    }
  });

  test('compact forms, in any case, with white space before the colon (RFC 3261 7.3.1, 7.3.3)', () => {
    const got = fields(
      sip(
        [
          'INVITE sip:b@h SIP/2.0',
          'v :SIP/2.0/UDP h1:5070;branch=z9hG4bKv',
          'F\t: <sip:a@h>;tag=f',
          't:<sip:b@h>;tag=t',
          'I: call',
          'CSEQ: 009\tINVITE',
          'm: sip:a@h1',
          'k: timer',
          'x: 90',
          'L:4',
          'MAX-FORWARDS: 3',
        ],
        'bodyTRAILING',
      ),
    );
    expect(got).toMatchObject({
      branch: 'z9hG4bKv',
      fromTag: 'f',
      toTag: 't',
      callId: 'call',
      cseq: 9,
      maxForwards: 3,
    });
    // RFC 3261 18.3: what lies behind Content-Length in a datagram is dropped.
    expect(got).toMatchObject({ contact: 'sip:a@h1', body: 'body' });
    const { msg } = parse(sip([REQUEST, ...rest, 'Session-Expires: 91', 'x: 92', 'RETRY-AFTER: 17 (busy)']));
    expect([msg.find(H.SESSION_EXPIRES), msg.find(H.SESSION_EXPIRES, 1)].map((i) => msg.valueLen[i])).toEqual([2, 2]);
    expect([msg.numberOf(H.RETRY_AFTER), msg.numberOf(H.EXPIRES)]).toEqual([17, -1]);
  });

  test('the first example of RFC 4475 (3.1.1.1): folding, spaces, escapes and long values', () => {
    const text = [
      'INVITE sip:vivekg@chair-dnrc.example.com;unknownparam SIP/2.0',
      'TO :',
      ' sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n',
      'from   : "J Rosenberg \\\\\\""       <sip:jdrosen@example.com>',
      '  ;',
      '  tag = 98asjd8',
      'MaX-fOrWaRdS: 0068',
      'Call-ID: wsinv.ndaksdj@192.0.2.1',
      'Content-Length   : 150',
      'cseq: 0009',
      '  INVITE',
      'Via  : SIP  /   2.0',
      ' /UDP',
      '    192.0.2.2;branch=390skdjuw',
      's :',
      'NewFangledHeader:   newfangled value',
      ' continued newfangled value',
      'UnknownHeaderWithUnusualValue: ;;,,;;,;',
      'Content-Type: application/sdp',
      'Route:',
      ' <sip:services.example.com;lr;unknownwith=value;unknown-no-value>',
      'v:  SIP  / 2.0  / TCP     spindle.example.com   ;',
      '  branch  =   z9hG4bK9ikj8  ,',
      ' SIP  /    2.0   / UDP  192.168.255.111   ; branch=',
      ' z9hG4bK30239',
      'm:"Quoted string \\"\\"" <sip:jdrosen@example.com> ; newparam =',
      '      newvalue ;',
      '  secondparam ; q = 0.33',
    ];
    const got = fields(sip(text, 'b'.repeat(150)));
    expect(got).toMatchObject({ toTag: '1918181833n', fromTag: '98asjd8', maxForwards: 68, cseq: 9 });
    expect(got).toMatchObject({ branch: '390skdjuw', sentBy: '192.0.2.2', callId: 'wsinv.ndaksdj@192.0.2.1' });
    expect((got.headers as string[])[7]).toBe('');
    expect((got.headers as string[])[9]).toBe(';;,,;;,;');
  });

  test.each([
    ['a ;tag= in a quoted name', '"x;tag=no" <sip:a@h>;tag=yes', 'yes'],
    ['an escaped quote, an escaped backslash', '"a\\";tag=no\\\\" <sip:a@h>;tag=yes', 'yes'],
    ['a tag inside the URI', '<sip:a@h;tag=no>;tag=yes', 'yes'],
    ['no brackets: the parameter is the header’s (RFC 3261 20)', 'sip:a@h;tag=yes', 'yes'],
    ['other parameters first, one of them quoted', '<sip:a@h>;x="y;tag=no";n;TAG=yes;z=1', 'yes'],
    ['white space around the sign', '<sip:a@h> ; Tag = yes', 'yes'],
    ['a name that begins with tag', '<sip:a@h>;tagger=no;tag=yes', 'yes'],
    ['no tag', '"tag" <sip:tag@tag;tag=no>', ''],
  ])('From and To: %s', (_, value, tag) => {
    const got = fields(withHeader('From', `From: ${value}`));
    expect(got.fromTag).toBe(tag);
    expect(fields(withHeader('To', `t: ${value}`)).toTag).toBe(tag);
  });

  test('of several Vias, in one header or more, the topmost counts', () => {
    const [a, b, c] = ['SIP/2.0/UDP h1;branch=z9hG4bK1', 'SIP/2.0/TCP h2:99;branch=z9hG4bK2', 'SIP/2.0/UDP h3'];
    for (const lines of [`Via: ${a}, ${b}\r\nVia: ${c}`, `Via: ${a}\r\nv: ${b} ,${c}`, `Via:${a},${b},${c}`]) {
      expect(fields(withHeader('Via', lines))).toMatchObject({ via: a, branch: 'z9hG4bK1', sentBy: 'h1' });
      expect(parse(withHeader('Via', lines)).msg.moreVias).toBe(true);
    }
    expect(fields(withHeader('Via', `Via: ${c}, ${a}`))).toMatchObject({ branch: '', sentBy: 'h3' });
    const quoted = 'SIP/2.0/UDP h;x="1,2;branch=no";branch=yes';
    expect(fields(withHeader('Via', `Via: ${quoted}, ${b}`))).toMatchObject({ via: quoted, branch: 'yes' });
  });

  test('without Content-Length the body is the rest of the datagram; with 0 there is none', () => {
    expect(fields(sip([REQUEST, ...rest], 'all of it\r\n')).body).toBe('all of it\r\n');
    expect(fields(sip([REQUEST, ...rest, 'Content-Length: 0'], 'nothing of it')).body).toBe('');
  });

  test('line ends may be LF or CR alone, and empty lines may come first', () => {
    const text = sip([REQUEST, ...rest, 'Content-Length: 1'], 'b');
    const wanted = fields(text);
    expect(fields(text.replaceAll('\r\n', '\n'))).toEqual(wanted);
    expect(fields(text.replaceAll('\r\n', '\r'))).toEqual(wanted);
    expect(fields(`\r\n\n\r\n${text}`)).toEqual(wanted);
  });

  test('bytes above 127 and zeros in values pass through', () => {
    expect(fields(withHeader('From', 'From: "J\xfcrg \0" <sip:a@h>;tag=1')).from).toBe('"J\xfcrg \0" <sip:a@h>;tag=1');
  });

  test('one instance serves one message after another: nothing is left over', () => {
    const msg = new SipMessage();
    const full = placed(
      bytesOf(sip(['SIP/2.0 200 OK', ...basics('INVITE'), 'Contact: <sip:x@y>', 'Content-Length: 1'], 'b')),
    );
    const bare = placed(bytesOf(sip([REQUEST, ...rest.filter((l) => !l.startsWith('Max'))])));
    expect(msg.parse(full.bytes, full.off, full.len)).toBe(PARSE.OK);
    expect(msg.parse(bare.bytes, bare.off, bare.len)).toBe(PARSE.OK);
    expect(view(msg)).toMatchObject({ status: 0, contact: '', body: '', maxForwards: -1, phrase: '', toTag: '' });
  });
});

describe('what is refused, and why', () => {
  const many = Array.from({ length: 97 }, (_, i) => `X-${i}: 1`);
  test.each([
    ['KEEP_ALIVE', '\r\n\r\n'],
    ['KEEP_ALIVE', ''],
    ['BAD_START_LINE', 'garbage'],
    ['BAD_START_LINE', '\0\0\0\x01\r\n\r\n'],
    ['BAD_START_LINE', sip(['OPTIONS', ...rest])],
    ['BAD_START_LINE', sip([' OPTIONS sip:b@h SIP/2.0', ...rest])],
    ['BAD_START_LINE', sip(['OPTIONS  sip:b@h SIP/2.0', ...rest])],
    ['BAD_START_LINE', sip(['OPTIONS sip:b@h  SIP/2.0', ...rest])],
    ['BAD_START_LINE', sip(['OPTIONS sip:b c@h SIP/2.0', ...rest])],
    ['BAD_START_LINE', sip(['OPTIONS <sip:b@h> SIP/2.0', ...rest])],
    ['BAD_START_LINE', sip(['SIP/2.0 99 Low', ...rest])],
    ['BAD_START_LINE', sip(['SIP/2.0 700 High', ...rest])],
    ['BAD_START_LINE', sip(['SIP/2.0 2000 Long', ...rest])],
    ['BAD_START_LINE', sip(['SIP/2.0 4294967301 better not break the receiver', ...rest])],
    ['BAD_START_LINE', sip(['SIP/2.0 2x0 OK', ...rest])],
    ['BAD_VERSION', sip(['OPTIONS sip:b@h SIP/7.0', ...rest])],
    ['BAD_VERSION', sip(['OPTIONS sip:b@h SIP/2.01', ...rest])],
    ['BAD_VERSION', sip(['OPTIONS sip:b@h HTTP/1.1', ...rest])],
    ['BAD_HEADER', sip([REQUEST, ...rest, 'no colon'])],
    ['BAD_HEADER', sip([REQUEST, ...rest, ': no name'])],
    ['BAD_HEADER', `${[REQUEST, ...rest].join('\r\n')}\r\n`],
    ['BAD_HEADER', `${[REQUEST, ...rest].join('\r\n')}`],
    ['BAD_HEADER', sip([REQUEST, ...rest, 'From: <sip:c@h>;tag=2'])],
    ['BAD_HEADER', sip([REQUEST, ...rest, 't: <sip:c@h>'])],
    ['BAD_HEADER', sip([REQUEST, ...rest, 'i: another'])],
    ['BAD_HEADER', sip([REQUEST, ...rest, 'CSeq: 1 OPTIONS'])],
    ['TOO_MANY_HEADERS', sip([REQUEST, ...rest, ...many])],
    ...['Via', 'From', 'To', 'Call-ID', 'CSeq'].flatMap((name) => [
      ['MISSING_HEADER', withHeader(name, null)],
      [
        name === 'CSeq' ? 'BAD_CSEQ' : name === 'Via' ? 'BAD_PARAMETER' : 'MISSING_HEADER',
        withHeader(name, `${name}:`),
      ],
    ]),
    ['BAD_CSEQ', withHeader('CSeq', 'CSeq: OPTIONS')],
    ['BAD_CSEQ', withHeader('CSeq', 'CSeq: 1')],
    ['BAD_CSEQ', withHeader('CSeq', 'CSeq: 1OPTIONS')],
    ['BAD_CSEQ', withHeader('CSeq', 'CSeq: -1 OPTIONS')],
    ['BAD_CSEQ', withHeader('CSeq', 'CSeq: 2147483648 OPTIONS')],
    ['BAD_CSEQ', withHeader('CSeq', 'CSeq: 99999999999999999999 OPTIONS')],
    ['BAD_CSEQ', withHeader('CSeq', 'CSeq: 1 INVITE')],
    ['BAD_CSEQ', sip(['FOO sip:b@h SIP/2.0', ...basics('BAR')])],
    ['BAD_LENGTH', sip([REQUEST, ...rest, 'Content-Length: 5'], 'four')],
    ['BAD_LENGTH', sip([REQUEST, ...rest, 'Content-Length: -1'])],
    ['BAD_LENGTH', sip([REQUEST, ...rest, 'Content-Length: 1x'], 'b')],
    ['BAD_LENGTH', sip([REQUEST, ...rest, 'Content-Length:'])],
    ['BAD_LENGTH', sip([REQUEST, ...rest, 'Content-Length: 99999999999999999999'])],
    ['BAD_LENGTH', sip([REQUEST, ...rest, 'Content-Length: 0', 'l: 1'], 'b')],
    ['BAD_START_LINE', sip(['OPTIONS sip:b@h SIP/2.0 ', ...rest])],
    ['BAD_PARAMETER', withHeader('From', 'From: "never closed <sip:a@h>;tag=no')],
    ['BAD_PARAMETER', withHeader('To', 'To: <sip:a@h;tag=never-closed')],
    ['BAD_PARAMETER', withHeader('To', 'To: <sip:a@h>;tag=;x')],
    ['BAD_PARAMETER', withHeader('From', 'From: <sip:a@h>;tag')],
    ['BAD_PARAMETER', withHeader('Via', 'Via: SIP/2.0/UDP h;;branch=z9hG4bK1')],
    ['BAD_PARAMETER', withHeader('Via', 'Via: SIP/2.0/UDP')],
    ['BAD_PARAMETER', withHeader('Via', 'Via: SIP/2.0/UDP ;branch=z9hG4bK1')],
  ])('%s', (reason, text) => {
    expect(parse(text as string).code).toBe(PARSE[reason as keyof typeof PARSE]);
  });

  test('limits themselves are allowed: 96 headers, CSeq 2^31-1', () => {
    expect(parse(sip([REQUEST, ...rest, ...many.slice(0, 90)])).code).toBe(PARSE.OK);
    expect(fields(withHeader('CSeq', 'CSeq: 2147483647 OPTIONS')).cseq).toBe(2147483647);
  });

  test('a datagram that ends within its last line end is not completed from what lies behind', () => {
    const text = sip([REQUEST, ...rest]);
    for (const cut of [1, 2, 3]) {
      const { code, msg } = parse(text.slice(0, -cut));
      // One byte less leaves an empty line of CR alone: whole. Without that the headers have no end.
      expect(code).toBe(cut === 1 ? PARSE.OK : PARSE.BAD_HEADER);
      if (cut === 1) expect([msg.bodyLen, msg.end]).toEqual([0, msg.off + text.length - 1]);
    }
  });
});

describe('parts of values', () => {
  test.each([
    ['<sip:a@h;lr>;x=1', 'sip:a@h;lr'],
    ['"A, <B>" <sip:a@h>, <sip:c@h>', 'sip:a@h'],
    ['sip:a@h;expires=3', 'sip:a@h'],
    ['sip:a@h , sip:b@h', 'sip:a@h'],
    ['*', '*'],
    ['<sip:a@h', null],
    ['<>', null],
    [';x', null],
  ])('uriOf %s', (value, uri) => {
    const out = new Int32Array(2);
    const { bytes, off, len } = placed(bytesOf(value));
    expect(uriOf(bytes, off, len, out)).toBe(uri !== null);
    if (uri !== null) expect(Buffer.from(bytes.subarray(out[0]!, out[0]! + out[1]!)).toString()).toBe(uri);
  });

  test.each([
    ['<sip:a;lr>, <sip:b;lr>', ['<sip:a;lr>', '<sip:b;lr>']],
    ['"x, y" <sip:a,b>,<sip:c>', ['"x, y" <sip:a,b>', '<sip:c>']],
    ['"a\\\\" <sip:a>,"b\\"," <sip:b>', ['"a\\\\" <sip:a>', '"b\\"," <sip:b>']],
    [' , <sip:a> ,, ', ['<sip:a>']],
    ['"never closed, <sip:a>', ['"never closed, <sip:a>']],
    ['"ends in a backslash\\', ['"ends in a backslash\\']],
    ['', []],
  ])('splitValues %s', (value, parts) => {
    const { bytes, off, len } = placed(bytesOf(value));
    expect(
      splitValues(bytes, off, len).map((v) => Buffer.from(bytes.subarray(v.off, v.off + v.len)).toString()),
    ).toEqual(parts);
  });
});
