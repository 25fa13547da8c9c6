import { beforeAll, expect, it } from 'vitest';
import {
  composeFile,
  describeWithDocker,
  labelled,
  sweptAfterwards,
  TINY_IMAGE,
  tinyImage,
} from '../../../test/support/docker.js';
import { LABEL } from './labels.js';
import { openStack } from './locate.js';
import { Stack } from './stack.js';
import { stackStatus } from './started.js';

const unique = (name: string): string => `${name}-${process.pid}`;

describeWithDocker('a stack in Docker', (docker) => {
  beforeAll(() => tinyImage(docker));

  const up = (file: string, options: { keep?: boolean; signal?: AbortSignal; run?: string; told?: string[] } = {}) => {
    const spec = openStack(file, {}, {});
    return new Stack(spec, docker).up({
      run: options.run ?? `test-${spec.name}`,
      keep: options.keep ?? false,
      signal: options.signal,
      tell: (line) => void options.told?.push(line),
      nowMs: () => performance.now(),
    });
  };

  it('starts services when those they depend on are ready, and leaves nothing when it is taken down', async () => {
    const name = unique('order');
    sweptAfterwards(docker, name);
    const file = composeFile(
      name,
      `services:
  edge:
    image: ${TINY_IMAGE}
    init: true
    command: sh -c "test -f /data/seeded && sleep 600"
    volumes: [data:/data]
    depends_on: { seed: { condition: service_completed_successfully } }
    labels: { deadair.role: edge }
  seed:
    image: ${TINY_IMAGE}
    command: sh -c "test -f /data/up && touch /data/seeded"
    volumes: [data:/data]
    depends_on: { db: { condition: service_healthy } }
  db:
    image: ${TINY_IMAGE}
    init: true
    command: sh -c "sleep 0.5; touch /data/up; sleep 600"
    volumes: [data:/data]
    healthcheck: { test: [CMD, test, -f, /data/up], interval: 200ms, retries: 50 }
  sidecar:
    image: ${TINY_IMAGE}
    init: true
    command: sleep 600
    network_mode: service:db
volumes: { data: }
`,
    );
    const started = await up(file);
    const status = await stackStatus(docker, name);
    expect(status.map((s) => [s.service, s.role, s.state, s.health])).toEqual([
      ['db', '', 'running', 'healthy'],
      ['edge', 'edge', 'running', ''],
      ['seed', '', 'exited', ''],
      ['sidecar', '', 'running', ''],
    ]);
    expect((await labelled(docker, `${LABEL.run}=test-${name}`)).length).toBe(6);
    expect([...(await started.addresses(started.withRole('edge')[0]!)).values()][0]).toMatch(/^10\.213\.\d+\.\d+$/);
    await started.down();
    expect(await labelled(docker, `${LABEL.stack}=${name}`)).toEqual([]);
  });

  it('has internal networks only: the engine drops what would leave them', async () => {
    const name = unique('inside');
    sweptAfterwards(docker, name);
    const file = composeFile(name, `services: { a: { image: "${TINY_IMAGE}", init: true, command: sleep 600 } }\n`);
    const started = await up(file);
    const networks = await docker.listNetworks({ filters: { label: [`${LABEL.stack}=${name}`] } });
    expect(networks.map((n) => n.Internal)).toEqual([true]);
    await started.down();
  });

  it('that ends while it comes up is named with its last words, and nothing of the stack is left', async () => {
    const name = unique('ends');
    sweptAfterwards(docker, name);
    const file = composeFile(
      name,
      `services:
  good:
    image: ${TINY_IMAGE}
    init: true
    command: sh -c "sleep 1; touch /up; sleep 600"
    healthcheck: { test: [CMD, test, -f, /up], interval: 200ms, retries: 50 }
  bad: { image: "${TINY_IMAGE}", command: sh -c "echo no database; exit 3" }
`,
    );
    await expect(up(file)).rejects.toThrow(
      expect.objectContaining({
        code: 'LAB_NOT_READY',
        message: expect.stringMatching(/bad ended with exit code 3; its last words:\n {4}no database/),
      }),
    );
    expect(await labelled(docker, `${LABEL.stack}=${name}`)).toEqual([]);
  });

  it('that is interrupted leaves nothing', async () => {
    const name = unique('stop');
    sweptAfterwards(docker, name);
    const file = composeFile(
      name,
      `services:
  slow:
    image: ${TINY_IMAGE}
    init: true
    command: sleep 600
    healthcheck: { test: [CMD, test, -f, /never], interval: 500ms, retries: 1000 }
`,
    );
    const interrupt = new AbortController();
    const coming = up(file, { signal: interrupt.signal });
    // Once its container is there, in mid-wait.
    const events = await docker.getEvents({ filters: { label: [`${LABEL.stack}=${name}`], event: ['start'] } });
    events.once('data', () => interrupt.abort());
    await expect(coming).rejects.toThrow(expect.objectContaining({ code: 'INTERRUPTED', exitCode: 105 }));
    (events as unknown as { destroy(): void }).destroy();
    expect(await labelled(docker, `${LABEL.stack}=${name}`)).toEqual([]);
  });

  it('that is kept is found again; made anew when its file changed; and not taken from a command that is using it', async () => {
    const name = unique('again');
    sweptAfterwards(docker, name);
    const text = (n: number): string =>
      `services: { a: { image: "${TINY_IMAGE}", init: true, command: sleep ${n} } }\n`;
    const first = await up(composeFile(name, text(600)), { keep: true });
    expect(first.reused).toBe(false);
    const second = await up(composeFile(name, text(600)), { keep: true, run: 'another' });
    expect(second.reused).toBe(true);
    const told: string[] = [];
    const third = await up(composeFile(name, text(601)), { told, run: 'changed' });
    expect(third.reused).toBe(false);
    expect(told.join()).toContain('made anew');
    await expect(up(composeFile(name, text(602)), { run: 'thief' })).rejects.toThrow(/is in use by changed/);
    await third.down();
    expect(await labelled(docker, `${LABEL.stack}=${name}`)).toEqual([]);
  });

  it('without an image says how to get it', async () => {
    const name = unique('image');
    const file = composeFile(name, 'services: { a: { image: "deadair/no-such-image:0" } }\n');
    await expect(up(file)).rejects.toThrow(
      expect.objectContaining({
        code: 'BAD_STACK',
        message: expect.stringMatching(/:1: image deadair\/no-such-image:0 of a is not in this engine: build/),
      }),
    );
  });
});
