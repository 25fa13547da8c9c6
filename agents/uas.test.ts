import { describe, expect, test } from 'vitest';
import { calleeBench, OURS, SDP } from '../test/support/agent-bench.js';
import type { Heard } from '../test/support/scripted-peer.js';

const TIMER_G = [0, 500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];
const FROM = '<sip:alice@10.0.0.2>;tag=peer';
const TO = '<sip:000000042@10.0.0.1>';

type Bench = ReturnType<typeof calleeBench>;

interface Ask {
  branch?: string;
  to?: string;
  uri?: string;
  callId?: string;
  extra?: readonly string[];
  body?: string;
}

function request(method: string, cseq: number, ask: Ask = {}): string {
  const body = ask.body ?? '';
  const lines = [
    `${method} ${ask.uri ?? 'sip:000000042@10.0.0.1'} SIP/2.0`,
    `Via: SIP/2.0/UDP 10.0.0.2:5060;rport;branch=z9hG4bK${ask.branch ?? `${method}${cseq}`}`,
    'Via: SIP/2.0/UDP behind.example;branch=z9hG4bKbehind',
    `From: ${FROM}`,
    `To: ${ask.to ?? TO}`,
    `Call-ID: ${ask.callId ?? 'call'}`,
    `CSeq: ${cseq} ${method}`,
    ...(ask.extra ?? ['Contact: <sip:alice@10.0.0.2:5060>']),
    `Content-Length: ${body.length}`,
  ];
  return `${lines.join('\r\n')}\r\n\r\n${body}`;
}

/** The peer says it, and 1 ms passes; the last thing that was heard. */
function say(b: Bench, text: string): Heard | undefined {
  b.peer.say(text, OURS, 5060);
  b.run(1);
  return b.peer.heard.at(-1);
}

function answered(b: Bench, ask: Ask = {}): { to: string } {
  say(b, request('INVITE', 1, { body: SDP, ...ask }));
  b.run(1001);
  return { to: b.peer.of('200 INVITE')[0]!.one('To') };
}

describe('a call, from INVITE to BYE', () => {
  test('180 at once, 200 after ringing, ACK, BYE; and what is recorded', () => {
    const b = calleeBench();
    b.until(9);
    const { to } = answered(b, {
      extra: ['Contact: <sip:a@10.0.0.2>', 'User-Agent: Scripted', 'Record-Route: <sip:p;lr>'],
    });
    expect(say(b, request('ACK', 1, { to, branch: 'other' }))!.kind).toBe('200 INVITE');
    b.until(5000);
    expect(say(b, request('BYE', 2, { to }))!.kind).toBe('200 BYE');
    b.until(60_000);

    expect(b.peer.kinds()).toEqual(['180 INVITE', '200 INVITE', '200 BYE']);
    const [ringing, ok] = b.peer.heard;
    for (const h of [ringing!, ok!]) {
      // 8.2.6.2 and 12.1.1: Vias, From, Call-ID, CSeq and Record-Route as they came, To with our tag, a Contact.
      expect(h.all('Via')[1]).toBe('SIP/2.0/UDP behind.example;branch=z9hG4bKbehind');
      expect(h.topVia).toMatch(/;rport=5060;branch=z9hG4bKINVITE1;received=10\.0\.0\.2$/);
      expect([h.one('From'), h.one('Call-ID'), h.one('CSeq')]).toEqual([FROM, 'call', '1 INVITE']);
      expect(h.one('To')).toMatch(/^<sip:000000042@10\.0\.0\.1>;tag=[0-9a-f]{13}$/);
      expect([h.one('Contact'), h.one('Record-Route')]).toEqual(['<sip:deadair@10.0.0.1:5060>', '<sip:p;lr>']);
    }
    expect([ringing!.body, ok!.body.length]).toEqual(['', Number(ok!.one('Content-Length'))]);
    expect(ok!.body).toContain('c=IN IP4 10.0.0.1\r\n');
    expect(b.leg).toMatchObject({ how: 'completed', by: 'them', role: 1, worker: 3, callNo: 42, finalCode: 200 });
    expect(b.leg).toMatchObject({
      callId: 'call',
      peerAgent: 'Scripted',
      remoteMediaPort: 4000,
      ackCount: 1,
      count180: 1,
    });
    const { startedMs, ringingMs, answeredMs, ackedMs, byeMs, endedMs } = b.leg;
    expect([startedMs, ringingMs, byeMs, endedMs]).toEqual([9.1, 9.1, 5000.1, 5000.1]);
    expect(answeredMs - ringingMs).toBeGreaterThanOrEqual(1000);
    expect(answeredMs - ringingMs).toBeLessThan(1002);
    expect(ackedMs).toBeGreaterThan(answeredMs);
    expect(b.agent.callsUp).toBe(0);
  });

  test('the INVITE comes again: the last response again, one call', () => {
    const b = calleeBench();
    say(b, request('INVITE', 1));
    expect(say(b, request('INVITE', 1))!.kind).toBe('180 INVITE');
    b.run(1001);
    expect(say(b, request('INVITE', 1))!.kind).toBe('200 INVITE');
    expect(b.agent.callsUp).toBe(1);
    const to = b.peer.of('200 INVITE')[0]!.one('To');
    say(b, request('ACK', 1, { to, branch: 'ack' }));
    const count = b.peer.heard.length;
    say(b, request('INVITE', 1));
    expect(b.peer.heard.length).toBe(count);
    say(b, request('BYE', 2, { to }));
    expect(b.leg).toMatchObject({ how: 'completed', inviteRetransmits: 2 });
  });

  test('who is called: nine digits at the end of the Request-URI, else a number of our own', () => {
    const b = calleeBench();
    for (const [n, user] of ['+49000000007', 'bob', '12345', ''].entries()) {
      const uri = `sip:${user}${user === '' ? '' : '@'}10.0.0.1`;
      say(b, request('INVITE', 1, { uri, callId: `c${n}`, branch: `b${n}` }));
      b.run(1001);
      say(b, request('BYE', 2, { to: b.peer.of('200 INVITE').at(-1)!.one('To'), callId: `c${n}`, branch: `bye${n}` }));
    }
    expect(b.legs.map((l) => l.callNo)).toEqual([7, 0x40000000, 0x40000001, 0x40000002]);
  });
});

describe('a 2xx and its ACK (13.3.1.4)', () => {
  test('it is repeated until the ACK comes; ACKs are counted', () => {
    const b = calleeBench();
    const { to } = answered(b);
    b.run(3000);
    say(b, request('ACK', 1, { to, branch: 'ack' }));
    say(b, request('ACK', 1, { to, branch: 'ack' }));
    b.run(40_000);
    const times = b.peer.times('200 INVITE');
    expect(times.length).toBe(3);
    for (const [i, ms] of times.entries()) expect(Math.abs(ms - TIMER_G[i]!)).toBeLessThanOrEqual(1);
    expect(b.legs).toEqual([]);
    say(b, request('BYE', 2, { to }));
    expect(b.leg).toMatchObject({ how: 'completed', ackCount: 2, answerRetransmits: 2 });
  });

  test('without ACK for 64*T1: BYE along the route set in the order it came (12.1.1), and no-ack', () => {
    const b = calleeBench();
    const routes = ['Record-Route: <sip:10.0.0.2:5060;lr>, <sip:mid.example;lr>', 'Record-Route: <sip:far.example;lr>'];
    answered(b, { extra: ['Contact: "A, B" <sip:alice@far.host;x=y>;q=1', ...routes] });
    const answerUs = b.peer.of('200 INVITE')[0]!.us;
    b.peer.react = (h) => {
      if (h.kind === 'BYE') b.peer.answer(h, 200);
    };
    b.run(100_000);
    expect(b.peer.of('200 INVITE').length).toBe(TIMER_G.length);
    const [bye, ...more] = b.peer.of('BYE');
    expect(more).toEqual([]);
    expect(Math.abs(bye!.us - answerUs - 32_000_000)).toBeLessThanOrEqual(2000);
    expect(bye!.requestUri).toBe('sip:alice@far.host;x=y');
    expect(bye!.all('Route')).toEqual(['<sip:10.0.0.2:5060;lr>', '<sip:mid.example;lr>', '<sip:far.example;lr>']);
    expect(bye!.one('From')).toBe(b.peer.of('200 INVITE')[0]!.one('To'));
    expect([bye!.one('To'), bye!.one('Call-ID'), bye!.one('Reason')]).toEqual([
      FROM,
      'call',
      'SIP;cause=408;text="ACK timeout"',
    ]);
    expect(b.leg).toMatchObject({ how: 'no-ack', by: 'timer', answerRetransmits: 10, ackCount: 0 });
    expect(b.leg.ackedMs).toBeNaN();
    expect(b.agent.callsUp).toBe(0);
  });

  test('a BYE without an ACK ends the call and the repetition', () => {
    const b = calleeBench();
    const { to } = answered(b);
    expect(say(b, request('BYE', 2, { to }))!.kind).toBe('200 BYE');
    b.run(60_000);
    expect(b.peer.kinds()).toEqual(['180 INVITE', '200 INVITE', '200 BYE']);
    expect(b.leg).toMatchObject({ how: 'completed', by: 'them', ackCount: 0 });
  });
});

describe('calls that are not answered', () => {
  test('CANCEL: 200 for itself, 487 for the INVITE, repeated until its ACK', () => {
    const b = calleeBench();
    say(b, request('INVITE', 1));
    say(b, request('CANCEL', 1, { branch: 'INVITE1', extra: ['Reason: SIP;cause=200;text="elsewhere"'] }));
    expect(b.peer.kinds()).toEqual(['180 INVITE', '200 CANCEL', '487 INVITE']);
    expect(b.leg).toMatchObject({ how: 'cancelled-by-peer', by: 'them', finalCode: 487, sipCause: 200 });
    expect(b.leg.answeredMs).toBeNaN();
    b.run(1600);
    expect(b.peer.of('487 INVITE').length).toBe(3);
    say(b, request('ACK', 1, { branch: 'INVITE1', to: b.peer.of('487 INVITE')[0]!.one('To') }));
    b.run(60_000);
    expect(b.peer.kinds()).toEqual(['180 INVITE', '200 CANCEL', ...Array(3).fill('487 INVITE')]);
    expect(b.counters.get('strayMessages')).toBe(0);
  });

  test('CANCEL after the answer changes nothing (9.2)', () => {
    const b = calleeBench();
    const { to } = answered(b);
    expect(say(b, request('CANCEL', 1, { branch: 'INVITE1' }))!.kind).toBe('200 CANCEL');
    say(b, request('ACK', 1, { to, branch: 'ack' }));
    expect(b.legs).toEqual([]);
    expect(say(b, request('BYE', 2, { to }))!.kind).toBe('200 BYE');
    expect(b.leg.how).toBe('completed');
  });

  test('BYE in the early dialog (15.1.2): 200 for it, 487 for the INVITE', () => {
    const b = calleeBench();
    const to = say(b, request('INVITE', 1))!.one('To');
    say(b, request('BYE', 2, { to }));
    expect(b.peer.kinds()).toEqual(['180 INVITE', '200 BYE', '487 INVITE']);
    b.run(3000);
    expect(b.peer.of('200 INVITE')).toEqual([]);
    expect(b.leg).toMatchObject({ how: 'completed', by: 'them' });
  });

  test('no usable Contact: 400, and a record that says so', () => {
    const b = calleeBench();
    expect(say(b, request('INVITE', 1, { extra: [] }))!.kind).toBe('400 INVITE');
    expect(b.leg).toMatchObject({ how: 'rejected', by: 'us', role: 1, finalCode: 400, startedMs: 0.1, endedMs: 0.1 });
    expect([b.counters.get('calleeStarted'), b.counters.get('calleeEnded'), b.agent.callsUp]).toEqual([1, 1, 0]);
    // Nothing is held by refused calls: there is room for one after any number of them.
    for (let n = 0; n < 20; n++) say(b, request('INVITE', 1, { extra: [], branch: `b${n}`, callId: `c${n}` }));
    expect(say(b, request('INVITE', 1, { branch: 'good', callId: 'good' }))!.kind).toBe('180 INVITE');
  });

  test('an INVITE too long to be echoed in one datagram is refused, and its call leaves nothing behind', () => {
    const b = calleeBench();
    const long = [`Record-Route: <sip:${'r'.repeat(1560)};lr>`, 'Contact: <sip:a@10.0.0.2>'];
    for (let n = 0; n < 40; n++) say(b, request('INVITE', 1, { extra: long, branch: `b${n}`, callId: `c${n}` }));
    expect(b.legs.map((l) => l.how)).toEqual(Array(40).fill('rejected'));
    expect(b.peer.heard.every((h) => h.text.length <= 2048 && h.kind === '400 INVITE')).toBe(true);
  });

  test('above our own limit: 503, counted, and no record', () => {
    const b = calleeBench({ maxCalls: 2 });
    for (let n = 0; n < 3; n++) say(b, request('INVITE', 1, { branch: `b${n}`, callId: `c${n}` }));
    expect(b.peer.kinds()).toEqual(['180 INVITE', '180 INVITE', '503 INVITE']);
    expect([b.counters.get('calleeStarted'), b.counters.get('calleeRefused'), b.agent.callsUp]).toEqual([2, 1, 2]);
    say(b, request('CANCEL', 1, { branch: 'b0', callId: 'c0' }));
    expect(say(b, request('INVITE', 1, { branch: 'b3', callId: 'c3' }))!.kind).toBe('180 INVITE');
  });

  test('without room for records: 503, and the slot is not lost', () => {
    const b = calleeBench({}, 1000, 1);
    for (let n = 0; n < 3; n++) say(b, request('INVITE', 1, { branch: `b${n}`, callId: `c${n}` }));
    expect(b.peer.kinds()).toEqual(['180 INVITE', '503 INVITE', '503 INVITE']);
    expect(b.agent.callsUp).toBe(1);
  });
});

describe('other requests', () => {
  test('in the dialog: answered, counted by CSeq; a lower one is out of order (12.2.2)', () => {
    const b = calleeBench();
    const { to } = answered(b);
    say(b, request('ACK', 1, { to, branch: 'ack' }));
    expect(say(b, request('OPTIONS', 5, { to }))!.kind).toBe('200 OPTIONS');
    expect(say(b, request('INVITE', 6, { to }))!.kind).toBe('200 INVITE');
    expect(say(b, request('ACK', 6, { to, branch: 'ack6' }))!.kind).toBe('200 INVITE');
    expect(say(b, request('INFO', 7, { to }))!.kind).toBe('501 INFO');
    expect(say(b, request('BYE', 6, { to }))!.kind).toBe('500 BYE');
    expect(b.agent.callsUp).toBe(1);
    expect(say(b, request('BYE', 8, { to }))!.kind).toBe('200 BYE');
  });

  test('a dialog that is unknown, or over: 481; an ACK for it is a stray', () => {
    const b = calleeBench();
    const { to } = answered(b);
    const tag = /tag=(.*)/.exec(to)![1]!;
    for (const other of [tag.replace(/^.{5}/, '00009'), tag.replace(/^(.{5}).{4}/, '$10009'), `${tag}0`, 'x']) {
      expect(say(b, request('BYE', 3, { to: to.replace(tag, other), branch: other }))!.kind).toBe('481 BYE');
    }
    say(b, request('BYE', 2, { to }));
    expect(say(b, request('BYE', 9, { to }))!.kind).toBe('481 BYE');
    say(b, request('ACK', 1, { to, branch: 'late' }));
    expect(b.counters.get('strayMessages')).toBe(1);
    expect(b.legs.length).toBe(1);
  });

  test('out of any dialog: OPTIONS is a ping; BYE and CANCEL find nothing', () => {
    const b = calleeBench();
    expect(say(b, request('OPTIONS', 1, { extra: [] }))!.kind).toBe('200 OPTIONS');
    expect(b.peer.heard[0]!.one('Allow')).toContain('INVITE');
    expect(say(b, request('CANCEL', 1))!.kind).toBe('481 CANCEL');
    const codes = ['BYE', 'SUBSCRIBE'].map((m) => say(b, request(m, 1))!.kind);
    expect(
      codes.every((c) => /^(405|481|489|501) /.test(c)),
      codes.join(),
    ).toBe(true);
    expect(b.legs).toEqual([]);
  });
});
