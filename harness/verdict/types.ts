import type { FaultRecord, GeneratorRecord, LoadRecord } from '../collect/schema.js';
import type { BudgetResult } from '../plan/budget/evaluate.js';
import type { Cause } from '../plan/causes.js';
import type { Diff } from './diff/types.js';

export type { BudgetResult, Cause };

/** Connections of a stream transport over the whole run, at the agents' end. */
export interface Connections {
  /** That we opened, or tried to; `redialled` of them to where one had failed or was lost; `made` of them came up. */
  dialled: number;
  redialled: number;
  made: number;
  accepted: number;
  /** The most that were open in one reading. */
  openMax: number;
  /** How they failed, or ended. */
  refused: number;
  reset: number;
  closed: number;
  timedOut: number;
  unreached: number;
  tlsFailed: number;
  webSocketFailed: number;
  /** Our own limit (agents/wire/stream-options.ts). */
  noRoom: number;
  /** Closed for what came over them. */
  tooLong: number;
  unframed: number;
  /** RFC 5626 4.4.1. */
  pings: number;
  pongs: number;
  pongTimeouts: number;
}

/** verdict.json, schema deadair.verdict/1: what a run came to. Absent measurements are null, never 0. */

/** A distribution in a few numbers; `n` says how many calls it rests on. */
export interface Quantiles {
  n: number;
  min: number;
  p50: number;
  p95: number;
  p99: number;
  max: number;
}

/** What became of calls once the last fault was gone. */
export interface Recovery {
  /** The last removal, ms of the run. */
  removedMs: number;
  /** The last instant at which a call went wrong, if that was later. */
  lastBadMs: number | null;
  /** 0: no call went wrong afterwards. Null: nobody called any more, so nothing is known. */
  recoveryMs: number | null;
  /** Calls that went wrong after the removal. */
  badAfter: number;
  /** Good calls that began after the last bad one: the more, the surer it is over. */
  goodSince: number;
}

export type OutcomeWord = 'PASS' | 'FAIL' | 'INVALID';

export interface EvidenceLine {
  text: string;
  /** `legs`, `frames`, or the telemetry source it was read from. */
  source: string;
  values: Record<string, number | string | boolean | null>;
}

export interface CauseFinding {
  cause: Cause;
  summary: string;
  calls: number;
  /** Attempts of phones to register that it met; absent for a cause of calls. */
  registrations?: number;
  /** Mean over its calls; 0 for `unknown`. */
  confidence: number;
  /** First and last instant at which one of its calls went wrong, ms of the run. */
  sinceMs: number;
  untilMs: number;
  /** When the first of its calls was over, so that it could be named, ms of the run. */
  knownMs: number;
  evidence: EvidenceLine[];
  /** Where such a call dies. */
  hop: string;
  cure: string;
  /** Clauses and manuals to read on. */
  see: string;
  /** Telemetry that would have confirmed it or ruled it out, and was not there. */
  missing: string[];
  /** A policy that did what it is for (a tenant's cap), not a defect. */
  expected?: boolean;
}

/** What was named against what was injected. Every bad call of a run with one injected cause is taken to be its work. */
export interface Attribution {
  injected: string;
  badCalls: number;
  /** Bad calls that were given the injected name. */
  named: number;
  /** Of the calls that were given a name other than unknown, the share that has the right one; null when none was named. */
  precision: number | null;
  /** Of the bad calls, the share that has the right name; null when there was none. */
  recall: number | null;
  /** injected -> named -> calls. */
  confusion: Record<string, Record<string, number>>;
}

/** RFC 6076 section 4, times in ms and ratios 0..1. */
export interface SipMetrics {
  srdMs: Quantiles | null;
  srdFailedMs: Quantiles | null;
  pddMs: Quantiles | null;
  setupMs: Quantiles | null;
  sddMs: Quantiles | null;
  sdtMs: Quantiles | null;
  /** 4.6: 200s over INVITEs that were not redirected. */
  ser: number | null;
  /** 4.7: the same, counting 480, 486, 600 and 603 as effective. */
  seer: number | null;
  /** 4.8: 408, 500, 503, 504 or nothing at all, over all INVITEs. */
  isa: number | null;
  /** 4.9: sessions that were answered and ended in order, over all INVITEs. */
  scr: number | null;
  /** ITU-T E.411: answers over attempts. */
  asr: number | null;
  /** Calls hung up by neither party's wish, over answered calls. */
  dropRate: number | null;
}

/** One wave of phones, from the instant of its first until that share is up and stays so. Null: it never was. */
export interface WaveResult {
  /** As the plan numbers it. */
  wave: number;
  sinceMs: number;
  phones: number;
  /** Of those, registered after their instant. */
  back: number;
  /** Phones that were down at once, at most. */
  downMax: number;
  timeTo50Ms: number | null;
  timeTo95Ms: number | null;
  timeTo100Ms: number | null;
  /** From a tenant's first phone's instant until its last one is back, over the tenants. */
  tenantTimeTo100Ms: { p50: number | null; max: number | null };
  /** Those that took longest, worst first; `tookMs` null: not whole again when the run ended. */
  slowestTenants: { tenant: number; sinceMs: number; phones: number; tookMs: number | null }[];
}

export const MECHANISMS = [
  'registrar-unreachable',
  'receive-buffer-overflow',
  'database-wait',
  'limit-below-capacity',
  /** A limit that did what it is for. */
  'shed-by-limit',
] as const;

/** What kept phones waiting, as the registrar's own numbers show it. */
export interface Mechanism {
  name: (typeof MECHANISMS)[number];
  text: string;
  values: Record<string, number | null>;
}

export interface Registrations {
  phones: number;
  tenants: number;
  /** Phones that hold a binding when the run ends. */
  registeredAtEnd: number;
  attempts: number;
  /** Attempts that were due and that the generator had no room for. */
  blocked: number;
  registered: number;
  failed: number;
  timeouts: number;
  /** The phone restarted in the middle of it. */
  superseded: number;
  open: number;
  /** 401 and 407. */
  challenged: number;
  /** 503. */
  refused: number;
  retransmissions: number;
  /** Of the last wave. */
  timeTo50Ms: number | null;
  timeTo95Ms: number | null;
  timeTo100Ms: number | null;
  /** RFC 6076 4.1. */
  rrdMs: Quantiles | null;
  /** Of refreshes alone: an echo of a storm is seen here. */
  refreshRrdMs: Quantiles | null;
  /** RFC 6076 4.2, 0..1. */
  ira: number | null;
  waves: WaveResult[];
  mechanisms: Mechanism[];
}

/** One witness's account: the webphones', and the engine's in the same words. */
export interface WitnessFigures {
  phones: number;
  /** Phones whose last attempt to register was accepted. */
  registered: number;
  tried: number;
  connected: number;
  /** Over without an answer. */
  failed: number;
  /** Answered, and then hung up by neither party's wish, or not hung up properly. */
  broken: number;
  /** Answered calls whose audio could be judged. */
  judged: number;
  heardBoth: number;
  /** The most calls that were up in one instant. */
  upAtOnce: number;
  /** INVITE to ringing (RFC 6076 4.3.1), and to the answer. */
  srdMs: { p50: number; p95: number } | null;
  setupMs: { p50: number; p95: number } | null;
  mosP50: number | null;
}

/** sip.js user agents beside the engine: is what the engine says true for clients that we did not write? */
export interface Witness {
  webphones: WitnessFigures;
  engine: WitnessFigures;
  /** What both had enough of to be compared. */
  comparable: string[];
  /** Empty: they say the same. */
  disagreements: string[];
  /** How late the webphones themselves were; above 500 ms they are no witness. */
  latenessP95Ms: number;
  /** All of it in one line. */
  text: string;
}

/** What the platform billed against what the wire saw; the table `billing` has a row for each finding. */
export interface Billing {
  /** All records, and those of answered calls. */
  records: number;
  answered: number;
  /** Calls that were answered and are over. */
  callsAnswered: number;
  missing: number;
  duplicate: number;
  wrongDuration: number;
  neverAnswered: number;
  wrongTenant: number;
  /** Records of calls that are none of ours. */
  strange: number;
  /** What was talked and what was billed, summed. */
  talkMs: number;
  billedMs: number;
  /** Finding -> a call that has it. */
  examples: Record<string, number>;
}

export interface Verdict {
  schema: 'deadair.verdict/1';
  run: {
    id: string;
    scenario: string | null;
    incident: string | null;
    cured: boolean | null;
    seed: number | null;
    mode: string | null;
    startedAt: string;
    durationMs: number;
    node: string;
    os: string;
    cpus: number;
    cpuModel: string;
    deadair: string;
    callee: 'agents' | 'target';
    media: 'rtp' | 'none';
    interrupted: string | null;
  };
  outcome: { word: OutcomeWord; reasons: string[] };
  load: LoadRecord & { latenessMs: GeneratorRecord['callLatenessMs'] };
  calls: {
    total: number;
    answered: number;
    completed: number;
    dropped: number;
    rejected: number;
    cancelled: number;
    timeout: number;
    open: number;
    bad: number;
    byOutcome: Record<string, number>;
    /** Final status of the INVITE -> calls; "0" is none. */
    finalCodes: Record<string, number>;
    /** Calls that saw each provisional; `repeated180`: calls that saw 180 more than once. */
    provisional: { '100': number; '180': number; '183': number; repeated180: number };
    retransmissions: {
      inviteSent: number;
      inviteSeen: number;
      byeSent: number;
      answerSeen: number;
      answerSent: number;
      /** Calls with at least one repeat of the final response: somebody did not get an ACK, or the network doubled it. */
      callsWithAnswerSeen: number;
    };
    /** Who ended the answered calls, seen from the caller. */
    endedBy: Record<string, number>;
    /** Calls that were answered with 3xx. */
    redirects: number;
    /** Retry-After of the refusals that had one, s (RFC 3261 20.33). */
    retryAfterS: Quantiles | null;
    /** What happened within calls, at the ends that are ours. */
    inDialog: {
      /** Requests sent, repeats aside. */
      reinvites: number;
      updates: number;
      holds: number;
      /** 491 (RFC 3261 14.1). */
      glares: number;
      /** RFC 3262. */
      pracks: number;
      /** Calls with a REFER that was accepted, and those whose new call was answered (RFC 3515). */
      transfers: number;
      transferred: number;
      /** Calls with a session timer (RFC 4028), refreshes that were answered, and how sessions failed. */
      sessionTimers: number;
      refreshes: number;
      sessionExpired: number;
      refreshFailed: number;
      /** Calls given up because another request within the dialog got 481, 408 or no answer. */
      dialogLost: number;
      /** 3xx that were followed; 401 and 407 that were answered; further 2xx of a forked INVITE. */
      redirectsFollowed: number;
      challenges: number;
      forks: number;
      /** Refused requests within dialogs, 'INVITE 481' -> calls; 408 is also no answer. */
      refused: Record<string, number>;
    };
    metrics: SipMetrics;
  };
  media: {
    backend: string;
    /** Answered calls whose audio could be judged. */
    judged: number;
    oneWay: number;
    deadAir: number;
    crossed: number;
    poorMos: number;
    mos: { p5: number; p50: number; min: number } | null;
    lossPct: Quantiles | null;
    jitterMs: Quantiles | null;
  };
  /** Null in a run without phones that register. */
  registrations: Registrations | null;
  /** Of TCP, TLS and WebSocket, at our end; null in a run over UDP. */
  connections: Connections | null;
  /** Null in a run without webphones. */
  witness: Witness | null;
  /** Null where the platform's call records could not be read. */
  billing: Billing | null;
  causes: CauseFinding[];
  /** causes.parquet beside this file: callNo, cause, confidence; one row per bad call. */
  perCall: 'causes.parquet';
  attribution: Attribution | null;
  budgets: BudgetResult[];
  /** What moved against an earlier run; null without one. */
  baseline: Diff | null;
  faults: FaultRecord[];
  /** Null when no fault was removed. */
  recovery: Recovery | null;
  generator: GeneratorRecord & { text: string };
  sourcesMissing: string[];
  reproduce: string;
}
