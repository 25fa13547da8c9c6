import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Identity } from '../../../agents/identity.js';
import { monotonicUs } from '../../clock.js';
import { HarnessError } from '../../errors.js';
import { uriHost } from '../../plan/host.js';
import { KAMAILIO_PORTS } from '../../plan/target.js';
import { writeCertificate, writeTlsConfig } from './certificate.js';
import { JsonRpc } from './json-rpc.js';
import { writeUsers } from './users.js';

export interface KamailioOptions {
  /** An address of loopback that is the run's own. */
  host: string;
  users: readonly Identity[];
  /** Processes that receive on UDP. */
  children?: number;
  digest?: 'MD5' | 'SHA-256';
  /** Where calls to numbers at its own address go, as host:port; none without it. */
  trunk?: string;
  /** Every 200 to a REGISTER says so (RFC 3608): a URI. */
  serviceRoute?: string;
}

/** The real Kamailio, up and answering. */
export interface StartedKamailio {
  readonly host: string;
  /** PEM file that phones trust. */
  readonly ca: string;
  readonly rpc: JsonRpc;
  /** What it wrote to standard error, the last of it. */
  log(): string;
  stop(): Promise<void>;
}

/** From docker/ of the package: two folders up from here in the sources, three from dist. */
const CONFIG = 'docker/kamailio/registrar.cfg';
const READY_MS = 15_000;
const STOP_MS = 5_000;
const LOG_KEPT = 16_384;
/** Shared memory, MB: 10,000 bindings take about 20. */
const SHARED_MB = '256';

/** Where it is on PATH or in sbin, which users do not always have there; undefined when it is not installed. */
export function findKamailio(): string | undefined {
  const dirs = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];
  return dirs.map((dir) => join(dir, 'kamailio')).find(isProgram);
}

export const KAMAILIO_MISSING =
  'kamailio is not installed: apt-get install kamailio kamailio-websocket-modules kamailio-tls-modules';

/**
 * Starts the Kamailio of this machine with docker/kamailio/registrar.cfg on an address of its own, and waits until it
 * answers. It ends with us, whatever ends us. Throws NO_CAPABILITY when it is not installed, LAB_NOT_READY with its own words
 * when it does not come up.
 */
export async function startKamailio(options: KamailioOptions): Promise<StartedKamailio> {
  const program = findKamailio();
  if (program === undefined) throw new HarnessError('NO_CAPABILITY', KAMAILIO_MISSING);
  const { host, users } = options;
  const dir = mkdtempSync(join(tmpdir(), 'deadair-kamailio-'));
  try {
    writeUsers(dir, users);
    const certificate = writeCertificate(dir, host);
    const args = argumentsOf(options, dir, writeTlsConfig(dir, certificate));
    // PDEATHSIG: killed or crashed, we leave no Kamailio behind.
    const child = isProgram('/usr/bin/setpriv')
      ? spawn('/usr/bin/setpriv', ['--pdeathsig', 'TERM', program, ...args], { stdio: ['ignore', 'ignore', 'pipe'] })
      : spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let text = '';
    child.stderr.setEncoding('utf8').on('data', (more: string) => {
      text = (text + more).slice(-LOG_KEPT);
    });
    const gone = new Promise<void>((resolve) => {
      child.once('error', () => resolve());
      child.once('exit', () => resolve());
    });
    const rpc = new JsonRpc(`http://${uriHost(host)}:${KAMAILIO_PORTS.ws}/RPC`);
    const stop = async (): Promise<void> => {
      await end(child, gone);
      rmSync(dir, { recursive: true, force: true });
    };
    await answers(rpc, child, () => text, host).catch(async (error: unknown) => {
      await stop();
      throw error;
    });
    return { host, ca: certificate.ca, rpc, log: () => text, stop };
  } catch (error) {
    rmSync(dir, { recursive: true, force: true });
    throw error;
  }
}

function argumentsOf(
  { host, children = 4, digest = 'MD5', trunk, serviceRoute }: KamailioOptions,
  dir: string,
  tls: string,
): string[] {
  const defines = {
    WITH_TLS: '',
    TLS_CFG: `"${tls}"`,
    DB_URL: `"text://${dir}"`,
    CTL_SOCKET: `"unix:${join(dir, 'ctl')}"`,
    DIGEST: `"${digest}"`,
    ...(trunk === undefined ? {} : { TRUNK: `"sip:${trunk}"` }),
    ...(serviceRoute === undefined ? {} : { SERVICE_ROUTE: `"Service-Route: <${serviceRoute}>\\r\\n"` }),
  };
  const { udp, tcp, tls: tlsPort, ws, wss } = KAMAILIO_PORTS;
  const at = uriHost(host);
  const listen = [`udp:${at}:${udp}`, `tcp:${at}:${tcp}`, `tcp:${at}:${ws}`];
  const secure = [`tls:${at}:${tlsPort}`, `tls:${at}:${wss}`];
  return [
    ...['-f', configFile(), '-DD', '-E', '-m', SHARED_MB, '-Y', dir, '-n', String(children)],
    ...Object.entries(defines).flatMap(([name, value]) => ['-A', value === '' ? name : `${name}=${value}`]),
    ...[...listen, ...secure].flatMap((socket) => ['-l', socket]),
  ];
}

function configFile(): string {
  const levels = import.meta.url.includes('/dist/') ? '../../../../' : '../../../';
  return fileURLToPath(new URL(`${levels}${CONFIG}`, import.meta.url));
}

async function answers(rpc: JsonRpc, child: ChildProcess, log: () => string, host: string): Promise<void> {
  const untilUs = monotonicUs() + READY_MS * 1000;
  while (monotonicUs() < untilUs) {
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new HarnessError('LAB_NOT_READY', `kamailio on ${host} ended at once: ${lastWords(log())}`);
    }
    if (await rpc.answers()) return;
    await sleep(50);
  }
  throw new HarnessError(
    'LAB_NOT_READY',
    `kamailio on ${host} does not answer in ${READY_MS / 1000} s: ${lastWords(log())}`,
  );
}

/** The first line that says what is wrong, without the process number in front of it. */
function lastWords(log: string): string {
  const line = log.split('\n').find((text) => /ERROR|CRITICAL|ALERT/.test(text)) ?? log.trim().split('\n').at(-1) ?? '';
  return line.replace(/^\s*\d+\(\d+\)\s*/, '').trim() || 'it said nothing';
}

async function end(child: ChildProcess, gone: Promise<void>): Promise<void> {
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
  await gone;
  clearTimeout(timer);
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
