import { callParams, callPlan, embeddedConfig, embeddedParams } from '../../harness/plan/embedded.js';
import { defineScenario, integer, number } from '../../harness/plan/scenario.js';
import { signallingParams, signallingPlan } from '../../harness/plan/signalling.js';
import { webphoneParams, webphoneWish } from '../../harness/plan/webphones.js';

/** The 10 AM of the scenario's name takes one second, whatever its size. */
const BURST_MS = 1000;

/** What people do is no failing of the platform: their share, and three standard deviations of it, may go unanswered. */
function leastAsr(ordinaryFailures: number, calls: number): number {
  const deviation = Math.sqrt((ordinaryFailures * (1 - ordinaryFailures)) / Math.max(1, calls));
  return Number(Math.max(0, 0.99 - ordinaryFailures - 3 * deviation).toFixed(4));
}

export default defineScenario({
  name: 'peak-dial',
  summary: "ten o'clock on Monday: a quiet office, 150 calls in one second, talk, a wave of hang-ups",
  params: {
    quietCps: number(5, { unit: 'calls/s', doc: 'before the burst' }),
    quietMs: integer(4000, { unit: 'ms', min: 1, doc: 'how long it is quiet' }),
    burst: integer(150, { unit: 'calls', doc: 'INVITEs in the one second of the burst' }),
    plateauCps: number(0, { unit: 'calls/s', doc: 'calls that go on arriving after the burst' }),
    plateauMs: integer(10_000, { unit: 'ms', min: 1, doc: 'for how long, if plateauCps is not 0' }),
    // 64*T1 = 32 s: a BYE that is lost, and all its repeats, ends the call no later (RFC 3261 17.1.2.2, timer F).
    graceMs: integer(33_000, {
      unit: 'ms',
      doc: 'what a call may take beyond its longest ringing and talk; a run ends as soon as no call is up',
    }),
    callerWorkers: integer(1, { min: 1, max: 64, doc: 'threads that place calls' }),
    maxCallsPerWorker: integer(4096, { unit: 'calls', min: 1, max: 65_536, doc: 'calls up at once in one thread' }),
    stallAtMs: integer(8000, { unit: 'ms', platform: true, doc: 'db-stall: when the CDR database is locked' }),
    stallMs: integer(12_000, { unit: 'ms', platform: true, doc: 'db-stall: for how long' }),
    ...signallingParams,
    ...callParams,
    ...embeddedParams,
    ...webphoneParams,
  },
  // 200 calls: 5 a second for 30 s, then 50 in one second. What talk two cores carry is in docker/README.md.
  onStack: { quietMs: 30_000, burst: 50, holdMsMin: 6000, holdMsMax: 8000 },
  build: (p) => ({
    arrivals: [
      { name: 'quiet', durationMs: p.quietMs, fromCps: p.quietCps, toCps: p.quietCps },
      { name: 'burst', durationMs: BURST_MS, fromCps: p.burst, toCps: p.burst },
      ...(p.plateauCps > 0
        ? [{ name: 'plateau', durationMs: p.plateauMs, fromCps: p.plateauCps, toCps: p.plateauCps }]
        : []),
    ],
    drainMs: p.ringMsMax + p.holdMsMax + p.graceMs,
    call: callPlan(p),
    signalling: signallingPlan(p),
    platform: embeddedConfig(p),
    webphones: webphoneWish(p),
    agents: { callerWorkers: p.callerWorkers, maxCallsPerWorker: p.maxCallsPerWorker },
  }),
  incidents: {
    'nat-table': {
      summary: 'the router in front of the phones has 100 UDP sessions, and 170 calls want 341',
      cause: 'nat-table-full',
      // The 20 quiet calls hold up to 40 sessions when the burst comes, since RTCP starts seconds after RTP. RTP of about
      // 65 more finds a place then, and half of the calls find the table full.
      set: { 'nat.maxSessions': 100 },
      // Of 40 calls, the burst finds half of the table taken.
      onStack: { quietMs: 4000, burst: 20, holdMsMin: 33_000, holdMsMax: 37_000, 'nat.maxSessions': 40 },
      cure: {
        summary: 'a table for the peak: 170 calls x 2 flows + 1 for SIP + half as much again, since flows linger 30 s',
        set: { 'nat.maxSessions': 512 },
      },
    },
    'rtp-ports': {
      summary: 'the relay has ports for 85 of 170 calls, and passes the SDP of the others on without an audio path',
      cause: 'rtp-port-exhausted',
      set: { 'relay.ports': 340, 'relay.onExhausted': 'relay-anyway' },
      onStack: { quietMs: 4000, 'relay.ports': 160 },
      cure: {
        summary: 'a pool for the peak: 170 calls x 4 ports, and half as much again',
        set: { 'relay.ports': 1020 },
      },
    },
    'trunk-cps': {
      summary: 'the carrier takes 50 INVITEs a second, and answers 503 to the other 100 of the burst',
      cause: 'trunk-cps-limit',
      set: { 'trunk.cps': 50 },
      onStack: { quietMs: 4000, 'trunk.cps': 20 },
      // 150 at 45 a second: the last one waits 3.3 s, within the 8 s for which callers are patient.
      cure: { summary: 'the platform paces its INVITEs to 45 a second', set: { pacingCps: 45 } },
    },
    'trunk-channels': {
      summary: 'the carrier has 100 channels for 170 calls, and answers 503 from the 101st',
      cause: 'trunk-channel-limit',
      set: { 'trunk.channels': 100 },
      onStack: { quietMs: 4000, 'trunk.channels': 40 },
      cure: { summary: 'a second trunk of 100 channels, tried after the 503 of the first', set: { 'trunk.count': 2 } },
    },
    'db-stall': {
      summary: 'another process locks the CDR database for 12 s while threads that end calls wait for its commit',
      cause: 'db-stall',
      // 16 threads, and 15 hang-ups a second: a second after the lock none is left, and whoever calls in the seconds
      // after that waits longer than the 8 s of a caller's patience. Short calls keep the whole run under 45 s.
      set: {
        burst: 40,
        plateauCps: 15,
        plateauMs: 20_000,
        holdMsMin: 3000,
        holdMsMax: 6000,
        'cdr.mode': 'inline',
        'node.threads': 8,
      },
      faults: (p) => [{ kind: 'db-stall', at: p.stallAtMs, for: p.stallMs }],
      cure: { summary: 'CDRs wait in a queue, calls do not', set: { 'cdr.mode': 'queue' } },
    },
    misrouted: {
      summary:
        'the edge balances every request anew, so that half of those within a call meet a node that does not know it',
      cause: 'misrouted-in-dialog',
      // Calls of 8 s with a hold in the middle: two requests of the caller's beside ACK and BYE that can go astray.
      set: {
        'edge.dispatch': 'round-robin',
        'edge.inDialog': 'dispatch',
        burst: 40,
        holdMsMin: 8000,
        holdMsMax: 9000,
        steps: 'hold@2s,resume@4s',
      },
      onStack: { quietMs: 4000, burst: 20 },
      cure: {
        summary: 'the edge hashes the Call-ID: a call always meets its node',
        set: { 'edge.dispatch': 'call-id-hash' },
      },
    },
    'session-timer': {
      summary: 'sessions of 90 s are refreshed by UPDATE, which a firewall between phones and platform drops',
      cause: 'session-expired',
      // Refresh is due at 45 s; 30 s before the session expires, at 60 s, the callee hangs up (RFC 4028 10).
      set: {
        'edge.drops': 'UPDATE',
        burst: 30,
        holdMsMin: 65_000,
        holdMsMax: 70_000,
        'session.expiresS': 90,
        'session.method': 'update',
      },
      cure: {
        summary: 'sessions are refreshed by re-INVITE, which gets through',
        set: { 'session.method': 'reinvite' },
      },
    },
    'nat-mapping': {
      summary:
        'the router forgets a UDP mapping after 8 s without a packet, so that the BYE of a called party does not come through',
      cause: 'nat-mapping-expired',
      // After the burst no SIP passes the router until somebody hangs up, and that is the other side, at 15 s.
      set: { 'nat.idleTimeoutMs': 8000, burst: 40, holdMsMin: 24_000, holdMsMax: 26_000, steps: 'callee:bye@15s' },
      cure: {
        summary: 'the router remembers for 2 minutes, as RFC 4787 REQ-5 asks',
        set: { 'nat.idleTimeoutMs': 120_000 },
      },
    },
    'ack-lost': {
      summary: 'the way of the ACK is cut: answers are repeated for 32 s, and then the platform hangs up',
      cause: 'no-ack',
      set: { 'edge.drops': 'ACK', burst: 30, holdMsMin: 40_000, holdMsMax: 42_000 },
      cure: { summary: 'the ACK gets through', set: { 'edge.drops': 'nothing' } },
    },
    'cdr-backlog': {
      summary: 'the CDR database stands still for 12 s, 60 rows wait, and at that limit the nodes stop taking calls',
      cause: 'cdr-backlog',
      set: {
        burst: 40,
        plateauCps: 15,
        plateauMs: 20_000,
        holdMsMin: 3000,
        holdMsMax: 6000,
        'cdr.queueLimit': 60,
        'cdr.onFull': 'stop',
      },
      faults: (p) => [{ kind: 'db-stall', at: p.stallAtMs, for: p.stallMs }],
      cure: { summary: 'a queue for the whole stall: 10,000 rows', set: { 'cdr.queueLimit': 10_000 } },
    },
    'noisy-neighbour': {
      summary: 'another container leaves the relay processor time for 6,000 packets a second, and the peak has 17,000',
      cause: 'cpu-starved',
      set: { 'relay.packetsPerS': 6000, holdMsMin: 10_000, holdMsMax: 12_000 },
      cure: { summary: 'the relay has its processors to itself', set: { 'relay.packetsPerS': 0 } },
    },
    'tenant-cap': {
      summary:
        'the office may have 100 calls at once, and 170 are dialled: the others hear "busy", as its contract says',
      cause: 'tenant-cap',
      set: { tenantCap: 100, holdMsMin: 10_000, holdMsMax: 12_000 },
      cure: { summary: 'a limit for the peak', set: { tenantCap: 200 } },
    },
    'packet-loss': {
      summary: 'the access link loses 12 % of all packets, each way',
      cause: 'packet-loss',
      set: { 'nat.linkLoss': 0.12 },
      noCure: 'the link is outside the platform, and nothing that the platform can set brings the packets back',
    },
  },
  budgets: (p) => [
    `asr: rate>=${leastAsr(p.ordinaryFailures, (p.quietCps * p.quietMs) / 1000 + p.burst)}`,
    'drop_rate: rate<=0.01',
    'bad_rate: rate<=0.01',
    'pdd_ms: p(95)<4000',
    // Without audio there is nothing to measure, and a budget without data fails.
    ...(p.media === 'rtp' ? ['dead_air: count==0', 'one_way: count==0', 'mos: p(5)>3.6'] : []),
  ],
});
