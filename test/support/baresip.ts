import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll } from 'vitest';
import type { Identity } from '../../agents/identity.js';

export const BARESIP_MISSING = 'baresip is not on PATH: apt-get install baresip-core';

export function baresipIsThere(): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((dir) => {
    try {
      accessSync(join(dir, 'baresip'), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

const live = new Set<ChildProcess>();
afterAll(() => {
  for (const child of live) child.kill('SIGKILL');
});

const MODULES = ['g711', 'ausine', 'aubridge', 'uuid', 'account', 'menu'];

/** One call of a softphone without a sound card, which says a tone of 440 Hz and hangs up after `seconds`; its own words. */
export async function callWithBaresip(
  me: Identity,
  to: Identity,
  at: { host: string; proxy: string; seconds: number },
): Promise<string> {
  const dir = mkdtempSync(join(tmpdir(), 'deadair-baresip-'));
  const config = [
    ...[`sip_listen ${at.host}:0`, 'module_path /usr/lib/baresip/modules', 'audio_path /usr/share/baresip'],
    ...['audio_source ausine,440', 'audio_player aubridge,sink', 'audio_alert aubridge,alert'],
    ...['ausrc_srate 48000', 'auplay_srate 8000', 'ausrc_channels 2', 'auplay_channels 1', `net_interface ${at.host}`],
    ...MODULES.map((name) => `module ${name}.so`),
  ];
  const login = [`auth_user=${me.user}`, `auth_pass=${me.password}`, `outbound="sip:${at.proxy}"`].join(';');
  const account = `<sip:${me.user}@${me.domain};transport=udp>;${login};audio_codecs=PCMU/8000/1;regint=60`;
  writeFileSync(join(dir, 'config'), `${config.join('\n')}\n`);
  writeFileSync(join(dir, 'accounts'), `${account}\n`);
  writeFileSync(join(dir, 'contacts'), '\n');
  const args = ['-f', dir, '-t', String(at.seconds), '-e', `/dial sip:${to.user}@${to.domain}`];
  const child = spawn('baresip', args, { stdio: ['ignore', 'pipe', 'pipe'] });
  live.add(child);
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (more: string) => {
      text += more;
    });
  }
  const timer = setTimeout(() => child.kill('SIGKILL'), (at.seconds + 20) * 1000);
  await new Promise((resolve) => child.once('close', resolve));
  clearTimeout(timer);
  live.delete(child);
  rmSync(dir, { recursive: true, force: true });
  return text;
}
