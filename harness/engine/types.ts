import type { Worker } from 'node:worker_threads';
import type { Logger } from 'pino';
import type { GeneratorRecord, LoadRecord } from '../collect/schema.js';

export interface Progress {
  tMs: number;
  endMs: number;
  offered: number;
  started: number;
  blocked: number;
  open: number;
  answered: number;
  ended: number;
}

export interface EngineOptions {
  onProgress?: (p: Progress) => void;
  signal?: AbortSignal;
  log?: Logger;
  /** For tests that end a worker in mid-run. */
  onWorkers?: (agents: Worker[]) => void;
}

/** What an engine hands to the verdict, beside the rows that it wrote. */
export interface EngineOutcome {
  durationMs: number;
  load: LoadRecord;
  generator: GeneratorRecord;
  interrupted: string | null;
  sources: string[];
  /** Why the target is held to be silent; null when it answered. */
  silent: string | null;
}
