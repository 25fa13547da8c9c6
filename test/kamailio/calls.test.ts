import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import type { Verdict } from '../../harness/verdict/types.js';
import { runCommand } from '../support/cli.js';
import { describeWithKamailio } from '../support/kamailio.js';

const OUT = mkdtempSync(join(tmpdir(), 'deadair-kamailio-calls-'));
afterAll(() => rmSync(OUT, { recursive: true, force: true }));

const SETS = ['burst=30', 'quietMs=1000', 'holdMsMin=3000', 'holdMsMax=4000'];

describeWithKamailio('calls through the real Kamailio', () => {
  it.each(['udp', 'tcp', 'tls', 'ws', 'wss'])(
    '%s: every call answered, hung up, and heard at both ends',
    async (transport) => {
      const out = join(OUT, transport);
      const sets = [...SETS, `transport=${transport}`].flatMap((set) => ['--set', set]);
      const cli = await runCommand(['run', 'peak-dial', '--stack', 'kamailio', '--out', out, ...sets]);
      expect(cli).toMatchObject({ signal: null, leftRunning: false });
      const verdict = JSON.parse(readFileSync(join(out, readdirSync(out)[0]!, 'verdict.json'), 'utf8')) as Verdict;
      expect(verdict.load).toMatchObject({ offered: 35, blocked: 0, ended: 35, open: 0 });
      expect(verdict.calls).toMatchObject({ answered: 35, completed: 35, dropped: 0 });
      expect(verdict.media).toMatchObject({ judged: 35, oneWay: 0, deadAir: 0, crossed: 0 });
      expect(verdict.run.callee).toBe('agents');
    },
  );
});
