import { describe, expect, it } from 'vitest';
import { parseStack } from './compose.js';
import { durationNs, shellWords, sizeBytes } from './units.js';

const parse = (text: string, variables: Record<string, string> = {}) =>
  parseStack(text, '/lab/stack.yaml', 'test', variables);
const SERVICES = `services:
  edge:
    image: deadair/kamailio:1
    networks:
      access: { ipv4_address: 10.213.2.10 }
      core:
    environment: { MAX: 50, VERBOSE: true, EMPTY: }
    command: kamailio -DD -E "-m 64"
    volumes:
      - ./edge/kamailio.cfg:/etc/kamailio/kamailio.cfg:ro
      - data:/var/lib/data
      - { type: tmpfs, target: /run, tmpfs: { size: 64m } }
    tmpfs: /tmp:mode=1777
    cap_add: [NET_ADMIN]
    sysctls: { net.ipv4.ip_forward: 1 }
    ulimits: { nofile: { soft: 1024, hard: 2048 } }
    healthcheck: { test: [CMD, kamcmd, core.uptime], interval: 1s, timeout: 500ms, retries: 30 }
    depends_on:
      db: { condition: service_healthy }
    labels: { deadair.role: edge }
    restart: unless-stopped
  db:
    image: deadair/postgres:1
networks:
  access: { internal: true, ipam: { config: [{ subnet: 10.213.2.0/24 }] } }
  core:
volumes:
  data:
`;

describe('a Compose file', () => {
  it('becomes services, networks and volumes', () => {
    const stack = parse(SERVICES);
    const [edge, db] = stack.services;
    expect(edge).toMatchObject({
      at: '/lab/stack.yaml:2',
      image: 'deadair/kamailio:1',
      networks: { access: { ipv4: '10.213.2.10' }, core: { ipv4: null } },
      environment: { MAX: '50', VERBOSE: 'true', EMPTY: '' },
      command: ['kamailio', '-DD', '-E', '-m 64'],
      sysctls: { 'net.ipv4.ip_forward': '1' },
      ulimits: [{ name: 'nofile', soft: 1024, hard: 2048 }],
      healthcheck: { test: ['CMD', 'kamcmd', 'core.uptime'], intervalNs: 1e9, timeoutNs: 5e8, retries: 30 },
      dependsOn: { db: 'service_healthy' },
    });
    expect(edge!.mounts).toEqual([
      { kind: 'bind', source: '/lab/edge/kamailio.cfg', target: '/etc/kamailio/kamailio.cfg', readOnly: true },
      { kind: 'volume', source: 'data', target: '/var/lib/data', readOnly: false },
    ]);
    expect(edge!.tmpfs).toEqual({ '/tmp': 'mode=1777', '/run': 'size=67108864' });
    // As Compose has it: who names no network is on `default`.
    expect(db!.networks).toEqual({ default: { ipv4: null, aliases: [] } });
    expect(stack.networks).toMatchObject({
      access: { subnet: '10.213.2.0/24' },
      core: { subnet: null },
      default: { subnet: null },
    });
    expect(stack.notes).toEqual([
      '/lab/stack.yaml:21: restart is set aside: a part that dies in a test stays dead, so that it is seen',
    ]);
  });

  it('takes anchors, merges and extension fields', () => {
    const stack = parse(`x-base: &base { image: a, labels: { deadair.role: node } }
services:
  one: { <<: *base, hostname: one }
`);
    expect(stack.services[0]).toMatchObject({ image: 'a', hostname: 'one', labels: { 'deadair.role': 'node' } });
  });

  it('takes variables with their defaults, and says which it asks for', () => {
    const text = `services:
  nat: { image: "nat:\${TAG:-1}", environment: { N: "\${NAT_MAX_SESSIONS:-4096}", PRICE: $$5 } }
`;
    expect(parse(text).services[0]).toMatchObject({ image: 'nat:1', environment: { N: '4096', PRICE: '$5' } });
    const set = parse(text, { NAT_MAX_SESSIONS: '100' });
    expect(set.services[0]!.environment.N).toBe('100');
    expect(set.variables).toEqual(['TAG', 'NAT_MAX_SESSIONS']);
  });

  const refused: [what: string, text: string, says: RegExp][] = [
    [
      'a published port',
      'services:\n  a:\n    image: x\n    ports: ["80:80"]\n',
      /^\/lab\/stack.yaml:4: services.a.ports is refused: a lab publishes no port/,
    ],
    [
      'an unknown key',
      'services:\n  a:\n    image: x\n    imagee: y\n',
      /stack.yaml:4: services.a.imagee is refused: it is not of the Compose subset/,
    ],
    [
      'an unknown key at the top',
      'services:\n  a: { image: x }\nsecrets: {}\n',
      /stack.yaml:3: secrets is refused: mount the file/,
    ],
    [
      'a way out',
      'services:\n  a: { image: x }\nnetworks:\n  out:\n    internal: false\n',
      /stack.yaml:5: out.internal must be true, or left out/,
    ],
    [
      'another driver',
      'services:\n  a: { image: x }\nnetworks:\n  out:\n    driver: macvlan\n',
      /stack.yaml:5: out.driver must be bridge/,
    ],
    [
      'a network that is not there',
      'services:\n  a:\n    image: x\n    networks: [b]\n',
      /stack.yaml:4: network b is not declared/,
    ],
    [
      'a volume that is not there',
      'services:\n  a:\n    image: x\n    volumes:\n      - d:/d\n',
      /stack.yaml:5: volume d is not declared/,
    ],
    [
      "the engine's socket",
      'services:\n  a:\n    image: x\n    volumes: [/var/run/docker.sock:/s]\n',
      /:4: the engine's socket stays outside/,
    ],
    [
      'a dependency on nobody',
      'services:\n  a:\n    image: x\n    depends_on: [b]\n',
      /:4: a depends on b, which is no service/,
    ],
    [
      'a circle',
      'services:\n  a: { image: x, depends_on: [b] }\n  b: { image: x, depends_on: [a] }\n',
      /:2: services wait for each other: a -> b -> a/,
    ],
    [
      'a bad condition',
      'services:\n  b: { image: x }\n  a:\n    image: x\n    depends_on:\n      b: { condition: soon }\n',
      /:6: a.depends_on.b.condition expected one of/,
    ],
    [
      'a bad duration',
      'services:\n  a:\n    image: x\n    healthcheck:\n      interval: soon\n',
      /:5: a.healthcheck.interval must be a duration such as 5s/,
    ],
    [
      'a bad address',
      'services:\n  a:\n    image: x\n    networks:\n      n: { ipv4_address: ten }\nnetworks: { n: }\n',
      /:5: a.networks.n.ipv4_address must be an IPv4 address/,
    ],
    [
      'a role that nobody knows',
      'services:\n  a:\n    image: x\n    labels:\n      deadair.role: egde\n',
      /:4: a.labels deadair.role is egde; it must be one of edge/,
    ],
    ['neither image nor build', 'services:\n  a: { command: x }\n', /:2: a has neither image nor build/],
    [
      'a variable without a value',
      'services:\n  a:\n    image: $IMAGE\n',
      /:3: needs the variable IMAGE, and has no default/,
    ],
    ['broken YAML', 'services:\n  a: { image: x\n', /stack.yaml:\d: /],
    ['no services', 'networks: {}\n', /stack.yaml:1: services are missing/],
  ];
  for (const [what, text, says] of refused) {
    it(`is refused for ${what}, with the line and the mend`, () => {
      expect(() => parse(text)).toThrow(says);
      expect(() => parse(text)).toThrow(expect.objectContaining({ code: 'BAD_STACK', exitCode: 104 }));
    });
  }
});

describe('units', () => {
  it('reads durations, sizes and command lines as Compose does', () => {
    expect([durationNs('1m30s'), durationNs('500ms'), durationNs(2), durationNs('soon')]).toEqual([
      90e9,
      5e8,
      2e9,
      undefined,
    ]);
    expect([sizeBytes('64m'), sizeBytes('1gb'), sizeBytes(512), sizeBytes('big')]).toEqual([
      67_108_864,
      2 ** 30,
      512,
      undefined,
    ]);
    expect(shellWords(`sh -c 'echo "a b"' it\\'s ""`)).toEqual(['sh', '-c', 'echo "a b"', "it's", '']);
    expect(shellWords('echo "open')).toBeUndefined();
  });
});
