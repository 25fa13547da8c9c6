import { describe, expect, test } from 'vitest';
import type { CallPlan } from '../../harness/plan/types.js';
import { calleeBench, callerBench, OURS, SDP } from '../../test/support/agent-bench.js';
import { type Answer, type Heard, ScriptedPeer } from '../../test/support/scripted-peer.js';

/** What a stranger makes of us, and we of it: the other side is a script. */
const OK: Answer = { tag: 'peer', contact: '<sip:bob@10.0.0.2:5060>', body: SDP };
const BASE: CallPlan = {
  ringMs: { kind: 'fixed', ms: 0 },
  holdMs: { kind: 'fixed', ms: 20_000 },
  patienceMs: 60_000,
  media: 'none',
  rtcp: false,
};
const place = (call: Partial<CallPlan>) => callerBench({ call: { ...BASE, ...call } });

/** Answers every request but those that `odd` takes. */
function obliging(b: ReturnType<typeof place>, odd: (h: Heard) => boolean): void {
  b.peer.react = (h) => {
    if (h.kind !== 'ACK' && !odd(h)) b.peer.answer(h, 200, OK);
  };
}

describe('an INVITE that is refused, and goes out again', () => {
  test('302: to the Contacts by their q, with the same Call-ID, From and To, and the next CSeq (8.1.3.4)', () => {
    const b = place({ redirects: 3 });
    const other = new ScriptedPeer(b.world, 0x7f000009, 5070);
    const contact = 'Contact: <sip:second@10.0.0.2>;q=0.5, "One, first" <sip:first@127.0.0.9:5070>;q=0.9';
    b.peer.react = (h) => {
      if (h.requestUri.includes('second')) b.peer.answer(h, 200, OK);
      else if (h.kind === 'INVITE') b.peer.answer(h, 302, { tag: 'moved', extra: [contact] });
      else if (h.kind === 'BYE') b.peer.answer(h, 200);
    };
    other.react = (h) => {
      if (h.kind === 'INVITE') other.answer(h, 486, { tag: 'busy' });
    };
    b.until(30_000);
    const [one, two] = [b.peer.of('INVITE')[0]!, other.of('INVITE')[0]!];
    expect(two.requestUri).toBe('sip:first@127.0.0.9:5070');
    expect(b.peer.of('INVITE')[1]!.requestUri).toBe('sip:second@10.0.0.2');
    for (const name of ['Call-ID', 'From', 'To']) expect(two.one(name)).toBe(one.one(name));
    expect([one.cseq, two.cseq, b.peer.of('INVITE')[1]!.cseq]).toEqual([1, 2, 3]);
    expect(b.leg).toMatchObject({ how: 'completed', invites: 3, redirects: 1, finalCode: 200 });
  });

  test('302 to somebody whom we were not told to call: not followed', () => {
    const b = place({ redirects: 3 });
    b.peer.react = (h) => {
      if (h.kind === 'INVITE') b.peer.answer(h, 302, { tag: 'm', contact: '<sip:x@192.0.2.7>' });
    };
    b.until(1000);
    expect(b.leg).toMatchObject({ how: 'rejected', finalCode: 302, redirects: 0, invites: 1 });
  });

  test('302 that leads back: each target is tried once', () => {
    const b = place({ redirects: 10 });
    b.peer.react = (h) => {
      if (h.kind === 'INVITE') b.peer.answer(h, 302, { tag: 'm', contact: '<sip:again@10.0.0.2>' });
    };
    b.until(1000);
    expect(b.peer.of('INVITE').length).toBe(2);
    expect(b.leg).toMatchObject({ how: 'rejected', finalCode: 302, redirects: 1 });
  });

  const CHALLENGE = 'Proxy-Authenticate: Digest realm="r", nonce="n1", qop="auth", algorithm=MD5';
  const credentials = { user: 'alice', password: 'secret' };

  test('407: once more with credentials, which its ACK repeats (22.1); and again within the dialog', () => {
    const b = place({ credentials, holdMs: { kind: 'fixed', ms: 1000 } });
    b.peer.react = (h) => {
      if (h.kind === 'ACK') return;
      if (h.all('Proxy-Authorization').length === 0) b.peer.answer(h, 407, { tag: 'p', extra: [CHALLENGE] });
      else b.peer.answer(h, 200, OK);
    };
    b.until(5000);
    expect(b.peer.kinds()).toEqual(['INVITE', 'ACK', 'INVITE', 'ACK', 'BYE', 'BYE']);
    const proof = b.peer.heard[2]!.one('Proxy-Authorization');
    expect(proof).toMatch(
      /^Digest username="alice",realm="r",nonce="n1",uri="sip:000000000@target\.example",response="/,
    );
    expect(b.peer.heard[3]!.one('Proxy-Authorization')).toBe(proof);
    expect(b.peer.heard[5]!.one('Proxy-Authorization')).toContain('uri="sip:bob@10.0.0.2:5060"');
    expect(b.leg).toMatchObject({ how: 'completed', invites: 2, challenges: 2, byeCode: 200, finalCode: 200 });
  });

  test.each([
    ['the wrong password', { credentials }, 2],
    ['none', {}, 1],
  ])('407 with %s: rejected after %i INVITEs', (_what, call, invites) => {
    const b = place(call);
    b.peer.react = (h) => {
      if (h.kind === 'INVITE') b.peer.answer(h, 407, { tag: 'p', extra: [CHALLENGE] });
    };
    b.until(5000);
    expect(b.peer.of('INVITE').length).toBe(_what === 'none' ? 1 : invites);
    expect(b.leg).toMatchObject({ how: 'rejected', finalCode: 407 });
  });
});

describe('a forked INVITE (13.2.2.4)', () => {
  test('three branches answer: the first is the call, each other gets ACK and BYE in its own dialog', () => {
    const b = place({ holdMs: { kind: 'fixed', ms: 3000 } });
    b.until(1);
    const [invite] = b.peer.heard;
    for (const tag of ['one', 'two', 'three']) b.peer.answer(invite!, 200, { ...OK, tag });
    b.until(2);
    b.peer.answer(invite!, 200, { ...OK, tag: 'one' });
    b.peer.react = (h) => {
      if (h.kind === 'BYE') b.peer.answer(h, 200);
    };
    b.until(10);
    const kinds = b.peer.heard.slice(1).map((h) => `${h.kind} ${h.tagOf('To')}`);
    expect(kinds).toEqual(['ACK one', 'ACK two', 'BYE two', 'ACK three', 'BYE three', 'ACK one']);
    b.until(10_000);
    expect(b.leg).toMatchObject({ how: 'completed', forks: 2, ackCount: 2, answerRetransmits: 1 });
  });
});

describe('a dialog that the other side has lost', () => {
  test.each([
    ['481', 'dialog-lost', 481],
    ['408', 'dialog-lost', 408],
  ])('a hold that is answered %s: BYE, and the record says which request and what', (status, how, code) => {
    const b = place({ steps: [{ at: 'answer+1s', do: 'hold' }] });
    obliging(b, (h) => {
      if (h.kind !== 'INVITE' || h.cseq === 1) return false;
      b.peer.answer(h, Number(status));
      return true;
    });
    b.until(30_000);
    expect(b.peer.kinds()).toEqual(['INVITE', 'ACK', 'INVITE', 'ACK', 'BYE']);
    expect(b.peer.of('INVITE')[1]!.body).toContain('a=sendonly\r\n');
    expect(b.leg).toMatchObject({ how, midCode: code, midMethod: 1 });
  });

  test('a hold that is refused otherwise changes nothing: the call goes on as it was', () => {
    const b = place({ steps: [{ at: 'answer+1s', do: 'hold' }] });
    obliging(b, (h) => {
      if (h.kind !== 'INVITE' || h.cseq === 1) return false;
      b.peer.answer(h, 488);
      return true;
    });
    b.until(30_000);
    expect(b.leg).toMatchObject({ how: 'completed', midCode: 488 });
  });

  test('a re-INVITE that nobody answers: timer B, BYE', () => {
    const b = place({ steps: [{ at: 'answer+1s', do: 'reinvite' }], holdMs: { kind: 'fixed', ms: 60_000 } });
    obliging(b, (h) => h.kind === 'INVITE' && h.cseq > 1);
    b.until(90_000);
    expect(b.leg).toMatchObject({ how: 'dialog-lost', midCode: 408, inviteRetransmits: 0 });
    expect(b.leg.endedMs).toBeGreaterThan(33_000);
    expect(b.leg.dialogLog).toMatch(/^>I100\d:0 $/);
  });
});

describe('session timers end a call in three ways, told apart', () => {
  const session = { expiresS: 90, minSeS: 90, refresher: 'caller', method: 'update' } as const;
  const long = { holdMs: { kind: 'fixed', ms: 200_000 } } as const;
  const answerWith = (refresher: string): Answer => ({ ...OK, extra: [`Session-Expires: 90;refresher=${refresher}`] });

  test('the other side was to refresh and did not: session-expired, 30 s before the end', () => {
    const b = place({ session, ...long });
    b.peer.react = (h) => {
      if (h.kind !== 'ACK') b.peer.answer(h, 200, answerWith('uas'));
    };
    b.until(200_000);
    expect(b.leg).toMatchObject({ how: 'session-expired', by: 'timer', refresher: 2, sessionExpiresS: 90, midCode: 0 });
    expect(b.leg.byeMs / 1000).toBeCloseTo(60, 1);
    expect(b.peer.of('BYE')[0]!.one('Reason')).toContain('cause=408');
  });

  test('our refresh got 481: refresh-failed at once', () => {
    const b = place({ session, ...long });
    b.peer.react = (h) => {
      if (h.kind === 'UPDATE') b.peer.answer(h, 481);
      else if (h.kind !== 'ACK') b.peer.answer(h, 200, answerWith('uac'));
    };
    b.until(200_000);
    expect(b.leg).toMatchObject({ how: 'refresh-failed', refresher: 1, midCode: 481, midMethod: 8 });
    expect(b.leg.byeMs / 1000).toBeCloseTo(45, 1);
  });

  test('our refresh got no answer: refresh-failed when the session is about to expire', () => {
    const b = place({ session, ...long });
    b.peer.react = (h) => {
      if (h.kind !== 'ACK' && h.kind !== 'UPDATE') b.peer.answer(h, 200, answerWith('uac'));
    };
    b.until(200_000);
    expect(b.leg).toMatchObject({ how: 'refresh-failed', midCode: 408, midMethod: 8 });
    expect(b.leg.byeMs / 1000).toBeCloseTo(60, 1);
  });

  test('an answer without Session-Expires: no timer, however long the call', () => {
    const b = place({ session, ...long });
    obliging(b, () => false);
    b.until(250_000);
    expect(b.peer.of('UPDATE')).toEqual([]);
    expect(b.leg).toMatchObject({ how: 'completed', sessionExpiresS: 0, refresher: 0 });
  });
});

describe('as the called party', () => {
  const FROM = '<sip:alice@10.0.0.2>;tag=peer';
  const request = (method: string, cseq: number, to: string, extra: string[] = [], body = '', from = FROM): string =>
    [
      `${method} sip:000000042@10.0.0.1 SIP/2.0`,
      `Via: SIP/2.0/UDP 10.0.0.2:5060;rport;branch=z9hG4bK${method}${cseq}${extra.length}${from.length}`,
      `From: ${from}`,
      `To: ${to}`,
      'Call-ID: call',
      `CSeq: ${cseq} ${method}`,
      'Contact: <sip:alice@10.0.0.2:5060>',
      ...extra,
      ...(body === '' ? [] : ['Content-Type: application/sdp']),
      `Content-Length: ${body.length}`,
      '',
      body,
    ].join('\r\n');
  const TO = '<sip:000000042@10.0.0.1>';
  function up() {
    const b = calleeBench({}, 0);
    const say = (text: string): Heard => {
      b.peer.say(text, OURS, 5060);
      b.run(1);
      return b.peer.heard.at(-1)!;
    };
    const to = say(request('INVITE', 1, TO, [], SDP)).one('To');
    say(request('ACK', 1, to));
    return { b, say, to };
  }

  test('the same INVITE by another way: 482 (8.2.2.2), while its call lives', () => {
    const { b, say, to } = up();
    expect(say(request('INVITE', 1, TO, ['X: y'], SDP)).kind).toBe('482 INVITE');
    expect(b.agent.callsUp).toBe(1);
    // Another CSeq is another request: a second call, as after a 401.
    expect(say(request('INVITE', 2, TO, [], SDP)).kind).toBe('200 INVITE');
    expect(say(request('BYE', 3, to)).kind).toBe('200 BYE');
  });

  test("a request with our tag and Call-ID but another's From tag is of no dialog of ours: 481", () => {
    const { b, say, to } = up();
    expect(say(request('BYE', 5, to, [], '', '<sip:alice@10.0.0.2>;tag=mallory')).kind).toBe('481 BYE');
    expect(b.legs).toEqual([]);
    expect(say(request('BYE', 5, to)).kind).toBe('200 BYE');
  });

  test('re-INVITE: hold and resume answered in kind, the version of our SDP goes up with each change (RFC 3264 8)', () => {
    const { b, say, to } = up();
    const bodies = ['sendonly', 'sendrecv', 'inactive'].map((d, i) => {
      const answer = say(request('INVITE', 2 + i, to, [], `${SDP}a=${d}\r\n`));
      expect(answer.kind).toBe('200 INVITE');
      say(request('ACK', 2 + i, to));
      return answer.body;
    });
    expect(bodies.map((t) => /a=((?:send|recv|in)\w+)/.exec(t)![1])).toEqual(['recvonly', 'sendrecv', 'inactive']);
    expect(bodies.map((t) => /o=\S+ \S+ (\d+)/.exec(t)![1])).toEqual(['2', '3', '4']);
    b.run(40_000);
    expect(b.legs).toEqual([]);
    expect(say(request('INVITE', 9, to, ['Content-Type: application/sdp'], 'v=0\r\n')).kind).toBe('488 INVITE');
    expect(say(request('INVITE', 10, to)).body).toContain('m=audio');
    say(request('ACK', 10, to, [], SDP));
    say(request('BYE', 11, to));
    expect(b.leg).toMatchObject({ how: 'completed', reinvitesReceived: 5, holds: 2, ackCount: 1 });
  });

  test('a re-INVITE that is never acknowledged ends the call after 64*T1 (14.2)', () => {
    const { b, say, to } = up();
    say(request('INVITE', 2, to, [], SDP));
    b.peer.react = (h) => {
      if (h.kind === 'BYE') b.peer.answer(h, 200);
    };
    b.run(33_000);
    expect(b.leg).toMatchObject({ how: 'dialog-lost', midCode: 408, midMethod: 2 });
  });

  test('UPDATE without an offer refreshes; Session-Expires below our floor: 422 with Min-SE', () => {
    const { say, to } = up();
    expect(say(request('UPDATE', 2, to)).kind).toBe('200 UPDATE');
    const short = say(request('UPDATE', 3, to, ['Supported: timer', 'Session-Expires: 30']));
    expect([short.kind, short.one('Min-SE')]).toEqual(['422 UPDATE', '90']);
    const fine = say(request('UPDATE', 4, to, ['Supported: timer', 'Session-Expires: 180;refresher=uac']));
    expect([fine.kind, fine.one('Session-Expires'), fine.one('Require')]).toEqual([
      '200 UPDATE',
      '180;refresher=uac',
      'timer',
    ]);
  });

  test('a Contact that moves is followed (12.2.2)', () => {
    const { b, say, to } = up();
    const moved = request('UPDATE', 2, to).replace('alice@10.0.0.2:5060', 'alice@10.0.0.2:5099');
    expect(say(moved).kind).toBe('200 UPDATE');
    const other = new ScriptedPeer(b.world, 0x0a000002, 5099);
    say(request('INVITE', 3, to, [], SDP).replace('alice@10.0.0.2:5060', 'alice@10.0.0.2:5099'));
    b.run(33_000);
    expect(other.of('BYE')[0]!.requestUri).toBe('sip:alice@10.0.0.2:5099');
  });

  test('a 180 that wants a PRACK is repeated until it comes; without it for 64*T1 the call is refused (RFC 3262 3)', () => {
    const b = calleeBench({}, 60_000);
    b.peer.say(request('INVITE', 1, TO, ['Require: 100rel'], SDP), OURS, 5060);
    b.run(4000);
    const ringing = b.peer.of('180 INVITE');
    expect(ringing.length).toBe(4);
    const [first] = ringing;
    expect([first!.one('Require'), Number(first!.one('RSeq')) > 0]).toEqual(['100rel', true]);
    b.peer.say(request('PRACK', 2, first!.one('To'), ['RAck: 1 1 INVITE']), OURS, 5060);
    b.run(1);
    expect(b.peer.heard.at(-1)!.kind).toBe('481 PRACK');
    b.peer.say(request('PRACK', 3, first!.one('To'), [`RAck: ${first!.one('RSeq')} 1 INVITE`]), OURS, 5060);
    b.run(1);
    expect(b.peer.heard.at(-1)!.kind).toBe('200 PRACK');
    b.run(20_000);
    expect(b.peer.of('180 INVITE').length).toBe(4);
    const silent = calleeBench({}, 60_000);
    silent.peer.say(request('INVITE', 1, TO, ['Require: 100rel'], SDP), OURS, 5060);
    silent.run(40_000);
    expect(silent.leg).toMatchObject({ how: 'rejected', finalCode: 504 });
  });
});
