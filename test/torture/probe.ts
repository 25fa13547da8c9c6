import { PARSE, SipMessage } from '../../agents/sip/parse.js';
import { uriOf } from '../../agents/sip/scan.js';
import { UriView } from '../../agents/sip/uri.js';
import { DATAGRAM_MAX } from '../../agents/wire/types.js';
import { bytesOf, placed, view } from '../support/sip-text.js';
import { CALLEE, CALLER, Ground, STRANGER, STRANGER_PORT } from './ground.js';
import { expand, type TortureMessage } from './notation.js';

/** Every port that an answer of the corpus goes to. */
const PORTS = [5050, 5060, 6050, 19_823];

export function parserSays(m: TortureMessage): { code: keyof typeof PARSE; read: Record<string, unknown> } {
  const { bytes, off, len } = placed(expand(m.text));
  const msg = new SipMessage();
  const code = msg.parse(bytes, off, len);
  const name = (Object.keys(PARSE) as (keyof typeof PARSE)[]).find((key) => PARSE[key] === code)!;
  if (code !== PARSE.OK) return { code: name, read: {} };
  const uri = new UriView();
  if (msg.isRequest) uri.parse(bytes, msg.uriOff, msg.uriLen);
  const range = new Int32Array(2);
  const hasContact = uriOf(bytes, msg.contactOff, msg.contactLen, range);
  const read = {
    ...view(msg),
    moreVias: msg.moreVias,
    bodyLength: msg.bodyLen,
    uriUser: msg.text(uri.userOff, uri.userLen),
    uriHost: msg.text(uri.hostOff, uri.hostLen),
    uriPort: uri.port,
    contactUri: hasContact ? msg.text(range[0]!, range[1]!) : '',
    contacts: msg.headerId.subarray(0, msg.headerCount).filter((id) => id === 6).length,
  };
  return { code: name, read };
}

export const isResponse = (m: TortureMessage): boolean => m.text.replace('<allOneLine>\n', '').startsWith('SIP/');

export interface Seen {
  what: string;
  ground: Ground;
  /** Whole answers of the callee. */
  answers: string[];
}

/** The message sent to a callee that is alone in the world: what it answers, and to where. */
export function calleeSays(m: TortureMessage): Seen {
  const ground = new Ground({ seed: 1, maxCalls: 16, ports: PORTS });
  const bytes = expand(m.text);
  if (bytes.length <= DATAGRAM_MAX) ground.say(bytes, CALLEE);
  // A wire would drop it: what the stack itself does with it is seen all the same.
  else {
    ground.callee.stack.receive(bytes, 0, bytes.length, STRANGER, STRANGER_PORT, ground.world.nowUs);
    ground.world.wake(ground.callee);
  }
  ground.run(1);
  const lines: string[] = [];
  let port = 5060;
  for (const { text, port: at } of ground.heard) {
    const [line, ...headers] = text.split('\r\n');
    if (!line!.startsWith('SIP/2.0 ')) continue;
    const telling = headers.filter((h) => /^(Unsupported|Accept|Warning):/.test(h) && !line!.startsWith('SIP/2.0 2'));
    const said = `${line!.slice(8)}${telling.length > 0 ? ` [${telling.join('; ')}]` : ''}`;
    if (!lines.includes(said)) lines.push(said);
    port = at;
  }
  let what = lines.join(', ') || 'nothing';
  if (port !== 5060) what += ` at port ${port}`;
  if (m.section.startsWith('5118') && what.includes('200 OK') && m.text.startsWith('INVITE')) {
    what += ` [media to ${ground.media.started.join(', ') || 'nobody'}]`;
  }
  return { what, ground, answers: ground.heard.map((h) => h.text) };
}

/**
 * The response put onto an INVITE of our caller: its Via, From, To, Call-ID and CSeq replaced by what the INVITE wants
 * repeated, all else left as the RFC has it; a CSeq that is the fault stays.
 */
export function callerSays(m: TortureMessage): Seen {
  const ground = new Ground({ seed: 1, maxCalls: 16, ports: PORTS, arrivals: new Float64Array([0]) });
  const invite = ground.heard[0]!.text;
  const ours = (name: string): string => new RegExp(`\r\n${name}: ([^\r]*)`).exec(invite)![1]!;
  let text = Buffer.from(expand(m.text)).toString('latin1');
  text = text.replace(/Via: [^\r]*/, `Via: ${ours('Via')}`);
  text = text.replace(/From: [^\r]*/, `From: ${ours('From')}`);
  text = text.replace(/\r\nTo: [^\r]*/, `\r\nTo: ${ours('To')};tag=theirs`);
  text = text.replace(/Call-ID: [^\r]*/, `Call-ID: ${ours('Call-ID')}`);
  text = text.replace(/CSeq: (\d+) \w+/, (_, n: string) => `CSeq: ${n.length > 10 ? n : 1} INVITE`);
  ground.say(bytesOf(text), CALLER);
  ground.run(0.9);
  const count = (method: string): number => ground.heard.filter((h) => h.text.startsWith(`${method} `)).length;
  const status = /^SIP\/2.0 (\d+)/.exec(text)![1];
  let what = `provisional ${status}`;
  if (count('ACK') > 0) what = `answered ${status}, acknowledged`;
  else if (count('INVITE') > 1) what = 'discarded';
  return { what, ground, answers: [] };
}

/** The response as it is, which answers nothing that we asked. */
export function strayIsCounted(m: TortureMessage): boolean {
  const ground = new Ground({ seed: 1, maxCalls: 16, ports: PORTS });
  ground.say(expand(m.text), CALLER);
  ground.run(100);
  const { callerCounters } = ground;
  return callerCounters.get('strayMessages') + callerCounters.get('parseRejected') === 1 && ground.heard.length === 0;
}

export const seenBy = (m: TortureMessage): Seen => (isResponse(m) ? callerSays(m) : calleeSays(m));
