import { describe, expect, test } from 'vitest';
import { basics, parse, sip } from '../../test/support/sip-text.js';
import { LIMITS, StackBench } from '../../test/support/stack-bench.js';
import { DATAGRAM_MAX, type UdpPort } from '../wire/types.js';
import { ServerTransactions } from './server.js';
import { MessageSlab } from './slab.js';
import { ascii } from './text.js';

const TIMER_G = [0, 500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];
const INVITE = ['INVITE sip:bob@10.0.0.1 SIP/2.0', ...basics('INVITE'), 'Contact: <sip:p@10.0.0.2>'];
/** The same lines, as the ACK or CANCEL that belongs to them. */
function as(method: string, lines: readonly string[], toTag?: string): string[] {
  return lines.map((l) =>
    l
      .replace(/^INVITE/, method)
      .replace(/^(CSeq: \d+) .*/, `$1 ${method}`)
      .replace(/^(To: .*)/, `$1${toTag === undefined ? '' : `;tag=${toTag}`}`),
  );
}
const branched = (lines: readonly string[], branch: string): string[] =>
  lines.map((l) => l.replace(/branch=\S+/, `branch=${branch}`));

/** A stack whose core answers every request with these; each request's transaction gets the user 1, 2, ... */
function answering(statuses: readonly number[], limits = LIMITS): StackBench {
  const b = new StackBench(limits);
  let user = 0;
  b.onNewRequest = (_msg, tx, ip, port, nowUs) => {
    b.stack.server.setUser(tx, ++user);
    for (const status of statuses) {
      b.stack.reply(tx, status, ip, port, status === 100 ? null : ascii('s1'), null, nowUs);
    }
  };
  return b;
}

/** Requests come to us at 5060, with our Via's port 5062 in them: no rport, so answers go to sent-by's port. */
function listening(b: StackBench): StackBench {
  for (const h of b.peer.heard) expect(h.srcPort).toBe(5060);
  return b;
}

const HERE = INVITE.map((l) => l.replace('192.0.2.1:5062', '10.0.0.2:5060'));

describe('INVITE server transaction (RFC 3261 17.2.1)', () => {
  test('a request that comes again is answered with the last response, and the core is not asked again', () => {
    const b = answering([100, 180]);
    b.ask(HERE);
    b.ask(HERE);
    b.ask(HERE);
    expect(listening(b).peer.kinds()).toEqual(['100 INVITE', '180 INVITE', '180 INVITE', '180 INVITE']);
    expect(b.peer.heard[3]!.text).toBe(b.peer.heard[1]!.text);
    expect(b.log.filter((l) => l.startsWith('request'))).toEqual([
      'request INVITE 1',
      'request again 1',
      'request again 1',
    ]);
    expect([b.get('retransmitsSeen'), b.get('retransmitsSent')]).toEqual([2, 2]);
    // 17.2.1: in Proceeding nothing is repeated by itself, and nothing times out.
    b.run(300);
    expect(b.peer.heard.length).toBe(4);
  });

  test('before any response there is nothing to repeat', () => {
    const b = answering([]);
    b.ask(HERE);
    b.ask(HERE);
    expect(b.peer.heard).toEqual([]);
    expect(b.log).toEqual(['request INVITE 1', 'request again 1']);
  });

  test('timer G repeats a failure, doubling up to T2; timer H gives up after 64*T1 and tells the core', () => {
    const b = answering([486]);
    b.ask(HERE);
    b.run(100);
    expect(b.peer.times('486 INVITE')).toEqual(TIMER_G);
    expect(b.log.at(-1)).toBe('no-ack 1 error');
    expect(b.logUs.at(-1)! - b.logUs[0]!).toBe(32_000_000);
    expect(b.stack.server.active).toBe(0);
  });

  test('its ACK ends the repetition; timer I absorbs ACKs and INVITEs for T4', () => {
    const b = answering([486]);
    b.ask(HERE);
    b.run(0.6);
    b.ask(as('ACK', HERE, 's1'));
    const count = b.peer.heard.length;
    b.run(2);
    b.ask(as('ACK', HERE, 's1'));
    b.ask(HERE);
    b.run(2.9);
    expect(b.stack.server.active).toBe(1);
    b.run(0.2);
    expect(b.stack.server.active).toBe(0);
    expect(b.peer.heard.length).toBe(count);
    expect(b.log).toEqual(['request INVITE 1', 'repeat 1 486', 'request again 1']);
    // What comes after that is a new request.
    b.ask(HERE);
    expect(b.log.at(-1)).toBe('request INVITE 1');
  });

  test('a 2xx is repeated by the same clock until the core has its ACK (13.3.1.4)', () => {
    const b = answering([180, 200]);
    b.ask(HERE);
    b.run(4);
    expect(b.peer.times('200 INVITE')).toEqual(TIMER_G.slice(0, 4));
    b.ask(branched(as('ACK', HERE, 's1'), 'z9hG4bKother'));
    expect(b.log.at(-1)).toBe('ack 1');
    b.stack.server.accepted(0, b.world.nowUs);
    b.run(100);
    expect(b.peer.of('200 INVITE').length).toBe(4);
    expect(b.stack.server.active).toBe(0);
    expect(b.log).not.toContain('no-ack 1 2xx');
  });

  test('after its ACK late INVITEs are absorbed until 64*T1 after the 2xx (RFC 6026 timer L)', () => {
    const b = answering([200]);
    b.ask(HERE);
    b.stack.server.accepted(0, b.world.nowUs);
    b.run(31.9);
    b.ask(HERE);
    expect(b.log).toEqual(['request INVITE 1', 'request again 1']);
    expect(b.peer.kinds()).toEqual(['200 INVITE']);
    b.run(0.2);
    expect(b.stack.server.active).toBe(0);
  });

  test('a 2xx that nobody acknowledges: the core is told after 64*T1', () => {
    const b = answering([200]);
    b.ask(HERE);
    b.run(100);
    expect(b.peer.times('200 INVITE')).toEqual(TIMER_G);
    expect(b.log.at(-1)).toBe('no-ack 1 2xx');
    expect(b.stack.server.active).toBe(0);
  });

  test('an ACK to a 2xx with the INVITE’s own branch is the core’s all the same (RFC 6026 7.1)', () => {
    const b = answering([200]);
    b.ask(HERE);
    b.ask(as('ACK', HERE, 's1'));
    expect(b.log).toEqual(['request INVITE 1', 'ack 1']);
  });

  test('a lost 100 does not stand for the final response that follows', () => {
    const b = answering([100]);
    b.ask(HERE);
    b.respond(0, 404, b.peer.heard[0]!.text.replace('100 Trying', '404 Nope'));
    b.run(0.001);
    b.ask(HERE);
    expect(b.peer.kinds()).toEqual(['100 INVITE', '404 INVITE', '404 INVITE']);
  });
});

describe('CANCEL (RFC 3261 9.2)', () => {
  test('is answered 200 by itself, and the INVITE 487; both are repeated on request', () => {
    const b = answering([180]);
    b.onCancelled = (tx) => b.respond(tx, 487, b.peer.heard[0]!.text.replace('180 Ringing', '487 Gone'));
    b.ask(HERE);
    b.ask(as('CANCEL', HERE));
    b.ask(as('CANCEL', HERE));
    expect(b.peer.kinds()).toEqual(['180 INVITE', '200 CANCEL', '487 INVITE', '200 CANCEL']);
    expect(b.peer.of('200 CANCEL')[0]!.tagOf('To')).toBeDefined();
    expect(b.log).toEqual(['request INVITE 1', 'cancel 1', 'repeat -1 200', 'request again -1']);
    b.ask(as('ACK', HERE, 's1'));
    b.run(60);
    expect(b.stack.server.active).toBe(0);
  });

  test('has no effect on an INVITE that has its final answer, and 481 when there is none', () => {
    const b = answering([486]);
    b.ask(HERE);
    b.ask(as('CANCEL', HERE));
    expect(b.peer.kinds()).toEqual(['486 INVITE', '200 CANCEL']);
    b.ask(branched(as('CANCEL', HERE), 'z9hG4bKunknown'));
    expect(b.peer.kinds().at(-1)).toBe('481 CANCEL');
    expect(b.log).toEqual(['request INVITE 1']);
  });
});

describe('other server transactions (RFC 3261 17.2.2)', () => {
  test('a final response is repeated on request only; timer J absorbs for 64*T1', () => {
    const b = answering([200]);
    b.ask(as('BYE', HERE));
    b.run(31.9);
    b.ask(as('BYE', HERE));
    expect(b.peer.kinds()).toEqual(['200 BYE', '200 BYE']);
    expect(b.stack.server.active).toBe(1);
    b.run(0.2);
    expect(b.stack.server.active).toBe(0);
    expect(b.log).toEqual(['request BYE 1', 'repeat 1 200', 'request again 1']);
  });
});

describe('which request belongs to which transaction (RFC 3261 17.2.3)', () => {
  test('branch, sent-by and method tell them apart', () => {
    const b = answering([200]);
    b.ask(as('BYE', HERE));
    b.ask(branched(as('BYE', HERE), 'z9hG4bKbasid'));
    b.ask(as('BYE', HERE).map((l) => l.replace('10.0.0.2:5060', '10.0.0.2:5061')));
    b.ask(as('OPTIONS', HERE));
    expect(b.log).toEqual(['request BYE 1', 'request BYE 1', 'request BYE 1', 'request OPTIONS 1']);
    // Call-ID and tags do not matter when there is a branch.
    b.ask(as('BYE', HERE).map((l) => l.replace('tag=a1', 'tag=a2')));
    expect(b.log.at(-1)).toBe('request again 1');
  });

  test.each(['', 'branch=1', 'branch=same'])('peers without the magic cookie (RFC 2543), Via with "%s"', (branch) => {
    const old = as('BYE', HERE).map((l) => l.replace('branch=z9hG4bKbasic', branch));
    const b = answering([200]);
    b.ask(old);
    b.ask(old);
    b.ask(old.map((l) => l.replace('Call-ID: basic', 'Call-ID: other')));
    b.ask(old.map((l) => l.replace('CSeq: 1', 'CSeq: 2')));
    b.ask(old.map((l) => l.replace('tag=a1', 'tag=a2')));
    expect(b.log.filter((l) => !l.startsWith('repeat'))).toEqual([
      'request BYE 1',
      'request again 1',
      'request BYE 1',
      'request BYE 2',
      'request BYE 1',
    ]);
  });
});

describe('limits', () => {
  test('a request beyond the limit is dropped and counted; it is taken when it comes again later', () => {
    const b = answering([200], { ...LIMITS, serverTransactions: 2 });
    for (const n of [1, 2, 3]) b.ask(branched(as('OPTIONS', HERE), `z9hG4bK${n}`));
    expect([b.peer.heard.length, b.get('transactionsFull')]).toEqual([2, 1]);
    b.run(33);
    b.ask(branched(as('OPTIONS', HERE), 'z9hG4bK3'));
    expect(b.peer.heard.length).toBe(3);
  });

  test('without room to keep it a response is sent all the same, once', () => {
    const b = answering([200], { ...LIMITS, messages: 1 });
    for (const n of [1, 2, 2]) b.ask(branched(as('OPTIONS', HERE), `z9hG4bK${n}`));
    expect(b.peer.heard.length).toBe(2);
    b.run(33);
    expect(b.stack.server.active).toBe(0);
  });

  test('a response longer than a datagram is not sent, and what is kept beside it stays whole', () => {
    const sent: string[] = [];
    const text = (bytes: Uint8Array, off: number, len: number): string =>
      Buffer.from(bytes.subarray(off, off + len)).toString();
    const tx = new Uint8Array(4 * DATAGRAM_MAX); // as a batch has it: what is too long runs into the next slot
    const port: UdpPort = {
      ...{ ip: 1, port: 5060, tx, slot: () => 0, close: () => undefined },
      commit: (len) => sent.push(text(tx, 0, len)),
      send: (bytes, off, len) => sent.push(text(bytes, off, len)),
    };
    const user = { onNoAck: () => undefined, onRepeat: () => undefined };
    const server = new ServerTransactions(2, 0, new MessageSlab(2), () => port, user);
    const say = (transaction: number, status: number, length: number, letter: string): void => {
      tx.fill(letter.charCodeAt(0), 0, length);
      server.send(transaction, status, 0, length, 0);
    };
    const long = server.open(parse(sip(branched(HERE, 'z9hG4bKlong'))).msg, 1, 2);
    const short = server.open(parse(sip(branched(HERE, 'z9hG4bKshort'))).msg, 1, 2);
    say(long, 100, 10, 'a');
    say(short, 100, 20, 'b');
    say(long, 486, DATAGRAM_MAX + 10, 'c');
    server.repeat(long);
    server.repeat(short);
    expect(sent).toEqual(['a'.repeat(10), 'b'.repeat(20), 'b'.repeat(20)]);
    for (let us = 0; us < 33_000_000; us += 100_000) server.advance(us);
    expect([sent.length, server.active]).toEqual([3, 1]);
  });
});
