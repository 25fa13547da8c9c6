/** A stack as data: what a Compose file says, resolved and checked, before the engine is asked for anything. */

export type Condition = 'service_started' | 'service_healthy' | 'service_completed_successfully';

/** The part that a service plays; the run and the collectors find it by this, never by its name. */
export const ROLES = [
  'edge',
  'node',
  'relay',
  'database',
  'queue',
  'nat',
  'trunk',
  'agent',
  'cdr-writer',
  'proxy',
] as const;
export type Role = (typeof ROLES)[number];

export interface MountSpec {
  kind: 'bind' | 'volume';
  /** Absolute path on the host, or name of a volume. */
  source: string;
  target: string;
  readOnly: boolean;
}

export interface HealthcheckSpec {
  /** As the engine takes it: ['CMD', ...], ['CMD-SHELL', line] or ['NONE']. */
  test: string[];
  /** Nanoseconds; 0 = the engine's default. */
  intervalNs: number;
  timeoutNs: number;
  startPeriodNs: number;
  retries: number;
}

export interface ServiceSpec {
  name: string;
  /** `file:line` of the service, for errors. */
  at: string;
  image: string;
  build: { context: string; dockerfile: string | null; args: Record<string, string>; target: string | null } | null;
  networks: Record<string, { ipv4: string | null; aliases: string[] }>;
  /** Shares the network of this service instead. */
  networkOf: string | null;
  environment: Record<string, string>;
  command: string[] | null;
  entrypoint: string[] | null;
  mounts: MountSpec[];
  /** Target -> options as mount(8) has them: 'mode=0700,uid=100'. */
  tmpfs: Record<string, string>;
  capAdd: string[];
  capDrop: string[];
  sysctls: Record<string, string>;
  ulimits: { name: string; soft: number; hard: number }[];
  healthcheck: HealthcheckSpec | null;
  dependsOn: Record<string, Condition>;
  labels: Record<string, string>;
  user: string | null;
  workingDir: string | null;
  hostname: string | null;
  init: boolean;
  readOnly: boolean;
  stopSignal: string | null;
  stopGraceS: number | null;
  cpus: number | null;
  memBytes: number | null;
  shmBytes: number | null;
  extraHosts: string[];
}

export interface NetworkSpec {
  driver: string;
  /** null: one of ours that is free. */
  subnet: string | null;
  gateway: string | null;
  options: Record<string, string>;
}

export interface StackSpec {
  name: string;
  file: string;
  services: ServiceSpec[];
  networks: Record<string, NetworkSpec>;
  volumes: string[];
  /** Variables that the file asks for: `${NAT_MAX_SESSIONS:-4096}`. */
  variables: string[];
  /** What was understood and set aside, one line each. */
  notes: string[];
}

export function roleOf(service: ServiceSpec): Role | null {
  const role = service.labels['deadair.role'] as Role | undefined;
  return role ?? null;
}
