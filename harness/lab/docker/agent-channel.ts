import { PassThrough } from 'node:stream';
import type { Channel } from '../../../agents/frames.js';
import { HarnessError } from '../../errors.js';
import { reasonOf } from './engine.js';
import type { StartedStack } from './started.js';
import type { ServiceSpec } from './types.js';
import { lastWords } from './watch.js';

/** Where our package is in the agents' image. */
const AGENT = ['node', '/opt/deadair/dist/agents/agent.js'];
/** A file that puts it elsewhere says so: a command line of plain words. */
const COMMAND_LABEL = 'deadair.command';

/**
 * Starts an agents' process in a running container. Its attached streams are the channel: no port, no route, nothing to
 * reach from outside. When we are gone the engine closes its stdin, and it ends. Throws LAB_NOT_READY.
 */
export async function agentChannel(stack: StartedStack, service: ServiceSpec): Promise<Channel> {
  const { docker } = stack;
  const name = `${service.name} of stack ${stack.spec.name}`;
  const id = stack.id(service);
  const command = service.labels[COMMAND_LABEL]?.split(/\s+/) ?? AGENT;
  try {
    const exec = await docker
      .getContainer(id)
      .exec({ Cmd: command, AttachStdin: true, AttachStdout: true, AttachStderr: true, Tty: false });
    const stream = await exec.start({ hijack: true, stdin: true });
    const out = new PassThrough();
    const errors = new PassThrough();
    docker.modem.demuxStream(stream, out, errors);
    let words = '';
    errors.on('data', (chunk: Buffer) => {
      words = (words + chunk.toString()).slice(-2_000);
    });
    // That the connection is gone is told by 'close'.
    stream.on('error', () => undefined);
    const closed = new Promise<string>((resolve) => {
      stream.on('close', async () => {
        const said = words.trim() === '' ? await whyGone(stack, id) : words.trim().split('\n').at(-1)!;
        resolve(said);
      });
      stream.on('end', () => stream.end());
    });
    return {
      name,
      send: (bytes) => void stream.write(bytes),
      onBytes: (take) => void out.on('data', take),
      closed,
      close: () => stream.destroy(),
    };
  } catch (error) {
    throw new HarnessError('LAB_NOT_READY', `${name}: no agents' process in it: ${reasonOf(error)}`, { cause: error });
  }
}

/** A container that ended takes its processes along. */
async function whyGone({ docker }: StartedStack, id: string): Promise<string> {
  try {
    const { State } = await docker.getContainer(id).inspect();
    if (State.Running) return '';
    const how = State.OOMKilled ? 'out of memory' : `exit code ${State.ExitCode}`;
    return `its container ended (${how}): ${(await lastWords(docker, id, 1)).trim()}`;
  } catch (error) {
    return `its container is gone: ${reasonOf(error)}`;
  }
}
