import fc from 'fast-check';
import { expect, test } from 'vitest';
import { prng } from '../../harness/prng.js';
import { type Said, said, written } from '../../test/support/sip-arbitrary.js';
import { bytesOf, placed, view } from '../../test/support/sip-text.js';
import { DialogStore, splitValues } from './dialog.js';
import { methodAt } from './names.js';
import { PARSE, SipMessage } from './parse.js';
import { writeEcho } from './respond.js';
import { uriOf } from './scan.js';
import { SdpView } from './sdp.js';
import { UriView } from './uri.js';

const seed = fc.integer({ min: 0, max: 0xffffffff });

function text(s: Said, from: number): string {
  const chance = prng(from);
  return written(s, (n) => chance.below(n));
}

test('what was written is what is read, whatever way it was written', () => {
  fc.assert(
    fc.property(said, seed, (s, from) => {
      const wire = text(s, from);
      const { bytes, off, len } = placed(bytesOf(wire), false, from % 50);
      const msg = new SipMessage();
      expect(msg.parse(bytes, off, len)).toBe(PARSE.OK);
      const method = methodAt(bytesOf(s.methodName), 0, s.methodName.length);
      expect(view(msg)).toMatchObject({
        request: s.request,
        method,
        methodName: s.request ? s.methodName : '',
        uri: s.request ? s.uri : '',
        status: s.request ? 0 : s.status,
        phrase: s.request ? '' : s.phrase,
        cseq: s.cseq,
        callId: s.callId,
        from: s.from,
        fromTag: s.fromTag,
        to: s.to,
        toTag: s.toTag,
        via: s.vias[0]!.value,
        branch: s.vias[0]!.branch,
        sentBy: s.vias[0]!.sentBy,
        contact: s.contact,
        maxForwards: s.maxForwards,
        body: s.body,
      });
      for (const [, value] of s.extra) expect(view(msg).headers).toContain(value);
    }),
    { numRuns: 1500 },
  );
});

/** Everything that reads a message, on one that may be broken. */
function readAll(bytes: Uint8Array, off: number, len: number): number {
  const msg = new SipMessage();
  const code = msg.parse(bytes, off, len);
  if (code !== PARSE.OK) return code;
  for (const at of [msg.off, msg.headersOff, msg.bodyOff, msg.end]) expect(at).toBeGreaterThanOrEqual(off);
  expect(msg.end).toBeLessThanOrEqual(off + len);
  expect(msg.bodyLen).toBeGreaterThanOrEqual(0);
  for (let i = 0; i < msg.headerCount; i++) {
    expect(msg.valueOff[i]! + msg.valueLen[i]!).toBeLessThanOrEqual(msg.lineEnd[i]!);
    uriOf(bytes, msg.valueOff[i]!, msg.valueLen[i]!, new Int32Array(2));
    splitValues(bytes, msg.valueOff[i]!, msg.valueLen[i]!);
    msg.numberOf(msg.headerId[i]!);
  }
  new UriView().parse(bytes, msg.uriOff, msg.isRequest ? msg.uriLen : 0);
  new SdpView().read(bytes, msg.bodyOff, msg.bodyLen);
  writeEcho(msg, 0x7f000001, 5060, bytesOf('tag'), new Uint8Array(4096), 0);
  dialogs.openAsCallee(0, msg, bytesOf('tag'));
  dialogs.openAsCaller(0, msg, 1);
  return code;
}
const dialogs = new DialogStore(1);

const NOISE = [...'\r\n\t ":;,<>=@/\\\0\xff0aZ'].map((c) => c.charCodeAt(0));

/** One to four injuries: a byte changed, cut out, put in, a stretch repeated, the end cut off. */
function injured(bytes: Uint8Array, from: number): Uint8Array {
  const chance = prng(from);
  let out = [...bytes];
  for (let n = chance.below(4); n >= 0; n--) {
    const at = chance.below(out.length + 1);
    const noise = chance.below(3) === 0 ? chance.below(256) : NOISE[chance.below(NOISE.length)]!;
    const kind = chance.below(5);
    if (kind === 0 && at < out.length) out[at] = noise;
    else if (kind === 1) out.splice(at, 1 + chance.below(3));
    else if (kind === 2) out.splice(at, 0, noise);
    else if (kind === 3) out.splice(at, 0, ...out.slice(chance.below(at + 1), at));
    else out = out.slice(0, at);
  }
  return Uint8Array.from(out.slice(0, 2048));
}

test('injured messages: no throw, no read outside of the datagram, the same answer whatever lies around it', () => {
  const codes = new Set<number>();
  fc.assert(
    fc.property(said, seed, (s, from) => {
      const wire = injured(bytesOf(text(s, from)), from);
      const guarded = placed(wire, true);
      const code = readAll(guarded.bytes, guarded.off, guarded.len);
      expect([...guarded.outside].map((i) => i - guarded.off)).toEqual([]);
      for (const shift of [0, 1, 7]) {
        const other = placed(wire, false, shift);
        expect(readAll(other.bytes, other.off, other.len)).toBe(code);
      }
      codes.add(code);
    }),
    { numRuns: 1500 },
  );
  // The injuries reach every refusal but TOO_MANY_HEADERS.
  expect(codes.size).toBeGreaterThanOrEqual(9);
});

test('every truncation of a message', () => {
  const [s] = fc.sample(fc.tuple(said.filter((m) => m.contact !== '' && m.vias.length > 2)), { seed: 7, numRuns: 1 });
  const whole = bytesOf(text(s![0], 4711));
  for (let n = 0; n <= whole.length; n++) {
    const { bytes, off, len, outside } = placed(whole.slice(0, n), true);
    readAll(bytes, off, len);
    expect(
      [...outside].map((i) => i - off),
      `cut at ${n}`,
    ).toEqual([]);
  }
});

test('pure noise, 20,000 datagrams', () => {
  const chance = prng(99);
  const msg = new SipMessage();
  for (let n = 0; n < 20_000; n++) {
    const noise = Uint8Array.from({ length: chance.below(200) }, () =>
      chance.below(2) === 0 ? NOISE[chance.below(NOISE.length)]! : chance.below(256),
    );
    const { bytes, off, len } = placed(noise, false, n);
    expect(msg.parse(bytes, off, len)).not.toBe(PARSE.OK);
  }
});
