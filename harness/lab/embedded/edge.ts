import { isReliable } from '../../../agents/sip/client.js';
import { isFramed } from '../../../agents/sip/local.js';
import { H, METHOD } from '../../../agents/sip/names.js';
import { PARSE, SipMessage } from '../../../agents/sip/parse.js';
import { uriOf } from '../../../agents/sip/scan.js';
import { ascii, readUint } from '../../../agents/sip/text.js';
import { UriView } from '../../../agents/sip/uri.js';
import { ipToString, type UdpPort, type Wire } from '../../../agents/wire/types.js';
import {
  aliasOf,
  callIdHash,
  type ForwardOptions,
  forwardRequest,
  forwardResponse,
  isInitial,
  readAlias,
} from './forward.js';

export interface EdgeOptions {
  ip: number;
  port: number;
  nodes: readonly { ip: number; port: number }[];
  dispatch: 'round-robin' | 'call-id-hash';
  inDialog?: 'route' | 'dispatch';
  drops?: 'nothing' | 'UPDATE' | 'ACK';
}

/**
 * Retransmissions of an INVITE must meet the node that got the first one, and so must a CANCEL, which may come after
 * minutes of ringing: timer C is more than 3 minutes (RFC 3261 16.6).
 */
const AFFINITY_US = 200_000_000;
const NODE_PARAM = ascii('n');

/**
 * The edge proxy: stateless but for round-robin's memory of where a call's first INVITE went. It keeps itself and the
 * node's number in the dialog's route set, so in-dialog requests find their node; and it reaches phones behind a NAT
 * at the address that their request came from (;alias= on the Contact).
 */
export class Edge {
  requestsTotal = 0;
  noNodeTotal = 0;
  strayInDialogTotal = 0;
  readonly #msg = new SipMessage();
  /** Towards the nodes, over UDP. */
  readonly #inside: UdpPort;
  /** Towards the phones: the same, or the port of a stream transport beside it. */
  readonly #outside: UdpPort;
  readonly #recordRoutes: Uint8Array[];
  readonly #uri = new UriView();
  readonly #range = new Int32Array(2);
  readonly #alias = new Float64Array(2);
  readonly #affinity = new Map<string, { node: number; atUs: number }>();
  #turn = 0;
  readonly #drops: number;

  constructor(
    wire: Wire,
    private readonly o: EdgeOptions,
    streams: Wire | null = null,
  ) {
    this.#drops = o.drops === 'UPDATE' ? METHOD.UPDATE : o.drops === 'ACK' ? METHOD.ACK : -1;
    this.#inside = wire.bind(o.ip, o.port, (bytes, off, len, srcIp, srcPort, nowUs) =>
      this.#receive(this.#inside, bytes, off, len, srcIp, srcPort, nowUs),
    );
    this.#outside =
      streams === null
        ? this.#inside
        : streams.bind(o.ip, o.port, (bytes, off, len, srcIp, srcPort, nowUs) =>
            this.#receive(this.#outside, bytes, off, len, srcIp, srcPort, nowUs),
          );
    this.#recordRoutes = o.nodes.map((_, n) =>
      ascii(`Record-Route: <sip:${ipToString(o.ip)}:${o.port};lr;n=${n}>\r\n`),
    );
  }

  #receive(
    at: UdpPort,
    bytes: Uint8Array,
    off: number,
    len: number,
    srcIp: number,
    srcPort: number,
    nowUs: number,
  ): void {
    const msg = this.#msg;
    if (msg.parse(bytes, off, len, isFramed(at)) !== PARSE.OK) return;
    if (!msg.isRequest) {
      // What answers a request that went in came from outside, and the other way round.
      forwardResponse(msg, at === this.#inside ? this.#outside : this.#inside);
      return;
    }
    this.requestsTotal++;
    if (this.#drops >= 0 && msg.method === this.#drops) return;
    const fromNode = at === this.#inside && this.o.nodes.some((n) => n.ip === srcIp && n.port === srcPort);
    const forward: ForwardOptions = {
      srcIp,
      srcPort,
      dstIp: 0,
      dstPort: 0,
      recordRoute: null,
      dropTopRoute: false,
      forceRport: isReliable(at),
      aliasContact: !fromNode,
      stripAlias: fromNode,
    };
    const routed = this.#ownRoute();
    if (fromNode) {
      forward.dropTopRoute = routed >= 0;
      if (!this.#towardsPhone(forward)) {
        this.strayInDialogTotal++;
        return;
      }
    } else {
      forward.dropTopRoute = routed >= 0;
      const astray = this.o.inDialog === 'dispatch' && !isInitial(msg);
      const node = routed < 0 || astray ? this.#choose(nowUs, astray) : routed;
      const target = this.o.nodes[node];
      if (target === undefined) {
        this.noNodeTotal++;
        return;
      }
      forward.dstIp = target.ip;
      forward.dstPort = target.port;
      if (isInitial(msg)) forward.recordRoute = this.#recordRoutes[node]!;
    }
    forwardRequest(msg, fromNode ? this.#outside : this.#inside, forward);
  }

  /** The node's number in a top Route that is ours; -1 when the request has none. */
  #ownRoute(): number {
    const msg = this.#msg;
    const i = msg.find(H.ROUTE);
    if (i < 0 || !uriOf(msg.bytes, msg.valueOff[i]!, msg.valueLen[i]!, this.#range)) return -1;
    if (!this.#uri.parse(msg.bytes, this.#range[0]!, this.#range[1]!)) return -1;
    if (this.#uri.ip !== this.o.ip || this.#uri.port !== this.o.port) return -1;
    const at = this.#uri.param(NODE_PARAM);
    return at < 0 ? -1 : readUint(msg.bytes, at, at + this.#uri.valueLen);
  }

  #towardsPhone(forward: ForwardOptions): boolean {
    const msg = this.#msg;
    const alias = aliasOf(msg.bytes, msg.uriOff, msg.uriLen);
    if (alias >= 0 && readAlias(msg.bytes, alias, this.#alias)) {
      forward.dstIp = this.#alias[0]!;
      forward.dstPort = this.#alias[1]!;
      return true;
    }
    if (!this.#uri.parse(msg.bytes, msg.uriOff, msg.uriLen) || this.#uri.ip < 0) return false;
    forward.dstIp = this.#uri.ip;
    forward.dstPort = this.#uri.port;
    return true;
  }

  /** `anew`: whatever node the call is on. */
  #choose(nowUs: number, anew: boolean): number {
    const { nodes, dispatch } = this.o;
    if (nodes.length === 0) return -1;
    if (dispatch === 'call-id-hash') return callIdHash(this.#msg) % nodes.length;
    if (anew) return this.#next();
    const callId = this.#msg.text(this.#msg.callIdOff, this.#msg.callIdLen);
    const known = this.#affinity.get(callId);
    if (known !== undefined) return known.node;
    for (const [key, entry] of this.#affinity) {
      if (nowUs - entry.atUs < AFFINITY_US) break; // in order of insertion
      this.#affinity.delete(key);
    }
    const node = this.#next();
    this.#affinity.set(callId, { node, atUs: nowUs });
    return node;
  }

  #next(): number {
    const node = this.#turn;
    this.#turn = (this.#turn + 1) % this.o.nodes.length;
    return node;
  }
}
