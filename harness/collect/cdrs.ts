import type { Column } from './legs.js';

/** One call detail record as the platform's database holds it when the run is over. */
export interface CdrRecord {
  /** Of the caller's leg; '' where the platform does not write it down. */
  callId: string;
  /** Number that was called: its last nine digits are the call's number, whatever B2BUA was between. */
  callee: string;
  caller: string;
  /** Who pays; '' where the record does not say. */
  tenant: string;
  /** Which part wrote it. */
  instance: string;
  /** ms of the run; NaN: not known, or never answered. */
  startMs: number;
  answeredMs: number;
  endedMs: number;
  /** How finely the record tells time, ms: 1,000 for whole seconds. */
  resolutionMs: number;
}

export const CDR_COLUMNS: readonly Column[] = [
  { name: 'callId', type: 'VARCHAR' },
  { name: 'callee', type: 'VARCHAR' },
  { name: 'caller', type: 'VARCHAR' },
  { name: 'tenant', type: 'VARCHAR' },
  { name: 'instance', type: 'VARCHAR' },
  { name: 'startMs', type: 'DOUBLE' },
  { name: 'answeredMs', type: 'DOUBLE' },
  { name: 'endedMs', type: 'DOUBLE' },
  { name: 'resolutionMs', type: 'DOUBLE' },
];

/** One line of a platform's own log. */
export interface LogRecord {
  /** ms of the run; may be before its start. */
  tMs: number;
  /** The service that said it. */
  instance: string;
  /** When the line names one; '' otherwise. */
  callId: string;
  line: string;
}

export const LOG_COLUMNS: readonly Column[] = [
  { name: 'tMs', type: 'DOUBLE' },
  { name: 'instance', type: 'VARCHAR' },
  { name: 'callId', type: 'VARCHAR' },
  { name: 'line', type: 'VARCHAR' },
];
