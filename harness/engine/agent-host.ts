import type { WorkerMessage } from '../../agents/thread.js';

export type Ready = Extract<WorkerMessage, { kind: 'ready' }>;

/** A worker as the engine drives it, wherever it runs: a thread of ours, or a process in a container. */
export interface AgentHost {
  readonly name: string;
  /** Why it is gone, when it went before it was told to. */
  readonly died: string | null;
  /** Its wire is open and its loop runs. Rejects when it cannot be. */
  readonly ready: Promise<Ready>;
  readonly loaded: boolean;
  /** One of STATE. */
  readonly state: number;
  go(t0Us: number): void;
  /** No further arrivals; calls that are up are hung up. */
  hangUp(): void;
  stop(): Promise<void>;
}
