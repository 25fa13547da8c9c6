/**
 * A fault is a lease: what is done, how it is seen to be there, how it is taken away, and how it is seen to be gone, all of it as
 * data, so that a process that outlives us can carry it out (watchdog), and so can a later command (`deadair faults sweep`).
 */
import type { Sidecar } from '../lab/docker/fault-steps.js';
import type { Part } from '../lab/docker/parts.js';
import type { FaultKind } from '../plan/fault-kinds.js';
import type { FaultPlan } from '../plan/types.js';

export type { Sidecar };

/** Where the control interface of a Toxiproxy is, and which of its proxies is meant. */
export interface ToxicProxy {
  api: string;
  proxy: string;
  /** Its container: when that does not run, its toxics are gone, since they live in its memory. null: not of ours. */
  holder: string | null;
}

/**
 * One thing to do. Each is idempotent: done twice, or on something that is gone already, it succeeds. A step that looks fails
 * when it does not see what it should; the proof of a removal is made of those.
 */
export type Step =
  /** Makes the sidecar of this name and waits until it is at work. One that is there already is replaced. */
  | { do: 'sidecar'; name: string; labels: Record<string, string>; spec: Sidecar }
  /** Removes a container of ours. */
  | { do: 'remove'; container: string }
  | { do: 'absent'; container: string }
  /** `soon`: it may become true a moment later. Exit code 0, or the step fails. `sees`, `not`: a regular expression that its output has to match, or must not. */
  | { do: 'exec'; container: string; cmd: string[]; sees?: string; not?: string; soon?: true }
  /** Starts a command and leaves it to itself. */
  | { do: 'exec-detached'; container: string; cmd: string[] }
  /** `exec` in a sidecar that lives for this one command. Nothing is to be seen where `orGone` does not run: its namespace is gone. */
  | { do: 'run'; spec: Sidecar; labels: Record<string, string>; sees?: string; not?: string; orGone?: string }
  | { do: 'pause' | 'unpause' | 'start' | 'restart'; container: string }
  | { do: 'kill'; container: string; signal: string }
  /** Of the engine's own account of a container. */
  | { do: 'is'; container: string; state: 'running' | 'paused' | 'exited' | 'well'; soon?: true }
  /** Cores; null: no quota. */
  | { do: 'quota'; container: string; cpus: number | null }
  | { do: 'quota-is'; container: string; cpus: number | null }
  | {
      do: 'toxic';
      at: ToxicProxy;
      name: string;
      type: string;
      stream: 'upstream' | 'downstream';
      attributes: Record<string, number>;
    }
  | { do: 'no-toxic'; at: ToxicProxy; name: string }
  /** Toxics of this name: there, or not. */
  | { do: 'toxic-is'; at: ToxicProxy; name: string; there: boolean }
  /** Off and on again. */
  | { do: 'cut-proxy'; at: ToxicProxy }
  /** A process of this machine that we started: by number and start, so that a number used again is left alone. */
  | { do: 'end-process'; pid: number; start: string }
  | { do: 'process-gone'; pid: number; start: string };

/** One fault on one target, ready to be done. */
export interface Lease {
  /** Of the run and within it: `f2-3.node-1`. */
  id: string;
  run: string;
  kind: FaultKind;
  /** node-1: what the user reads. */
  target: string;
  backend: string;
  /** Why not another back-end; '' when it was the first choice. */
  because: string;
  atMs: number;
  forMs: number;
  /** Seen before the first fault of a run: a target that is sick at rest would be taken for its work. */
  steady: Step[];
  /** What may be done a few seconds before, and breaks nothing yet: sidecars. */
  prepare: Step[];
  /** In order; the first that fails undoes the lease. */
  apply: Step[];
  /** The fault is seen to be there. */
  verify: Step[];
  /** Changes while it is on: a ramp. */
  turns: { atMs: number; steps: Step[] }[];
  undo: Step[];
  /** Rougher ways, tried in turn when undo or its proof fail or do not end in time. */
  fallbacks: { what: string; steps: Step[] }[];
  /** The fault is seen to be gone. Empty only for what has nothing to take away. */
  proof: Step[];
  /**
   * Containers that the fault rests on, by name. One that is restarted or replaced in mid-fault took the fault with it: then it
   * is prepared and applied again.
   */
  anchors: string[];
  /** For the person at the terminal, when nothing helped. */
  byHand: string;
}

/** What a fault is to be done to: `node-1`, as `on=` has it. */
export interface FaultTarget extends Part {
  name: string;
}

/** What a back-end may use to make a lease. */
export interface FaultContext {
  run: string;
  /** Of this occurrence and target. */
  id: string;
  plan: FaultPlan;
  target: FaultTarget;
  /** Every target of the platform, for peers and proxies. */
  all: readonly FaultTarget[];
  seed: number;
  /** Labels for whatever is made. */
  labels: Record<string, string>;
  /** What a read-only command in a container prints; null when it fails. */
  ask(container: string, cmd: string[]): Promise<string | null>;
  /** The same of a command in a sidecar that is gone at once. */
  probe(spec: Sidecar): Promise<string | null>;
}

/** A part of a lease that differs between back-ends. */
export type Work = Pick<Lease, 'prepare' | 'apply' | 'verify' | 'undo' | 'fallbacks' | 'proof' | 'byHand'> & {
  /** The steps that bring a ramped parameter to a new value. */
  turn?: (params: FaultPlan['params']) => Step[];
  /** Instead of the target's own container. */
  anchors?: string[];
};

/** A way of doing faults. */
export interface Backend {
  /** nft, toxiproxy, docker, queue, netem... */
  name: string;
  kinds: readonly FaultKind[];
  /** The lowest that can is taken. */
  preference: number;
  /** Why it cannot do this here; null when it can. Changes nothing. */
  lacks(context: FaultContext): Promise<string | null>;
  /** Changes nothing. Throws BAD_PLAN when the parameters make no sense on this target. */
  work(context: FaultContext): Promise<Work>;
}
