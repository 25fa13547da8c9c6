import { describe, expect, test } from 'vitest';
import { LIMITS, StackBench } from '../../test/support/stack-bench.js';

const TIMER_A = [0, 500, 1500, 3500, 7500, 15_500, 31_500];
const TIMER_E = [0, 500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];

describe('INVITE client transaction (RFC 3261 17.1.1)', () => {
  test('timer A doubles without bound; timer B ends it after 64*T1', () => {
    const b = new StackBench();
    const startUs = b.world.nowUs;
    b.request('INVITE', 5);
    b.run(31.9);
    expect(b.peer.times('INVITE')).toEqual(TIMER_A);
    expect(new Set(b.peer.heard.map((h) => h.text)).size).toBe(1);
    expect(b.log).toEqual(Array(6).fill('again 5 INVITE'));
    b.run(100);
    expect(b.log.slice(6)).toEqual(['timeout 5 INVITE']);
    expect(b.logUs.at(-1)! - startUs).toBe(32_000_000);
    expect(b.peer.heard.length).toBe(7);
    expect(b.stack.client.active).toBe(0);
  });

  test('a provisional response ends A and B: nothing goes out again, nothing times out', () => {
    const b = new StackBench();
    b.request('INVITE');
    b.run(1);
    b.peer.answer(b.peer.heard[0]!, 100);
    b.run(1);
    b.peer.answer(b.peer.heard[0]!, 180, { tag: 'p' });
    b.run(300);
    expect(b.peer.times('INVITE')).toEqual([0, 500]);
    expect(b.log).toEqual(['again 1 INVITE', 'response 1 100', 'response 1 180']);
    expect(b.stack.client.active).toBe(1);
  });

  test('a failure is acknowledged within the transaction; repeats of it are too, and go no further, for timer D', () => {
    const b = new StackBench();
    b.request('INVITE', 1, ['Route: <sip:proxy;lr>', 'Contact: <sip:us>', 'X-Other: x']);
    b.run(0.1);
    const invite = b.peer.heard[0]!;
    b.peer.answer(invite, 180, { tag: 'early' });
    b.peer.answer(invite, 486, { tag: 'final' });
    b.run(0.1);
    const [ack] = b.peer.of('ACK');
    // 17.1.1.3: Request-URI, top Via alone, From, Call-ID, Route, CSeq number of the INVITE; To of the response; no body.
    expect(ack!.start).toBe(invite.start.replace('INVITE', 'ACK'));
    expect(ack!.all('Via')).toEqual([invite.topVia]);
    expect(ack!.one('From')).toBe(invite.one('From'));
    expect(ack!.one('To')).toBe(`${invite.one('To')};tag=final`);
    expect(ack!.one('Call-ID')).toBe(invite.one('Call-ID'));
    expect(ack!.one('CSeq')).toBe('7 ACK');
    expect(ack!.all('Route')).toEqual(['<sip:proxy;lr>']);
    expect(ack!.one('Max-Forwards')).toBe('70');
    expect([ack!.one('Content-Length'), ack!.body, ack!.all('Contact'), ack!.all('X-Other')]).toEqual([
      '0',
      '',
      [],
      [],
    ]);
    expect(ack!.text.endsWith('\r\n\r\n')).toBe(true);

    b.peer.answer(invite, 486, { tag: 'final' });
    b.peer.answer(invite, 180, { tag: 'early' });
    b.run(31.7); // 31.9 s after the final
    b.peer.answer(invite, 486, { tag: 'final' });
    b.run(0.05);
    expect(b.peer.of('ACK').map((a) => a.text)).toEqual(Array(3).fill(ack!.text));
    expect(b.log).toEqual(['response 1 180', 'response 1 486']);
    b.run(0.2); // timer D has passed
    expect(b.stack.client.active).toBe(0);
    b.peer.answer(invite, 486, { tag: 'final' });
    b.run(60);
    expect(b.log.slice(2)).toEqual(['stray 486']);
    expect(b.peer.of('ACK').length).toBe(3);
    expect(b.peer.times('INVITE')).toEqual([0]);
  });

  test('a 2xx ends it at once: the transaction sends no ACK, and a repeat is the core’s (13.2.2.4)', () => {
    const b = new StackBench();
    b.request('INVITE');
    b.run(0.1);
    b.peer.answer(b.peer.heard[0]!, 200, { tag: 't' });
    b.peer.answer(b.peer.heard[0]!, 200, { tag: 't' });
    b.run(60);
    expect(b.log).toEqual(['response 1 200', 'stray 200']);
    expect(b.peer.kinds()).toEqual(['INVITE']);
    expect(b.stack.client.active).toBe(0);
  });

  test('a late answer does not reach the next user of the same index', () => {
    const b = new StackBench({ ...LIMITS, clientTransactions: 1 });
    b.request('INVITE', 1);
    b.run(0.1);
    b.peer.answer(b.peer.heard[0]!, 200, { tag: 't' });
    b.run(0.1);
    b.request('INVITE', 2);
    b.run(0.1);
    expect(b.peer.heard[1]!.branch).not.toBe(b.peer.heard[0]!.branch);
    b.peer.answer(b.peer.heard[0]!, 486, { tag: 't' });
    b.run(0.1);
    expect(b.log).toEqual(['response 1 200', 'stray 486']);
  });

  test('responses with a foreign, damaged or shortened branch, or another method, are strays', () => {
    const b = new StackBench();
    b.request('INVITE');
    b.run(0.1);
    const { text, branch, srcIp, srcPort } = b.peer.heard[0]!;
    const ok = `SIP/2.0 200 OK\r\n${text.slice(text.indexOf('\r\n') + 2)}`;
    const others = [
      ...['z9hG4bKother', branch.slice(0, -1), `${branch}0`, branch.replace(/.$/, (c) => (c === '0' ? '1' : '0'))],
      ...[branch.toUpperCase(), branch.replace('beef', 'bee0'), `z9hG4bKdabeef${'f'.repeat(9)}`],
    ].map((other) => ok.replace(branch, other));
    others.push(ok.replace('7 INVITE', '7 BYE'));
    for (const other of others) b.peer.say(other, srcIp, srcPort);
    b.run(0.1);
    expect(b.log).toEqual(Array(others.length).fill('stray 200'));
    b.peer.say(ok, srcIp, srcPort);
    b.run(0.1);
    expect(b.log.at(-1)).toBe('response 1 200');
  });
});

describe('CANCEL (RFC 3261 9.1)', () => {
  function ringing(): { b: StackBench; tx: number } {
    const b = new StackBench();
    const tx = b.request('INVITE', 1, ['Route: <sip:proxy;lr>']);
    b.run(0.2);
    expect(b.act(() => b.stack.client.cancel(tx, b.world.nowUs))).toBe(false);
    b.run(0.1);
    expect(b.peer.kinds()).toEqual(['INVITE']);
    b.peer.answer(b.peer.heard[0]!, 180, { tag: 'p' });
    b.run(0.1);
    expect(b.act(() => b.stack.client.cancel(tx, b.world.nowUs))).toBe(true);
    b.run(0.001);
    return { b, tx };
  }

  test('waits for a provisional response; has the INVITE’s Request-URI, top Via, From, To, Call-ID, CSeq and Route', () => {
    const { b, tx } = ringing();
    const [invite, cancel] = b.peer.heard;
    expect(cancel!.start).toBe(invite!.start.replace('INVITE', 'CANCEL'));
    expect(cancel!.all('Via')).toEqual([invite!.topVia]);
    for (const name of ['From', 'To', 'Call-ID', 'Route', 'Max-Forwards'])
      expect(cancel!.one(name)).toBe(invite!.one(name));
    expect([cancel!.one('CSeq'), cancel!.body, cancel!.one('Content-Length')]).toEqual(['7 CANCEL', '', '0']);
    // A second one is never needed.
    expect(b.act(() => b.stack.client.cancel(tx, b.world.nowUs))).toBe(false);
  });

  test('is repeated as timer E says until it is answered; 487 is acknowledged', () => {
    const { b } = ringing();
    b.run(8);
    expect(b.peer.times('CANCEL')).toEqual([0, 500, 1500, 3500, 7500]);
    b.peer.answer(b.peer.of('CANCEL')[0]!, 200, { tag: 'p' });
    b.run(8);
    expect(b.peer.of('CANCEL').length).toBe(5);
    b.peer.answer(b.peer.heard[0]!, 487, { tag: 'p' });
    b.run(0.1);
    expect(b.peer.of('ACK')[0]!.branch).toBe(b.peer.heard[0]!.branch);
    expect(b.log.filter((l) => !l.startsWith('again'))).toEqual(['response 1 180', 'response 1 487']);
    b.run(33);
    expect(b.stack.client.active).toBe(0);
    // Nothing that was kept for them is kept for ever.
    for (let user = 0; user < LIMITS.messages; user++) expect(b.request('INVITE', user) >= 0).toBe(true);
  });

  test('without a final answer the INVITE is over 64*T1 after it', () => {
    const { b } = ringing();
    const sentUs = b.peer.of('CANCEL')[0]!.us;
    b.peer.answer(b.peer.of('CANCEL')[0]!, 200, { tag: 'p' });
    b.run(100);
    expect(b.log.at(-1)).toBe('timeout 1 INVITE');
    expect(Math.abs(b.logUs.at(-1)! - sentUs - 32_000_000)).toBeLessThanOrEqual(1000);
    expect(b.stack.client.active).toBe(0);
  });

  test('a 200 that crosses it goes to the core as an answer', () => {
    const { b } = ringing();
    b.peer.answer(b.peer.heard[0]!, 200, { tag: 'p' });
    b.peer.answer(b.peer.of('CANCEL')[0]!, 481, { tag: 'p' });
    b.run(40);
    expect(b.log).toEqual(['response 1 180', 'response 1 200', 'stray 481']);
    expect(b.peer.of('CANCEL').length).toBe(1);
    expect(b.stack.client.active).toBe(0);
  });
});

describe('other client transactions (RFC 3261 17.1.2)', () => {
  test('timer E doubles up to T2; timer F ends it after 64*T1', () => {
    const b = new StackBench();
    const startUs = b.world.nowUs;
    b.request('BYE', 3);
    b.run(100);
    expect(b.peer.times('BYE')).toEqual(TIMER_E);
    expect(b.log.at(-1)).toBe('timeout 3 BYE');
    expect(b.logUs.at(-1)! - startUs).toBe(32_000_000);
    expect(b.stack.client.active).toBe(0);
  });

  test('after a provisional response E goes on at T2, and F still holds', () => {
    const b = new StackBench();
    const startUs = b.world.nowUs;
    b.request('OPTIONS');
    b.run(0.6);
    b.peer.answer(b.peer.heard[0]!, 100);
    b.run(100);
    // The running E (due at 1.5 s) is not touched; from then on every T2.
    expect(b.peer.times('OPTIONS')).toEqual([0, 500, 1500, 5500, 9500, 13_500, 17_500, 21_500, 25_500, 29_500]);
    expect(b.logUs.at(-1)! - startUs).toBe(32_000_000);
  });

  test('a final answer ends the repetition, is passed up once, and timer K absorbs repeats for T4', () => {
    const b = new StackBench();
    b.request('BYE');
    b.run(0.6);
    b.peer.answer(b.peer.heard[0]!, 200);
    b.run(0.1);
    b.peer.answer(b.peer.heard[0]!, 200);
    b.peer.answer(b.peer.heard[0]!, 100);
    b.run(4.8);
    b.peer.answer(b.peer.heard[0]!, 200);
    b.run(0.05);
    expect(b.log).toEqual(['again 1 BYE', 'response 1 200']);
    expect(b.stack.client.active).toBe(1);
    b.run(0.1);
    expect(b.stack.client.active).toBe(0);
    b.peer.answer(b.peer.heard[0]!, 200);
    b.run(60);
    expect(b.log.slice(2)).toEqual(['stray 200']);
    expect(b.peer.times('BYE')).toEqual([0, 500]);
  });
});

describe('limits', () => {
  test('no transaction is opened beyond the limit, and what ended makes room', () => {
    const b = new StackBench({ ...LIMITS, clientTransactions: 3 });
    expect([1, 2, 3, 4].map((user) => b.request('OPTIONS', user) >= 0)).toEqual([true, true, true, false]);
    b.run(33);
    expect(b.log.filter((l) => l.startsWith('timeout')).length).toBe(3);
    expect(b.request('OPTIONS') >= 0).toBe(true);
  });

  test('a request that cannot be kept is not sent', () => {
    const b = new StackBench({ ...LIMITS, messages: 2 });
    expect([1, 2, 3].map((user) => b.request('INVITE', user) >= 0)).toEqual([true, true, false]);
    b.run(0.1);
    expect(b.peer.heard.length).toBe(2);
    expect(b.stack.client.active).toBe(2);
  });

  test('a To that would make the ACK longer than a datagram: no ACK, nothing else is touched', () => {
    const b = new StackBench();
    const filler = [`X-Long: ${'x'.repeat(700)}`, `Route: <sip:${'r'.repeat(600)};lr>`];
    b.request('INVITE', 1, filler);
    b.request('INVITE', 2, filler);
    b.run(0.1);
    const [first, second] = b.peer.heard;
    const short = (text: string): string => text.replace(/X-Long: x+\r\n/, '').replace(/Route: .*\r\n/, '');
    const answer = (to: string): string =>
      `SIP/2.0 486 Busy\r\n${short(first!.text.slice(first!.start.length + 2)).replace(/To: .*\r\n/, `To: ${to}\r\n`)}`;
    b.peer.say(answer(`<sip:${'t'.repeat(1400)}>;tag=1`), first!.srcIp, first!.srcPort);
    b.run(0.5);
    expect(b.log).toContain('response 1 486');
    expect(b.peer.of('ACK')).toEqual([]);
    // What is kept of the other INVITE lies beside it.
    expect(b.peer.heard.at(-1)!.text).toBe(second!.text);
    b.run(33);
    expect(b.stack.client.active).toBe(0);
  });
});
