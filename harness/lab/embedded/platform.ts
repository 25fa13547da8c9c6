import type { Actor, Wire } from '../../../agents/wire/types.js';
import type { EmbeddedConfig } from '../../plan/types.js';
import { subSeed } from '../../prng.js';
import { type Addresses, isPrivate } from './addresses.js';
import { CdrBrake, type CdrStore } from './cdr.js';
import { CpuQuota } from './cpu-quota.js';
import { Edge } from './edge.js';
import { Home, type HomeOptions } from './home.js';
import { Nat } from './nat.js';
import { PbxNode } from './node.js';
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
    const nat = config.nat.enabled
      ? new Nat({
          wire,
          gatewayIp: at.gateway.ip,
          gatewayPort: at.gateway.port,
          publicIp: at.natPublic,
          portMin: PORT_MIN,
          portMax: PORT_MAX,
          config: config.nat,
          seed: subSeed(seed, 'nat'),
        })
      : null;
    const relay = new MediaRelay({
      wire,
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
        new PbxNode(wire, {
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
        }),
    );
    const edge = new Edge(wire, { ...at.edge, nodes: at.nodes, ...config.edge }, options.streams ?? null);
    const registrar =
      config.registrar !== undefined && options.registrar
        ? openRegistrar(
            options.streams ?? wire,
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
          wire,
          { ...config.trunks[i]!, ...where, calleeIp: at.callees.ip, calleePort: at.callees.port },
          subSeed(seed, `trunk-${i}`) & 0xffff,
        ),
    );
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
    }
    add('edge', 'edge-1', 'requests_total', () => edge.requestsTotal);
    add('edge', 'edge-1', 'no_node_total', () => edge.noNodeTotal);
    add('edge', 'edge-1', 'stray_in_dialog_total', () => edge.strayInDialogTotal + sum(nodes, (n) => n.strayTotal));
    add('edge', 'edge-1', 'capped_total', () => caps.cappedTotal);
    nodes.forEach((node, i) => {
      const name = `node-${i + 1}`;
      add('node', name, 'calls', () => node.calls);
      add('node', name, 'threads_busy', () => node.threads.busy);
      add('node', name, 'threads_max', () => node.threads.threads);
      add('node', name, 'inbox_depth', () => node.threads.depth);
      add('node', name, 'inbox_dropped_total', () => node.threads.droppedTotal);
      add('node', name, 'rtp_timeout_total', () => node.rtpTimeoutTotal);
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
      add('trunk', name, 'calls', () => sum(nodes, (n) => n.views[i]!.calls));
      add('trunk', name, 'attempts_total', () => sum(nodes, (n) => n.views[i]!.attemptsTotal));
      add('trunk', name, 'rejected_total', () => sum(nodes, (n) => n.views[i]!.rejectedTotal));
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
