import { existsSync } from 'node:fs';
import type { ContainerCreateOptions } from 'dockerode';
import { HarnessError } from '../../errors.js';
import { networkName } from './networks.js';
import { type MountSpec, roleOf, type ServiceSpec, type StackSpec } from './types.js';

/** Of the engine's default of 1,024 for everybody else. */
const AGENT_CPU_SHARES = 16_384;

export function containerName(stack: string, service: string): string {
  return `deadair-${stack}-${service}`;
}

export function volumeName(stack: string, volume: string): string {
  return `deadair-${stack}-${volume}`;
}

/** What the engine is asked for. The other networks are joined before the start: the engine takes one at creation. */
export function createOptions(
  stack: StackSpec,
  service: ServiceSpec,
  labels: Record<string, string>,
  networkOfId: string | null,
): ContainerCreateOptions {
  const first = Object.keys(service.networks)[0];
  const { healthcheck: h } = service;
  return {
    name: containerName(stack.name, service.name),
    Image: service.image,
    Env: Object.entries(service.environment).map(([key, value]) => `${key}=${value}`),
    ...(service.command === null ? {} : { Cmd: service.command }),
    ...(service.entrypoint === null ? {} : { Entrypoint: service.entrypoint }),
    ...(service.user === null ? {} : { User: service.user }),
    ...(service.workingDir === null ? {} : { WorkingDir: service.workingDir }),
    ...(networkOfId === null ? { Hostname: service.hostname ?? service.name } : {}),
    ...(service.stopSignal === null ? {} : { StopSignal: service.stopSignal }),
    ...(service.stopGraceS === null ? {} : { StopTimeout: service.stopGraceS }),
    ...(h === null
      ? {}
      : {
          Healthcheck: {
            Test: h.test,
            Interval: h.intervalNs,
            Timeout: h.timeoutNs,
            StartPeriod: h.startPeriodNs,
            Retries: h.retries,
          },
        }),
    Labels: { ...service.labels, ...labels },
    HostConfig: {
      NetworkMode: networkOfId === null ? networkName(stack.name, first!) : `container:${networkOfId}`,
      Init: service.init,
      ReadonlyRootfs: service.readOnly,
      CapAdd: service.capAdd,
      CapDrop: service.capDrop,
      Sysctls: service.sysctls,
      Ulimits: service.ulimits.map(({ name, soft, hard }) => ({ Name: name, Soft: soft, Hard: hard })),
      // Calls that leave late say nothing of the platform: where both want the same core, the generator goes first.
      ...(roleOf(service) === 'agent' ? { CpuShares: AGENT_CPU_SHARES } : {}),
      ...(service.cpus === null ? {} : { NanoCpus: Math.round(service.cpus * 1e9) }),
      ...(service.memBytes === null ? {} : { Memory: service.memBytes }),
      ...(service.shmBytes === null ? {} : { ShmSize: service.shmBytes }),
      ExtraHosts: service.extraHosts,
      RestartPolicy: { Name: 'no' },
      Tmpfs: service.tmpfs,
      Mounts: service.mounts.map((mount) => mountOptions(stack, service, mount)),
    },
    ...(networkOfId === null
      ? {
          NetworkingConfig: {
            EndpointsConfig: { [networkName(stack.name, first!)]: endpoint(service, first!) },
          },
        }
      : {}),
  };
}

export function endpoint(
  service: ServiceSpec,
  network: string,
): { IPAMConfig?: { IPv4Address: string }; Aliases: string[] } {
  const { ipv4, aliases } = service.networks[network]!;
  return { ...(ipv4 === null ? {} : { IPAMConfig: { IPv4Address: ipv4 } }), Aliases: [service.name, ...aliases] };
}

type Mounts = NonNullable<NonNullable<ContainerCreateOptions['HostConfig']>['Mounts']>;

function mountOptions(stack: StackSpec, service: ServiceSpec, mount: MountSpec): Mounts[number] {
  const common = { Target: mount.target, ReadOnly: mount.readOnly };
  if (mount.kind === 'volume') return { ...common, Type: 'volume', Source: volumeName(stack.name, mount.source) };
  if (!existsSync(mount.source)) {
    throw new HarnessError('BAD_STACK', `${service.at}: ${service.name} mounts ${mount.source}, which is not there`);
  }
  return { ...common, Type: 'bind', Source: mount.source };
}
