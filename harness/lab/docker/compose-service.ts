import { isAbsolute, join, normalize } from 'node:path';
import type { ComposeService } from './compose-schema.js';
import type { HealthcheckSpec, MountSpec, ServiceSpec } from './types.js';

type Path = readonly PropertyKey[];

/** What one service needs to know of the file around it. */
export interface FileContext {
  /** Absolute; binds are relative to it. */
  folder: string;
  volumes: readonly string[];
  networks: readonly string[];
  refuse(path: Path, why: string): never;
  note(path: Path, what: string): void;
  at(path: Path): string;
}

/** One service of the file, resolved. Throws BAD_STACK through `context.refuse`. */
export function serviceOf(name: string, s: ComposeService, context: FileContext): ServiceSpec {
  const path: Path = ['services', name];
  if (s.image === undefined && s.build === undefined) context.refuse(path, `${name} has neither image nor build`);
  if (s.network_mode !== undefined && s.networks !== undefined) {
    context.refuse([...path, 'network_mode'], `${name} has both networks and network_mode; leave one out`);
  }
  for (const key of ['restart', 'container_name', 'pull_policy'] as const) {
    if (s[key] === undefined) continue;
    const why = key === 'restart' ? 'a part that dies in a test stays dead, so that it is seen' : 'the lab decides it';
    context.note([...path, key], `${key} is set aside: ${why}`);
  }
  const networkOf = s.network_mode === undefined ? null : s.network_mode.slice('service:'.length);
  return {
    name,
    at: context.at(path),
    image: s.image ?? `deadair/${name}`,
    build:
      s.build === undefined
        ? null
        : {
            context: join(context.folder, s.build.context),
            dockerfile: s.build.dockerfile ?? null,
            args: s.build.args ?? {},
            target: s.build.target ?? null,
          },
    networks: networkOf === null ? networksOf(name, s, context) : {},
    networkOf,
    environment: s.environment ?? {},
    command: s.command ?? null,
    entrypoint: s.entrypoint ?? null,
    mounts: (s.volumes ?? []).flatMap((volume, i) => mountOf(volume, [...path, 'volumes', i], context) ?? []),
    tmpfs: tmpfsOf(s),
    capAdd: s.cap_add ?? [],
    capDrop: s.cap_drop ?? [],
    sysctls: s.sysctls ?? {},
    ulimits: Object.entries(s.ulimits ?? {}).map(([limit, { soft, hard }]) => ({ name: limit, soft, hard })),
    healthcheck: s.healthcheck === undefined ? null : healthOf(s.healthcheck),
    dependsOn: Object.fromEntries(
      Object.entries(s.depends_on ?? {}).map(([other, { condition }]) => [other, condition]),
    ),
    labels: s.labels ?? {},
    user: s.user ?? null,
    workingDir: s.working_dir ?? null,
    hostname: s.hostname ?? null,
    init: s.init ?? false,
    readOnly: s.read_only ?? false,
    stopSignal: s.stop_signal ?? null,
    stopGraceS: s.stop_grace_period === undefined ? null : Math.ceil(s.stop_grace_period / 1e9),
    cpus: s.cpus ?? null,
    memBytes: s.mem_limit ?? null,
    shmBytes: s.shm_size ?? null,
    extraHosts: s.extra_hosts ?? [],
  };
}

function networksOf(name: string, s: ComposeService, context: FileContext): ServiceSpec['networks'] {
  // As Compose has it: a service that names no network is on `default`.
  const wanted = s.networks ?? { default: null };
  const out: ServiceSpec['networks'] = {};
  for (const [network, how] of Object.entries(wanted)) {
    if (network !== 'default' && !context.networks.includes(network)) {
      context.refuse(['services', name, 'networks', network], `network ${network} is not declared under networks`);
    }
    out[network] = { ipv4: how?.ipv4_address ?? null, aliases: how?.aliases ?? [] };
  }
  return out;
}

type Volume = NonNullable<ComposeService['volumes']>[number];

/** null: a tmpfs, which is no mount of something. */
function mountOf(volume: Volume, path: Path, context: FileContext): MountSpec | null {
  if (typeof volume !== 'string') {
    const { type, source = '', target, read_only: readOnly = false } = volume;
    return type === 'tmpfs' ? null : sourceOf(source, target, readOnly, path, context);
  }
  const [source, target, mode = 'rw', more] = volume.split(':');
  if (target === undefined || more !== undefined) {
    context.refuse(path, `${volume}: expected SOURCE:TARGET or SOURCE:TARGET:ro`);
  }
  return sourceOf(source!, target!, mode.split(',').includes('ro'), path, context);
}

/** Both ways to write one: `tmpfs: /run:mode=0700`, and a volume of that type. */
function tmpfsOf(s: ComposeService): Record<string, string> {
  const out: Record<string, string> = {};
  for (const line of s.tmpfs ?? []) {
    const at = line.indexOf(':');
    out[at < 0 ? line : line.slice(0, at)] = at < 0 ? '' : line.slice(at + 1);
  }
  for (const volume of s.volumes ?? []) {
    if (typeof volume === 'string' || volume.type !== 'tmpfs') continue;
    const { size, mode } = volume.tmpfs ?? {};
    const options = [size === undefined ? '' : `size=${size}`, mode === undefined ? '' : `mode=${mode.toString(8)}`];
    out[volume.target] = options.filter((option) => option !== '').join(',');
  }
  return out;
}

function sourceOf(source: string, target: string, readOnly: boolean, path: Path, context: FileContext): MountSpec {
  if (source.startsWith('.') || isAbsolute(source)) {
    if (/(^|\/)docker\.sock$/.test(source))
      context.refuse(path, "the engine's socket stays outside of the lab; remove it");
    return {
      kind: 'bind',
      source: isAbsolute(source) ? normalize(source) : join(context.folder, source),
      target,
      readOnly,
    };
  }
  if (!context.volumes.includes(source))
    context.refuse(path, `volume ${source} is not declared under volumes; a file begins with ./`);
  return { kind: 'volume', source, target, readOnly };
}

function healthOf(h: NonNullable<ComposeService['healthcheck']>): HealthcheckSpec {
  return {
    test: h.disable ? ['NONE'] : (h.test ?? []),
    intervalNs: h.interval ?? 0,
    timeoutNs: h.timeout ?? 0,
    startPeriodNs: h.start_period ?? 0,
    retries: h.retries ?? 0,
  };
}
