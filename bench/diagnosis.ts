/** How long a verdict on many calls takes, and how much memory: rows of a million calls are made up, telemetry with them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { entryArgs } from '../harness/entry.js';
import { largeRun } from '../harness/verdict/testing-large.js';
import { endsWithUs } from './children.js';

export interface DiagnosisFigure {
  calls: number;
  bad: number;
  seconds: number;
  /** Resident, at its highest. */
  peakMb: number;
  causes: string[];
}

export async function diagnosisFigure(calls: number): Promise<DiagnosisFigure> {
  const dir = await largeRun(calls);
  try {
    const child = endsWithUs(
      spawn(process.execPath, [...entryArgs('./judge', import.meta.url), dir], {
        stdio: ['ignore', 'pipe', 'inherit'],
      }),
    );
    let out = '';
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString();
    });
    await once(child, 'close');
    return JSON.parse(out) as DiagnosisFigure;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
