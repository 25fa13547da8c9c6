import { type COUNTER_INDEX, Counters } from '../../agents/counters.js';
import { METHOD } from '../../agents/sip/names.js';
import type { SipMessage } from '../../agents/sip/parse.js';
import { SipStack, type StackLimits, type TransactionUser } from '../../agents/sip/stack.js';
import { ascii } from '../../agents/sip/text.js';
import { MemoryWorld } from '../../agents/wire/memory.js';
import { ipToString } from '../../agents/wire/types.js';
import { ScriptedPeer } from './scripted-peer.js';

export const OURS = 0x0a000001;
export const PEER = 0x0a000002;
/** The bench's requests have a Via below ours, as a proxy's do. */
export const LIMITS: StackLimits = { clientTransactions: 64, serverTransactions: 64, messages: 64, relays: true };
const SECOND = 1_000_000;

/** One stack and a scripted peer, alone in a world without delays, loss or chance: instants are exact. */
export class StackBench implements TransactionUser {
  readonly world = new MemoryWorld({ seed: 1, latencyUs: 0, jitterUs: 0, startUs: SECOND });
  readonly peer = new ScriptedPeer(this.world, PEER, 5060);
  readonly counters = new Counters();
  readonly stack: SipStack;
  /** What the transaction user was told: 'response 1 180', 'timeout 1 INVITE', ... */
  readonly log: string[] = [];
  readonly logUs: number[] = [];
  onNewRequest: (msg: SipMessage, tx: number, srcIp: number, srcPort: number, nowUs: number) => void = () => undefined;

  onCancelled: (tx: number) => void = () => undefined;

  constructor(limits: StackLimits = LIMITS) {
    const wire = this.world.wire('ours');
    this.stack = new SipStack(this, this.counters, limits, 0xbeef, this.world.nowUs);
    this.stack.bind(wire, OURS, 5060);
    this.world.add(this.stack, wire);
    this.run(0.001);
  }

  /** Something that the core does on its own. */
  act<T>(what: () => T): T {
    const result = what();
    this.world.wake(this.stack);
    return result;
  }
  run(seconds: number): void {
    this.world.runUntil(this.world.nowUs + Math.round(seconds * SECOND));
  }

  /** Sends a request of our own to the peer; the transaction, or -1. */
  request(method: 'INVITE' | 'BYE' | 'OPTIONS', user = 1, extra: readonly string[] = []): number {
    return this.act(() => {
      const { client, port } = this.stack;
      const tx = client.open(user, METHOD[method]);
      if (tx < 0) return -1;
      const branch = new Uint8Array(64);
      const length = client.writeBranch(tx, branch, 0);
      const lines = [
        `${method} sip:bob@${ipToString(PEER)} SIP/2.0`,
        `Via: SIP/2.0/UDP ${ipToString(OURS)}:5060;rport;branch=${Buffer.from(branch.subarray(0, length)).toString()}`,
        'Via: SIP/2.0/UDP further.example;branch=z9hG4bKfurther',
        'Max-Forwards: 70',
        'From: "Alice" <sip:alice@atlanta.example>;tag=a1',
        'To: <sip:bob@biloxi.example>',
        `Call-ID: call-${tx}`,
        `CSeq: 7 ${method}`,
        ...extra,
        'Content-Length: 4',
      ];
      const at = port.slot();
      const bytes = ascii(`${lines.join('\r\n')}\r\n\r\nbody`);
      port.tx.set(bytes, at);
      if (client.send(tx, at, bytes.length, PEER, 5060, this.world.nowUs)) return tx;
      client.drop(tx);
      return -1;
    });
  }

  /** Has the peer send a request that arrives at a whole millisecond, the resolution of timers. */
  ask(lines: readonly string[], body = ''): void {
    this.world.runUntil(Math.ceil((this.world.nowUs + 100) / 1000) * 1000 - 100);
    this.peer.say(`${lines.join('\r\n')}\r\n\r\n${body}`, OURS, 5060);
    this.run(0.0011);
  }
  /** A response of the core, from text. */
  respond(tx: number, status: number, text: string): void {
    const { port, server } = this.stack;
    const at = port.slot();
    port.tx.set(ascii(text), at);
    server.send(tx, status, at, text.length, this.world.nowUs);
    this.world.wake(this.stack);
  }

  get(name: keyof typeof COUNTER_INDEX): number {
    return this.counters.get(name);
  }

  #note(text: string): void {
    this.log.push(text);
    this.logUs.push(this.world.nowUs);
  }
  onRequest(msg: SipMessage, tx: number, srcIp: number, srcPort: number, nowUs: number): void {
    this.#note(`request ${msg.text(msg.methodOff, msg.methodLen)} ${msg.cseq}`);
    this.onNewRequest(msg, tx, srcIp, srcPort, nowUs);
  }
  onAck(msg: SipMessage): void {
    this.#note(`ack ${msg.cseq}`);
  }
  onCancel(user: number, tx: number): void {
    this.#note(`cancel ${user}`);
    this.onCancelled(tx);
  }
  onResponse(user: number, _tx: number, msg: SipMessage): void {
    this.#note(`response ${user} ${msg.status}`);
  }
  onStrayResponse(msg: SipMessage): void {
    this.#note(`stray ${msg.status}`);
  }
  onTimeout(user: number, _tx: number, method: number): void {
    this.#note(`timeout ${user} ${Object.keys(METHOD)[method]}`);
  }
  onTransportError(user: number, _tx: number, method: number, why: string): void {
    this.#note(`${why} ${user} ${Object.keys(METHOD)[method]}`);
  }
  onRetransmit(user: number, method: number): void {
    this.#note(`again ${user} ${Object.keys(METHOD)[method]}`);
  }
  onNoAck(user: number, _tx: number, accepted: boolean): void {
    this.#note(`no-ack ${user} ${accepted ? '2xx' : 'error'}`);
  }
  onRepeat(user: number, status: number): void {
    this.#note(`repeat ${user} ${status}`);
  }
  onRequestAgain(user: number): void {
    this.#note(`request again ${user}`);
  }
}
