import fc from 'fast-check';
import { expect, it } from 'vitest';
import { hasIp6, IP6_MAX, IP6_NONE, ip6Refused, ip6Text, isIp6, putIp6, readIp6 } from './ip6.js';
import { hostPort, ipFromString, ipToString, isLoopbackIp } from './types.js';

const read = (text: string): number => readIp6(new Uint8Array(Buffer.from(text, 'latin1')), 0, text.length);

it('until somebody of ours has one, nobody has', () => {
  expect(hasIp6()).toBe(false);
  ipFromString('::1');
  expect(hasIp6()).toBe(true);
});

it.each([
  ['::1', '::1'],
  ['[::1]', '::1'],
  ['::', '::'],
  ['2001:DB8:0:0:8:800:200C:417A', '2001:db8::8:800:200c:417a'],
  ['2001:db8::9:1', '2001:db8::9:1'],
  ['2001:db8:0:1:0:0:0:1', '2001:db8:0:1::1'],
  ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
  ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
  ['fe80::', 'fe80::'],
  ['::ffff:192.0.2.10', '::ffff:c000:20a'],
  ['1:2:3:4:5:6:1.2.3.4', '1:2:3:4:5:6:102:304'],
])('%s is %s (RFC 4291 2.2, RFC 5952 4)', (written, canonical) => {
  const ip = read(written);
  expect(isIp6(ip)).toBe(true);
  expect(ipToString(ip)).toBe(canonical);
  expect(ipFromString(canonical)).toBe(ip);
});

it.each([
  ...['', ':', ':::', '1', '1:', ':1', '1::2::3', '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9', '1:2:3:4:5:6:7::8', '12345::'],
  ...[
    '::g',
    '[::1',
    '::1]',
    '[]',
    'fe80::1%eth0',
    '::1.2.3',
    '::1.2.3.4.5',
    '::256.1.1.1',
    '1:2:3:4:5:6:7:1.2.3.4',
    '::1.2.3.4:5',
  ],
])('%j is none', (text) => {
  expect(read(text)).toBe(-1);
});

it('any address: its text is read as the same number, and its words as the same address', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.constant(0), fc.nat(0xffff)), { minLength: 8, maxLength: 8 }), (groups) => {
      const ip = read(groups.map((g) => g.toString(16)).join(':'));
      const words = new Int32Array(4);
      putIp6(words, 0, ip);
      const bytes = Buffer.from(words.buffer);
      return read(ip6Text(ip)) === ip && groups.every((g, i) => bytes.readUInt16BE(i * 2) === g);
    }),
    { seed: 1, numRuns: 200 },
  );
});

it('loopback is ::1 and 127.0.0.0/8, and an address of IPv6 is no part of the latter', () => {
  expect(isLoopbackIp(ipFromString('::1'))).toBe(true);
  expect(isLoopbackIp(ipFromString('127.0.0.9'))).toBe(true);
  for (const other of ['::2', 'fd00::1', '2001:db8::1', '::ffff:127.0.0.1', '10.0.0.1', '128.0.0.1'])
    expect([other, isLoopbackIp(ipFromString(other))]).toEqual([other, false]);
  expect(hostPort(ipFromString('::1'), 5060)).toBe('[::1]:5060');
  expect(hostPort(ipFromString('127.0.0.1'), 5060)).toBe('127.0.0.1:5060');
});

it('a full table takes no more, says so, and still knows what it had', () => {
  const known = ipFromString('2001:db8::77');
  for (let i = 0; i < IP6_MAX; i++) read(`2001:db8:1::${i.toString(16)}`);
  expect(ip6Refused()).toBeGreaterThan(0);
  expect(read('2001:db8:2::1')).toBe(-1);
  expect(ipFromString('2001:db8:2::1')).toBeNaN();
  expect(read('::')).toBe(IP6_NONE);
  expect(read('2001:db8::77')).toBe(known);
});
