import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { COMMAND, Control, STATE } from '../../agents/control.js';
import type { WorkerMessage } from '../../agents/thread.js';
import { monotonicUs } from '../clock.js';
import { entryArgs } from '../entry.js';
import { type ErrorCode, HarnessError } from '../errors.js';
import type { AgentHost, Ready } from './agent-host.js';

const LOAD_MS = 20_000;
const STOP_MS = 5_000;

/** A worker thread of ours, from its start to its end. */
export class Thread implements AgentHost {
  readonly control = new Control();
  readonly worker: Worker;
  /** Why it is gone, when it went before it was told to. */
  died: string | null = null;
  readonly ready: Promise<Ready>;
  readonly gone: Promise<void>;

  constructor(
    readonly name: string,
    entry: { file: string; from: string },
    data: object,
  ) {
    const [file, ...argv] = entryArgs(entry.file, entry.from);
    this.worker = new Worker(file, { argv, execArgv: [], workerData: { ...data, control: this.control.shared } });
    let settle: ((error: Error | null, ready?: Ready) => void) | null = null;
    this.ready = new Promise((resolve, reject) => {
      settle = (error, ready) => (error === null ? resolve(ready!) : reject(error));
    });
    // Whoever waits for it hears; nobody has to.
    this.ready.catch(() => undefined);
    this.gone = new Promise((resolve) => {
      this.worker.on('message', (message: WorkerMessage) => {
        if (message.kind === 'ready') settle!(null, message);
        else {
          const error =
            message.code === null
              ? Object.assign(new Error(`${name}: ${message.message}`), { stack: message.stack })
              : new HarnessError(message.code as ErrorCode, message.message);
          this.died = message.message;
          settle!(error);
        }
      });
      this.worker.on('error', (error) => {
        this.died = error.message;
        settle!(error);
      });
      this.worker.on('exit', () => {
        if (this.control.command !== COMMAND.STOP) this.died ??= 'the thread ended';
        settle!(new HarnessError('WORKER_DIED', `${name}: ${this.died ?? 'the thread ended'}`));
        resolve();
      });
    });
  }

  get loaded(): boolean {
    return this.control.state >= STATE.LOADED || this.died !== null;
  }

  get state(): number {
    return this.control.state;
  }

  go(t0Us: number): void {
    this.control.t0Us = t0Us;
    this.control.command = COMMAND.GO;
  }

  hangUp(): void {
    this.control.command = COMMAND.HANG_UP;
  }

  async stop(): Promise<void> {
    this.control.command = COMMAND.STOP;
    const timer = setTimeout(() => {
      this.died ??= `did not stop in ${STOP_MS / 1000} s`;
      void this.worker.terminate();
    }, STOP_MS);
    await this.gone;
    clearTimeout(timer);
  }
}

/** Waits until every thread has loaded its code, and sets them off together; t0, `leadUs` from now, is theirs and returned. */
export async function letGo(threads: readonly AgentHost[], leadUs: number): Promise<number> {
  const untilUs = monotonicUs() + LOAD_MS * 1000;
  while (!threads.every((t) => t.loaded)) {
    if (monotonicUs() > untilUs)
      throw new HarnessError('WORKER_DIED', `worker threads did not start in ${LOAD_MS / 1000} s`);
    await sleep(5);
  }
  for (const t of threads) if (t.died !== null) throw new HarnessError('WORKER_DIED', `${t.name}: ${t.died}`);
  const t0Us = monotonicUs() + leadUs;
  for (const t of threads) t.go(t0Us);
  return t0Us;
}
