import { WRAP_BYTES } from '../../../agents/wire/gateway.js';
import type { Actor, Wire } from '../../../agents/wire/types.js';
import type { EmbeddedConfig, FaultPlan } from '../../plan/types.js';
import { subSeed } from '../../prng.js';
import { type Addresses, isPrivate, partAddresses } from './addresses.js';
import { CdrBrake, type CdrStore } from './cdr.js';
import { CpuQuota } from './cpu-quota.js';
import { Edge } from './edge.js';
import type { FaultBoard } from './fault-board.js';
import { FaultTimeline } from './faults.js';
import { Home, type HomeOptions } from './home.js';
import { accessLoss, Links } from './links.js';
import { Nat } from './nat.js';
import { NodeHost } from './node-host.js';
import { homeMetrics, openRegistrar, type RegistrarParts, registrarMetrics } from './platform-registrar.js';
import { MediaRelay } from './relay.js';
import { TenantCaps } from './tenant-caps.js';
import { Pacer } from './threads.js';
import { Trunk } from './trunk.js';

export interface PlatformOptions {
  config: EmbeddedConfig;
  addresses: Addresses;
  /** What phones reach edge and registrar over, where it is no UDP. */
  streams?: Wire | null;
  cdr: CdrStore;
  seed: number;
  maxCalls: number;
  t0Us: number;
  /** With a registrar in the configuration. */
  registrar?: RegistrarParts | null;
  /** What is done to it, and where it says what became of that. */
  faults?: { plans: readonly FaultPlan[]; board: FaultBoard };
}

/** One number that the platform tells of itself; see TELEMETRY in collect/schema. */
export interface Metric {
  source: string;
  instance: string;
  metric: string;
  read: () => number;
}

const PORT_MIN = 4096;
const PORT_MAX = 65_535;

/**
 *   phones -- NAT router -- edge -- PBX nodes -- trunks -- called parties
 *                 \________ media relay ________/
 *                              nodes -- CDR database
 * Real SIP and RTP over whatever wire it is given. What goes wrong comes from the limits in its configuration.
 */
export class EmbeddedPlatform implements Actor {
  readonly metrics: Metric[] = [];
  readonly #actors: Actor[] = [];

  constructor(wire: Wire, options: PlatformOptions) {
    const { config, addresses: at, cdr, seed } = options;
    const plans = options.faults?.plans ?? [];
    const links = new Links(wire, plans, { node: at.nodes.length, trunk: at.trunks.length });
    const lossy = config.nat.enabled && config.nat.linkLoss > 0;
    const lan = links.wire('nat-1', WRAP_BYTES, lossy);
    if (lossy) accessLoss(links, config.nat.linkLoss, seed);
    const nat = config.nat.enabled
      ? new Nat({
          wire,
          lan,
          gatewayIp: at.gateway.ip,
          gatewayPort: at.gateway.port,
          publicIp: at.natPublic,
          portMin: PORT_MIN,
          portMax: PORT_MAX,
          config: config.nat,
        })
      : null;
    const relay = new MediaRelay({
      wire: links.wire('relay-1'),
      ip: at.relay,
      portMin: PORT_MIN,
      ports: config.relay.ports,
      quota: new CpuQuota(config.relay.packetsPerS ?? 0),
      isRoutable: (ip) => nat === null || !isPrivate(ip),
    });
    const pacer = new Pacer(config.pacingCps);
    const caps = new TenantCaps(config.tenantCap ?? 0);
    const brake = new CdrBrake(cdr, config.cdr.queueLimit, config.cdr.onFull === 'stop');
    const nodes = at.nodes.map(
      (where, i) =>
        new NodeHost(
          links.wire(`node-${i + 1}`),
          {
            ...config.node,
            ...where,
            number: i + 1,
            maxCalls: options.maxCalls,
            trunks: at.trunks,
            relay,
            onExhausted: config.relay.onExhausted,
            cdr,
            cdrInline: config.cdr.mode === 'inline',
            pacer,
            caps,
            isDeaf: () => brake.isOn,
            salt: subSeed(seed, `node-${i}`) & 0xffff,
            t0Us: options.t0Us,
          },
          links.get(`node-${i + 1}`),
        ),
    );
    const edge = new Edge(
      links.wire('edge-1'),
      { ...at.edge, nodes: at.nodes, ...config.edge },
      options.streams ?? null,
    );
    const registrar =
      config.registrar !== undefined && options.registrar
        ? openRegistrar(
            options.streams ?? links.wire('registrar-1'),
            config.registrar,
            at.registrar,
            options.registrar,
            subSeed(seed, 'registrar'),
          )
        : null;
    // Calls for phones that register go home instead: where a trunk would be, to the contact that the phone gave.
    const aorOf = options.registrar?.aorOf;
    const isHome = registrar !== null && aorOf !== undefined;
    const lookup: HomeOptions['lookup'] = (aor, nowUs) => registrar?.lookup(aor, nowUs) ?? [];
    const homes = isHome
      ? at.trunks.map((where, i) => new Home(wire, { ...where, aorOf, lookup }, subSeed(seed, `home-${i}`) & 0xffff))
      : [];
    const trunks = (isHome ? [] : at.trunks).map(
      (where, i) =>
        new Trunk(
          links.wire(`trunk-${i + 1}`),
          { ...config.trunks[i]!, ...where, calleeIp: at.callees.ip, calleePort: at.callees.port },
          subSeed(seed, `trunk-${i}`) & 0xffff,
        ),
    );
    if (options.faults !== undefined) {
      const parts = { nat, relay, nodes, trunks, registrar, links: links.all, addressesOf: partAddresses(at) };
      this.#actors.push(new FaultTimeline(plans, parts, seed, options.t0Us, options.faults.board));
    }
    // What they let out now is dealt with in this very turn.
    this.#actors.push(...links.all.values());
    if (nat !== null) this.#actors.push(nat);
    this.#actors.push(relay, ...nodes, ...trunks, ...homes, { tick: (nowUs) => pacer.tick(nowUs) });
    // Last: the others may have written rows in this very turn.
    this.#actors.push({ tick: (nowUs) => cdr.tick(nowUs) });

    const add = (source: string, instance: string, metric: string, read: () => number): void => {
      this.metrics.push({ source, instance, metric, read });
    };
    if (nat !== null) {
      add('nat', 'nat-1', 'sessions', () => nat.metrics.sessions);
      add('nat', 'nat-1', 'sessions_max', () => nat.metrics.sessionsMax);
      add('nat', 'nat-1', 'refused_total', () => nat.metrics.refusedTotal);
      add('nat', 'nat-1', 'expired_total', () => nat.metrics.expiredTotal);
      add('nat', 'nat-1', 'no_session_total', () => nat.metrics.noSessionTotal);
      add('nat', 'nat-1', 'idle_timeout_ms', () => nat.idleTimeoutMs);
      add('nat', 'nat-1', 'ports_used', () => nat.metrics.portsUsed);
      add('nat', 'nat-1', 'ports_max', () => nat.metrics.portsMax);
      add('nat', 'nat-1', 'no_port_total', () => nat.metrics.noPortTotal);
    }
    add('edge', 'edge-1', 'requests_total', () => edge.requestsTotal);
    add('edge', 'edge-1', 'no_node_total', () => edge.noNodeTotal);
    add('edge', 'edge-1', 'stray_in_dialog_total', () => edge.strayInDialogTotal + sum(nodes, (n) => n.strayTotal));
    add('edge', 'edge-1', 'capped_total', () => caps.cappedTotal);
    nodes.forEach((host, i) => {
      const name = `node-${i + 1}`;
      // Whoever asks a process that does not run gets no answer.
      const ask = (metric: string, read: () => number): void =>
        add('node', name, metric, () => (host.isUp ? read() : Number.NaN));
      add('node', name, 'up', () => (host.isUp ? 1 : 0));
      ask('calls', () => host.node.calls);
      ask('threads_busy', () => host.node.threads.taken);
      ask('threads_max', () => host.node.threads.threads);
      ask('inbox_depth', () => host.node.threads.depth);
      ask('inbox_dropped_total', () => host.inboxDroppedTotal);
      ask('rtp_timeout_total', () => host.rtpTimeoutTotal);
      ask('reloading', () => (host.isReloading ? 1 : 0));
      ask('reloads_total', () => host.reloadsTotal);
      ask('starts_total', () => host.startsTotal);
    });
    add('relay', 'relay-1', 'ports_used', () => relay.metrics.portsUsed);
    add('relay', 'relay-1', 'ports_max', () => relay.metrics.portsMax);
    add('relay', 'relay-1', 'alloc_failed_total', () => relay.metrics.allocFailedTotal);
    add('cpu', 'relay-1', 'throttled_ms_total', () => relay.throttledMs);
    add('cpu', 'relay-1', 'backlog', () => relay.backlog);
    add('cpu', 'relay-1', 'dropped_total', () => relay.metrics.overflowTotal);
    add('relay', 'relay-1', 'unanchored_total', () => sum(nodes, (n) => n.unanchoredTotal));
    at.trunks.forEach((_, i) => {
      const name = `trunk-${i + 1}`;
      add('trunk', name, 'calls', () => sum(nodes, (n) => n.node.views[i]!.calls));
      add('trunk', name, 'attempts_total', () => sum(nodes, (n) => n.attemptsTotal(i)));
      add('trunk', name, 'rejected_total', () => sum(nodes, (n) => n.rejectedTotal(i)));
    });
    add('trunk', 'pacer', 'queue_depth', () => pacer.depth);
    add('cdr', 'cdr-1', 'pending', () => cdr.metrics.pending);
    add('cdr', 'cdr-1', 'pending_max', () => config.cdr.queueLimit);
    add('cdr', 'cdr-1', 'committed_total', () => cdr.metrics.committedTotal);
    add('cdr', 'cdr-1', 'oldest_pending_ms', () => cdr.metrics.oldestPendingMs);
    add('cdr', 'cdr-1', 'commit_ms', () => cdr.metrics.commitMs);
    add('cdr', 'cdr-1', 'dropped_total', () => cdr.metrics.droppedTotal);
    if (registrar !== null && config.registrar !== undefined) {
      this.#actors.push(registrar);
      this.metrics.push(...registrarMetrics(registrar, config.registrar), ...homeMetrics(homes));
    }
  }

  tick(nowUs: number): number {
    let due = Number.POSITIVE_INFINITY;
    for (let i = 0; i < this.#actors.length; i++) {
      const next = this.#actors[i]!.tick(nowUs);
      if (next < due) due = next;
    }
    return due;
  }
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  let total = 0;
  for (const item of items) total += of(item);
  return total;
}
