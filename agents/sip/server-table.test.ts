import fc from 'fast-check';
import { expect, test } from 'vitest';
import { basics, bytesOf } from '../../test/support/sip-text.js';
import type { UdpPort } from '../wire/types.js';
import { METHOD } from './names.js';
import { PARSE, SipMessage } from './parse.js';
import { ServerTransactions } from './server.js';
import { MessageSlab } from './slab.js';

const silent: UdpPort = {
  ip: 1,
  port: 5060,
  tx: new Uint8Array(4096),
  slot: () => 0,
  commit: () => undefined,
  send: () => undefined,
  close: () => undefined,
};

function request(method: string, branch: string, sentBy = 'h'): SipMessage {
  const lines = [
    `${method} sip:b@h SIP/2.0`,
    `Via: SIP/2.0/UDP ${sentBy};branch=${branch}`,
    ...basics(method).slice(1),
  ];
  const msg = new SipMessage();
  const bytes = bytesOf(`${lines.join('\r\n')}\r\n\r\n`);
  if (msg.parse(bytes, 0, bytes.length) !== PARSE.OK) throw new Error(lines.join('\n'));
  return msg;
}

function table(capacity: number): ServerTransactions {
  return new ServerTransactions(capacity, 0, new MessageSlab(1), () => silent, {
    onNoAck: () => undefined,
    onRepeat: () => undefined,
  });
}

/** A small table, half of it in use: probes run into each other and around the end all the time. */
test('opening and closing, checked against a map after every step', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(1, 2, 7, 8),
      fc.array(fc.tuple(fc.boolean(), fc.nat(99)), { minLength: 100, maxLength: 400 }),
      (capacity, steps) => {
        const server = table(capacity);
        const open = new Map<string, number>();
        for (const [add, n] of steps) {
          const branch = `z9hG4bK${n}`;
          const msg = messages[n]!;
          const known = open.get(branch);
          if (!add && known !== undefined) {
            server.drop(known);
            open.delete(branch);
          } else if (known === undefined) {
            const tx = server.open(msg, 1, 2);
            expect(tx >= 0).toBe(open.size < capacity);
            if (tx >= 0) open.set(branch, tx);
          }
          expect(server.active).toBe(open.size);
          for (let i = 0; i < messages.length; i += 3) {
            expect(server.match(messages[i]!, METHOD.OPTIONS)).toBe(open.get(`z9hG4bK${i}`) ?? -1);
          }
        }
        for (const [branch, tx] of open) expect(server.match(request('OPTIONS', branch), METHOD.OPTIONS)).toBe(tx);
      },
    ),
    { numRuns: 100 },
  );
});
const messages = Array.from({ length: 100 }, (_, n) => request('OPTIONS', `z9hG4bK${n}`));

test('20,000 transactions at once, with branches that differ in a digit: each is found, none is taken for another', () => {
  const server = table(20_000);
  const branch = (n: number): string => `z9hG4bK-524287-1---${n.toString(16).padStart(16, '0')}`;
  const tx = Array.from({ length: 20_000 }, (_, n) => {
    const msg = request('INVITE', branch(n));
    expect(server.match(msg, METHOD.INVITE)).toBe(-1);
    return server.open(msg, 1, 2);
  });
  expect(server.open(request('INVITE', branch(20_000)), 1, 2)).toBe(-1);
  for (let n = 0; n < 20_000; n += 2) server.drop(tx[n]!);
  for (let n = 0; n < 20_000; n++) {
    const wanted = n % 2 === 0 ? -1 : tx[n]!;
    const invite = request('INVITE', branch(n));
    if (server.match(invite, METHOD.INVITE) !== wanted) throw new Error(`branch ${n}`);
    if (server.match(invite, METHOD.BYE) !== -1) throw new Error(`BYE with branch ${n}`);
  }
  expect(server.active).toBe(10_000);
  // An ACK and a CANCEL find their INVITE; another sent-by does not.
  expect(server.match(request('ACK', branch(1)), METHOD.INVITE)).toBe(tx[1]);
  expect(server.match(request('CANCEL', branch(1)), METHOD.INVITE)).toBe(tx[1]);
  expect(server.match(request('INVITE', branch(1), 'h:5061'), METHOD.INVITE)).toBe(-1);
});
