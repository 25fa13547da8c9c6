import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Identity } from '../../agents/identity.js';
import { packageVersion } from '../../harness/version.js';
import { describeWith } from './judges.js';

/** docker/asterisk22, as docker/offline/build.sh tags it. */
const IMAGE = `deadair/asterisk22:${packageVersion()}`;
const MISSING = `${IMAGE} is not there: docker/offline/engine.sh up && docker/offline/build.sh asterisk22`;
const READY_MS = 40_000;

function docker(...args: string[]): string {
  return execFileSync('docker', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();
}

function imageIsThere(): boolean {
  try {
    docker('image', 'inspect', '--format', '{{.Id}}', IMAGE);
    return true;
  } catch {
    return false;
  }
}

/** Tests that need the real Asterisk 22. */
export function describeWithAsterisk(name: string, tests: () => void): void {
  describeWith(imageIsThere() ? null : MISSING, name, tests);
}

export interface Asterisk {
  ip: string;
  /** What its command line prints. */
  cli(command: string): string;
  stop(): void;
}

/** WebSocket of its HTTP server. */
export const ASTERISK_WS = (ip: string): string => `ws://${ip}:8088/ws`;

/**
 * Asterisk 22 (res_pjsip) in a container on an internal network of its own: nothing can leave this machine. Its users call each
 * other by number; whoever is no user hears a tone.
 */
export async function startAsterisk(users: readonly Identity[]): Promise<Asterisk> {
  const name = `deadair-test-asterisk-${randomBytes(4).toString('hex')}`;
  const dir = mkdtempSync(join(tmpdir(), 'deadair-asterisk-'));
  const config = join(dir, 'config');
  mkdirSync(config);
  for (const [file, text] of Object.entries(configuration(users))) writeFileSync(join(config, file), text);
  // The container's user is another one.
  chmodSync(dir, 0o755);
  docker('network', 'create', '--internal', name);
  const stop = (): void => {
    for (const args of [
      ['rm', '-f', name],
      ['network', 'rm', name],
    ]) {
      try {
        docker(...args);
      } catch (error) {
        process.stderr.write(`docker ${args.join(' ')}: ${(error as Error).message}\n`);
      }
    }
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    // Docker's own host names begin with a digit as a rule, which no host in a SIP URI may (RFC 3261 25.1, toplabel); sip.js drops
    // such requests without a word.
    docker(
      'run',
      '-d',
      '--name',
      name,
      '--hostname',
      'asterisk',
      '--network',
      name,
      '-v',
      `${config}:/config:ro`,
      IMAGE,
    );
    const ip = docker('inspect', '--format', '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}', name);
    const cli = (command: string): string => docker('exec', name, 'asterisk', '-rx', command);
    for (let waitedMs = 0; !isUp(cli); waitedMs += 500) {
      if (waitedMs > READY_MS) throw new Error(`Asterisk is not up: ${docker('logs', '--tail', '20', name)}`);
      await sleep(500);
    }
    return { ip, cli, stop };
  } catch (error) {
    stop();
    throw error;
  }
}

function isUp(cli: Asterisk['cli']): boolean {
  try {
    return (
      cli('core waitfullybooted').includes('fully booted') && /Objects found|ws/.test(cli('pjsip show transports'))
    );
  } catch {
    return false;
  }
}

/** Asterisk's own variable. */
const DIAL = ['exten => _XXXXXX,1,Dial(PJSIP/$', '{EXTEN},30)'].join('');

function configuration(users: readonly Identity[]): Record<string, string> {
  const endpoint = ['context=phones', 'disallow=all', 'allow=ulaw', 'direct_media=no', 'rewrite_contact=yes'];
  const user = ({ user, password }: Identity): string[] => [
    ...[`[${user}]`, 'type=endpoint', ...endpoint, 'rtp_symmetric=yes', `auth=${user}`, `aors=${user}`],
    ...[`[${user}]`, 'type=auth', 'auth_type=userpass', `username=${user}`, `password=${password}`],
    ...[`[${user}]`, 'type=aor', 'max_contacts=1', 'remove_existing=yes'],
  ];
  const transport = (kind: string): string[] => [`[${kind}]`, 'type=transport', `protocol=${kind}`, 'bind=0.0.0.0'];
  const pjsip = [
    ...['[global]', 'type=global', 'endpoint_identifier_order=username,anonymous'],
    ...[...transport('udp'), ...transport('tcp'), ...transport('ws')],
    ...['[anonymous]', 'type=endpoint', 'context=strangers', 'disallow=all', 'allow=ulaw', 'direct_media=no'],
    ...users.flatMap(user),
  ];
  const extensions = [
    ...['[phones]', DIAL, 'same => n,Hangup()'],
    ...['[strangers]', 'exten => _X.,1,Answer()', 'same => n,Playtones(440)', 'same => n,Wait(60)'],
  ];
  const lines = (text: readonly string[]): string => `${text.join('\n')}\n`;
  return {
    'pjsip.conf': lines(pjsip),
    'extensions.conf': lines(extensions),
    'http.conf': lines(['[general]', 'enabled=yes', 'bindaddr=0.0.0.0', 'bindport=8088']),
    'rtp.conf': lines(['[general]', 'rtpstart=10000', 'rtpend=12000']),
  };
}
