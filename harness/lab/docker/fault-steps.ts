/** The steps of faults that concern the engine and its containers; see harness/faults/lease.ts. */
import type { ContainerCreateOptions } from 'dockerode';
import { type Docker, reasonOf, statusOf } from './engine.js';
import { LABEL } from './labels.js';
import { demuxed, lastWords } from './watch.js';

/** A helper container beside a target; it carries the run's and the fault's labels, so every sweep finds it. */
export interface Sidecar {
  image: string;
  cmd: string[];
  /** Container ids whose network or processes it shares; null: none, and then it has no network at all. */
  networkOf: string | null;
  pidOf: string | null;
  capAdd: string[];
  env: Record<string, string>;
  /** Of the namespace that it shares; written at its start. */
  sysctls: Record<string, string>;
  cpuShares: number | null;
  /** Told on its standard output when it is at work; null: running is enough. */
  readyLine: string | null;
}

export type State = 'running' | 'paused' | 'exited' | 'well';

/** What is done does not depend on when it is seen: a look at a sidecar's log, this often. */
const LOOK_MS = 50;
/** Periods of the quota, as the engine's own --cpus has them. */
const PERIOD_US = 100_000;

function gone(error: unknown): boolean {
  const status = statusOf(error);
  return status === 404 || (status === 409 && /already in progress/i.test(reasonOf(error)));
}

/** Nobody else's container is touched, unless it was authorised by name. */
export async function refuseForeign(docker: Docker, container: string, authorised: readonly string[]): Promise<void> {
  if (authorised.includes(container)) return;
  try {
    const { Config } = await docker.getContainer(container).inspect();
    if (Config.Labels?.[LABEL.run] !== undefined) return;
  } catch (error) {
    if (gone(error)) return;
    throw error;
  }
  throw new Error(`container ${container} is not ours`);
}

export async function startSidecar(
  docker: Docker,
  name: string,
  labels: Record<string, string>,
  spec: Sidecar,
): Promise<void> {
  await removeContainer(docker, name);
  const container = await docker.createContainer({ name, ...sidecarOptions(labels, spec) });
  await container.start();
  for (;;) {
    const { State } = await container.inspect();
    if (!State.Running) throw new Error(`sidecar ${name} ended: ${(await lastWords(docker, name, 2)).trim()}`);
    if (spec.readyLine === null) return;
    const log = demuxed(await container.logs({ stdout: true, stderr: false, follow: false }));
    if (log.split('\n').includes(spec.readyLine)) return;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

/** What a command prints in a sidecar that lives for it alone. */
export async function runSidecar(
  docker: Docker,
  labels: Record<string, string>,
  spec: Sidecar,
): Promise<{ exitCode: number; output: string }> {
  const container = await docker.createContainer(sidecarOptions(labels, spec));
  try {
    await container.start();
    const { StatusCode } = (await container.wait()) as { StatusCode: number };
    const log = await container.logs({ stdout: true, stderr: true, follow: false });
    return { exitCode: StatusCode, output: demuxed(log) };
  } finally {
    await container.remove({ force: true }).catch((error: unknown) => {
      if (!gone(error)) throw error;
    });
  }
}

function sidecarOptions(labels: Record<string, string>, spec: Sidecar): ContainerCreateOptions {
  return {
    Image: spec.image,
    // Whatever the image does at its start is not wanted here.
    Entrypoint: [],
    Cmd: spec.cmd,
    User: '0',
    Env: Object.entries(spec.env).map(([key, value]) => `${key}=${value}`),
    Labels: labels,
    Healthcheck: { Test: ['NONE'] },
    HostConfig: {
      NetworkMode: spec.networkOf === null ? 'none' : `container:${spec.networkOf}`,
      ...(spec.pidOf === null ? {} : { PidMode: `container:${spec.pidOf}` }),
      CapAdd: spec.capAdd,
      Sysctls: spec.sysctls,
      ...(spec.cpuShares === null ? {} : { CpuShares: spec.cpuShares }),
      Init: spec.pidOf === null,
      RestartPolicy: { Name: 'no' },
    },
  };
}

export async function removeContainer(docker: Docker, name: string): Promise<void> {
  try {
    await docker.getContainer(name).remove({ force: true, v: true });
  } catch (error) {
    if (!gone(error)) throw error;
  }
}

export async function isAbsent(docker: Docker, name: string): Promise<boolean> {
  try {
    await docker.getContainer(name).inspect();
    return false;
  } catch (error) {
    if (statusOf(error) === 404) return true;
    throw error;
  }
}

export async function execIn(
  docker: Docker,
  container: string,
  cmd: readonly string[],
): Promise<{ exitCode: number; output: string }> {
  const exec = await docker
    .getContainer(container)
    .exec({ Cmd: [...cmd], AttachStdout: true, AttachStderr: true, Tty: false });
  const chunks: Buffer[] = [];
  for await (const chunk of await exec.start({})) chunks.push(chunk as Buffer);
  const { ExitCode } = await exec.inspect();
  return { exitCode: ExitCode ?? -1, output: demuxed(Buffer.concat(chunks)) };
}

/** Starts a command and leaves it to itself. */
export async function execDetached(docker: Docker, container: string, cmd: readonly string[]): Promise<void> {
  const exec = await docker.getContainer(container).exec({ Cmd: [...cmd], AttachStdout: false, AttachStderr: false });
  await exec.start({ Detach: true });
}

/** Twice is once: what is so already is no error. */
export async function change(
  docker: Docker,
  container: string,
  what: 'pause' | 'unpause' | 'start' | 'restart',
): Promise<void> {
  const it = docker.getContainer(container);
  const { State } = await it.inspect();
  if (what === 'pause' && !State.Paused) await it.pause();
  else if (what === 'unpause' && State.Paused) await it.unpause();
  else if (what === 'start' && !State.Running) await it.start();
  else if (what === 'restart') await it.restart({ t: 0 });
}

export async function kill(docker: Docker, container: string, signal: string): Promise<void> {
  const it = docker.getContainer(container);
  if ((await it.inspect()).State.Running) await it.kill({ signal });
}

/** Running and, where it has a healthcheck, healthy, is `well`. */
export async function stateOf(docker: Docker, container: string): Promise<{ state: string; well: boolean }> {
  const { State } = await docker.getContainer(container).inspect();
  const health = State.Health?.Status;
  const well = State.Status === 'running' && (health === undefined || health === 'healthy' || health === 'none');
  return { state: health === undefined ? State.Status : `${State.Status}, ${health}`, well };
}

/** One that was made with --cpus takes no other kind of quota; one without takes 0 for "leave it" and -1 for none. */
export async function setQuota(docker: Docker, container: string, cpus: number | null): Promise<void> {
  const it = docker.getContainer(container);
  const { HostConfig } = await it.inspect();
  const byCpus = (HostConfig.NanoCpus ?? 0) > 0;
  if (byCpus && cpus !== null) await it.update({ NanoCpus: Math.round(cpus * 1e9) });
  else await it.update({ CpuPeriod: PERIOD_US, CpuQuota: cpus === null ? -1 : Math.round(cpus * PERIOD_US) });
}

/** Cores; null: none. */
export async function quotaOf(docker: Docker, container: string): Promise<number | null> {
  const { HostConfig } = await docker.getContainer(container).inspect();
  const { NanoCpus = 0, CpuQuota = 0, CpuPeriod = 0 } = HostConfig;
  if (NanoCpus > 0) return NanoCpus / 1e9;
  return CpuQuota > 0 ? CpuQuota / (CpuPeriod || PERIOD_US) : null;
}

/** A container under this name is another one, or was started again, when this is another text. '' when there is none that runs. */
export async function markOf(docker: Docker, container: string): Promise<string> {
  try {
    const { Id, State } = await docker.getContainer(container).inspect();
    return State.Running ? `${Id} ${State.StartedAt}` : '';
  } catch (error) {
    if (statusOf(error) === 404) return '';
    throw error;
  }
}
