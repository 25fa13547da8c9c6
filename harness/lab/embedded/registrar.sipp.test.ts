/** SIPp, which is not ours, registers with digest on a real socket; its answers are computed by its own code. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ALGORITHM } from '../../../agents/sip/digest.js';
import { LinuxWire } from '../../../agents/wire/linux.js';
import { syscallRefusal } from '../../../agents/wire/media.js';
import { ipFromString } from '../../../agents/wire/types.js';
import { monotonicUs } from '../../clock.js';
import { type Credential, CredentialCache } from './credentials.js';
import { SqliteCredentials } from './credentials-sqlite.js';
import { REGISTRAR_DEFAULTS, Registrar, type RegistrarOptions } from './registrar.js';

const IP = '127.0.0.1';
const PHONES = 200;
const noSipp = spawnSync('sipp', ['-v']).error === undefined ? syscallRefusal() : 'sipp is not installed';
const must = process.env.CI !== undefined;
const phones: Credential[] = Array.from({ length: PHONES }, (_, i) => ({
  user: `${1000 + i}`,
  realm: 'a.test',
  password: `secret-${i}`,
}));

/** Registers, refreshes for 0 s (that is, goes), each with the credentials of a line of the CSV. */
const register = (cseq: number, expires: number, auth: string): string => `  <send retrans="500"><![CDATA[

REGISTER sip:a.test SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch];rport
Max-Forwards: 70
From: <sip:[field0]@a.test>;tag=[pid]-[call_number]
To: <sip:[field0]@a.test>
Call-ID: [call_id]
CSeq: ${cseq} REGISTER
Contact: <sip:[field0]@[local_ip]:[local_port]>;expires=${expires}
${auth}User-Agent: SIPp
Content-Length: 0

]]></send>
`;
const scenario = (last: 200 | 403): string => `<?xml version="1.0" encoding="ISO-8859-1"?>
<scenario name="registrant">
${register(1, 600, '')}  <recv response="401" auth="true"/>
${register(2, 600, '[field1]\n')}  <recv response="${last}"/>
${last === 200 ? `${register(3, 0, '')}  <recv response="401" auth="true"/>\n${register(4, 0, '[field1]\n')}  <recv response="200"/>\n` : ''}</scenario>
`;

let dir: string;
let wire: LinuxWire | undefined;
let sipp: ChildProcess | undefined;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'deadair-sipp-'));
});
afterEach(() => {
  sipp?.kill('SIGKILL');
  wire?.close();
  rmSync(dir, { recursive: true, force: true });
});

function open(options: Partial<RegistrarOptions>): Registrar {
  wire = new LinuxWire({ media: 'sockets' });
  return new Registrar(wire, { ...REGISTRAR_DEFAULTS, ip: ipFromString(IP), port: 0, seed: 9, ...options });
}

/** Runs SIPp to its end while the registrar serves; rejects when it fails, with what it complained of. */
async function serve(registrar: Registrar, last: 200 | 403, wrong: string): Promise<void> {
  if (noSipp !== undefined) throw new Error(`this check must run here: ${noSipp}`);
  const file = (name: string, text: string): string => {
    writeFileSync(join(dir, name), text);
    return join(dir, name);
  };
  const lines = phones.map((p) => `${p.user};[authentication username=${p.user} password=${p.password}${wrong}]`);
  const [xml, csv] = [file('register.xml', scenario(last)), file('phones.csv', `SEQUENTIAL\n${lines.join('\n')}\n`)];
  const args = ['-sf', xml, '-inf', csv, '-i', IP, '-m', `${PHONES}`, '-r', '200', '-timeout', '30s', '-timeout_error'];
  const errors = join(dir, 'errors.log');
  sipp = spawn('sipp', [...args, '-trace_err', '-error_file', errors, '-nostdin', `${IP}:${registrar.port}`], {
    cwd: dir,
    stdio: 'ignore',
  });
  let code: number | null | undefined;
  sipp.on('close', (c) => {
    code = c;
  });
  const until = monotonicUs() + 60e6;
  while (code === undefined && monotonicUs() < until) {
    registrar.tick(monotonicUs());
    wire!.flush();
    wire!.poll(1_000);
    wire!.flush();
    await turn();
  }
  if (code !== 0)
    throw new Error(
      `sipp ended with ${code}: ${readFileSync(errors, { encoding: 'utf8', flag: 'a+' }).slice(0, 2_000)}`,
    );
}

describe.skipIf(noSipp !== undefined && !must)(`SIPp (${noSipp ?? 'installed'})`, () => {
  it('registers 200 phones with digest, cached credentials, and unregisters them', async () => {
    const registrar = open({ cache: new CredentialCache(phones) });
    await serve(registrar, 200, '');
    expect(registrar.metrics).toMatchObject({
      challenged401Total: 2 * PHONES,
      ok200Total: 2 * PHONES,
      failed403Total: 0,
      rejectedTotal: 0,
      bindings: 0,
    });
  });

  it('registers them with a row read for each and contacts written through', async () => {
    const db = SqliteCredentials.open({ file: join(dir, 'db'), limit: 8, nowUs: monotonicUs, credentials: phones });
    const registrar = open({ credentials: 'database', db, dbMode: 1 });
    await serve(registrar, 200, '');
    expect(registrar.metrics).toMatchObject({ ok200Total: 2 * PHONES, bindings: 0, dbPending: 0, threadsBusy: 0 });
    // A look-up and a contact's row, each for 400 requests.
    expect(db.metrics).toMatchObject({ answeredTotal: 4 * PHONES, failedTotal: 0 });
    await db.close();
  });

  it('is refused with a wrong password', async () => {
    const registrar = open({ cache: new CredentialCache(phones), algorithms: [ALGORITHM.MD5] });
    await serve(registrar, 403, 'x');
    expect(registrar.metrics).toMatchObject({ failed403Total: PHONES, ok200Total: 0, bindings: 0 });
  });
});
