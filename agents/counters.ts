/** A worker's counters and lateness histograms, in shared memory: written by the worker only, read at any time. */
export const COUNTERS = [
  'offered',
  'blockedMaxCalls',
  'blockedNoPort',
  'blockedWorkerDead',
  'started',
  'ended',
  'answered',
  'calleeStarted',
  'calleeEnded',
  /** INVITEs that our callee side had no room for. */
  'calleeRefused',
  'sipSent',
  'sipReceived',
  'parseRejected',
  'strayMessages',
  'retransmitsSent',
  'retransmitsSeen',
  'rtpSent',
  'rtpReceived',
  'rtcpSent',
  'rtcpReceived',
  'sendDropped',
  'receiveDropped',
  'unreachable',
  /** Microseconds that the loop worked, and that it waited. */
  'busyUs',
  'idleUs',
  'transactionsFull',
  /** Registration attempts; see registration-record.ts. */
  'registrationsOffered',
  'registrationsBlocked',
  'registrationsStarted',
  'registrationsEnded',
  'register200',
  'register401',
  'register503',
  /** Other final refusals. */
  'registerRejected',
  'registerTimeouts',
  /** The connection was refused, reset or closed before the answer. */
  'registerUnconnected',
  'registerRetransmits',
  /** Connections of a stream transport: made, and why others were not or are gone; the last two are gauges. */
  'connectionsDialled',
  /** Of those, to where an earlier connection failed or was lost. */
  'connectionsRedialled',
  'connectionsMade',
  'connectionsAccepted',
  'connectionsRefused',
  'connectionsReset',
  'connectionsClosed',
  'connectionsTimedOut',
  'connectionsUnreached',
  'connectionsTlsFailed',
  'connectionsWebSocketFailed',
  'connectionsNoRoom',
  'streamMessagesTooLong',
  'streamMessagesUnframed',
  'keepAlivePings',
  'keepAlivePongs',
  'keepAliveTimeouts',
  'connectionsOpen',
  'connectionsConnecting',
  /** A gauge: phones that hold a binding, as far as they know. */
  'registeredPhones',
  /** Bytes that a worker holds for phones that register, sockets aside: set when its run is over, and only in one without calls. */
  'phoneBytes',
] as const;
export type Counter = (typeof COUNTERS)[number];
export const COUNTER_INDEX = Object.fromEntries(COUNTERS.map((name, i) => [name, i])) as Record<Counter, number>;

/** Log-linear: 16 buckets to the octave of microseconds, up to 2^36 us (19 h); relative error below 1/16. */
export const HISTOGRAM_BUCKETS = 16 * 34;

export function bucketOf(us: number): number {
  if (us < 16) return us < 0 ? 0 : us | 0;
  const octave = Math.floor(Math.log2(us));
  const bucket = (octave - 3) * 16 + Math.floor(us / 2 ** (octave - 4)) - 16;
  return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

/** Upper edge of a bucket, microseconds. */
export function bucketTop(bucket: number): number {
  if (bucket < 16) return bucket;
  const octave = Math.floor(bucket / 16) + 3;
  return (16 + (bucket % 16) + 1) * 2 ** (octave - 4);
}

export const SHARED_BYTES = (COUNTERS.length + 2 * HISTOGRAM_BUCKETS) * 8;

export class Counters {
  readonly values: Float64Array;
  readonly callLateness: Float64Array;
  readonly rtpLateness: Float64Array;
  constructor(readonly shared: SharedArrayBuffer = new SharedArrayBuffer(SHARED_BYTES)) {
    this.values = new Float64Array(shared, 0, COUNTERS.length);
    this.callLateness = new Float64Array(shared, COUNTERS.length * 8, HISTOGRAM_BUCKETS);
    this.rtpLateness = new Float64Array(shared, (COUNTERS.length + HISTOGRAM_BUCKETS) * 8, HISTOGRAM_BUCKETS);
  }
  add(index: number, n = 1): void {
    this.values[index]! += n;
  }
  get(name: Counter): number {
    return this.values[COUNTER_INDEX[name]]!;
  }
}

/** Quantile of one or several histograms together, microseconds; 0 when they are empty. */
export function quantileUs(histograms: readonly Float64Array[], q: number): number {
  let total = 0;
  for (const h of histograms) for (const n of h) total += n;
  if (total === 0) return 0;
  let seen = 0;
  for (let b = 0; b < HISTOGRAM_BUCKETS; b++) {
    for (const h of histograms) seen += h[b]!;
    if (seen >= q * total && seen > 0) return bucketTop(b);
  }
  return bucketTop(HISTOGRAM_BUCKETS - 1);
}
