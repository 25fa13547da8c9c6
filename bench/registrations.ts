/** Registrations with digest per CPU-second: our phones and SIPp's, one injection file, one registrar, the same rate. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { identityOf } from '../agents/identity.js';
import { entryArgs } from '../harness/entry.js';
import { endsWithUs } from './children.js';
import { type Addresses, nextAddresses, SIP_PORT } from './net.js';
import { BENCH_SEED, BENCH_TENANTS } from './plan.js';
import { cpuOf, cpuOfEndedChildren } from './proc.js';
import { countsOf, ended, startSipp } from './sipp.js';
import type { RegisterResult, RegisterTask, RegistrarTask } from './task.js';

/** Registrations that may be under way at once in SIPp; each is over in milliseconds. */
const MAX_CALLS = 8192;

export interface RegistrationTrial {
  generator: 'deadair' | 'sipp';
  phones: number;
  failed: number;
  retransmits: number;
  /** CPU of the generator's process from exec to exit, seconds. */
  processCpuS: number;
  /** While the load ran: all threads of the process, and (ours) the agents' thread alone. */
  loadCpuS: number;
  threadCpuS: number;
  registrarCpuS: number;
}

export interface RegistrationRate {
  phones: number;
  rate: number;
}

/** The phones as ours would generate them, in SIPp's injection format, which ours reads too. */
export function writeUsers(dir: string, phones: number): string {
  const rows = Array.from({ length: phones }, (_, i) => {
    const { user, domain, password } = identityOf(i, phones, BENCH_TENANTS, BENCH_SEED);
    return `${user};${domain};[authentication username=${user} password=${password}]`;
  });
  const file = join(dir, `users-${phones}.csv`);
  writeFileSync(file, `SEQUENTIAL\n${rows.join('\n')}\n`);
  return file;
}

/** One trial: a fresh registrar, one generator. */
export async function registrationTrial(
  generator: 'deadair' | 'sipp',
  load: RegistrationRate,
  dir: string,
  users: string,
): Promise<RegistrationTrial> {
  const at = nextAddresses();
  const registrar = await startRegistrar(at, users);
  const before = cpuOfEndedChildren();
  const result = await (generator === 'deadair' ? ourTrial : sippTrial)(at, load, dir, users);
  const processCpuS = cpuOfEndedChildren() - before;
  const registrarCpuS = cpuOf(String(registrar.pid));
  registrar.kill('SIGKILL');
  await once(registrar, 'exit');
  return {
    generator,
    phones: load.phones,
    failed: load.phones - result.registered,
    retransmits: result.retransmits,
    processCpuS,
    loadCpuS: result.loadCpuS ?? processCpuS,
    threadCpuS: result.threadCpuS ?? processCpuS,
    registrarCpuS,
  };
}

/** In a process of its own; SIGKILL ends it. */
export async function startRegistrar(at: Addresses, users: string): Promise<ChildProcess> {
  const task: RegistrarTask = { ip: at.callee, port: SIP_PORT, users };
  const child = endsWithUs(
    spawn(process.execPath, [...entryArgs('./registrar', import.meta.url), JSON.stringify(task)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    }),
  );
  await once(child.stdout, 'data');
  return child;
}

type Result = Pick<RegisterResult, 'registered' | 'retransmits'> & Partial<RegisterResult>;

async function ourTrial(at: Addresses, load: RegistrationRate, _dir: string, users: string): Promise<Result> {
  // One socket for all, as SIPp has.
  const where = { localIp: at.caller, targetIp: at.callee, targetPort: SIP_PORT };
  const task: RegisterTask = { ...load, ...where, users, phonesPerSocket: load.phones };
  return phonesProcess<RegisterResult>('./register', task);
}

/** Runs a process of ours that says one JSON line at its end. */
export async function phonesProcess<T>(file: string, task: RegisterTask, flags: readonly string[] = []): Promise<T> {
  const child = endsWithUs(
    spawn(process.execPath, [...flags, ...entryArgs(file, import.meta.url), JSON.stringify(task)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    }),
  );
  let out = '';
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  await once(child, 'close');
  if (out === '') throw new Error(`the phones ended early, exit ${child.exitCode ?? child.signalCode}`);
  return JSON.parse(out) as T;
}

async function sippTrial(at: Addresses, load: RegistrationRate, dir: string, users: string): Promise<Result> {
  const { phones, rate } = load;
  const uac = startSipp('register.xml', 'register', dir, [
    ...[`${at.callee}:${SIP_PORT}`, '-i', at.caller, '-p', String(SIP_PORT), '-inf', users],
    ...['-r', String(rate), '-m', String(phones), '-l', String(MAX_CALLS)],
  ]);
  await ended(uac, (phones / rate) * 1000 + 60_000);
  const { successful, retransmits } = countsOf(uac);
  return { registered: successful, retransmits };
}
