import { expect, test } from 'vitest';
import { PARSE, SipMessage } from '../../../agents/sip/parse.js';
import { ascii } from '../../../agents/sip/text.js';
import { ipFromString } from '../../../agents/wire/types.js';
import { prng } from '../../prng.js';
import { EXPIRY_DEFAULTS, grant, Location, type RegisterWish, readContacts, readPath, sameUri } from './location.js';

const AOR = '1001@a.test';

function message(...headers: string[]): SipMessage {
  const msg = new SipMessage();
  const basics = [
    'Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1',
    'From: <sip:1001@a.test>;tag=1',
    'To: <sip:1001@a.test>',
  ];
  const lines = ['REGISTER sip:a.test SIP/2.0', ...basics, 'Call-ID: c', 'CSeq: 1 REGISTER', ...headers];
  const bytes = ascii(`${lines.join('\r\n')}\r\n\r\n`);
  expect(msg.parse(bytes, 0, bytes.length)).toBe(PARSE.OK);
  return msg;
}

function wish(callId: string, cseq: number, ...uris: string[]): RegisterWish {
  const contacts = uris.map((uri) => ({ uri, params: '', q: Number.NaN, expiresS: Number.NaN }));
  return { callId, cseq, contacts, path: [], receivedIp: ipFromString('192.0.2.9'), receivedPort: 40_000 };
}
const uris = (location: Location, nowUs: number): string[] => location.find(AOR, nowUs).map((b) => b.uri);

test('contacts are read in every form that RFC 3261 20.10 shows', () => {
  const msg = message(
    'Contact: "Mr. \\"W\\" <x>, Watson" <sip:watson@b.test;transport=udp?subject=a,b>;Q=0.7; Expires=3600;+sip.instance="<urn:uuid:1;2>",',
    ' <sip:two@b.test> ; expires=0',
    'm: sip:three@b.test;q=0.1;expires="soon"',
    'Contact: Bob <sips:bob@192.0.2.4:5061>;q=7',
  );
  expect(readContacts(msg)).toEqual([
    {
      uri: 'sip:watson@b.test;transport=udp?subject=a,b',
      params: ';+sip.instance="<urn:uuid:1;2>"',
      q: 0.7,
      expiresS: 3600,
    },
    { uri: 'sip:two@b.test', params: '', q: Number.NaN, expiresS: 0 },
    { uri: 'sip:three@b.test', params: '', q: 0.1, expiresS: 3600 },
    { uri: 'sips:bob@192.0.2.4:5061', params: '', q: Number.NaN, expiresS: Number.NaN },
  ]);
  expect(readContacts(message('Contact: *'))).toBeNull();
  expect(readContacts(message())).toEqual([]);
  for (const bad of ['*, <sip:a@b>', '<sip:a@b', 'nobody', '<sip:a@b>, ', '<>']) {
    expect(readContacts(message(`Contact: ${bad}`)), bad).toBe('bad');
  }
  expect(readPath(message('Path: <sip:p1;lr>, <sip:p2;lr>', 'path : <sip:p3;lr>'))).toEqual([
    '<sip:p1;lr>',
    '<sip:p2;lr>',
    '<sip:p3;lr>',
  ]);
});

test.each([
  ['sip:a@b.test', 'sip:a@B.test', true],
  ['SIP:a@b.test;Transport=UDP', 'sip:a@b.test;transport=udp', true],
  ['sip:a@b.test;x=1;transport=tcp', 'sip:a@b.test;transport=tcp', true],
  ['sip:a@b.test;x=1', 'sip:a@b.test;x=2', false],
  ['sip:a@b.test;transport=udp', 'sip:a@b.test', false],
  ['sip:A@b.test', 'sip:a@b.test', false],
  ['sip:a@b.test:5060', 'sip:a@b.test', false],
  ['sip:a@b.test', 'sips:a@b.test', false],
  ['sip:a@b.test?s=1', 'sip:a@b.test', false],
  ['sip:[2001:db8::1]:5060', 'sip:[2001:DB8::1]:5060', true],
])('RFC 3261 19.1.4: %s and %s: %s', (a, b, same) => {
  expect(sameUri(a, b)).toBe(same);
  expect(sameUri(b, a)).toBe(same);
});

test('several contacts of one AOR; refreshed, replaced, removed one by one and all at once', () => {
  const location = new Location(3, 0);
  expect(location.update(AOR, wish('c1', 1, 'sip:a@x', 'sip:b@x'), [60, 120], 0)).toBe(200);
  expect(location.update(AOR, wish('c2', 1, 'sip:c@x'), [90], 0)).toBe(200);
  expect(uris(location, 0)).toEqual(['sip:b@x', 'sip:c@x', 'sip:a@x']);
  expect(location.bindings).toBe(3);
  // A refresh with the next CSeq; the same URI in another writing.
  expect(location.update(AOR, wish('c1', 2, 'sip:a@X'), [60], 30e6)).toBe(200);
  expect(location.changed.map((b) => [b.uri, b.expiresUs])).toEqual([
    ['sip:a@x', 0],
    ['sip:a@X', 90e6],
  ]);
  expect(location.bindings).toBe(3);
  expect(location.update(AOR, wish('c3', 1, 'sip:d@x'), [60], 30e6)).toBe(503);
  expect(location.update(AOR, wish('c1', 3, 'sip:b@x'), [0], 30e6)).toBe(200);
  expect(uris(location, 30e6)).toEqual(['sip:c@x', 'sip:a@X']);
  expect(location.update(AOR, { ...wish('c9', 1), contacts: null }, [], 31e6)).toBe(200);
  expect(location.changed.map((b) => b.expiresUs)).toEqual([0, 0]);
  expect([location.bindings, location.expiredTotal]).toEqual([0, 0]);
});

test('RFC 3261 10.3 step 7: an older CSeq of the same Call-ID changes nothing at all; another Call-ID does', () => {
  const location = new Location(10, 0);
  location.update(AOR, wish('c1', 5, 'sip:a@x'), [60], 0);
  expect(location.update(AOR, wish('c1', 5, 'sip:a@x'), [90], 1e6)).toBe(500);
  expect(location.update(AOR, wish('c1', 4, 'sip:new@x', 'sip:a@x'), [90, 90], 1e6)).toBe(500);
  expect(location.update(AOR, { ...wish('c1', 4), contacts: null }, [], 1e6)).toBe(500);
  expect(location.find(AOR, 1e6)).toMatchObject([{ uri: 'sip:a@x', cseq: 5, expiresUs: 60e6 }]);
  // A phone that was restarted counts from 1 again.
  expect(location.update(AOR, wish('c2', 1, 'sip:a@x'), [90], 1e6)).toBe(200);
  expect(location.find(AOR, 1e6)).toMatchObject([{ callId: 'c2', cseq: 1, expiresUs: 91e6 }]);
});

test('bindings end when they expire, those that were refreshed do not, and each is counted once', () => {
  const location = new Location(10, 5e6);
  for (let i = 0; i < 100; i++) location.update(`${i}@a.test`, wish('c', 1, 'sip:a@x'), [60 + (i % 10)], 5e6);
  for (let i = 0; i < 10; i++) location.update(`${i}@a.test`, wish('c', 2, 'sip:a@x'), [600], 20e6);
  expect(location.tick(64e6)).toBe(65e6);
  expect(location.bindings).toBe(100);
  location.tick(65e6);
  expect([location.bindings, location.expiredTotal]).toEqual([91, 9]);
  expect(location.find('10@a.test', 65e6)).toEqual([]);
  // One that nobody has swept yet is gone all the same, and is counted when its place is taken.
  expect(location.update('11@a.test', wish('c', 1, 'sip:a@x'), [60], 66.5e6)).toBe(200);
  location.tick(100e6);
  expect([location.bindings, location.expiredTotal]).toEqual([11, 90]);
  location.tick(10_000e6);
  expect([location.bindings, location.expiredTotal]).toEqual([0, 101]);
  expect(location.tick(10_001e6)).toBe(Number.POSITIVE_INFINITY);
});

test('expires: of the contact, of the header, the default; cut at the top, refused below, spread when asked', () => {
  const chance = prng(1);
  const ask = (expiresS: number): Parameters<typeof grant>[0][0] => ({ uri: 'sip:a', params: '', q: 1, expiresS });
  const none = Number.NaN;
  expect(grant([ask(100), ask(none), ask(0)], 200, EXPIRY_DEFAULTS, chance)).toEqual([100, 200, 0]);
  expect(grant([ask(none), ask(1e9)], -1, EXPIRY_DEFAULTS, chance)).toEqual([3600, 3600]);
  expect(grant([ask(100), ask(59)], -1, EXPIRY_DEFAULTS, chance)).toBeNull();
  const many = Array.from({ length: 5000 }, () => ask(600));
  const spread = grant(many, -1, { ...EXPIRY_DEFAULTS, expiresSpread: 0.5 }, chance)!;
  // As Kamailio's expires_range=50: uniform in [300, 600].
  expect(Math.min(...spread)).toBeLessThan(302);
  expect(Math.min(...spread)).toBeGreaterThanOrEqual(300);
  expect(Math.max(...spread)).toBeLessThanOrEqual(600);
  expect(spread.reduce((sum, s) => sum + s, 0) / spread.length).toBeCloseTo(450, -1);
});
