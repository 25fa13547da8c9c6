import { AMI_PORT, AsteriskReader } from '../collect/asterisk.js';
import { AsteriskCore, type NodeReadings } from '../collect/asterisk-core.js';
import { engineReadings, GroupReader } from '../collect/cgroup.js';
import { readEdge } from '../collect/kamailio.js';
import { readNamespace } from '../collect/namespace.js';
import { type DatabaseAddress, PostgresReader, SqlPulse } from '../collect/postgres.js';
import { OptionsPulse } from '../collect/pulse.js';
import { RedisReader } from '../collect/redis.js';
import { routerReadings } from '../collect/router.js';
import { type Readings, readRelay } from '../collect/rtpengine.js';
import { EDGE_STATISTICS, readStatistics, TRUNK_STATISTICS } from '../collect/script-statistics.js';
import type { StartedStack } from '../lab/docker/started.js';
import type { Role, ServiceSpec } from '../lab/docker/types.js';
import { machineSources, type Source } from './telemetry.js';

const RELAY_METRICS_PORT = 2225;
const SIP_PORT = 5060;
const REDIS_PORT = 6379;
/** docker/stacks/asterisk/manager.conf: one may read what channels counted and nothing else, the other looks at queues. */
const AMI_COUNTS = 'deadair-rtp';
const AMI_CORE = 'deadair';
/** The stream of call records and its reader (docker/cdr-writer). */
const STREAM = 'cdr';
const READERS = 'writer';
const DATABASE = { port: 5432, user: 'pbx', password: 'pbx', database: 'pbx' };

const nothing = (): void => undefined;

interface Part {
  service: ServiceSpec;
  /** Its addresses; host and containers are one machine, so they are in reach though the networks are internal. */
  hosts: string[];
  /** A process of its, seen from here; 0: not on this machine. */
  pid: number;
}

/** What the parts of a stack can be asked, each found by its role. A part that is not there has no source, and is said to be missing. */
export async function labSources(stack: StartedStack, tag: string, nowMs: () => number): Promise<Source[]> {
  const parts: Part[] = await Promise.all(
    stack.spec.services.map(async (service) => ({
      service,
      hosts: [...(await stack.addresses(service)).values()],
      pid: await stack.pid(service),
    })),
  );
  const withRole = (role: Role): Part[] => parts.filter((p) => p.service.labels['deadair.role'] === role);
  return [
    ...machineSources().filter((s) => s.source === 'host'),
    ...parts.flatMap((part) => machineOf(stack, part)),
    ...withRole('relay').map(relaySource),
    ...withRole('node').flatMap(nodeSources),
    ...withRole('nat').map((part) => natSource(stack, part)),
    ...withRole('edge').flatMap((part) => edgeSources(part, tag, nowMs)),
    ...withRole('trunk').flatMap(trunkSource),
    ...withRole('database').flatMap((part) => databaseSources(part, withRole('proxy')[0], nowMs)),
    ...withRole('queue').flatMap((part) => queueSource(part, nowMs)),
  ];
}

/** Where a stack's database is, for whoever reads its records; null: it has none. */
export async function databaseOf(stack: StartedStack): Promise<DatabaseAddress | null> {
  const service = stack.withRole('database')[0];
  const host = service === undefined ? undefined : [...(await stack.addresses(service)).values()][0];
  return host === undefined ? null : { ...DATABASE, host };
}

/** Processor and network of a container. Agents are ours: their processor time is told apart from the platform's. */
function machineOf(stack: StartedStack, { service, pid }: Part): Source[] {
  const source = service.labels['deadair.role'] === 'agent' ? 'own' : 'cpu';
  const group = new GroupReader(pid);
  const read = async (): Promise<Readings | null> => group.read() ?? engineReadings(await stack.stats(service));
  return [
    { source, instance: service.name, read, close: nothing },
    { source: 'net', instance: service.name, read: () => readNamespace(pid), close: nothing },
  ];
}

function relaySource({ service, hosts }: Part): Source {
  const read = async (): Promise<Readings | null> => {
    for (const host of hosts) {
      const readings = await readRelay(host, RELAY_METRICS_PORT);
      if (readings !== null) return readings;
    }
    return null;
  };
  return { source: 'relay', instance: service.name, read, close: nothing };
}

function nodeSources({ service, hosts: [host] }: Part): Source[] {
  if (host === undefined) return [];
  const counts = new AsteriskReader(host, AMI_PORT, AMI_COUNTS, AMI_COUNTS);
  const core = new AsteriskCore(host, AMI_PORT, AMI_CORE, AMI_CORE);
  let inside: NodeReadings | null = null;
  const read = (): Readings | null => {
    const counted = counts.read();
    inside = core.read();
    return counted === null && inside === null ? null : { ...counted, ...inside?.node };
  };
  const close = (): void => {
    counts.close();
    core.close();
  };
  const queue = (): Readings | null => (inside?.cdr.pending === undefined ? null : inside.cdr);
  return [
    { source: 'node', instance: service.name, read, close },
    { source: 'cdr', instance: service.name, read: queue, close: nothing },
  ];
}

/** The router's own rules, and what came from outside to no mapping: that ends at the router itself, on a port where nobody listens. */
function natSource(stack: StartedStack, { service, pid }: Part): Source {
  const read = async (): Promise<Readings | null> => {
    const told = routerReadings(await stack.output(service, ['nat-status']));
    const away = readNamespace(pid)?.udp_no_port_total;
    return told === null ? null : { ...told, ...(away === undefined ? {} : { no_session_total: away }) };
  };
  return { source: 'nat', instance: service.name, read, close: nothing };
}

function edgeSources({ service, hosts: [host, ...others] }: Part, tag: string, nowMs: () => number): Source[] {
  if (host === undefined) return [];
  // JSON-RPC listens on the inner network.
  const inner = others.at(-1) ?? host;
  const read = async (): Promise<Readings | null> => {
    const [told, counted] = await Promise.all([readEdge(inner, SIP_PORT), readStatistics(inner, EDGE_STATISTICS)]);
    return told === null && counted === null ? null : { ...counted, ...told };
  };
  const pulse = new OptionsPulse(host, SIP_PORT, tag, nowMs);
  return [
    { source: 'edge', instance: service.name, read, close: nothing },
    { source: 'pulse', instance: service.name, read: () => pulse.read(), close: () => pulse.close() },
  ];
}

function trunkSource({ service, hosts: [host] }: Part): Source[] {
  if (host === undefined) return [];
  const read = async (): Promise<Readings | null> => {
    const told = await readStatistics(host, TRUNK_STATISTICS);
    if (told === null) return null;
    return { ...told, rejected_total: (told.refused_cps_total ?? 0) + (told.refused_channels_total ?? 0) };
  };
  return [{ source: 'trunk', instance: service.name, read, close: nothing }];
}

function databaseSources({ service, hosts: [host] }: Part, proxy: Part | undefined, nowMs: () => number): Source[] {
  if (host === undefined) return [];
  const reader = new PostgresReader({ ...DATABASE, host });
  const pulse = new SqlPulse({ ...DATABASE, host: proxy?.hosts[0] ?? host }, nowMs);
  return [
    { source: 'db', instance: service.name, read: () => reader.read(), close: () => reader.close() },
    { source: 'pulse', instance: service.name, read: () => pulse.read(), close: () => pulse.close() },
  ];
}

function queueSource({ service, hosts: [host] }: Part, nowMs: () => number): Source[] {
  if (host === undefined) return [];
  const redis = new RedisReader(host, REDIS_PORT, STREAM, READERS, nowMs);
  return [{ source: 'queue', instance: service.name, read: () => redis.read(), close: () => redis.close() }];
}
