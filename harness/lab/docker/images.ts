/** Images of a stack: found, or built from the file's `build`. None is pulled: a lab works without a registry. */
import { HarnessError } from '../../errors.js';
import { type Docker, reasonOf, statusOf } from './engine.js';
import type { ServiceSpec } from './types.js';

export type Tell = (line: string) => void;

/** Image name -> image id. Throws BAD_STACK for an image that is not there and cannot be built. */
export async function ensureImages(
  docker: Docker,
  services: readonly ServiceSpec[],
  tell: Tell,
): Promise<Map<string, string>> {
  const ids = new Map<string, string>();
  for (const service of services) {
    if (ids.has(service.image)) continue;
    let id = await idOf(docker, service.image);
    if (id === undefined) {
      if (service.build === null) {
        throw new HarnessError(
          'BAD_STACK',
          `${service.at}: image ${service.image} of ${service.name} is not in this engine: build the images of the stacks with docker/offline/build.sh, or docker pull ${service.image}`,
        );
      }
      tell(`building ${service.image}`);
      await build(docker, service);
      id = await idOf(docker, service.image);
    }
    ids.set(service.image, id!);
  }
  return ids;
}

async function idOf(docker: Docker, image: string): Promise<string | undefined> {
  try {
    return (await docker.getImage(image).inspect()).Id;
  } catch (error) {
    if (statusOf(error) === 404) return undefined;
    throw error;
  }
}

async function build(docker: Docker, service: ServiceSpec): Promise<void> {
  const { context, dockerfile, args, target } = service.build!;
  const failed = (why: string): HarnessError =>
    new HarnessError('BAD_STACK', `${service.at}: building ${service.image} failed: ${why}`);
  const stream = await docker
    .buildImage(
      { context, src: ['.'] },
      {
        t: service.image,
        buildargs: args,
        rm: true,
        forcerm: true,
        ...(dockerfile === null ? {} : { dockerfile }),
        ...(target === null ? {} : { target }),
      },
    )
    .catch((error: unknown) => {
      throw failed(reasonOf(error));
    });
  await new Promise<void>((resolve, reject) => {
    docker.modem.followProgress(stream, (error: Error | null, lines: { error?: string }[]) => {
      const why = error?.message ?? lines.find((line) => line.error !== undefined)?.error;
      if (why === undefined) resolve();
      else reject(failed(why.trim().split('\n').at(-1)!));
    });
  });
}
