import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, expect, it } from 'vitest';
import { LABEL } from '../harness/lab/docker/labels.js';
import { prng } from '../harness/prng.js';
import { runCommand, startCli } from './support/cli.js';
import {
  composeFile,
  describeWithDocker,
  labelled,
  sweptAfterwards,
  sweptAtTheEnd,
  TINY_IMAGE,
  tinyImage,
} from './support/docker.js';

const stackText = (): string => `services:
  db:
    image: ${TINY_IMAGE}
    init: true
    command: sh -c "sleep 0.3; touch /data/up; sleep 600"
    volumes: [data:/data]
    networks: [core]
    healthcheck: { test: [CMD, test, -f, /data/up], interval: 200ms, retries: 50 }
  seed: { image: "${TINY_IMAGE}", command: sleep 0.3, networks: [core], depends_on: { db: { condition: service_healthy } } }
  edge:
    image: ${TINY_IMAGE}
    init: true
    command: sleep 600
    networks: [core, access]
    depends_on: { seed: { condition: service_completed_successfully } }
networks: { core: , access: }
volumes: { data: }
`;

/** Of the reaper that watches for one run; undefined when there is none. */
function reaperPid(stack: string): number | undefined {
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const line = readFileSync(`/proc/${entry}/cmdline`, 'utf8');
      if (line.includes('reaper-process') && line.includes(`stack-${stack}-`)) return Number(entry);
    } catch {
      // It ended while we looked.
    }
  }
  return undefined;
}

describeWithDocker('what the harness leaves in the engine', (docker) => {
  beforeAll(() => tinyImage(docker));
  const left = (stack: string): Promise<string[]> => labelled(docker, `${LABEL.stack}=${stack}`);
  const nothingLeft = async (stack: string): Promise<string[]> => {
    for (let i = 0; i < 120 && (await left(stack)).length > 0; i++) await sleep(250);
    return left(stack);
  };

  const stack = `moments-${process.pid}`;
  sweptAtTheEnd(docker, stack);
  const file = composeFile(stack, stackText());
  // A whole start takes about 3 s here; the moments fall before, in and after it.
  const chance = prng(4);
  const moments = Array.from({ length: 10 }, (_, i) => ({
    ms: Math.round(chance.next() * 4_000),
    signal: (['SIGINT', 'SIGTERM', 'SIGKILL'] as const)[i % 3]!,
  }));
  for (const { ms, signal } of moments) {
    it(`${signal} after ${ms} ms of stack up: nothing after stack down`, async () => {
      const running = startCli(['stack', 'up', file]);
      await sleep(ms);
      try {
        process.kill(running.pid, signal);
      } catch {
        // It was ready before, and has ended.
      }
      const { code } = await running.done;
      // An orderly end has cleaned up by itself, unless the stack was ready before: then it is there to stay.
      if (signal !== 'SIGKILL' && code === 105) expect(await left(stack)).toEqual([]);
      expect((await runCommand(['stack', 'down', stack])).code).toBe(0);
      expect(await left(stack)).toEqual([]);
    });
  }

  it('kill -9 of the harness alone: its reaper removes everything', async () => {
    const name = `alone-${process.pid}`;
    sweptAfterwards(docker, name);
    const running = startCli(['stack', 'up', composeFile(name, stackText())]);
    for (let i = 0; i < 200 && (await left(name)).length < 4; i++) await sleep(20);
    process.kill(running.pid, 'SIGKILL');
    expect((await left(name)).length).toBeGreaterThan(0);
    expect(await nothingLeft(name)).toEqual([]);
  });

  it('kill -9 of harness and reaper: the next start removes what they left', async () => {
    const name = `both-${process.pid}`;
    sweptAfterwards(docker, name);
    const path = composeFile(name, stackText());
    const running = startCli(['stack', 'up', path]);
    for (let i = 0; i < 200 && (await left(name)).length < 4; i++) await sleep(20);
    process.kill(reaperPid(name)!, 'SIGKILL');
    process.kill(running.pid, 'SIGKILL');
    await running.done;
    const before = await left(name);
    expect(before.length).toBeGreaterThan(0);
    const next = await runCommand(['stack', 'up', path]);
    expect(next).toMatchObject({ code: 0, stdout: expect.stringMatching(/ready in [\d.]+ s, 3 services/) });
    expect((await runCommand(['stack', 'down', name])).stdout).toContain(
      '3 containers, 2 networks and 1 volumes removed',
    );
    expect(await left(name)).toEqual([]);
  });
});
