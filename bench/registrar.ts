/** The registrar that both generators of a trial register with, in a process of its own: digest from memory, on one socket. */
import { LinuxWire } from '../agents/wire/linux.js';
import { runBlocking } from '../agents/wire/loop.js';
import { ipFromString, type Wire } from '../agents/wire/types.js';
import { type Credential, CredentialCache } from '../harness/lab/embedded/credentials.js';
import { REGISTRAR_DEFAULTS, Registrar } from '../harness/lab/embedded/registrar.js';
import { readUsers } from '../harness/plan/users.js';
import { WARM_PHONES, warm } from './registrar-warm.js';
import type { RegistrarTask } from './task.js';

const REST_US = 500;

const task = JSON.parse(process.argv[2]!) as RegistrarTask;
const { rows } = readUsers({ file: task.users, domain: 'bench.test', sha256: '' }, 1);
const credentials = rows.map(({ user, domain, password }) => ({ user, realm: domain, password }));
const open = (wire: Wire, ip: number, port: number, known: Credential[]): Registrar =>
  new Registrar(wire, {
    ...REGISTRAR_DEFAULTS,
    ip,
    port,
    seed: 1,
    cache: new CredentialCache(known),
    // Its 200s are kept for timer J, 32 s.
    transactions: 131_072,
  });
warm((memory, ip) => open(memory, ip, 5060, credentials.slice(0, WARM_PHONES)));
const wire = new LinuxWire({ media: 'sockets', bufferBytes: 16 << 20 });
const registrar = open(wire, ipFromString(task.ip), task.port, credentials);
process.stdout.write('ready\n');
// The loop keeps the thread: SIGKILL ends it.
runBlocking(wire, [registrar], () => false, undefined, REST_US);
