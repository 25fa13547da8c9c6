/** What `doctor` looks at. Each check reads and never changes anything. */
import { createSocket } from 'node:dgram';
import { accessSync, constants, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { delimiter, join } from 'node:path';
import { findKamailio, KAMAILIO_MISSING } from '../lab/kamailio/kamailio.js';
import { type Check, check } from './check.js';
import { labChecks } from './checks-lab.js';

/** RTP of a few hundred calls comes in bursts; the usual default of 208 KiB holds about 2 ms of 1,000 legs' worth. */
const RMEM_WANTED = 4 * 1024 * 1024;
/** One descriptor for each leg in `sockets` mode, two with RTCP: 340 legs of peak-dial and what Node itself holds. */
const FILES_WANTED = 4096;
const CAP_NET_RAW = 13n;

export async function runChecks(): Promise<Check[]> {
  return [
    nodeVersion(process.versions.node),
    platform(),
    await koffi(),
    netRaw(readText('/proc/self/status')),
    openFiles(readText('/proc/self/limits')),
    receiveBuffer(readText('/proc/sys/net/core/rmem_max')),
    portRange(readText('/proc/sys/net/ipv4/ip_local_port_range')),
    await loopback(),
    cores(),
    sipp(),
    kamailio(),
    ...(await labChecks()),
  ];
}

export function nodeVersion(version: string): Check {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const ok = major > 20 || (major === 20 && minor >= 19);
  return check('node', ok, version, 'install Node 20.19 or later', 'missing', true);
}

function platform(): Check {
  const found = `${process.platform} ${process.arch}`;
  return check(
    'platform',
    process.platform === 'linux',
    found,
    'only Linux has the batched wire; here it is dgram',
    'warn',
  );
}

async function koffi(): Promise<Check> {
  try {
    const { default: lib } = await import('koffi');
    return check('koffi', true, lib.version, '', 'missing');
  } catch (error) {
    const why = String((error as Error).message).split('\n')[0] ?? '';
    return check('koffi', false, why, 'run npm ci on this machine; without it, --media-backend dgram', 'warn');
  }
}

export function netRaw(status: string | undefined): Check {
  const mask = /^CapEff:\s*([0-9a-f]+)/m.exec(status ?? '')?.[1];
  const has = mask !== undefined && ((BigInt(`0x${mask}`) >> CAP_NET_RAW) & 1n) === 1n;
  const mend =
    'media backend is sockets instead of raw; for raw, run as root or setcap cap_net_raw+ep on the node binary';
  return check('CAP_NET_RAW', has, has ? 'yes' : 'no', mend, 'warn');
}

export function openFiles(limits: string | undefined): Check {
  const match = /^Max open files\s+(\S+)\s+(\S+)/m.exec(limits ?? '');
  const [, soft = 'unknown', hard = 'unknown'] = match ?? [];
  const ok = soft === 'unlimited' || Number(soft) >= FILES_WANTED;
  const mend = `ulimit -n ${hard === 'unknown' ? FILES_WANTED : hard}`;
  return check('open files', ok, `soft ${soft}, hard ${hard}`, mend, 'warn');
}

export function receiveBuffer(text: string | undefined): Check {
  const bytes = Number(text ?? Number.NaN);
  const found = Number.isNaN(bytes) ? 'unknown' : `${bytes} bytes`;
  return check('rmem_max', bytes >= RMEM_WANTED, found, 'sysctl -w net.core.rmem_max=16777216', 'warn');
}

export function portRange(text: string | undefined): Check {
  const [from = Number.NaN, to = Number.NaN] = (text ?? '').trim().split(/\s+/).map(Number);
  const found = Number.isNaN(to) ? 'unknown' : `${from}-${to}`;
  const mend = 'sysctl -w net.ipv4.ip_local_port_range="32768 60999"';
  return check('ephemeral ports', to - from >= 10_000, found, mend, 'warn');
}

/** The embedded platform's parts have addresses of their own in 127.0.0.0/8, which not every system has up. */
async function loopback(): Promise<Check> {
  const failures: string[] = [];
  for (const host of ['127.0.0.1', '127.0.0.2']) {
    const why = await new Promise<string | undefined>((resolve) => {
      const socket = createSocket('udp4');
      socket.once('error', (error: NodeJS.ErrnoException) => {
        socket.close();
        resolve(error.code ?? error.message);
      });
      socket.bind(0, host, () => socket.close(() => resolve(undefined)));
    });
    if (why !== undefined) failures.push(`${host}: ${why}`);
  }
  const mend = 'bring loopback up: ip link set lo up (macOS: ifconfig lo0 alias 127.0.0.2 up)';
  return check('loopback', failures.length === 0, failures.join(', ') || '127.0.0.0/8', mend, 'missing', true);
}

function cores(): Check {
  const n = availableParallelism();
  return check('cores', n >= 2, String(n), 'with one core, load and platform disturb each other: give it two', 'warn');
}

function sipp(): Check {
  const found = (process.env.PATH ?? '').split(delimiter).find((dir) => dir !== '' && isExecutable(join(dir, 'sipp')));
  const mend = 'only for comparisons in bench and tests: apt-get install sip-tester';
  return check('SIPp', found !== undefined, found === undefined ? 'not on PATH' : join(found, 'sipp'), mend, 'missing');
}

function kamailio(): Check {
  const found = findKamailio();
  return check(
    'Kamailio',
    found !== undefined,
    found ?? 'not found',
    `only for --stack kamailio: ${KAMAILIO_MISSING}`,
    'missing',
  );
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** undefined where the system has no /proc. */
function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
