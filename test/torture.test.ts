import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { PARSE, SipMessage } from '../agents/sip/parse.js';
import { bytesOf } from './support/sip-text.js';
import { CORPUS } from './torture/corpus.js';
import { CALLEE, Ground, NOTHING_HELD } from './torture/ground.js';
import { expand } from './torture/notation.js';
import { calleeSays, callerSays, isResponse, parserSays, strayIsCounted } from './torture/probe.js';
import { torturePage } from './torture/table.js';

const PAGE = fileURLToPath(new URL('../docs/torture.md', import.meta.url));
const requests = CORPUS.filter((m) => !isResponse(m));
const responses = CORPUS.filter(isResponse);
const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

describe('the corpus', () => {
  test('is whole: 49 messages of RFC 4475 and 12 of RFC 5118, each name once', () => {
    expect(CORPUS.filter((m) => m.section.startsWith('4475')).length).toBe(49);
    expect(CORPUS.filter((m) => m.section.startsWith('5118')).length).toBe(12);
    expect(new Set(CORPUS.map((m) => m.name)).size).toBe(61);
    for (const m of CORPUS) if (!m.asAdvised) expect(m.why, m.name).toBeTruthy();
  });

  test('notation: repeats, one line out of several, bytes', () => {
    const text = 'a<repeat count=3>xy</repeat>\n<allOneLine>\nTo: <sip:\n a>\n</allOneLine>\n<hex>00 FF\n0d</hex>\n';
    expect(latin1(expand(text))).toBe('axyxyxy\r\nTo: <sip: a>\r\n\0\xff\r\r\n');
  });

  test('a Content-Length is right wherever the RFC does not want it wrong', () => {
    const wrong = ['clerr', 'ncl', 'mcl01', 'dblreq', 'multi01'];
    for (const m of CORPUS) {
      const text = latin1(expand(m.text));
      const end = text.indexOf('\r\n\r\n');
      const length = /\r\n(?:l|content-length)\s*:\s*(\d+)\r/i.exec(text.slice(0, end + 2));
      if (length !== null && !wrong.includes(m.name)) expect(text.length - end - 4, m.name).toBe(Number(length[1]));
    }
  });
});

describe('the parser', () => {
  test.each(CORPUS.map((m) => [m.name, m] as const))('%s', (_, m) => {
    const { code, read } = parserSays(m);
    expect(code).toBe(m.parse);
    expect(read).toMatchObject(m.reads ?? {});
  });
});

describe('the callee', () => {
  test.each(requests.map((m) => [m.name, m] as const))('%s', (_, m) => {
    const { what, ground, answers } = calleeSays(m);
    expect(what).toBe(m.seen);
    const request = latin1(expand(m.text));
    const vias = request.slice(0, request.indexOf('\r\n\r\n')).match(/\r\nv(ia)?[ \t]*:/gi)!.length;
    for (const answer of answers) {
      expect(answer.match(/\r\nv(ia)?[ \t]*:/gi)!.length).toBe(vias);
      if (/^SIP\/2.0 (405|501)/.test(answer))
        expect(answer).toContain('\r\nAllow: INVITE, ACK, BYE, CANCEL, OPTIONS, PRACK, UPDATE, REFER, NOTIFY\r\n');
      if (m.parse !== 'OK') continue;
      // What we say, others can read; a To tag is in every answer (RFC 3261 8.2.6.2).
      const msg = new SipMessage();
      expect(msg.parse(bytesOf(answer), 0, answer.length), answer).toBe(PARSE.OK);
      expect(msg.toTagLen).toBeGreaterThan(0);
    }
    ground.run(200);
    expect(ground.held()).toEqual(NOTHING_HELD);
    expect(ground.strangerWire.counters.unreachable).toBe(0);
  });

  test('a request that cannot be parsed is answered anew each time, and its ACK is not answered', () => {
    const insuf = CORPUS.find((m) => m.name === 'insuf')!;
    const { ground, answers } = calleeSays(insuf);
    expect(answers[0]).toBe(
      'SIP/2.0 400 Missing From, To, Call-ID\r\n' +
        'Via: SIP/2.0/UDP 192.0.2.95;received=192.0.2.200;branch=z9hG4bKkdj.insuf\r\n' +
        'CSeq: 193942 INVITE\r\nContent-Length: 0\r\n\r\n',
    );
    ground.say(expand(insuf.text), CALLEE);
    ground.say(expand(insuf.text.replaceAll('INVITE', 'ACK')), CALLEE);
    ground.run(1);
    expect(ground.heard.length).toBe(2);
    expect(ground.calleeCounters.get('parseRejected')).toBe(3);
  });

  test('the branch z9hG4bK alone does not make two requests one (RFC 3261 17.2.3)', () => {
    const bad = CORPUS.find((m) => m.name === 'badbranch')!;
    const { ground } = calleeSays(bad);
    ground.say(expand(bad.text), CALLEE);
    ground.say(expand(bad.text.replace('CSeq: 8', 'CSeq: 9')), CALLEE);
    ground.run(1);
    expect(ground.calleeCounters.get('retransmitsSeen')).toBe(1);
    expect(ground.heard.map((h) => /CSeq: \d/.exec(h.text)![0])).toEqual(['CSeq: 8', 'CSeq: 8', 'CSeq: 9']);
  });
});

describe('what the mutator found (test/fuzz.test.ts), kept as it was found', () => {
  const invite = CORPUS.find((m) => m.name === 'baddate')!.text;
  const asked = (text: string): string[] => {
    const ground = new Ground({ seed: 1, maxCalls: 4, ports: [5060] });
    ground.say(expand(text), CALLEE);
    ground.run(0.1);
    return ground.heard.map((h) => h.text.slice(8, h.text.indexOf('\r\n')));
  };

  test('an answer that is longer than a datagram is not sent, and does not throw at the end of the buffer', () => {
    const options = CORPUS.find((m) => m.name === 'zeromf')!.text;
    for (let pad = 1700; pad <= 1776; pad++) {
      const answers = asked(options.replace('Call-ID: ', `Call-ID: ${'x'.repeat(pad)}`));
      expect(answers.filter((line) => line !== '200 OK')).toEqual([]);
    }
    expect(asked(options.replace('Call-ID: ', `Call-ID: ${'x'.repeat(1776)}`))).toEqual([]);
  });

  test('a tag of ours is not enough: the Call-ID must be the dialog’s too (RFC 3261 12)', () => {
    const ground = new Ground({ seed: 1, maxCalls: 4, ports: [5060] });
    ground.say(expand(invite), CALLEE);
    ground.run(0.1);
    const tag = /\r\nTo: .*;tag=(\w+)/.exec(ground.heard[0]!.text)![1]!;
    const bye = invite
      .slice(0, invite.indexOf('Content-Type'))
      .replaceAll('INVITE', 'BYE')
      .replace(/(\nTo: .*)/, `$1;tag=${tag}`);
    for (const [branch, callId] of [
      ['1', 'other.'],
      ['2', 'baddate.'],
    ] as const) {
      const text = bye.replace('z9hG4bK', `z9hG4bK${branch}`).replace('baddate.', callId);
      ground.say(expand(`${text}\n`), CALLEE);
      ground.run(0.1);
    }
    const answers = ground.heard.map((h) => h.text.slice(8, 11));
    expect(answers).toEqual(['180', '200', '481', '200']);
    expect(ground.callee.callsUp).toBe(0);
  });

  test('a Record-Route without a value is no route', () => {
    for (const value of ['', ',', ' , ,']) {
      expect(asked(invite.replace('Date:', `Record-Route:${value}\nDate:`))).toEqual(['180 Ringing', '200 OK']);
    }
  });
});

describe('the caller', () => {
  test.each(responses.map((m) => [m.name, m] as const))('%s', (_, m) => {
    const { what, ground } = callerSays(m);
    expect(what).toBe(m.seen);
    ground.run(200);
    expect(ground.held()).toEqual(NOTHING_HELD);
    expect(strayIsCounted(m)).toBe(true);
  });
});

test('docs/torture.md is what the code does', () => {
  const page = torturePage();
  if (process.env.DEADAIR_WRITE !== undefined) {
    mkdirSync(dirname(PAGE), { recursive: true });
    writeFileSync(PAGE, page);
  }
  expect(readFileSync(PAGE, 'utf8')).toBe(page);
});
