import { Copier } from '../../../agents/wire/copier.js';
import { isWrapped, putWrap, WRAP_BYTES, wrapIp, wrapPort } from '../../../agents/wire/gateway.js';
import type { Actor, MediaPorts, MediaSink, Sink, UdpPort, Wire } from '../../../agents/wire/types.js';
import { FlowTable } from '../../impair/flow-table.js';
import type { NatConfig } from '../../plan/types.js';
import { SessionList } from './session-list.js';

export interface NatOptions {
  wire: Wire;
  /** The access link, where there is one to speak of; else the subscribers are on `wire` too. */
  lan?: Wire;
  /** Where subscribers send their wrapped datagrams. */
  gatewayIp: number;
  gatewayPort: number;
  /** The address that the platform sees, and its ports: two for each (subscriber address, port pair) in use. */
  publicIp: number;
  portMin: number;
  portMax: number;
  config: Pick<NatConfig, 'maxSessions' | 'idleTimeoutMs'>;
}

/** Public pairs that stay open after their last session: what their peers still send is then seen to meet no session. */
const DEAD_MAX = 1024;

/** Sessions that one table can hold at most; nf_conntrack_max is 262,144 on a big machine. */
const SESSIONS_LIMIT = 1 << 20;

/**
 * The subscribers' router: a UDP session table with a limit and an idle timeout, as conntrack has it.
 *
 *   subscriber (lan ip, lan port) --wrapped--> [ mapping: one public port ] --> (dst ip, dst port)
 *                                              [ session: (public port, dst ip, dst port) ]
 *
 * Endpoint-independent mapping, address-and-port-dependent filtering (RFC 4787 4.1, 5); parity and contiguity of
 * port pairs are kept (RFC 4787 4.2.2, 4.2.3). A flow that finds the table full is dropped and counted; its owner is not
 * told, which is why calls look healthy to signalling and have no audio.
 */
export class Nat implements Actor {
  readonly metrics = {
    sessions: 0,
    sessionsMax: 0,
    refusedTotal: 0,
    expiredTotal: 0,
    noSessionTotal: 0,
    /** No public port was left for a new mapping. */
    noPortTotal: 0,
    portsUsed: 0,
    portsMax: 0,
    malformedTotal: 0,
  };
  readonly #lan: UdpPort;
  readonly #public: MediaPorts;
  readonly #list: SessionList;
  /** (public port << 16 | dst port, dst ip) -> session. Serves both directions. */
  readonly #sessions: FlowTable;
  /** (lan ip, lan port) -> public port. */
  readonly #mappings: FlowTable;
  readonly #lanIp = new Uint32Array(65_536);
  readonly #lanPort = new Uint16Array(65_536);
  /** Sessions of each public port; 0 = not mapped. */
  readonly #uses = new Int32Array(65_536);
  #idleUs: number;
  readonly #dead: number[] = [];
  readonly #outCopier = new Copier();
  readonly #inCopier = new Copier();

  constructor(options: NatOptions) {
    const { wire, config } = options;
    const limit = Math.min(config.maxSessions, SESSIONS_LIMIT);
    this.metrics.sessionsMax = limit;
    this.#list = new SessionList(limit);
    this.#sessions = new FlowTable(limit);
    this.#mappings = new FlowTable(65_536);
    this.#idleUs = config.idleTimeoutMs * 1000;
    this.metrics.portsMax = options.portMax - options.portMin + 1;
    this.#lan = (options.lan ?? wire).bind(options.gatewayIp, options.gatewayPort, this.#fromLan);
    this.#public = wire.openMedia(
      { ip: options.publicIp, portMin: options.portMin, portMax: options.portMax },
      this.#fromPublic,
    );
  }

  /** Flows that the table takes from now on; those that are in it stay. At most what it was made for. */
  setLimit(sessions: number): void {
    this.metrics.sessionsMax = Math.min(sessions, this.#sessions.limit);
  }
  get idleTimeoutMs(): number {
    return this.#idleUs / 1000;
  }
  set idleTimeoutMs(ms: number) {
    this.#idleUs = ms * 1000;
  }
  /** 1: a packet that comes in keeps its session alive, as those that go out do (RFC 4787 4.3); 0: it does not. */
  inboundRefresh = 1;

  /** Public ports that new mappings may take from now on; those in use stay. */
  setPorts(ports: number): void {
    this.metrics.portsMax = ports;
  }

  /** Removes idle sessions; the next to go idle is the next deadline. */
  tick(nowUs: number): number {
    this.#expire(nowUs);
    const oldest = this.#list.oldest;
    return oldest < 0 ? Number.POSITIVE_INFINITY : this.#list.lastUs[oldest]! + this.#idleUs;
  }

  close(): void {
    this.#lan.close();
    this.#public.close();
  }

  readonly #fromLan: Sink = (b, off, len, srcIp, srcPort, nowUs) => {
    if (!isWrapped(b, off, len)) {
      this.metrics.malformedTotal++;
      return;
    }
    this.#expire(nowUs);
    const dstIp = wrapIp(b, off);
    const dstPort = wrapPort(b, off);
    let port = this.#mappings.get(srcIp, srcPort);
    let session = port < 0 ? -1 : this.#sessions.get(((port << 16) | dstPort) >>> 0, dstIp);
    if (session >= 0) this.#list.touch(session, nowUs);
    else {
      if (this.#list.size >= this.metrics.sessionsMax) {
        this.metrics.refusedTotal++;
        return;
      }
      if (port < 0) port = this.#map(srcIp, srcPort);
      if (port < 0) {
        this.metrics.noPortTotal++;
        return;
      }
      session = this.#list.add(((port << 16) | dstPort) >>> 0, dstIp, nowUs);
      this.#sessions.add(((port << 16) | dstPort) >>> 0, dstIp, session);
      this.#uses[port]!++;
      this.metrics.sessions = this.#list.size;
    }
    const tx = this.#public.tx;
    const to = this.#public.slot();
    const bytes = len - WRAP_BYTES;
    this.#outCopier.copy(b, off + WRAP_BYTES, tx, to, bytes);
    this.#public.commit(bytes, port, dstIp, dstPort);
  };

  readonly #fromPublic: MediaSink = (b, off, len, localPort, srcIp, srcPort, nowUs) => {
    this.#expire(nowUs);
    const session = this.#sessions.get(((localPort << 16) | srcPort) >>> 0, srcIp);
    if (session < 0) {
      this.metrics.noSessionTotal++;
      return;
    }
    if (this.inboundRefresh === 1) this.#list.touch(session, nowUs);
    const tx = this.#lan.tx;
    const to = this.#lan.slot();
    putWrap(tx, to, srcIp, srcPort);
    this.#inCopier.copy(b, off, tx, to + WRAP_BYTES, len);
    this.#lan.commit(len + WRAP_BYTES, this.#lanIp[localPort]!, this.#lanPort[localPort]!);
  };

  /** A public port for (lan ip, lan port), beside the one of its RTP or RTCP sibling; -1 when none is left. */
  #map(lanIp: number, lanPort: number): number {
    const sibling = this.#mappings.get(lanIp, lanPort ^ 1);
    let port: number;
    if (sibling >= 0) port = sibling ^ 1;
    else {
      const even = this.metrics.portsUsed + 2 > this.metrics.portsMax ? 0 : this.#openPair();
      if (even === 0) return -1;
      this.metrics.portsUsed += 2;
      port = even + (lanPort & 1);
    }
    this.#lanIp[port] = lanIp;
    this.#lanPort[port] = lanPort;
    this.#mappings.add(lanIp, lanPort, port);
    return port;
  }

  /** The one that was given back longest ago, when there is no other; 0: none. */
  #openPair(): number {
    const even = this.#public.openPair();
    if (even !== 0 || this.#dead.length === 0) return even;
    this.#public.closePair(this.#dead.shift()!);
    return this.#public.openPair();
  }

  #expire(nowUs: number): void {
    const list = this.#list;
    const before = nowUs - this.#idleUs;
    for (let s = list.oldest; s >= 0 && list.lastUs[s]! <= before; s = list.oldest) {
      const port = list.keyA[s]! >>> 16;
      this.#sessions.delete(list.keyA[s]!, list.keyB[s]!);
      list.remove(s);
      this.metrics.expiredTotal++;
      this.metrics.sessions = list.size;
      if (--this.#uses[port]! > 0) continue;
      this.#mappings.delete(this.#lanIp[port]!, this.#lanPort[port]!);
      if (this.#uses[port ^ 1] !== 0) continue;
      this.metrics.portsUsed -= 2;
      this.#dead.push(port & ~1);
      if (this.#dead.length > DEAD_MAX) this.#public.closePair(this.#dead.shift()!);
    }
  }
}
