/** The one door to the Docker engine. */
import Docker from 'dockerode';
import { HarnessError } from '../../errors.js';

export type { Docker };

/** No answer by then: not an engine that one could work with. */
const PING_MS = 5_000;

/** Where the engine listens, as the docker command has it. */
export function engineAddress(env: NodeJS.ProcessEnv = process.env): string {
  return env.DOCKER_HOST ?? 'unix:///var/run/docker.sock';
}

export function dockerAt(address: string): Docker {
  if (address.startsWith('unix://')) return new Docker({ socketPath: address.slice('unix://'.length) });
  const url = new URL(address.replace(/^tcp:/, 'http:'));
  return new Docker({ host: url.hostname, port: Number(url.port || 2375), protocol: 'http' });
}

/** Throws NO_ENGINE with what to do about it. */
export async function connect(address: string = engineAddress()): Promise<Docker> {
  const docker = dockerAt(address);
  try {
    await answered(docker);
    return docker;
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code ?? (cause as Error).message;
    throw new HarnessError(
      'NO_ENGINE',
      `no Docker engine answers at ${address} (${why}): start it, or set DOCKER_HOST; on a bare Debian machine docker/offline/engine.sh up; the embedded platform needs none (leave --stack out)`,
      { cause },
    );
  }
}

async function answered(docker: Docker): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer in ${PING_MS / 1000} s`)), PING_MS);
  });
  await Promise.race([docker.ping(), late]).finally(() => clearTimeout(timer));
}

/** HTTP status of what the engine refused; undefined when it was no answer of the engine. */
export function statusOf(error: unknown): number | undefined {
  return (error as { statusCode?: number }).statusCode;
}

/** The engine's own words, one line. */
export function reasonOf(error: unknown): string {
  const { json, message } = error as { json?: { message?: string }; message?: string };
  return (json?.message ?? message ?? String(error)).replace(/\s+/g, ' ').trim();
}
