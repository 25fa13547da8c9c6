/** Parts to break, and eyes that are not the faults' own: packets counted by whoever gets them, answers timed by whoever asks. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect as dial } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Toxiproxy } from 'toxiproxy-node-client';
import { monotonicUs } from '../../harness/clock.js';
import { sidecar, toolImage } from '../../harness/faults/backends/tools.js';
import { RunFaults } from '../../harness/faults/run-faults.js';
import { connect, type Docker, engineAddress } from '../../harness/lab/docker/engine.js';
import { runSidecar, stateOf } from '../../harness/lab/docker/fault-steps.js';
import { openStack } from '../../harness/lab/docker/locate.js';
import { partsOf } from '../../harness/lab/docker/parts.js';
import { Stack } from '../../harness/lab/docker/stack.js';
import { parseFault } from '../../harness/plan/fault.js';

/** One line of docs/faults.md. */
export interface Row {
  fault: string;
  backend: string;
  asked: string;
  seen: string;
  /** Who saw it, and how. */
  by: string;
}

const NET = '10.213.125';
const PART =
  'init: true, entrypoint: [], command: sleep 3600, healthcheck: { test: [CMD, "true"], interval: 2s }, networks: [core]';
const TAG = process.env.DEADAIR_TAG ?? '0.1.0';
const TEXT = `services:
  cache: { image: "deadair/redis:${TAG}", labels: { deadair.role: queue }, networks: { core: { ipv4_address: ${NET}.32 } }, tmpfs: ["/data:mode=1777"] }
  db:
    image: deadair/postgres:${TAG}
    labels: { deadair.role: database }
    networks: { core: { ipv4_address: ${NET}.31 } }
    environment: { TENANTS: "1", EXTENSIONS: "2", CALL_CAP: "5", EDGE_IP: ${NET}.10, MAX_CONNECTIONS: 50 }
    volumes: ["TENANTS_CSV:/config/tenants.csv:ro"]
    tmpfs: ["/pgdata:mode=1777"]
    shm_size: 128m
  toxiproxy: { image: "deadair/toxiproxy:${TAG}", labels: { deadair.role: proxy }, networks: { core: { ipv4_address: ${NET}.33 } }, entrypoint: [toxiproxy-server], command: -host 0.0.0.0 }
  router: { image: "deadair/nat:${TAG}", ${PART}, labels: { deadair.role: nat } }
  relay: { image: "deadair/nat:${TAG}", ${PART}, labels: { deadair.role: relay }, environment: { RTP_START: 30000, RTP_END: 30999 } }
  pbx: { image: "deadair/nat:${TAG}", ${PART}, labels: { deadair.role: node } }
  edge: { image: "deadair/nat:${TAG}", init: true, entrypoint: [], command: sleep 3600, healthcheck: { test: [CMD, "true"], interval: 2s }, networks: { core: { ipv4_address: ${NET}.10 } }, labels: { deadair.role: edge } }
networks: { core: { ipam: { config: [{ subnet: ${NET}.0/24 }] } } }
`;

export const EDGE = `${NET}.10`;
export const CACHE = { straight: `${NET}.32`, proxied: `${NET}.33` };

export interface Ground {
  docker: Docker;
  stack: string;
  container: (service: string) => string;
  /** Does the fault for as long as `measure` takes; tells its back-end. */
  during<T>(fault: string, measure: () => Promise<T>): Promise<{ backend: string; value: T }>;
  close(): Promise<void>;
}

/** A stack of seven small parts, with two proxies. */
export async function openGround(tenantsCsv: string): Promise<Ground> {
  const docker = await connect();
  const folder = mkdtempSync(join(tmpdir(), 'deadair-table-'));
  const file = join(folder, 'faults-table.yaml');
  writeFileSync(file, TEXT.replace('TENANTS_CSV', tenantsCsv));
  const spec = openStack(file, process.env, {});
  const run = `faults-table-${process.pid}`;
  const started = await new Stack(spec, docker).up({
    run,
    keep: false,
    tell: () => undefined,
    nowMs: () => performance.now(),
  });
  const api = new Toxiproxy(`http://${CACHE.proxied}:8474`);
  await api.createProxy({ name: 'cache', listen: '0.0.0.0:6379', upstream: `${CACHE.straight}:6379` });
  await api.createProxy({ name: 'db', listen: '0.0.0.0:5432', upstream: `${NET}.31:5432` });
  let n = 0;
  return {
    docker,
    stack: spec.name,
    container: (service) => `deadair-${spec.name}-${service}`,
    during: async (fault, measure) => {
      const [kind, ...rest] = fault.split(',');
      const plan = parseFault([`${kind}@0s+120s`, ...rest].join(','));
      let isOn = (): void => undefined;
      const on = new Promise<void>((resolve) => {
        isOn = resolve;
      });
      // What was frozen before is well again a moment after: nothing is begun on a part that is sick.
      await allWell(docker, spec.name);
      const faults = await RunFaults.arm([plan], {
        ...{
          docker,
          engine: engineAddress(),
          run: `${run}-${++n}`,
          stack: spec.name,
          seed: 1,
          authorised: [],
          runDir: folder,
        },
        tell: (line) => (/ is on /.test(line) ? isOn() : undefined),
      });
      faults.go(monotonicUs());
      await Promise.race([on, faults.isOver()]);
      const value = await measure().catch(async (error: unknown) => {
        await faults.finish();
        throw error;
      });
      const kept = [...(await faults.finish()).values()][0]!;
      if (kept.failed !== null || !kept.proven) throw new Error(`${fault}: ${kept.note}`);
      return { backend: faults.leases[0]!.backend, value };
    },
    close: async () => {
      await started.down();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function allWell(docker: Docker, stack: string): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    const parts = await partsOf(docker, stack);
    const states = await Promise.all(parts.map(({ container }) => stateOf(docker, container)));
    if (states.every(({ well }) => well)) return;
    await sleep(100);
  }
}

/**
 * Counts until 3 s after the last packet, or until its time is up. What its own socket lost (the last column of /proc/net/udp) did
 * arrive: that is a busy machine's work, and not the fault's.
 */
const COUNT = `const s=require('node:dgram').createSocket('udp4');let n=0,last=0;s.on('message',()=>{n++;last=Date.now()});s.bind(9999);const end=()=>{const line=require('node:fs').readFileSync('/proc/net/udp','utf8').split('\\n').find(l=>/:270F /.test(l));process.stdout.write(String(n+Number(line.trim().split(/ +/).at(-1))));process.exit()};setTimeout(end,+process.argv[1]);setInterval(()=>{if(last&&Date.now()-last>3000)end()},200)`;
const SEND = `const s=require('node:dgram').createSocket('udp4');const [ip,total,perS]=[process.argv[1],+process.argv[2],+process.argv[3]];let n=0;const t0=Date.now();const b=Buffer.alloc(172);const go=()=>{const due=Math.min(total,(Date.now()-t0)*perS/1000);while(n<due){s.send(b,9999,ip);n++}if(n<total)setTimeout(go,2);else setTimeout(()=>process.exit(),500)};go()`;

/** Packets from beside one container to beside another: how many arrived. */
export async function packets(
  ground: Ground,
  from: string,
  to: string,
  ip: string,
  total: number,
  perS: number,
): Promise<number> {
  const image = toolImage('agent');
  const script = (code: string, container: string, ...args: string[]): Promise<{ output: string }> =>
    runSidecar(ground.docker, {}, sidecar(['node', '-e', code, ...args], { image, networkOf: container }));
  const counting = script(COUNT, ground.container(to), String((total / perS) * 1000 + 20_000));
  await sleep(3_000);
  await script(SEND, ground.container(from), ip, String(total), String(perS));
  return Number((await counting).output.trim());
}

/** ms until Redis answers a PING; null when it does not within `limitMs`. */
export function ping(host: string, limitMs = 3_000): Promise<number | null> {
  const fromUs = monotonicUs();
  return new Promise((resolve) => {
    const socket = dial(6379, host, () => socket.write('PING\r\n'));
    const end = (ms: number | null): void => {
      socket.destroy();
      resolve(ms);
    };
    socket.on('data', () => end((monotonicUs() - fromUs) / 1000));
    socket.on('error', () => end(null));
    setTimeout(end, limitMs, null);
  });
}
