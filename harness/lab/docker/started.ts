import { type Docker, statusOf } from './engine.js';
import { LABEL } from './labels.js';
import { networkName } from './networks.js';
import type { Reaper } from './reaper.js';
import { sweep } from './sweep.js';
import type { Role, ServiceSpec, StackSpec } from './types.js';
import { demuxed } from './watch.js';

export interface ServiceStatus {
  service: string;
  role: string;
  state: string;
  health: string;
  addresses: string[];
}

/** A stack that is ready. */
export class StartedStack {
  /** From the first network to the last healthcheck, ms; 0 when it was up already. */
  readonly readyMs: number;
  /** It was up before: whoever brought it up takes it down. */
  readonly reused: boolean;
  readonly #reaper: Reaper | null;

  constructor(
    readonly docker: Docker,
    readonly spec: StackSpec,
    private readonly ids: ReadonlyMap<string, string>,
    how: { readyMs: number; reaper: Reaper | null; reused: boolean },
  ) {
    this.readyMs = how.readyMs;
    this.reused = how.reused;
    this.#reaper = how.reaper;
  }

  /** The one that is up with this configuration, kept, and whole; null when there is none such. */
  static async find(docker: Docker, spec: StackSpec, config: string): Promise<StartedStack | null> {
    const filters = { label: [`${LABEL.stack}=${spec.name}`, `${LABEL.config}=${config}`, `${LABEL.keep}=yes`] };
    const containers = await docker.listContainers({ all: true, filters });
    const ids = new Map<string, string>();
    for (const { Id, Labels, State, Status } of containers) {
      const done = State === 'exited' && Status.startsWith('Exited (0)');
      const oneShot = spec.services.some(
        (s) => s.dependsOn[Labels[LABEL.service]!] === 'service_completed_successfully',
      );
      const well = State === 'running' && !/\((unhealthy|health: starting)\)/.test(Status);
      if (well || (oneShot && done)) ids.set(Labels[LABEL.service]!, Id);
    }
    if (!spec.services.every((s) => ids.has(s.name))) return null;
    return new StartedStack(docker, spec, ids, { readyMs: 0, reaper: null, reused: true });
  }

  id(service: ServiceSpec): string {
    return this.ids.get(service.name)!;
  }

  withRole(role: Role): ServiceSpec[] {
    return this.spec.services.filter((s) => s.labels[LABEL.role] === role);
  }

  /** Addresses by network name of the file, as the engine gave them. */
  async addresses(service: ServiceSpec): Promise<Map<string, string>> {
    const { NetworkSettings } = await this.docker.getContainer(this.id(service)).inspect();
    const out = new Map<string, string>();
    for (const network of Object.keys(service.networks)) {
      const address = NetworkSettings.Networks[networkName(this.spec.name, network)]?.IPAddress;
      if (address !== undefined && address !== '') out.set(network, address);
    }
    return out;
  }

  /** What a command in a service's container prints; null when it fails or the container is gone. */
  async output(service: ServiceSpec, command: string[]): Promise<string | null> {
    try {
      const exec = await this.docker
        .getContainer(this.id(service))
        .exec({ Cmd: command, AttachStdout: true, AttachStderr: false });
      const chunks: Buffer[] = [];
      for await (const chunk of await exec.start({})) chunks.push(chunk as Buffer);
      const { ExitCode } = await exec.inspect();
      return ExitCode === 0 ? demuxed(Buffer.concat(chunks)) : null;
    } catch {
      // A part that was paused, killed or taken away answers nothing: that is what is to be seen.
      return null;
    }
  }

  /** A process of the service as this machine numbers it; 0 when it does not run, or not on this machine. */
  async pid(service: ServiceSpec): Promise<number> {
    try {
      const { State } = await this.docker.getContainer(this.id(service)).inspect();
      return State.Pid;
    } catch {
      return 0; // taken away meanwhile
    }
  }

  /** One reading of the engine's own counts, without the second that it otherwise waits for a difference. */
  async stats(service: ServiceSpec): Promise<Record<string, unknown>> {
    const stats = await this.docker.getContainer(this.id(service)).stats({ stream: false, 'one-shot': true });
    return stats as unknown as Record<string, unknown>;
  }

  /** The last lines of a service's log, with the engine's stamps; '' when there is none to be had. */
  async log(service: ServiceSpec, { sinceS, tail }: { sinceS: number; tail: number }): Promise<string> {
    try {
      const options = { stdout: true, stderr: true, timestamps: true, follow: false, since: sinceS, tail } as const;
      return demuxed(await this.docker.getContainer(this.id(service)).logs(options));
    } catch {
      return ''; // taken away meanwhile
    }
  }

  /** Removes all of it, and sees that it is gone. Throws LAB_NOT_READY. */
  async down(): Promise<void> {
    await sweep(this.docker, `${LABEL.stack}=${this.spec.name}`);
    await this.#reaper?.dismiss();
  }
}

/** Every container of a stack by that name, whoever brought it up. */
export async function stackStatus(docker: Docker, name: string): Promise<ServiceStatus[]> {
  const containers = await docker.listContainers({ all: true, filters: { label: [`${LABEL.stack}=${name}`] } });
  return containers
    .map(({ Labels, State, Status, NetworkSettings }) => ({
      service: Labels[LABEL.service] ?? '',
      role: Labels[LABEL.role] ?? '',
      state: State,
      health: /\((healthy|unhealthy|health: starting)\)/.exec(Status)?.[1] ?? '',
      addresses: Object.values(NetworkSettings.Networks)
        .map(({ IPAddress }) => IPAddress)
        .filter((address) => address !== ''),
    }))
    .sort((a, b) => (a.service < b.service ? -1 : 1));
}

/** Names of the stacks that something carries the label of. */
export async function stackNames(docker: Docker): Promise<string[]> {
  const filters = { label: [LABEL.stack] };
  const [containers, networks, { Volumes }] = await Promise.all([
    docker.listContainers({ all: true, filters }),
    docker.listNetworks({ filters }),
    docker.listVolumes({ filters }),
  ]);
  const names = [...containers, ...networks, ...(Volumes ?? [])].map(({ Labels }) => Labels?.[LABEL.stack] ?? '');
  return [...new Set(names)].sort();
}

/** Follows one service's log, or prints what there is of it. Throws through the engine's error. */
export async function serviceLog(
  docker: Docker,
  container: string,
  options: { tail: number; follow: boolean; signal: AbortSignal; out: NodeJS.WritableStream },
): Promise<boolean> {
  const { tail, follow, signal, out } = options;
  try {
    if (!follow) {
      const log = await docker.getContainer(container).logs({ stdout: true, stderr: true, tail, follow: false });
      out.write(demuxed(log));
      return true;
    }
    const stream = await docker.getContainer(container).logs({ stdout: true, stderr: true, tail, follow: true });
    docker.modem.demuxStream(stream, out, out);
    signal.addEventListener('abort', () => (stream as unknown as { destroy(): void }).destroy());
    await new Promise<void>((resolve) => stream.on('end', resolve).on('close', resolve));
    return true;
  } catch (error) {
    if (statusOf(error) === 404) return false;
    throw error;
  }
}
