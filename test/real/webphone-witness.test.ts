import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import type { Verdict } from '../../harness/verdict/types.js';
import { runCommand } from '../support/cli.js';
import { describeWithKamailio } from '../support/kamailio.js';

const OUT = mkdtempSync(join(tmpdir(), 'deadair-witness-'));
afterAll(() => rmSync(OUT, { recursive: true, force: true }));

describeWithKamailio('webphone-witness', () => {
  it('20 sip.js webphones hold 20 calls through the real Kamailio while the engine storms it, and are in the verdict', async () => {
    const cli = await runCommand(['run', 'webphone-witness', '--stack', 'kamailio', '--out', OUT], {
      limitMs: 180_000,
    });
    expect(cli).toMatchObject({ signal: null, leftRunning: false });
    const dir = join(OUT, readdirSync(OUT)[0]!);
    const verdict = JSON.parse(readFileSync(join(dir, 'verdict.json'), 'utf8')) as Verdict;

    const { webphones, engine, disagreements } = verdict.witness!;
    expect(webphones).toMatchObject({ phones: 20, registered: 20, failed: 0, broken: 0, upAtOnce: 20 });
    expect(webphones.tried).toBeGreaterThan(40);
    expect(webphones.connected).toBe(webphones.tried);
    expect(webphones.judged).toBe(webphones.tried);
    expect(webphones.heardBoth).toBe(webphones.tried);
    expect(disagreements).toEqual([]);

    // The storm was one: every phone registered twice, and every call of the engine went through, both ends measured.
    expect(verdict.registrations).toMatchObject({ phones: 500, registeredAtEnd: 500 });
    expect(verdict.registrations!.registered).toBeGreaterThanOrEqual(1000);
    expect(engine).toMatchObject({ tried: 300, connected: 300, judged: 300 });

    const report = readFileSync(join(dir, 'report.html'), 'utf8');
    for (const text of [cli.stdout, report]) expect(text).toContain(verdict.witness!.text);
  });
});
