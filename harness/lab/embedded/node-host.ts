import type { Actor, Wire } from '../../../agents/wire/types.js';
import type { Link } from './link.js';
import { PbxNode } from './node.js';
import type { NodeOptions } from './node-options.js';
import { datagramsOf } from './registrar.js';

/** Linux's receive buffer (net.core.rmem_default): what comes for a process that does not run lies there. */
const SOCKET_ROOM = datagramsOf(212_992);

/** What a node counted before it was started anew. */
interface Past {
  rtpTimeoutTotal: number;
  unanchoredTotal: number;
  strayTotal: number;
  inboxDroppedTotal: number;
  attemptsTotal: number[];
  rejectedTotal: number[];
}

/** The machine that a PBX node runs on: the node's process can be stopped, killed and started there. */
export class NodeHost implements Actor {
  node: PbxNode;
  reloadsTotal = 0;
  startsTotal = 1;
  readonly #past: Past;
  #state: 'up' | 'paused' | 'killed' = 'up';
  /** Tenants that are still to be read, in a reload of the configuration. */
  #tenantsLeft = 0;
  #tenantUs = 0;
  #nextTenantUs = Number.POSITIVE_INFINITY;

  constructor(
    private readonly wire: Wire,
    private readonly options: NodeOptions,
    /** Where something can be done to it. */
    readonly link: Link | null,
  ) {
    const none = options.trunks.map(() => 0);
    this.#past = {
      ...{ rtpTimeoutTotal: 0, unanchoredTotal: 0, strayTotal: 0, inboxDroppedTotal: 0 },
      ...{ attemptsTotal: none, rejectedTotal: [...none] },
    };
    this.node = new PbxNode(wire, options);
  }

  get isUp(): boolean {
    return this.#state === 'up';
  }
  /** Its configuration is being read. */
  get isReloading(): boolean {
    return this.#tenantsLeft > 0;
  }
  get rtpTimeoutTotal(): number {
    return this.#past.rtpTimeoutTotal + this.node.rtpTimeoutTotal;
  }
  get unanchoredTotal(): number {
    return this.#past.unanchoredTotal + this.node.unanchoredTotal;
  }
  get strayTotal(): number {
    return this.#past.strayTotal + this.node.strayTotal;
  }
  get inboxDroppedTotal(): number {
    return this.#past.inboxDroppedTotal + this.node.threads.droppedTotal;
  }
  attemptsTotal(trunk: number): number {
    return this.#past.attemptsTotal[trunk]! + this.node.views[trunk]!.attemptsTotal;
  }
  rejectedTotal(trunk: number): number {
    return this.#past.rejectedTotal[trunk]! + this.node.views[trunk]!.rejectedTotal;
  }

  /** SIGSTOP: what comes waits in the socket's buffer, and no timer runs. */
  pause(): void {
    this.#state = 'paused';
    this.link!.in.freeze(SOCKET_ROOM);
  }

  /** SIGCONT: it reads all that waited. */
  resume(nowUs: number): void {
    this.#state = 'up';
    this.link!.in.thaw(nowUs);
  }

  /** SIGKILL: its calls are forgotten, and whatever is sent to it goes nowhere. */
  kill(): void {
    this.#state = 'killed';
    this.#tenantsLeft = 0;
    this.link!.in.clear();
    this.link!.in.freeze(0);
  }

  /** A new process in its place, which knows of no call. The old one's calls lose their media ports now. */
  start(nowUs: number): void {
    const past = this.#past;
    const { node } = this;
    this.startsTotal++;
    past.rtpTimeoutTotal += node.rtpTimeoutTotal;
    past.unanchoredTotal += node.unanchoredTotal;
    past.strayTotal += node.strayTotal;
    past.inboxDroppedTotal += node.threads.droppedTotal;
    node.views.forEach((view, i) => {
      past.attemptsTotal[i]! += view.attemptsTotal;
      past.rejectedTotal[i]! += view.rejectedTotal;
    });
    node.abandon();
    // Tags of its own: those of the old one's calls must not name calls of the new one (RFC 3261 19.3).
    const salt = (this.options.salt + this.startsTotal * 0x3d4d) & 0xffff;
    this.node = new PbxNode(this.wire, { ...this.options, salt, inboxLimit: node.threads.inboxLimit });
    this.#state = 'up';
    this.link!.in.thaw(nowUs);
  }

  /**
   * Reads its configuration anew, tenant by tenant. While one is read, all signalling threads wait for it; between two of
   * them each takes one datagram. So calls are slow rather than lost, unless more come than that lets through.
   */
  reload(tenants: number, tenantMs: number, nowUs: number): void {
    this.reloadsTotal++;
    this.#tenantsLeft = tenants;
    this.#tenantUs = tenantMs * 1000;
    this.#nextTenantUs = nowUs + this.#tenantUs;
    this.node.threads.block();
  }

  tick(nowUs: number): number {
    if (this.#state !== 'up') return Number.POSITIVE_INFINITY;
    const due = this.node.tick(nowUs);
    if (this.#tenantsLeft === 0) return due;
    this.#read(nowUs);
    return Math.min(this.node.tick(nowUs), this.#tenantsLeft > 0 ? this.#nextTenantUs : Number.POSITIVE_INFINITY);
  }

  #read(nowUs: number): void {
    while (this.#tenantsLeft > 0 && nowUs >= this.#nextTenantUs) {
      this.#tenantsLeft--;
      this.#nextTenantUs += this.#tenantUs;
      if (this.#tenantsLeft === 0) this.node.threads.unblock();
      else this.node.threads.serveOnce();
    }
  }
}
