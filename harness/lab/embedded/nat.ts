import { Copier } from '../../../agents/wire/copier.js';
import { isWrapped, putWrap, WRAP_BYTES, wrapIp, wrapPort } from '../../../agents/wire/gateway.js';
import type { Actor, MediaPorts, MediaSink, Sink, UdpPort, Wire } from '../../../agents/wire/types.js';
import type { NatConfig } from '../../plan/types.js';
import { type Prng, prng, subSeed } from '../../prng.js';
import { FlowTable } from '../../impair/flow-table.js';
import { SessionList } from './session-list.js';

export interface NatOptions {
  wire: Wire;
  /** Where subscribers send their wrapped datagrams. */
  gatewayIp: number;
  gatewayPort: number;
  /** The address that the platform sees, and its ports: two for each (subscriber address, port pair) in use. */
  publicIp: number;
  portMin: number;
  portMax: number;
  config: Pick<NatConfig, 'maxSessions' | 'idleTimeoutMs' | 'linkLoss'>;
  seed: number;
}

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
    /** No public port was left for a new mapping: our range is too small for the load, not the router's fault. */
    noPortTotal: 0,
    linkLostTotal: 0,
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
  readonly #idleUs: number;
  readonly #linkLoss: number;
  readonly #outChance: Prng;
  readonly #inChance: Prng;
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
    this.#linkLoss = config.linkLoss;
    this.#outChance = prng(subSeed(options.seed, 'nat link out'));
    this.#inChance = prng(subSeed(options.seed, 'nat link in'));
    this.#lan = wire.bind(options.gatewayIp, options.gatewayPort, this.#fromLan);
    this.#public = wire.openMedia(
      { ip: options.publicIp, portMin: options.portMin, portMax: options.portMax },
      this.#fromPublic,
    );
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
    if (this.#linkLoss > 0 && this.#outChance.next() < this.#linkLoss) {
      this.metrics.linkLostTotal++;
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
    this.#list.touch(session, nowUs);
    if (this.#linkLoss > 0 && this.#inChance.next() < this.#linkLoss) {
      this.metrics.linkLostTotal++;
      return;
    }
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
      const even = this.#public.openPair();
      if (even === 0) return -1;
      port = even + (lanPort & 1);
    }
    this.#lanIp[port] = lanIp;
    this.#lanPort[port] = lanPort;
    this.#mappings.add(lanIp, lanPort, port);
    return port;
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
      if (this.#uses[port ^ 1] === 0) this.#public.closePair(port & ~1);
    }
  }
}
