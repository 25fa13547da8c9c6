import type { MediaBackend } from '../harness/plan/types.js';

/** What one measured generator process is asked to do: one agents' thread that calls one target. */
export interface AgentTask {
  localIp: string;
  targetIp: string;
  targetPort: number;
  calls: number;
  rateCps: number;
  holdMs: number;
  maxCalls: number;
  media: 'rtp' | 'none';
  backend: MediaBackend;
}

/** Lines that the process writes to its standard output, one JSON object each. */
export type AgentLine =
  /** The load begins. */
  | { kind: 'started' }
  /** The last call was started and all of them were answered. */
  | { kind: 'up' }
  /** On SIGUSR2: what was sent and received until now, and the lateness of sends since the last time. */
  | ({ kind: 'count' } & MediaCount)
  | ({ kind: 'done' } & AgentResult);

export interface MediaCount {
  rtpSent: number;
  rtpReceived: number;
  latenessMs: Lateness | null;
}

export interface Lateness {
  p50: number;
  p99: number;
  max: number;
}

/** A registrar process serves the users of a CSV. */
export interface RegistrarTask {
  ip: string;
  port: number;
  users: string;
}

/** A process of our phones: those of the CSV register once, `rate` a second. */
export interface RegisterTask {
  localIp: string;
  targetIp: string;
  targetPort: number;
  users: string;
  phones: number;
  rate: number;
  phonesPerSocket: number;
}

export interface RegisterResult {
  registered: number;
  retransmits: number;
  loadCpuS: number;
  threadCpuS: number;
  latenessP99Ms: number;
}

/** What a process with `up` calls takes, bytes, beside what it took before it had any tables. */
export interface FootprintLine {
  up: number;
  idle: Memory;
  loaded: Memory;
}

export interface Memory {
  rss: number;
  /** JavaScript heap and external memory together. */
  heap: number;
}

export interface AgentResult {
  calls: number;
  completed: number;
  retransmits: number;
  sendDropped: number;
  receiveDropped: number;
  rtpSent: number;
  rtpReceived: number;
  /** CPU between the first arrival and the end of the last call, seconds: all threads, and the agents' thread alone. */
  loadCpuS: number;
  threadCpuS: number;
  callLatenessP99Ms: number;
  wire: string;
  media: string;
}
