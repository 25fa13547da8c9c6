import type { MemoryWorld } from '../../agents/wire/memory.js';
import type { MemoryWire } from '../../agents/wire/memory-wire.js';
import { ipToString, type UdpPort } from '../../agents/wire/types.js';

/** A message as the peer got it, taken apart with nothing of the code under test. */
export class Heard {
  readonly lines: string[];
  readonly body: string;
  constructor(
    readonly us: number,
    readonly text: string,
    readonly srcIp: number,
    readonly srcPort: number,
  ) {
    const [head, ...body] = text.split('\r\n\r\n');
    this.lines = head!.split('\r\n');
    this.body = body.join('\r\n\r\n');
  }
  get start(): string {
    return this.lines[0]!;
  }
  /** 'INVITE', or '200 INVITE' for a response. */
  get kind(): string {
    const [first, second] = this.start.split(' ');
    return first === 'SIP/2.0' ? `${second} ${this.one('CSeq').split(' ')[1]}` : first!;
  }
  get requestUri(): string {
    return this.start.split(' ')[1]!;
  }
  all(name: string): string[] {
    const prefix = `${name.toLowerCase()}:`;
    return this.lines
      .slice(1)
      .flatMap((l) => (l.toLowerCase().startsWith(prefix) ? l.slice(prefix.length).trim() : []));
  }
  one(name: string): string {
    const found = this.all(name);
    if (found.length !== 1) throw new Error(`${found.length} times ${name} in:\n${this.text}`);
    return found[0]!;
  }
  get topVia(): string {
    return this.all('Via')[0]!;
  }
  get branch(): string {
    return /;branch=([^;,]+)/.exec(this.topVia)![1]!;
  }
  tagOf(name: 'From' | 'To'): string | undefined {
    return /;tag=([^;]+)/.exec(this.one(name))?.[1];
  }
  get cseq(): number {
    return Number(this.one('CSeq').split(' ')[0]);
  }
}

export interface Answer {
  tag?: string | undefined;
  contact?: string;
  recordRoutes?: readonly string[];
  extra?: readonly string[];
  body?: string;
}

/** The other side of the wire: says what a test tells it to, and writes down what it hears, and when. */
export class ScriptedPeer {
  readonly heard: Heard[] = [];
  /** Called with every message, if set. */
  react: (h: Heard) => void = () => undefined;
  readonly #port: UdpPort;

  constructor(
    readonly world: MemoryWorld,
    readonly ip: number,
    readonly port: number,
    wire: MemoryWire = world.wire('peer'),
  ) {
    this.#port = wire.bind(ip, port, (bytes, off, len, srcIp, srcPort, nowUs) => {
      const heard = new Heard(nowUs, Buffer.from(bytes.subarray(off, off + len)).toString('latin1'), srcIp, srcPort);
      this.heard.push(heard);
      this.react(heard);
    });
  }

  get where(): string {
    return `${ipToString(this.ip)}:${this.port}`;
  }

  say(text: string, toIp: number, toPort: number): void {
    const bytes = Buffer.from(text, 'latin1');
    this.#port.send(bytes, 0, bytes.length, toIp, toPort);
  }

  /** A response to a request that was heard, with the header fields that RFC 3261 8.2.6 wants repeated. */
  answer(to: Heard, status: number, a: Answer = {}): void {
    const tag = a.tag !== undefined && to.tagOf('To') === undefined ? `;tag=${a.tag}` : '';
    const lines = [
      `SIP/2.0 ${status} Scripted`,
      ...to.all('Via').map((v) => `Via: ${v}`),
      ...(a.recordRoutes ?? []).map((r) => `Record-Route: ${r}`),
      `From: ${to.one('From')}`,
      `To: ${to.one('To')}${tag}`,
      `Call-ID: ${to.one('Call-ID')}`,
      `CSeq: ${to.one('CSeq')}`,
      ...(a.contact === undefined ? [] : [`Contact: ${a.contact}`]),
      ...(a.extra ?? []),
      `Content-Length: ${(a.body ?? '').length}`,
    ];
    this.say(`${lines.join('\r\n')}\r\n\r\n${a.body ?? ''}`, to.srcIp, to.srcPort);
  }

  /** Messages of one kind: 'INVITE', '487 INVITE'. */
  of(kind: string): Heard[] {
    return this.heard.filter((h) => h.kind === kind);
  }
  kinds(): string[] {
    return this.heard.map((h) => h.kind);
  }
  /** Instants of one kind, ms after the first of them, or after `fromUs`. */
  times(kind: string, fromUs?: number): number[] {
    const list = this.of(kind);
    return list.map((h) => (h.us - (fromUs ?? list[0]!.us)) / 1000);
  }
}
