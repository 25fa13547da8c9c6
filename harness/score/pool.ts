import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { entryArgs } from '../entry.js';
import { HarnessError } from '../errors.js';
import type { CaseResult, Job } from './case-result.js';

type Answer = { result: CaseResult } | { error: string };

export interface PoolOptions {
  processes: number;
  signal?: AbortSignal;
  onResult?: (done: number, all: number) => void;
}

/**
 * Spreads simulated runs over processes: one keeps one core busy. Results come in the order of the jobs. Throws when a run
 * cannot be made; when interrupted, returns what there is.
 */
export async function runJobs(jobs: readonly Job[], options: PoolOptions): Promise<CaseResult[]> {
  const results: (CaseResult | undefined)[] = jobs.map(() => undefined);
  const children: ChildProcess[] = [];
  let next = 0;
  let done = 0;
  let failed: Error | null = null;
  const work = async (): Promise<void> => {
    const [file, ...args] = entryArgs('worker', import.meta.url);
    const child = fork(file, args, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    children.push(child);
    const gone = once(child, 'exit').then(() => ({ error: 'its process ended' }));
    while (next < jobs.length && failed === null && !options.signal?.aborted) {
      const at = next++;
      const job = jobs[at]!;
      const told = once(child, 'message').then(([answer]) => answer as Answer);
      child.send(job);
      const answer = await Promise.race([told, gone]);
      if ('error' in answer) {
        failed ??= new HarnessError('WORKER_DIED', `${job.name}, seed ${job.seed}: ${answer.error}`);
        break;
      }
      results[at] = answer.result;
      options.onResult?.(++done, jobs.length);
    }
    if (child.connected) child.disconnect();
  };
  try {
    await Promise.all(Array.from({ length: Math.min(options.processes, jobs.length) }, work));
  } finally {
    for (const child of children) if (child.connected) child.disconnect();
  }
  if (failed !== null && !options.signal?.aborted) throw failed;
  return results.filter((r) => r !== undefined);
}
