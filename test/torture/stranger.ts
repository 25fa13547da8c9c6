import { METHOD, METHODS } from '../../agents/sip/names.js';
import { PARSE, SipMessage } from '../../agents/sip/parse.js';
import { type Prng, prng } from '../../harness/prng.js';
import { basics, sip } from '../support/sip-text.js';
import { CORPUS } from './corpus.js';
import { CALLEE, CALLER, Ground } from './ground.js';
import { Mutator } from './mutate.js';
import { expand } from './notation.js';
import { isResponse } from './probe.js';

/** Dialogs and INVITEs that the stranger remembers of what it heard. */
const MEMORY = 64;
/** Virtual time between two messages, ms, evenly up to this; now and then a long pause, for the long timers. */
const GAP_MS = 10;
const PAUSE_MS = 5000;
const SWEEP_EVERY = 2000;
const SDP = 'v=0\r\no=- 1 1 IN IP4 192.0.2.200\r\ns=-\r\nc=IN IP4 192.0.2.200\r\nt=0 0\r\nm=audio 6000 RTP/AVP 0\r\n';

/** Value of the first header of that name, in any spelling of it: our callee echoes a header as it came. */
function header(text: string, name: 'Via' | 'From' | 'To' | 'Call-ID' | 'CSeq'): string {
  const spelt = name === 'CSeq' ? name : `(?:${name}|${name === 'Call-ID' ? 'i' : name[0]})`;
  const found = new RegExp(`\\r\\n${spelt}[ \\t]*:[ \\t]*([^\\r]*(?:\\r\\n[ \\t][^\\r]*)*)`, 'i').exec(text);
  return found?.[1] ?? '';
}

/**
 * Plays both ends badly: calls our callee and is called by our caller, follows what they answer, and sends mutations of
 * everything it knows. What it says depends on the seed alone.
 */
export class Stranger {
  readonly ground: Ground;
  readonly #chance: Prng;
  readonly #mutator: Mutator;
  readonly #corpus: { text: string; to: number }[];
  /** Messages that fit a state of callee or caller right now, as [text, destination]. */
  readonly #live: { text: string; to: number }[] = [];
  /** Call-IDs by To tag of dialogs with the callee that had no proper BYE yet. */
  readonly #dialogs = new Map<string, { callId: string; fromTag: string }>();
  readonly #msg = new SipMessage();
  readonly statuses = new Map<string, number>();
  /** Messages of the callee that our own parser refuses: there must be none but refusals. */
  readonly unreadable: string[] = [];
  sent = 0;
  #branch = 0;

  constructor(seed: number, messages: number) {
    this.#chance = prng(seed);
    const seconds = Math.ceil((messages * GAP_MS) / 1000);
    this.ground = new Ground({
      seed,
      maxCalls: 256,
      ports: [5060, 5062, 5050, 6050],
      arrivals: Float64Array.from({ length: seconds }, (_, i) => i * 500),
      onHeard: (bytes) => this.#hear(Buffer.from(bytes).toString('latin1')),
      // A mutated ACK may hit a dialog whose answers went to a port that nobody hears: it lives until its BYE too.
      onCalleeSent: (bytes) => this.#overhear(bytes),
    });
    this.#corpus = [
      ...CORPUS.map((m) => ({
        text: Buffer.from(expand(m.text)).toString('latin1'),
        to: isResponse(m) ? CALLER : CALLEE,
      })),
      ...['INVITE', 'OPTIONS', 'BYE', 'CANCEL', 'ACK', 'INFO'].map((method) => ({
        text: this.#request(method),
        to: CALLEE,
      })),
    ];
    this.#mutator = new Mutator(this.#chance, () => this.#any().text);
  }

  /** One message, and what comes of it. */
  step(): string {
    const pick = this.#any();
    let { text } = pick;
    if (this.#chance.below(2) === 0) text = text.replace(/z9hG4bK[^;,\r]*/, () => this.#fresh());
    if (this.#chance.below(8) !== 0) text = this.#mutator.mutate(text);
    const to = this.#chance.below(16) === 0 ? CALLEE + CALLER - pick.to : pick.to;
    this.sent++;
    if (text.length > 0) this.ground.say(Buffer.from(text.slice(0, 2048), 'latin1'), to);
    const pause = this.#chance.below(2000) === 0 ? PAUSE_MS : 0;
    this.ground.run((this.#chance.below(GAP_MS) + pause) / 1000);
    this.ground.legs.length = 0;
    if (this.sent % SWEEP_EVERY === 0) this.sweep();
    return text;
  }

  /** Hangs up every dialog that the callee ever told us of: a call that was acknowledged lives until its BYE. */
  sweep(): void {
    for (const [tag, { callId, fromTag }] of this.#dialogs) {
      // Short whatever the dialog's own headers are, with the highest CSeq: the last word.
      const lines = basics('BYE', 2147483647).map((line) => line.replace('<sip:bob@biloxi.example>', `$&;tag=${tag}`));
      const bye = sip(['BYE sip:deadair@10.0.0.1 SIP/2.0', ...lines])
        .replace('basic@192.0.2.1', () => callId)
        .replace(/^From:[^\r]*/m, () => `From: <sip:stranger@192.0.2.200>${fromTag === '' ? '' : `;tag=${fromTag}`}`)
        .replace('z9hG4bKbasic', () => this.#fresh());
      this.ground.say(Buffer.from(bye, 'latin1'), CALLEE);
      this.ground.run(0.001);
    }
    this.ground.legs.length = 0;
    this.#dialogs.clear();
  }

  /** A call that nothing is wrong with, answered or not. */
  callAnswered(): boolean {
    const before = this.statuses.get('200 INVITE') ?? 0;
    const branch = this.#fresh();
    // A Call-ID of its own: the same INVITE by another way would be a merged request (RFC 3261 8.2.2.2).
    const text = this.#request('INVITE').replace('z9hG4bKbasic', branch).replace('basic@', `${branch}@`);
    this.ground.say(Buffer.from(text, 'latin1'), CALLEE);
    this.ground.run(0.001);
    return (this.statuses.get('200 INVITE') ?? 0) > before;
  }

  #fresh(): string {
    return `z9hG4bKs${this.#branch++}`;
  }

  #any(): { text: string; to: number } {
    const list = this.#live.length > 0 && this.#chance.below(2) === 0 ? this.#live : this.#corpus;
    return list[this.#chance.below(list.length)]!;
  }

  #request(method: string): string {
    const body = method === 'INVITE' ? [SDP, 'Content-Type: application/sdp'] : [''];
    const lines = basics(method).map((line) => line.replace('192.0.2.1:5062', '192.0.2.200:5060'));
    const contact = 'Contact: <sip:stranger@192.0.2.200:5060>';
    const rest = [contact, ...body.slice(1), `Content-Length: ${body[0]!.length}`];
    return sip([`${method} sip:000000042@10.0.0.1 SIP/2.0`, ...lines, ...rest], body[0]);
  }

  #hear(text: string): void {
    const cseq = header(text, 'CSeq');
    if (text.startsWith('SIP/2.0 ')) {
      const method = METHODS.find((name) => name !== '' && cseq.endsWith(` ${name}`)) ?? 'other';
      const kind = `${text.slice(8, 11)} ${method}`;
      this.statuses.set(kind, (this.statuses.get(kind) ?? 0) + 1);
      if (text.startsWith('SIP/2.0 1') || text.startsWith('SIP/2.0 2')) this.#followUp(text);
      return;
    }
    const method = text.slice(0, text.indexOf(' '));
    this.statuses.set(method, (this.statuses.get(method) ?? 0) + 1);
    for (const status of ['100 Trying', '180 Ringing', '200 OK', '302 Moved', '486 Busy Here', '503 No']) {
      this.#remember(this.#answer(text, status), CALLER);
    }
  }

  #overhear(bytes: Uint8Array): void {
    const msg = this.#msg;
    const code = msg.parse(bytes, 0, bytes.length);
    const text = Buffer.from(bytes.subarray(0, 9)).toString('latin1');
    // What was accepted can be echoed, and the echo read: by others as by us.
    if (code !== PARSE.OK && !/^SIP\/2.0 [45]/.test(text) && this.unreadable.length < 10) {
      this.unreadable.push(`${code}: ${Buffer.from(bytes).toString('latin1')}`);
    }
    if (code !== PARSE.OK || msg.method !== METHOD.INVITE || msg.status < 101 || msg.status > 299) return;
    const tag = msg.text(msg.toTagOff, msg.toTagLen);
    const callId = msg.text(msg.callIdOff, msg.callIdLen);
    const fromTag = msg.text(msg.fromTagOff, msg.fromTagLen);
    if (/^[0-9a-f]{13}$/.test(tag)) this.#dialogs.set(tag, { callId, fromTag });
  }

  /** ACK, BYE, CANCEL and a re-INVITE of the dialog that a response of the callee tells of. */
  #followUp(text: string): void {
    for (const [method, cseq] of [
      ['ACK', 1],
      ['CANCEL', 1],
      ['INVITE', 2],
      ['BYE', 2147483647],
    ] as const) {
      const lines = [
        `${method} sip:000000042@10.0.0.1 SIP/2.0`,
        `Via: SIP/2.0/UDP 192.0.2.200:5060;branch=${this.#fresh()}`,
        ...(['From', 'To', 'Call-ID'] as const).map((name) => `${name}: ${header(text, name)}`),
        `CSeq: ${cseq} ${method}`,
        'Content-Length: 0',
      ];
      this.#remember(sip(lines), CALLEE);
    }
  }

  #answer(request: string, status: string): string {
    const body = status.startsWith('200') ? SDP : '';
    const lines = [
      `SIP/2.0 ${status}`,
      ...(['Via', 'From'] as const).map((name) => `${name}: ${header(request, name)}`),
      `To: ${header(request, 'To').replace(/;tag=.*/, '')};tag=s${status.slice(0, 3)}`,
      ...(['Call-ID', 'CSeq'] as const).map((name) => `${name}: ${header(request, name)}`),
      'Contact: <sip:stranger@192.0.2.200:5060>',
      'Record-Route: <sip:192.0.2.200;lr>, <sip:proxy.example;lr>',
      'Content-Type: application/sdp',
      `Content-Length: ${body.length}`,
    ];
    return sip(lines, body);
  }

  #remember(text: string, to: number): void {
    if (this.#live.length < MEMORY) this.#live.push({ text, to });
    else this.#live[this.#chance.below(MEMORY)] = { text, to };
  }
}
