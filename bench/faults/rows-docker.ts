import { setTimeout as sleep } from 'node:timers/promises';
import { sidecar, toolImage } from '../../harness/faults/backends/tools.js';
import { execIn, runSidecar } from '../../harness/lab/docker/fault-steps.js';
import { CACHE, EDGE, type Ground, packets, ping, type Row } from './ground.js';

type Measure = (ground: Ground) => Promise<Row>;

const ms = (value: number | null): string => (value === null ? 'no answer in 3 s' : `${value.toFixed(0)} ms`);

function loss(percent: number): Measure {
  return async (ground) => {
    const total = 20_000;
    const { backend, value } = await ground.during(`packet-loss,on=edge,percent=${percent},direction=in`, () =>
      packets(ground, 'pbx', 'edge', EDGE, total, 4_000),
    );
    const seen = (100 * (total - value)) / total;
    return row(
      'packet-loss',
      backend,
      `${percent} %`,
      `${seen.toFixed(2)} % of 20,000 packets`,
      'receiver beside the target counts',
    );
  };
}

const pps: Measure = async (ground) => {
  const { backend, value } = await ground.during('firewall-pps-limit,on=edge,pps=500,direction=in', () =>
    packets(ground, 'pbx', 'edge', EDGE, 10_000, 2_000),
  );
  return row(
    'firewall-pps-limit',
    backend,
    '500 packets/s',
    `${(value / 5).toFixed(0)} packets/s of 2,000 sent`,
    'the same',
  );
};

const oneWay: Measure = async (ground) => {
  const { backend, value } = await ground.during('one-way-partition,on=edge,peer=node-1,direction=in', async () => [
    await packets(ground, 'pbx', 'edge', EDGE, 1_000, 1_000),
    await packets(ground, 'router', 'edge', EDGE, 1_000, 1_000),
  ]);
  return row(
    'one-way-partition',
    backend,
    'nothing from its peer',
    `${value[0]} of 1,000 from it, ${value[1]} of 1,000 from another`,
    'the same',
  );
};

const partition: Measure = async (ground) => {
  const { backend, value } = await ground.during('partition,on=edge', () =>
    packets(ground, 'pbx', 'edge', EDGE, 1_000, 1_000),
  );
  return row('partition', backend, 'nothing', `${value} of 1,000 packets`, 'the same');
};

function redis(fault: string, host: string, asked: string): Measure {
  return async (ground) => {
    const before = await ping(host);
    const { backend, value } = await ground.during(fault, () => ping(host));
    const after = await ping(host);
    const [kind] = fault.split(',');
    return row(
      kind!,
      backend,
      asked,
      `${ms(value)} (before ${ms(before)}, after ${ms(after)})`,
      'PING over a socket of its own',
    );
  };
}

const sql = (ground: Ground, text: string, host = '127.0.0.1'): Promise<string> =>
  execIn(ground.docker, ground.container('db'), [
    ...['env', 'PGPASSWORD=pbx', 'timeout', '3', 'psql', '-h', host, '-U', 'pbx', '-d', 'pbx', '-Atc', text],
  ]).then(({ exitCode }) => (exitCode === 0 ? 'done' : exitCode === 124 ? 'no end in 3 s' : `exit code ${exitCode}`));

const lock: Measure = async (ground) => {
  const write = "INSERT INTO cdr (call_id) VALUES ('table-' || random())";
  const { backend, value } = await ground.during('db-stall,by=lock', async () => [
    await sql(ground, write),
    await sql(ground, 'SELECT 1'),
  ]);
  return row(
    'db-stall',
    backend,
    'by=lock',
    `call record: ${value[0]}; SELECT 1: ${value[1]}; after: ${await sql(ground, write)}`,
    'psql in the database',
  );
};

const stall: Measure = async (ground) => {
  const { backend, value } = await ground.during('db-stall', async () => [
    await sql(ground, 'SELECT 1', CACHE.proxied),
    await sql(ground, 'SELECT 1'),
  ]);
  const after = await sql(ground, 'SELECT 1', CACHE.proxied);
  return row(
    'db-stall',
    backend,
    'timeout 0',
    `SELECT 1 through the proxy: ${value[0]}; straight: ${value[1]}; after: ${after}`,
    'psql in the database',
  );
};

const SPIN = 'timeout 30 sh -c "while :; do :; done" &';
/** Cores, from the engine's statistics, over 5 s. */
async function cores(ground: Ground, container: string): Promise<number> {
  const look = async (): Promise<number> => {
    const stats = await ground.docker.getContainer(container).stats({ stream: false, 'one-shot': true });
    return stats.cpu_stats.cpu_usage.total_usage / 1e9;
  };
  const [fromS, fromMs] = [await look(), performance.now()];
  await sleep(5_000);
  return (1000 * ((await look()) - fromS)) / (performance.now() - fromMs);
}

const quota: Measure = async (ground) => {
  await execIn(ground.docker, ground.container('pbx'), ['sh', '-c', SPIN]);
  const { backend, value } = await ground.during('cpu-limit,on=node-1,cpus=0.2', () =>
    cores(ground, ground.container('pbx')),
  );
  return row(
    'cpu-limit',
    backend,
    '0.2 cores',
    `${value.toFixed(2)} cores of a loop that wants one`,
    "the engine's statistics",
  );
};

const burn: Measure = async (ground) => {
  const { backend, value } = await ground.during('cpu-burn,on=node-1,threads=1', async () => {
    const [found] = await ground.docker.listContainers({ filters: { name: ['deadair-fault-faults-table'] } });
    return cores(ground, found!.Id);
  });
  return row(
    'cpu-burn',
    backend,
    '1 thread',
    `${value.toFixed(2)} cores (this machine is shared)`,
    "the engine's statistics",
  );
};

const names: Measure = async (ground) => {
  const look = (): Promise<string> =>
    execIn(ground.docker, ground.container('edge'), ['timeout', '3', 'getent', 'hosts', 'cache']).then((r) =>
      r.exitCode === 0 ? 'found' : 'not found in 3 s',
    );
  const before = await look();
  const { backend, value } = await ground.during('dns-failure,on=edge', look);
  return row(
    'dns-failure',
    backend,
    'silent',
    `${value} (before: ${before}, after: ${await look()})`,
    'getent in the target',
  );
};

const mapping: Measure = async (ground) => {
  const look = (): Promise<string> =>
    execIn(ground.docker, ground.container('router'), [
      'cat',
      '/proc/sys/net/netfilter/nf_conntrack_udp_timeout_stream',
    ]).then((r) => `${r.output.trim()} s`);
  const before = await look();
  const { backend, value } = await ground.during('nat-mapping-timeout,seconds=5', look);
  return row(
    'nat-mapping-timeout',
    backend,
    '5 s',
    `${value} (before: ${before}, after: ${await look()})`,
    "the target's own /proc",
  );
};

const BIND = `const {createSocket}=require('node:dgram');let free=0;(async()=>{for(let p=30000;p<=30999;p++)await new Promise(d=>{const s=createSocket('udp4');s.once('error',()=>{s.close();d()});s.bind(p,()=>{free++;s.close(d)})});process.stdout.write(String(free))})()`;
const rtpPorts: Measure = async (ground) => {
  const look = async (): Promise<number> => {
    const spec = sidecar(['node', '-e', BIND], { image: toolImage('agent'), networkOf: ground.container('relay') });
    return Number((await runSidecar(ground.docker, {}, spec)).output.trim());
  };
  const { backend, value } = await ground.during('rtp-port-exhaustion,leave=20', look);
  return row(
    'rtp-port-exhaustion',
    backend,
    '20 ports left of 1,000',
    `${value} can be bound (after: ${await look()})`,
    'another process binds them all',
  );
};

function row(fault: string, backend: string, asked: string, seen: string, by: string): Row {
  return { fault, backend, asked, seen, by };
}

export const DOCKER_ROWS: readonly Measure[] = [
  ...[loss(5), loss(20), pps, oneWay, partition],
  redis('redis-stall,mode=latency,ms=200', CACHE.proxied, 'latency 200 ms each way'),
  redis('redis-stall', CACHE.proxied, 'timeout 0'),
  redis('redis-stall,by=pause', CACHE.straight, 'by=pause'),
  redis('node-pause,on=cache', CACHE.straight, 'frozen'),
  redis('node-kill,on=cache', CACHE.straight, 'killed, started again'),
  ...[stall, lock, quota, burn, names, mapping, rtpPorts],
];
