import fc from 'fast-check';
import { expect, test } from 'vitest';
import { callNoAt, classify, FOREIGN_CALLS, findIdentity, HEARD, PAYLOAD_BYTES, writeIdentity } from './identity.js';

function payload(callNo: number, role: number, len = PAYLOAD_BYTES): Uint8Array {
  const bytes = new Uint8Array(len + 7).fill(0x33);
  writeIdentity(bytes, 7, len, callNo, role);
  return bytes;
}

test('peer, self and other are told apart', () => {
  expect(classify(payload(7, 1), 7, 160, 7, 1)).toBe(HEARD.PEER);
  expect(classify(payload(7, 0), 7, 160, 7, 1)).toBe(HEARD.SELF);
  expect(classify(payload(8, 1), 7, 160, 7, 1)).toBe(HEARD.OTHER);
});

test('ends that number calls each for themselves do not know each other, but their own', () => {
  expect(classify(payload(FOREIGN_CALLS + 7, 1), 7, 160, 7, 1)).toBe(HEARD.FOREIGN);
  expect(classify(payload(7, 0), 7, 160, FOREIGN_CALLS + 7, 0)).toBe(HEARD.FOREIGN);
  expect(classify(payload(FOREIGN_CALLS + 8, 1), 7, 160, FOREIGN_CALLS + 7, 1)).toBe(HEARD.OTHER);
});

test('any call number comes back, wherever the audio was cut', () => {
  fc.assert(
    fc.property(fc.nat(0xffffffff), fc.nat(1), fc.integer({ min: 0, max: 140 }), (callNo, role, cut) => {
      const bytes = payload(callNo, role);
      expect(classify(bytes, 7 + cut, 160 - cut, callNo, role)).toBe(HEARD.PEER);
      expect(callNoAt(bytes, findIdentity(bytes, 7 + cut, 160 - cut))).toBe(callNo);
    }),
  );
});

test('a changed byte is foreign, not another call', () => {
  const bytes = payload(7, 1);
  for (let i = 0; i < 160; i += 10) bytes[7 + i + 5]! ^= 0x10;
  expect(classify(bytes, 7, 160, 7, 1)).toBe(HEARD.FOREIGN);
});

test('digital silence of u-law and A-law, and of nothing at all', () => {
  for (const zero of [0xff, 0x7f, 0xd5, 0x55]) {
    expect(classify(new Uint8Array(160).fill(zero), 0, 160, 7, 1)).toBe(HEARD.SILENCE);
  }
  expect(classify(new Uint8Array(0), 0, 0, 7, 1)).toBe(HEARD.SILENCE);
  expect(classify(new Uint8Array(160).fill(0x2a), 0, 160, 7, 1)).toBe(HEARD.FOREIGN);
  const speech = new Uint8Array(160).map((_, i) => (i === 0 ? 0xff : i * 37));
  expect(classify(speech, 0, 160, 7, 1)).toBe(HEARD.FOREIGN);
});
