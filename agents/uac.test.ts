import { describe, expect, test } from 'vitest';
import { callerBench, OURS, SDP } from '../test/support/agent-bench.js';
import { type Answer, type Heard, ScriptedPeer } from '../test/support/scripted-peer.js';

const OK: Answer = { tag: 'peer', contact: '<sip:bob@10.0.0.2:5060>', body: SDP };
const PROXY = 0x0a000003;
const TIMER_E = [0, 500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];

/** A request of the peer's within the dialog that this INVITE opened. */
function inDialog(invite: Heard, method: string, cseq: number, extra: string[] = []): string {
  const lines = [
    `${method} sip:deadair@10.0.0.1:5060 SIP/2.0`,
    `Via: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bKpeer${method}${cseq}`,
    `From: ${invite.one('To')};tag=peer`,
    `To: ${invite.one('From')}`,
    `Call-ID: ${invite.one('Call-ID')}`,
    `CSeq: ${cseq} ${method}`,
    ...extra,
    'Content-Length: 0',
  ];
  return `${lines.join('\r\n')}\r\n\r\n`;
}

describe('a call, from INVITE to BYE', () => {
  test('what is sent, and what is recorded', () => {
    const b = callerBench({ arrivals: Float64Array.of(250) });
    b.peer.react = (h) => {
      if (h.kind === 'BYE') b.peer.answer(h, 200);
    };
    b.until(400);
    const [invite] = b.peer.heard;
    b.peer.answer(invite!, 100);
    b.until(450);
    b.peer.answer(invite!, 180, { tag: 'peer' });
    b.until(500);
    b.peer.answer(invite!, 180, { tag: 'peer' });
    b.until(3000);
    b.peer.answer(invite!, 200, { ...OK, extra: ['Server: Scripted/1.0'] });
    b.until(60_000);

    expect(b.peer.kinds()).toEqual(['INVITE', 'ACK', 'BYE']);
    const [, ack, bye] = b.peer.heard;
    expect(invite!.start).toBe('INVITE sip:000000000@target.example SIP/2.0');
    expect(invite!.one('Call-ID')).toBe('run-0@10.0.0.1');
    expect(invite!.body.length).toBe(Number(invite!.one('Content-Length')));
    expect(invite!.body).toContain('c=IN IP4 10.0.0.1\r\n');
    expect([invite!.tagOf('To'), invite!.all('Route')]).toEqual([undefined, []]);
    // In the dialog (12.2.1.1): the Contact as Request-URI, both tags, a branch of its own; ACK with the INVITE's CSeq.
    for (const h of [ack!, bye!]) {
      expect(h.requestUri).toBe('sip:bob@10.0.0.2:5060');
      expect(h.one('From')).toBe(invite!.one('From'));
      expect(h.one('To')).toBe(`${invite!.one('To')};tag=peer`);
      expect(h.one('Call-ID')).toBe(invite!.one('Call-ID'));
      expect([h.body, h.one('Content-Length'), h.all('Via').length]).toEqual(['', '0', 1]);
    }
    expect([ack!.one('CSeq'), bye!.one('CSeq')]).toEqual(['1 ACK', '2 BYE']);
    expect(new Set(b.peer.heard.map((h) => h.branch)).size).toBe(3);

    expect(b.leg).toMatchObject({ how: 'completed', by: 'us', role: 0, worker: 3, callNo: 0, finalCode: 200 });
    expect(b.leg).toMatchObject({ byeCode: 200, count100: 1, count180: 2, ackCount: 1, inviteRetransmits: 0 });
    expect(b.leg).toMatchObject({ remoteMediaIp: 0x0a000009, remoteMediaPort: 4000, peerAgent: 'Scripted/1.0' });
    expect(b.leg.callId).toBe('run-0@10.0.0.1');
    const { intendedMs, startedMs, tryingMs, ringingMs, answeredMs, ackedMs, plannedEndMs, byeMs, endedMs } = b.leg;
    expect([intendedMs, startedMs, tryingMs, ringingMs]).toEqual([250, 250, 400.1, 450.1]);
    expect([answeredMs, ackedMs, plannedEndMs]).toEqual([3000.1, 3000.1, 13_000.1]);
    expect(byeMs - plannedEndMs).toBeLessThanOrEqual(1);
    expect(endedMs - byeMs).toBeCloseTo(0.2, 5);
    expect(b.leg.rejectedMs).toBeNaN();
    expect(b.agent.callsUp).toBe(0);
  });

  test('route set: Record-Route reversed, over several headers and lists; the first of it is the next hop (12.1.2)', () => {
    const b = callerBench({}, 1000);
    const proxy = new ScriptedPeer(b.world, PROXY, 5080);
    proxy.react = (h) => {
      if (h.kind === 'BYE') proxy.answer(h, 200);
    };
    b.peer.react = (h) =>
      b.peer.answer(h, 200, {
        ...OK,
        recordRoutes: ['<sip:far.example;lr>', '"Mid, dle" <sip:mid.example;lr>;x=1, <sip:10.0.0.3:5080;lr;n=2>'],
      });
    b.until(5000);
    expect(b.peer.kinds()).toEqual(['INVITE']);
    expect(proxy.kinds()).toEqual(['ACK', 'BYE']);
    for (const h of proxy.heard) {
      expect(h.requestUri).toBe('sip:bob@10.0.0.2:5060');
      expect(h.all('Route')).toEqual([
        '<sip:10.0.0.3:5080;lr;n=2>',
        '"Mid, dle" <sip:mid.example;lr>;x=1',
        '<sip:far.example;lr>',
      ]);
    }
    expect(b.leg.how).toBe('completed');
  });

  test('a next hop that is a name: requests go where the INVITE went', () => {
    const b = callerBench({}, 1000);
    b.peer.react = (h) => {
      if (h.kind !== 'ACK') b.peer.answer(h, 200, { ...OK, contact: '<sip:bob@host.example>' });
    };
    b.until(5000);
    expect(b.peer.kinds()).toEqual(['INVITE', 'ACK', 'BYE']);
    expect(b.peer.heard[1]!.requestUri).toBe('sip:bob@host.example');
  });

  test('a 200 that comes again is acknowledged again, while the call is up and while it is hung up (13.2.2.4)', () => {
    const b = callerBench({}, 3000);
    b.until(1);
    const [invite] = b.peer.heard;
    for (const ms of [10, 510, 1510, 3505]) {
      b.until(ms);
      b.peer.answer(invite!, 200, OK);
    }
    b.until(3510);
    expect(b.peer.of('ACK').length).toBe(4);
    for (const ack of b.peer.of('ACK')) expect([ack.cseq, ack.tagOf('To')]).toEqual([1, 'peer']);
    b.peer.answer(b.peer.of('BYE')[0]!, 200);
    b.until(3600);
    expect(b.leg).toMatchObject({ how: 'completed', ackCount: 4, answerRetransmits: 3 });
    b.peer.answer(invite!, 200, OK);
    b.until(4000);
    expect(b.peer.of('ACK').length).toBe(4);
    expect(b.counters.get('strayMessages')).toBe(1);
  });

  test('a stray failure in an established call changes nothing and is not acknowledged as an answer', () => {
    const b = callerBench();
    b.until(1);
    const [invite] = b.peer.heard;
    b.peer.answer(invite!, 200, OK);
    b.until(10);
    b.peer.answer(invite!, 486, { tag: 'other' });
    b.until(100);
    expect(b.peer.kinds()).toEqual(['INVITE', 'ACK']);
    expect(b.counters.get('strayMessages')).toBe(1);
  });
});

describe('calls that are not answered', () => {
  test('nobody: timer B, with every repetition counted', () => {
    const b = callerBench();
    b.until(31_999);
    expect(b.agent.callsUp).toBe(1);
    b.until(40_000);
    expect(b.leg).toMatchObject({ how: 'timeout', by: 'timer', endedMs: 32_000, inviteRetransmits: 6, finalCode: 0 });
    expect(b.peer.kinds()).toEqual(Array(7).fill('INVITE'));
    expect(b.counters.get('retransmitsSent')).toBe(6);
  });

  test('a refusal: code, Reason, Retry-After; ACK with the branch of the INVITE', () => {
    const b = callerBench();
    const extra = [
      'Reason: SIP;cause=503, Q.850;cause=34',
      'Reason: Q.850;cause=34;text="No circuit"',
      'Retry-After: 12',
    ];
    b.peer.react = (h) => {
      if (h.kind === 'INVITE') b.peer.answer(h, 503, { tag: 't', extra });
    };
    b.until(60_000);
    expect(b.leg).toMatchObject({ how: 'rejected', by: 'them', finalCode: 503, retryAfterS: 12, sipCause: 503 });
    expect([b.leg.q850Cause, b.leg.rejectedMs, b.leg.endedMs]).toEqual([34, 0.2, 0.2]);
    expect(b.leg.answeredMs).toBeNaN();
    expect(b.peer.kinds()).toEqual(['INVITE', 'ACK']);
    expect(b.peer.heard[1]!.branch).toBe(b.peer.heard[0]!.branch);
  });

  test('patience is over: CANCEL waits for a provisional response, then the 487 is acknowledged (9.1)', () => {
    const impatient = callerBench({ call: { ...b0, patienceMs: 2000 } });
    impatient.until(5000);
    expect(impatient.peer.of('CANCEL')).toEqual([]);
    const { peer } = impatient;
    peer.answer(peer.heard[0]!, 180, { tag: 'p' });
    impatient.run(1);
    const [cancel] = peer.of('CANCEL');
    expect(cancel!.branch).toBe(peer.heard[0]!.branch);
    peer.answer(cancel!, 200, { tag: 'p' });
    impatient.run(10);
    peer.answer(peer.heard[0]!, 487, { tag: 'p' });
    impatient.run(1);
    expect(peer.kinds().slice(-2)).toEqual(['CANCEL', 'ACK']);
    expect(impatient.leg).toMatchObject({ how: 'cancelled', by: 'us', finalCode: 487, inviteRetransmits: 3 });
  });

  test('a CANCEL that nobody answers ends the call 64*T1 later', () => {
    const b = callerBench({ call: { ...b0, patienceMs: 1000 } });
    b.peer.react = (h) => {
      if (h.kind === 'INVITE') b.peer.answer(h, 180, { tag: 'p' });
    };
    b.until(60_000);
    expect(b.leg).toMatchObject({ how: 'cancelled', by: 'timer', finalCode: 0, inviteRetransmits: 0 });
    expect(Math.abs(b.leg.endedMs - 33_000)).toBeLessThanOrEqual(2);
    expect(b.peer.times('CANCEL')).toEqual(TIMER_E);
  });

  test('a 200 that crosses the CANCEL: ACK, and BYE at once (15)', () => {
    const b = callerBench({ call: { ...b0, patienceMs: 1000 } });
    b.until(1);
    const [invite] = b.peer.heard;
    b.peer.answer(invite!, 180, { tag: 'peer' });
    b.until(1000);
    b.peer.answer(invite!, 200, OK);
    b.until(1002);
    expect(b.peer.kinds()).toEqual(['INVITE', 'CANCEL', 'ACK', 'BYE']);
    b.peer.answer(b.peer.of('BYE')[0]!, 200);
    b.until(1003);
    expect(b.leg).toMatchObject({ how: 'completed', by: 'us', finalCode: 200, byeCode: 200 });
    expect(b.leg.plannedEndMs).toBeNaN();
    b.until(60_000);
    expect(b.peer.heard.length).toBe(4);
  });

  test('a 2xx without a Contact cannot be acknowledged: the call is over, and counted', () => {
    const b = callerBench();
    b.peer.react = (h) => b.peer.answer(h, 200, { tag: 'peer' });
    b.until(100);
    expect(b.leg).toMatchObject({ how: 'dropped', by: 'us', finalCode: 200 });
    expect(b.counters.get('ended')).toBe(1);
  });
});

const b0 = {
  ringMs: { kind: 'fixed', ms: 0 },
  holdMs: { kind: 'fixed', ms: 10_000 },
  patienceMs: 60_000,
  media: 'none',
  rtcp: false,
} as const;

describe('hanging up', () => {
  function up(holdMs = 10_000) {
    const b = callerBench({}, holdMs);
    b.until(1);
    b.peer.answer(b.peer.heard[0]!, 200, OK);
    b.until(2);
    return { b, invite: b.peer.heard[0]! };
  }
  const say = (b: ReturnType<typeof callerBench>, text: string): string => {
    b.peer.say(text, OURS, 5060);
    b.run(1);
    return b.peer.kinds().at(-1)!;
  };

  test('the other side first: 200, and the call counts as dropped, with its reason', () => {
    const { b, invite } = up();
    expect(say(b, inDialog(invite, 'BYE', 1, ['Reason: Q.850;cause=16;text="Normal"']))).toBe('200 BYE');
    expect(b.leg).toMatchObject({ how: 'dropped', by: 'them', q850Cause: 16, reasonText: 'Normal', byeCode: 0 });
    b.until(60_000);
    expect(b.peer.kinds()).toEqual(['INVITE', 'ACK', '200 BYE']);
    // It comes again: the transaction answers (17.2.2). A new one finds no dialog.
    expect(say(b, inDialog(invite, 'BYE', 9))).toBe('481 BYE');
  });

  test('both at once: each BYE is answered, and ours decides', () => {
    const { b, invite } = up(1000);
    b.until(1100);
    expect(say(b, inDialog(invite, 'BYE', 1))).toBe('200 BYE');
    expect(b.legs).toEqual([]);
    b.peer.answer(b.peer.of('BYE')[0]!, 200);
    b.run(1);
    expect(b.leg).toMatchObject({ how: 'completed', by: 'us' });
  });

  test.each([
    [481, 'bye-failed'],
    [408, 'bye-failed'],
    [200, 'completed'],
  ])('a BYE that is answered %i: %s', (status, how) => {
    const { b } = up(1000);
    b.until(1100);
    b.peer.answer(b.peer.of('BYE')[0]!, 100);
    b.run(1);
    expect(b.legs).toEqual([]);
    b.peer.answer(b.peer.of('BYE')[0]!, status);
    b.run(1);
    expect(b.leg).toMatchObject({ how, byeCode: status });
  });

  test('a BYE that nobody answers: timer F', () => {
    const { b } = up(1000);
    b.until(60_000);
    expect(b.peer.times('BYE')).toEqual(TIMER_E);
    expect(b.leg).toMatchObject({ how: 'bye-failed', by: 'timer', byeCode: 0, byeRetransmits: 10 });
  });

  test('other requests: in the dialog, out of order, and from nowhere', () => {
    const { b, invite } = up();
    expect(say(b, inDialog(invite, 'OPTIONS', 5))).toBe('200 OPTIONS');
    expect(say(b, inDialog(invite, 'INVITE', 6, ['Contact: <sip:x@10.0.0.2>']))).toBe('200 INVITE');
    say(b, inDialog(invite, 'ACK', 6));
    expect(say(b, inDialog(invite, 'INFO', 7))).toBe('501 INFO');
    // 12.2.2: a CSeq lower than the last one is out of order.
    expect(say(b, inDialog(invite, 'BYE', 6))).toBe('500 BYE');
    const from = invite.one('From');
    const tag = invite.tagOf('From')!;
    for (const other of [
      tag.slice(0, -1),
      tag.replace('cafe', 'cafd'),
      tag.replace(/^.{5}/, '00001'),
      'peer',
      `${tag}0`,
    ]) {
      const foreign = inDialog(invite, 'BYE', 8).replace(from, from.replace(tag, other));
      expect(say(b, foreign.replace('BYE8', `BYE8${other}`)), other).toBe('481 BYE');
    }
    const outside = (method: string): string =>
      inDialog(invite, method, 1).replace(`;tag=${tag}`, '').replace('z9hG4bK', 'z9hG4bKout');
    expect(say(b, outside('OPTIONS'))).toBe('200 OPTIONS');
    expect(say(b, outside('INVITE'))).toBe('405 INVITE');
    expect(b.peer.of('405 INVITE')[0]!.one('Allow')).toContain('BYE');
    expect(b.legs).toEqual([]);
    expect(say(b, inDialog(invite, 'BYE', 8))).toBe('200 BYE');
  });

  test('all at once, at the end of a run: calls that are up get BYE, those that ring CANCEL, later ones never start', () => {
    const b = callerBench({ arrivals: Float64Array.of(0, 0, 0, 5000) });
    b.until(1);
    const [one, two] = b.peer.heard;
    b.peer.answer(one!, 200, OK);
    b.peer.answer(two!, 180, { tag: 'p' });
    b.until(100);
    b.act(() => b.agent.hangUpAll(b.world.nowUs));
    b.until(101);
    expect(b.peer.kinds().slice(3)).toEqual(['ACK', 'BYE', 'CANCEL']);
    expect(b.agent.exhausted).toBe(true);
    b.until(70_000);
    expect(b.legs.map((l) => l.how).sort()).toEqual(['bye-failed', 'cancelled', 'timeout']);
    expect([b.counters.get('offered'), b.counters.get('started'), b.counters.get('ended')]).toEqual([3, 3, 3]);
  });
});
