import { describe, expect, test } from 'vitest';
import { basics, parse, sip } from '../../test/support/sip-text.js';
import { PARSE } from './parse.js';
import { responsePort, statusLine, writeEcho } from './respond.js';
import { ascii } from './text.js';

const HERE = 0xc0000201; // 192.0.2.1
const THERE = 0x0a000002;

function echoed(via: string, srcIp: number, extra: string[] = [], tag: string | null = 's1'): string[] {
  const lines = [`Via: ${via}`, ...basics('OPTIONS').slice(1), ...extra];
  const { code, msg } = parse(sip(['OPTIONS sip:b@h SIP/2.0', ...lines]));
  expect(code).toBe(PARSE.OK);
  const to = new Uint8Array(4096).fill(33);
  const end = writeEcho(msg, srcIp, 40_000, tag === null ? null : ascii(tag), to, 7);
  expect([...to.subarray(0, 7)]).toEqual(Array(7).fill(33));
  const text = Buffer.from(to.subarray(7, end)).toString('latin1');
  expect(text.endsWith('\r\n')).toBe(true);
  return text.split('\r\n').slice(0, -1);
}

describe('the top Via of a response', () => {
  const there = ';received=10.0.0.2';
  test.each([
    // RFC 3581 4: rport is filled in, received always beside it.
    ['192.0.2.1:5062;rport;branch=z9hG4bK1', HERE, '192.0.2.1:5062;rport=40000;branch=z9hG4bK1;received=192.0.2.1'],
    ['192.0.2.1:5062;branch=z9hG4bK1;rport', THERE, `192.0.2.1:5062;branch=z9hG4bK1;rport=40000${there}`],
    ['h ; RPort ; branch=z9hG4bK1', THERE, `h ; RPort=40000; branch=z9hG4bK1${there}`],
    ['h;rport=;branch=z9hG4bK1', THERE, `h;rport=40000;branch=z9hG4bK1${there}`],
    ['h;rportx;branch=z9hG4bK1;rport', THERE, `h;rportx;branch=z9hG4bK1;rport=40000${there}`],
    ['h;rport=5;branch=z9hG4bK1', THERE, 'h;rport=5;branch=z9hG4bK1'],
    // RFC 3261 18.2.1: received when sent-by is a name or another address.
    ['192.0.2.1:5062;branch=z9hG4bK1', HERE, '192.0.2.1:5062;branch=z9hG4bK1'],
    ['192.0.2.1:5062;branch=z9hG4bK1', THERE, `192.0.2.1:5062;branch=z9hG4bK1${there}`],
    ['h.example;branch=z9hG4bK1', THERE, `h.example;branch=z9hG4bK1${there}`],
  ])('%s', (via, srcIp, wanted) => {
    expect(echoed(`SIP/2.0/UDP ${via}`, srcIp)[0]).toBe(`Via: SIP/2.0/UDP ${wanted}`);
    const second = 'SIP/2.0/UDP behind;rport;branch=z9hG4bK2';
    expect(echoed(`SIP/2.0/UDP ${via},${second}`, srcIp)[0]).toBe(`Via: SIP/2.0/UDP ${wanted},${second}`);
  });

  test.each([
    ['192.0.2.1:5062;rport', 40_000],
    ['192.0.2.1:5062', 5062],
    ['192.0.2.1', 5060],
    ['h.example;rport=9', 40_000],
    ['h.example : 99', 5060],
    ['h:70000', 5060],
  ])('answers to %s go to port %i', (via, port) => {
    const { msg } = parse(
      sip(['OPTIONS sip:b@h SIP/2.0', `Via: SIP/2.0/UDP ${via};branch=x`, ...basics('OPTIONS').slice(1)]),
    );
    expect(responsePort(msg, 40_000)).toBe(port);
  });
});

test('what a response repeats (8.2.6.2): Vias and Record-Routes in order, From, To, Call-ID, CSeq, nothing else', () => {
  const extra = ['Record-Route: <sip:1;lr>', 'v: SIP/2.0/UDP b;branch=2', 'Subject: no', 'Record-Route: <sip:2;lr>'];
  const lines = echoed('SIP/2.0/UDP 192.0.2.1;branch=1', HERE, [...extra, 'Contact: <sip:no>']);
  expect(lines).toEqual([
    'Via: SIP/2.0/UDP 192.0.2.1;branch=1',
    'From: <sip:alice@atlanta.example>;tag=a1',
    'To: <sip:bob@biloxi.example>;tag=s1',
    'Call-ID: basic@192.0.2.1',
    'CSeq: 1 OPTIONS',
    'Record-Route: <sip:1;lr>',
    'v: SIP/2.0/UDP b;branch=2',
    'Record-Route: <sip:2;lr>',
  ]);
});

test('To gets a tag only if it has none, and one is given', () => {
  const to = (lines: string[]): string => lines.find((l) => l.startsWith('To'))!;
  expect(to(echoed('SIP/2.0/UDP h;branch=1', HERE, [], null))).toBe('To: <sip:bob@biloxi.example>');
  const { msg } = parse(
    sip(['OPTIONS sip:b@h SIP/2.0', ...basics('OPTIONS').map((l) => l.replace(/^To.*/, '$&;tag=t'))]),
  );
  const out = new Uint8Array(1024);
  const end = writeEcho(msg, HERE, 1, ascii('s1'), out, 0);
  expect(to(Buffer.from(out.subarray(0, end)).toString().split('\r\n'))).toBe('To: <sip:bob@biloxi.example>;tag=t');
});

test('status lines, known and not', () => {
  const text = (status: number): string => Buffer.from(statusLine(status)).toString();
  expect([text(486), text(699)]).toEqual(['SIP/2.0 486 Busy Here\r\n', 'SIP/2.0 699 Other\r\n']);
});
