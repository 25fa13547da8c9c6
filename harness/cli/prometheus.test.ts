import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { describeWith } from '../../test/support/judges.js';
import type { Progress } from '../engine/types.js';
import { startExporter } from './prometheus.js';

const LABELS = { run: 'peak-dial-none-1', scenario: 'peak-dial', incident: 'none', seed: '1' };
const PROGRESS: Progress = {
  ...{ tMs: 12_500, endMs: 47_000, offered: 170, started: 169, blocked: 1, open: 5, answered: 160, ended: 164 },
  bad: [
    ['503', 4],
    ['dropped (Q.850 44)', 2],
  ],
};

async function scraped(progress: Progress | null): Promise<string> {
  const exporter = await startExporter('0', LABELS);
  try {
    if (progress !== null) exporter.update(progress);
    const first = await (await fetch(exporter.url)).text();
    // Asking twice counts nothing twice.
    expect(await (await fetch(exporter.url)).text()).toBe(first);
    return first;
  } finally {
    await exporter.close();
  }
}

it('tells what the run came to so far', async () => {
  const text = await scraped(PROGRESS);
  for (const line of [
    'deadair_run_info{run="peak-dial-none-1",scenario="peak-dial",incident="none",seed="1"} 1',
    'deadair_run_seconds 12.5',
    'deadair_calls_offered_total 170',
    'deadair_calls_up 5',
    'deadair_calls_bad_total{seen_as="503"} 4',
    'deadair_calls_bad_total{seen_as="dropped (Q.850 44)"} 2',
  ])
    expect(text.split('\n')).toContain(line);
  expect(text).not.toMatch(/^deadair_phones/m);
  expect(await scraped(null)).toContain('deadair_calls_started_total 0');
});

it('what cannot be listened on is one line', async () => {
  await expect(startExporter('nowhere', LABELS)).rejects.toThrow('--prometheus nowhere: expected a port, or host:port');
  const taken = await startExporter('0', LABELS);
  const at = new URL(taken.url).host;
  await expect(startExporter(at, LABELS)).rejects.toMatchObject({ code: 'PORT_IN_USE' });
  await taken.close();
});

it('the dashboard asks for metrics that there are', async () => {
  const known = new Set(
    [
      ...(
        await scraped({ ...PROGRESS, phones: { phones: 1, registered: 1, attempts: 1, failed: 0, blocked: 0 } })
      ).matchAll(/^# TYPE (\w+)/gm),
    ].map((m) => m[1]),
  );
  const asked = readFileSync('docs/grafana.json', 'utf8').match(/deadair_\w+/g)!;
  expect(asked.length).toBeGreaterThan(8);
  for (const metric of asked) expect(known).toContain(metric);
});

const promtool =
  spawnSync('promtool', ['--version']).status === 0 ? null : 'needs promtool: apt-get install prometheus';
describeWith(promtool, 'promtool', () => {
  it('has nothing to complain of', async () => {
    const phones = { phones: 100, registered: 90, attempts: 120, failed: 10, blocked: 0 };
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], {
      input: await scraped({ ...PROGRESS, phones }),
      encoding: 'utf8',
    });
    expect(`${stdout}${stderr}`.trim()).toBe('');
    expect(status).toBe(0);
  });
});
