import type { Worker } from 'node:worker_threads';
import type { Logger } from 'pino';
import type { AbortRecord, GeneratorRecord, LoadRecord, RegistrationLoad } from '../collect/schema.js';
import type { Recorder } from './capture.js';

export interface Progress {
  tMs: number;
  endMs: number;
  offered: number;
  started: number;
  blocked: number;
  open: number;
  answered: number;
  ended: number;
  /** How calls went bad so far, as their callers saw it, most first. */
  bad: [what: string, calls: number][];
  /** Of phones that register; absent where there are none. */
  phones?: PhonesProgress;
}

export interface PhonesProgress {
  phones: number;
  /** They hold a binding, as far as they know. */
  registered: number;
  attempts: number;
  failed: number;
  blocked: number;
}

export interface EngineOptions {
  onProgress?: (p: Progress) => void;
  signal?: AbortSignal;
  log?: Logger;
  /** PEM file of the authority of a stack that we brought up. */
  ca?: string;
  /** What becomes of a stack in Docker, for the person at the terminal. */
  onStack?: (line: string) => void;
  /** Hosts and containers that are not ours, and that faults may break: the operator named them. */
  authorised?: readonly string[];
  /** The stack stays when the run is over. */
  keepStack?: boolean;
  /** Keeps what went over the agents' wires. */
  recorder?: Recorder;
  /** For tests that end a worker in mid-run. */
  onWorkers?: (agents: Worker[]) => void;
}

/** What an engine hands to the verdict, beside the rows that it wrote. */
export interface EngineOutcome {
  durationMs: number;
  load: LoadRecord;
  /** Null in a run without phones that register. */
  registrations: RegistrationLoad | null;
  generator: GeneratorRecord;
  interrupted: string | null;
  /** The budget that ended the run; null when none did. */
  aborted: AbortRecord | null;
  sources: string[];
  /** Are the called parties ours too, so that both ends of a call are seen? */
  callee: 'agents' | 'target';
  /** Why the target is held to be silent; null when it answered. */
  silent: string | null;
}
