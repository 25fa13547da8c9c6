import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';

const root = path.resolve(import.meta.dirname, '..');
const docker = path.join(root, 'docker');
const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { version: string };
const images = readdirSync(docker).filter((name) => existsSync(path.join(docker, name, 'Dockerfile')));

interface Service {
  image: string;
  build?: { context: string; dockerfile: string };
  labels: Record<string, string>;
  networks: Record<string, { ipv4_address: string }>;
  volumes?: string[];
  privileged?: boolean;
  ports?: string[];
}
interface Stack {
  services: Record<string, Service>;
  networks: Record<string, { internal?: boolean; ipam: { config: { subnet: string }[] } }>;
}

/** With the image of its PBXs as it is when nothing else is asked for. */
function byDefault(value: string): string {
  return value.replace(/\$\{PBX_IMAGE:-(\w+)\}/, '$1');
}

function text(...parts: string[]): string {
  return readFileSync(path.join(docker, ...parts), 'utf8');
}

describe('images', () => {
  it('pin one Debian serial, and say when they are healthy', () => {
    expect(images.length).toBeGreaterThan(10);
    const serials = new Set<string>();
    for (const image of images) {
      const file = text(image, 'Dockerfile');
      for (const [, from] of file.matchAll(/^FROM (\S+)/gm)) {
        const serial = /^debian:[a-z]+-(\d{8})-slim$/.exec(from!)?.[1];
        expect(serial, `${image}: FROM ${from}`).toBeDefined();
        serials.add(serial!);
      }
      // SIPp is run for one errand, not kept up.
      if (image !== 'sipp') expect(file, image).toMatch(/^HEALTHCHECK /m);
    }
    expect(serials.size).toBe(1);
  });

  it('share layers where they say so', () => {
    const firstRun = (image: string): string => /^RUN [\s\S]*?[^\\]\n(?! )/m.exec(text(image, 'Dockerfile'))![0];
    const lastRun = (image: string): string =>
      /^FROM (?![\s\S]*^FROM )[\s\S]*?(^RUN [\s\S]*?[^\\]\n)/m.exec(text(image, 'Dockerfile'))![1]!;
    expect(firstRun('trunk')).toBe(firstRun('kamailio'));
    expect(lastRun('agent')).toBe(lastRun('cdr-writer'));
  });

  it('have scripts that parse', () => {
    const scripts: string[] = [];
    for (const folder of [...images, 'common', 'offline']) {
      for (const name of readdirSync(path.join(docker, folder))) {
        const file = path.join(docker, folder, name);
        if (statSync(file).isFile() && /^#!\/(?:usr\/)?bin\/(?:env )?(?:ba)?sh/.test(readFileSync(file, 'utf8')))
          scripts.push(file);
      }
    }
    expect(scripts.length).toBeGreaterThan(10);
    for (const file of scripts) {
      execFileSync('bash', ['-n', file]);
      expect(statSync(file).mode & 0o111, `${file} is executable`).not.toBe(0);
    }
  });
});

describe.each(['naive', 'blueprint'])('stack %s', (name) => {
  const stack = parse(text('stacks', `${name}.yaml`), { merge: true }) as Stack;
  const services = Object.entries(stack.services);

  it('runs our images, and mounts what exists', () => {
    for (const [service, { image, build, volumes = [] }] of services) {
      const folder = /^deadair\/([a-z0-9-]+):\$\{DEADAIR_TAG:-(.+)\}$/.exec(byDefault(image));
      expect(images, service).toContain(folder?.[1]);
      expect(folder?.[2], service).toBe(version);
      if (build !== undefined) {
        expect(existsSync(path.join(docker, 'stacks', build.context, byDefault(build.dockerfile))), service).toBe(true);
      }
      for (const volume of volumes) {
        expect(existsSync(path.join(docker, 'stacks', volume.split(':')[0]!)), `${service}: ${volume}`).toBe(true);
      }
    }
  });

  it('cannot be left by a packet, and asks for no privilege', () => {
    for (const [network, { internal, ipam }] of Object.entries(stack.networks)) {
      expect(internal, network).toBe(true);
      expect(ipam.config[0]!.subnet, network).toMatch(/^10\.213\.\d+\.0\/24$/);
    }
    for (const [service, { privileged, ports }] of services) {
      expect(privileged, service).toBeUndefined();
      expect(ports, service).toBeUndefined();
    }
  });

  it('gives every service a role and addresses of its own', () => {
    const taken = new Set<string>();
    for (const [service, { labels, networks }] of services) {
      expect(labels['deadair.role'], service).toBeDefined();
      for (const [network, { ipv4_address: ip }] of Object.entries(networks)) {
        const subnet = stack.networks[network]!.ipam.config[0]!.subnet;
        expect(ip.startsWith(subnet.replace(/0\/24$/, '')), `${service}: ${ip} in ${subnet}`).toBe(true);
        expect(taken.has(ip), `${service}: ${ip} twice`).toBe(false);
        taken.add(ip);
      }
    }
  });
});

describe('tenants', () => {
  const tenants = (form: string, env: Record<string, string> = {}): string =>
    execFileSync(path.join(docker, 'common', 'tenants'), [form], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env.PATH,
        TENANTS_FILE: path.join(docker, 'stacks', 'tenants.csv'),
        EDGE_IP: '192.0.2.1',
        ...env,
      },
    });

  it('are 50 of 20 phones, or what the environment asks for', () => {
    const lines = tenants('csv').trim().split('\n');
    expect(lines).toHaveLength(1000);
    expect(lines[0]).toBe('t0.test,1001,pw-t0-1001,20');
    expect(lines.at(-1)).toBe('t49.test,1020,pw-t49-1020,20');
    expect(tenants('csv', { TENANTS: '2', EXTENSIONS: '3', CALL_CAP: '5' }).trim().split('\n')).toHaveLength(6);
  });

  it('are the same in every form', () => {
    const env = { TENANTS: '3', EXTENSIONS: '4' };
    const ids = tenants('csv', env)
      .trim()
      .split('\n')
      .map((line) => line.split(','))
      .map(([domain, extension]) => `${domain!.split('.')[0]}-${extension}`);
    expect([...tenants('pjsip', env).matchAll(/^\[(t\d+-\d+)\]\(phone\)$/gm)].map((match) => match[1])).toEqual(ids);
    expect(
      [...tenants('sql', env).matchAll(/^\('t(\d+)\.test','(\d+)'/gm)].map((match) => `t${match[1]}-${match[2]}`),
    ).toEqual(ids);
  });

  it('are refused when a line is not understood', () => {
    expect(() => tenants('csv', { TENANTS: 'many' })).toThrow();
  });
});
