import type { CallPlan, DurationDist } from '../harness/plan/types.js';
import type { Party } from './call/party.js';
import type { Counters } from './counters.js';
import type { LegMedia } from './media.js';
import type { SipMessage } from './sip/parse.js';
import type { LegStore } from './store.js';

/** What the callers of one worker are, and where they call. */
export interface CallerOptions {
  ip: number;
  /** 0 = any. */
  port: number;
  /** Where INVITEs go: outbound proxy or the target itself. */
  hopIp: number;
  hopPort: number;
  /** 'host:port' of the Request-URI; the user is `user`, or the call's number when null. */
  domain: string;
  user: string | null;
  /** Whom to call, as user@host, by the call's number; absent: `user` at `domain`. */
  dial?: (callNo: number) => Uint8Array;
  /** That a call is of, by its number; absent: there are none. */
  tenant?: (callNo: number) => number;
  /** Phones whose calls these are, on ports of their own, and how they answer; absent: it only places calls. */
  phones?: { party: Party; msg: SipMessage; ringMs: DurationDist; ordinaryFailures: number };
  /** Header lines of every INVITE. */
  lines?: string;
  /** Instants of all arrivals, ms since t0; this worker takes first, first+stride, ... */
  arrivals: Float64Array;
  first: number;
  stride: number;
  call: CallPlan;
  seed: number;
  worker: number;
  /** 16 bits that mark this worker's tags and branches, and a text that marks this run's Call-IDs. */
  salt: number;
  runTag: string;
  maxCalls: number;
  t0Us: number;
  store: LegStore;
  counters: Counters;
  /** null: signalling only. */
  media: LegMedia | null;
}
