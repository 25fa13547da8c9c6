import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { copyFile, mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, onTestFinished } from 'vitest';
import { containerName } from '../../harness/lab/docker/container.js';
import { connect, type Docker } from '../../harness/lab/docker/engine.js';
import { LABEL } from '../../harness/lab/docker/labels.js';
import { survey } from '../../harness/lab/docker/survey.js';
import { sweep } from '../../harness/lab/docker/sweep.js';
import { demuxed } from '../../harness/lab/docker/watch.js';
import { describeWith } from './judges.js';

/** A static busybox makes an image of 2 MB without any registry. */
const BUSYBOX = ['/bin/busybox', '/usr/bin/busybox'].find((file) => existsSync(file) && isStatic(file));
export const TINY_IMAGE = 'deadair/test-busybox:1';
const APPLETS = ['sh', 'sleep', 'cat', 'echo', 'true', 'false', 'touch', 'test', 'ip', 'ping'];

export const engine: Docker | null = await connect().catch(() => null);
const MISSING =
  engine === null
    ? 'no Docker engine: docker/offline/engine.sh up, or start yours and set DOCKER_HOST'
    : BUSYBOX === undefined
      ? 'no static busybox: apt-get install busybox-static'
      : null;

/** Stack -> what keeps it from being brought up; '' when nothing does. */
const lackingImages = new Map(
  (await survey()).images.map(({ stack, there, of }) => [
    stack,
    there === of ? '' : `${there} of ${of} images of stack ${stack} are there: docker/offline/build.sh`,
  ]),
);

/** Tests that need an engine. */
export function describeWithDocker(name: string, tests: (docker: Docker) => void): void {
  describeWith(MISSING, name, () => tests(engine!));
}

function isStatic(file: string): boolean {
  // A dynamic program names its loader (PT_INTERP) in the first page of the file.
  const head = execFileSync('head', ['-c', '4096', file]);
  return !head.includes('ld-linux') && !head.includes('ld-musl');
}

/** Imports TINY_IMAGE unless it is there. */
export async function tinyImage(docker: Docker): Promise<void> {
  const there = await docker
    .getImage(TINY_IMAGE)
    .inspect()
    .then(
      () => true,
      () => false,
    );
  if (there) return;
  const folder = mkdtempSync(join(tmpdir(), 'deadair-image-'));
  try {
    await mkdir(join(folder, 'bin'));
    await copyFile(BUSYBOX!, join(folder, 'bin/busybox'));
    for (const name of APPLETS) symlinkSync('busybox', join(folder, 'bin', name));
    execFileSync('tar', ['-cf', 'image.tar', 'bin'], { cwd: folder });
    const [repo, tag] = TINY_IMAGE.split(':');
    const stream = await docker.importImage(join(folder, 'image.tar'), { repo, tag });
    await new Promise<void>((resolve, reject) =>
      docker.modem.followProgress(stream as NodeJS.ReadableStream, (error) => (error ? reject(error) : resolve())),
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const temporary: string[] = [];
afterAll(() => {
  for (const folder of temporary) rmSync(folder, { recursive: true, force: true });
});

/** A Compose file of its own folder; stacks are named by the file, so that tests stand side by side. */
export function composeFile(name: string, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'deadair-stack-'));
  temporary.push(folder);
  const file = join(folder, `${name}.yaml`);
  writeFileSync(file, text);
  return file;
}

/** Names of everything in the engine that carries a label, for example 'deadair.stack=x'. */
export async function labelled(docker: Docker, label: string): Promise<string[]> {
  const filters = { label: [label] };
  const [containers, networks, { Volumes }] = await Promise.all([
    docker.listContainers({ all: true, filters }),
    docker.listNetworks({ filters }),
    docker.listVolumes({ filters }),
  ]);
  return [
    ...containers.map((c) => c.Names[0] ?? c.Id),
    ...networks.map((n) => n.Name),
    ...(Volumes ?? []).map((v) => v.Name),
  ];
}

/** Whatever a test that failed half-way left of its stack: for use within a test. */
export function sweptAfterwards(docker: Docker, stack: string): void {
  onTestFinished(async () => void (await sweep(docker, `${LABEL.stack}=${stack}`)));
}

/** The same for all tests of a file. */
export function sweptAtTheEnd(docker: Docker, stack: string): void {
  afterAll(async () => void (await sweep(docker, `${LABEL.stack}=${stack}`)));
}

/** Tests on a stack of ours, which also need its images. */
export function describeWithStack(stack: string, name: string, tests: (docker: Docker) => void): void {
  const lacking = MISSING ?? lackingImages.get(stack) ?? `there is no stack ${stack}`;
  describeWith(lacking === '' ? null : lacking, name, () => tests(engine!));
}

/** An errand in the network of a stack's container, to its end: its exit code and what it printed. `files` are seen under /files. */
export async function runBeside(
  docker: Docker,
  beside: { stack: string; service: string },
  errand: { image: string; command: string[]; files: string },
): Promise<{ code: number; words: string }> {
  const container = await docker.createContainer({
    Image: errand.image,
    Cmd: errand.command,
    Labels: { [LABEL.stack]: beside.stack, [LABEL.service]: `beside-${beside.service}` },
    HostConfig: {
      NetworkMode: `container:${containerName(beside.stack, beside.service)}`,
      Mounts: [{ Type: 'bind', Source: errand.files, Target: '/files', ReadOnly: true }],
    },
  });
  await container.start();
  const { StatusCode } = (await container.wait()) as { StatusCode: number };
  const words = demuxed(await container.logs({ stdout: true, stderr: true, follow: false }));
  await container.remove();
  return { code: StatusCode, words };
}
