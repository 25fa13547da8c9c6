import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { entryArgs } from '../../entry.js';
import { HarnessError } from '../../errors.js';

/** A process that removes what we made when we are gone, whatever became of us. */
export interface Reaper {
  /** All that was made stays, or is gone already: it ends and does nothing. */
  dismiss(): Promise<void>;
}

/** Resolves once it watches: nothing may be made before. Throws LAB_NOT_READY. */
export function startReaper(options: { engine: string; run: string; deadlineMs: number }): Promise<Reaper> {
  const { engine, run, deadlineMs } = options;
  const args = [...entryArgs('reaper-process', import.meta.url), engine, run, String(deadlineMs)];
  // Detached: a session of its own, which a signal to our group or the end of the terminal does not reach.
  const child = spawn(process.execPath, args, { detached: true, stdio: ['pipe', 'pipe', 'pipe'] });
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => {
    complaint = (complaint + chunk.toString()).slice(-2_000);
  });
  // That it is gone is told by 'exit'.
  child.stdin.on('error', () => undefined);
  const gone = new Promise<void>((resolve) => {
    child.on('exit', () => resolve());
    child.on('error', (error) => {
      complaint = error.message;
      resolve();
    });
  });
  return new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).once('line', () => {
      // It must not keep us alive: that it outlives us is its purpose.
      child.unref();
      for (const stream of [child.stdin, child.stdout, child.stderr]) (stream as unknown as { unref(): void }).unref();
      resolve({
        dismiss: async () => {
          child.ref();
          child.stdin.end('keep\n');
          await gone;
        },
      });
    });
    void gone.then(() => {
      const why = complaint.split('\n').find((line) => /Error/.test(line)) ?? 'no reason given';
      reject(new HarnessError('LAB_NOT_READY', `the reaper could not be started: ${why.trim()}`));
    });
  });
}
