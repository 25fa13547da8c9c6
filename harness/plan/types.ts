/** The plan is data: everything a run does, decided before it starts. plan.json holds exactly a RunPlan. */
import type { FaultKind } from './fault-kinds.js';

/** A duration drawn per call, in ms. */
export type DurationDist =
  | { kind: 'fixed'; ms: number }
  | { kind: 'uniform'; minMs: number; maxMs: number }
  | { kind: 'exponential'; meanMs: number; minMs: number; maxMs: number };

/**
 * A stretch of arrivals whose rate goes linearly from `fromCps` to `toCps` over `durationMs`.
 * Arrivals are evenly spaced by the integral of the rate; `poisson` draws them instead, from the run's seed.
 */
export interface ArrivalStage {
  name: string;
  durationMs: number;
  fromCps: number;
  toCps: number;
  poisson?: boolean;
}

export type MediaBackend = 'auto' | 'raw' | 'sockets' | 'dgram';

export const STEP_ACTIONS = ['hold', 'resume', 'reinvite', 'media', 'update', 'refer', 'bye'] as const;

/** Something that a party does in the middle of a call. */
export interface CallStep {
  /** After the answer: 'answer+2s', 'answer+500ms'. What would come after the hang-up does not happen. */
  at: string;
  /** Default: the caller. */
  by?: 'caller' | 'callee';
  /**
   * hold, resume: re-INVITE with a=sendonly and a=sendrecv (RFC 3264 8.4). reinvite: re-INVITE that changes nothing.
   * media: re-INVITE that moves the audio to another port. update: the same as reinvite by UPDATE (RFC 3311).
   * refer: a blind transfer of the other party to `to` (RFC 3515). bye: hang up.
   */
  do: (typeof STEP_ACTIONS)[number];
  /** SIP URI that `refer` sends the other party to; default: sip:transfer@ the called domain. */
  to?: string;
}

/** Session timers (RFC 4028). Without it nobody asks for one; what the other side asks for is honoured all the same. */
export interface SessionTimerPlan {
  expiresS: number;
  /** Less than this is refused with 422; the RFC's own floor is 90. */
  minSeS: number;
  refresher: 'caller' | 'callee';
  method: 'reinvite' | 'update';
}

/** Digest credentials for 401 and 407. */
export interface CallCredentials {
  user: string;
  password: string;
}

export interface CallPlan {
  /** How long the callee rings before 200 OK. */
  ringMs: DurationDist;
  /** Talk time; the caller hangs up. */
  holdMs: DurationDist;
  /** The caller sends CANCEL when there is no final answer by then. */
  patienceMs: number;
  /** `none`: signalling only, an SDP is still offered. */
  media: 'rtp' | 'none';
  rtcp: boolean;
  /** Share of calls that are busy, not answered, or to a wrong number, a third each; 0 without it. */
  ordinaryFailures?: number;
  /** In the order in which they are due; a party does one at a time. */
  steps?: CallStep[];
  session?: SessionTimerPlan;
  /** 100rel (RFC 3262): said in Supported or in Require. A callee of ours rings reliably when either is there. */
  reliable?: 'supported' | 'required';
  credentials?: CallCredentials;
  /** 3xx that one call follows at most (RFC 3261 8.1.3.4); default 0: it is rejected. */
  redirects?: number;
}

/** UDP session table of the subscribers' router (conntrack words). */
export interface NatConfig {
  enabled: boolean;
  /** Entries in the UDP session table; a flow that finds it full is dropped (nf_conntrack: table full). */
  maxSessions: number;
  /** An entry with no packet for this long is removed. */
  idleTimeoutMs: number;
  /** Random loss on the access link, each direction, 0..1. */
  linkLoss: number;
}

export interface NodeConfig {
  /** Signalling threads of one PBX node; a thread that waits for the database does nothing else. */
  threads: number;
  /** Datagrams that wait for a thread; the next is dropped, as a full socket buffer does. */
  inboxLimit: number;
  /** BYE a call when one of its legs had no audio for this long. */
  rtpTimeoutMs: number;
}

export interface RelayConfig {
  /** UDP ports in the pool; a call takes four (RTP and RTCP for each leg). */
  ports: number;
  /** No port left: answer 503, or relay the SDP unchanged (calls then have no audio path). */
  onExhausted: 'reject' | 'relay-anyway';
  /** Packets a second that its share of the processor is enough for; 0 or absent = all. */
  packetsPerS?: number;
}

export interface TrunkConfig {
  /** INVITEs accepted in any second; 0 = no limit. */
  cps: number;
  /** Calls at once; 0 = no limit. */
  channels: number;
}

/** A registrar with digest authentication on an address of its own; phones send to it directly. */
export interface RegistrarConfig {
  threads: number;
  /** Datagrams that wait for a thread lie there; the rest is dropped. */
  receiveBufferBytes: number;
  /** cached: secrets in memory. database: a row read for every request, for which a thread waits. */
  credentials: 'cached' | 'database';
  /** The way to the database and back. */
  dbLatencyMs: number;
  algorithms: ('MD5' | 'SHA-256')[];
  nonceLifeS: number;
  minExpiresS: number;
  maxExpiresS: number;
  /** What is granted is uniform in [1 - expiresSpread, 1] of what is asked. */
  expiresSpread: number;
  /** First REGISTERs let in per second; the others get 503 and Retry-After. 0 = no limit. */
  limitPerS: number;
  retryAfterS: number;
  retryAfterSpreadS: number;
}

export interface EmbeddedConfig {
  nat: NatConfig;
  edge: {
    dispatch: 'round-robin' | 'call-id-hash';
    /** Requests within a call: to the node in their route set (the default), or dispatched anew. */
    inDialog?: 'route' | 'dispatch';
    /** A method that does not get through. */
    drops?: 'nothing' | 'UPDATE' | 'ACK';
  };
  nodes: number;
  node: NodeConfig;
  relay: RelayConfig;
  /** Tried in order; a 503 from one is answered by trying the next. */
  trunks: TrunkConfig[];
  /** INVITEs a second that the platform lets out to the trunks, smoothed by a queue; 0 = as they come. */
  pacingCps: number;
  /** inline: the thread that ends a call waits for the commit. queue: rows wait in memory, calls do not. */
  cdr: {
    mode: 'inline' | 'queue';
    queueLimit: number;
    /** drop (the default): the row is lost. stop: the nodes hear nothing until rows are worked off. */
    onFull?: 'drop' | 'stop';
  };
  /** Calls at once from one site; 0 or absent = no limit. */
  tenantCap?: number;
  /** Without it nothing listens for REGISTER. */
  registrar?: RegistrarConfig;
}

/** How a phone tries again after a refusal or a timeout. A Retry-After always holds. */
export type RetryPolicy =
  | { kind: 'immediate' }
  | { kind: 'fixed'; ms: number }
  /** RFC 5626 4.5: min(maxMs, baseMs * 2^failures), of which a uniform 50 to 100 % is waited. */
  | { kind: 'rfc5626'; baseMs: number; maxMs: number };

/** Every phone registers anew, as after a power cut or a new firmware. */
export interface RegistrationWave {
  name: string;
  atMs: number;
  /** From the first phone to the last, evenly; 0: all in one instant. */
  overMs: number;
  /** shuffled: as their mains come back. by-tenant: one tenant after the other. */
  order: 'shuffled' | 'by-tenant';
  /** Of the phones; the others go on as if nothing was. Default 1. */
  share?: number;
  /** A phone that restarts has forgotten its nonce, and its Call-ID is new; otherwise it only repeats its registration. */
  restart: boolean;
}

/** A CSV that says who the phones are; see harness/plan/users.ts. Its secrets are not copied into the plan. */
export interface UsersFile {
  /** Absolute, in a plan that was resolved. */
  file: string;
  /** Of rows that name none. */
  domain: string;
  /** Of the file when the plan was made. */
  sha256: string;
}

export interface RegistrationPlan {
  phones: number;
  tenants: number;
  /** Absent: names and secrets are generated from the seed. */
  users?: UsersFile;
  /** Phones that share a socket, or a connection of a stream transport; each has a contact of its own. */
  phonesPerSocket: number;
  expiresS: number;
  /** A phone refreshes when a uniform share between these of what was granted is over. */
  refreshMin: number;
  refreshMax: number;
  retry: RetryPolicy;
  /** These phones take calls at the contact that they registered; those of the plan go to them, by name. */
  called?: boolean;
  /** They place the calls of the plan too, each as itself. Without it callers outside do. */
  calling?: boolean;
  waves: RegistrationWave[];
}

/**
 * sip.js user agents that call each other over WebSocket beside the engine's load: a witness that did not come out of our
 * own SIP stack. Phone n calls phone n+1.
 */
export interface WebphonePlan {
  /** At least two. */
  count: number;
  /** ws://host:port/path or wss://. */
  server: string;
  /** PEM file of the authority that signed the server's certificate; null: those that Node trusts, or the stack's own. */
  ca: string | null;
  /** Registrations begin one after the other, this far apart. */
  registerEveryMs: number;
  expiresS: number;
  /** The first call, ms of the run. */
  fromMs: number;
  callsPerSecond: number;
  holdMs: DurationDist;
}

export type TargetPlan =
  | { kind: 'embedded'; config: EmbeddedConfig }
  /**
   * `host` is an IPv4 address; the operator names anything outside loopback with --authorise. With `stack` we bring the
   * target up there ourselves.
   */
  | { kind: 'sip'; uri: string; host: string; port: number; stack?: 'kamailio'; transport?: Transport }
  | StackTarget;

/** A platform of real parts in Docker. */
export interface StackTarget {
  kind: 'stack';
  /** A name of ours, or the path of a Compose file. */
  stack: string;
  /** Role -> service, for a file that does not say it by labels. */
  roles: Record<string, string>;
  /** Variables of the file, over those of the environment; of each setting it has to have one at least. */
  settings: { what: string; variables: Record<string, string> }[];
}

/** A fault that is done to the platform on the run's clock. Limits in EmbeddedConfig are not faults: they are just there. */
export interface FaultPlan {
  kind: FaultKind;
  atMs: number;
  /** 0 for what happens at an instant. */
  forMs: number;
  /** A role (`nat`), one of it (`node-2`), or a service of a stack by its name. */
  on: string;
  /** Every parameter of the kind; a ramped one has its last value here. */
  params: Record<string, number | string | boolean>;
  /** `param` goes linearly from `from` to `to`, and stays there until the end. */
  ramp?: { param: string; from: number; to: number; overMs: number };
  /** From beginning to beginning. */
  repeat?: { times: number; everyMs: number };
  /** The one way of doing it that is wanted; else the first that can. */
  backend?: string;
}

/** What carries SIP between phones and the platform (RFC 3261 18, RFC 7118). RTP is UDP beside it. */
export type Transport = 'udp' | 'tcp' | 'tls' | 'ws' | 'wss';

export interface SignallingPlan {
  transport: Transport;
  /** PEM file of the authorities that may sign the platform's certificate; '' = those that Node trusts. */
  tlsCa: string;
  /** false: any certificate is taken. */
  tlsVerify: boolean;
  /** CRLF ping on every connection this often (RFC 5626 4.4.1); 0 = never. */
  keepAliveS: number;
  /** Of the target's WebSocket; absent: '/'. */
  wsPath?: string;
  /** Everything goes by it (RFC 3261 8.1.2): `uri` is what stands in Route. Absent: straight to the target. */
  outboundProxy?: { uri: string; host: string; port: number };
}

export interface RunPlan {
  schema: 'deadair.plan/1';
  runId: string;
  scenario: string;
  /** 'none' or a name of the scenario's incidents. */
  incident: string;
  cured: boolean;
  /** Cause that the incident injects, as verdict/causes names it; null for none. Only score reads it. */
  injectedCause: string | null;
  seed: number;
  mode: 'real' | 'simulated';
  params: Record<string, number | string | boolean>;
  target: TargetPlan;
  arrivals: ArrivalStage[];
  /** After the last arrival: how long calls may take to end by themselves. What is up then is counted as open. */
  drainMs: number;
  call: CallPlan;
  /** Absent: udp. */
  signalling?: SignallingPlan;
  /** Phones that register; none without it. */
  registrations?: RegistrationPlan;
  /** None without it. */
  webphones?: WebphonePlan;
  agents: {
    /** Threads that place calls. */
    callerWorkers: number;
    /** Calls up at once, per worker; an arrival above it is counted as blocked. */
    maxCallsPerWorker: number;
    mediaBackend: MediaBackend;
  };
  faults: FaultPlan[];
  /** 'metric: expression' in k6's threshold grammar. */
  budgets: string[];
  /** Exactly what the user could type to have this run again. */
  command: string;
}
