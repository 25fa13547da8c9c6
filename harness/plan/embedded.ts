import { choice, flag, integer, number, type Params, type Resolved, text } from './scenario.js';
import { parseSteps } from './steps.js';
import type { CallPlan, EmbeddedConfig } from './types.js';

/**
 * Every limit of the embedded platform as a dotted parameter, with values at which a few hundred calls are healthy.
 * A scenario spreads them into its own: `params: { ...embeddedParams, burst: integer(150, …) }`.
 */
export const embeddedParams = {
  'nat.enabled': flag(true, { platform: true, doc: 'subscribers are behind a NAT router' }),
  'nat.maxSessions': integer(4096, {
    platform: true,
    unit: 'sessions',
    min: 1,
    doc: 'UDP session table; a call takes 2 (RTP, RTCP), all SIP together takes 1',
  }),
  'nat.idleTimeoutMs': integer(30_000, {
    platform: true,
    unit: 'ms',
    min: 1,
    doc: 'a session without a packet for this long is forgotten',
  }),
  'nat.linkLoss': number(0, { platform: true, max: 1, doc: 'random loss on the access link, each direction, 0..1' }),
  'edge.dispatch': choice('call-id-hash', {
    platform: true,
    choices: ['round-robin', 'call-id-hash'],
    doc: 'how the edge proxy chooses a node for a request',
  }),
  'edge.inDialog': choice('route', {
    platform: true,
    choices: ['route', 'dispatch'],
    doc: 'requests within a call: route = to the node in their route set, dispatch = to a node chosen anew',
  }),
  'edge.drops': choice('nothing', {
    platform: true,
    choices: ['nothing', 'UPDATE', 'ACK'],
    doc: 'UPDATE: as a firewall with a SIP helper that does not know the method (RFC 3311); ACK: the way to the Contact is cut',
  }),
  nodes: integer(2, { platform: true, min: 1, max: 64, doc: 'PBX nodes behind the edge' }),
  'node.threads': integer(16, { platform: true, min: 1, max: 1024, doc: 'signalling threads of one node' }),
  'node.inboxLimit': integer(1000, {
    platform: true,
    unit: 'datagrams',
    min: 1,
    doc: 'datagrams that wait for a thread; the next is dropped',
  }),
  'node.rtpTimeoutMs': integer(30_000, {
    platform: true,
    unit: 'ms',
    min: 1,
    doc: 'a node sends BYE when a leg had no audio for this long',
  }),
  'relay.ports': integer(2000, { platform: true, unit: 'ports', max: 60_000, doc: 'media relay pool; a call takes 4' }),
  'relay.onExhausted': choice('reject', {
    platform: true,
    choices: ['reject', 'relay-anyway'],
    doc: 'without a free port: answer 503, or pass the SDP on and leave the call without an audio path',
  }),
  'relay.packetsPerS': integer(0, {
    platform: true,
    unit: 'packets/s',
    doc: 'what the processor time that its neighbours leave the relay is enough for; a call has 100; 0 = all',
  }),
  tenantCap: integer(0, {
    platform: true,
    unit: 'calls',
    doc: 'calls at once from one site; the next gets 486; 0 = no limit',
  }),
  'trunk.count': integer(1, { platform: true, min: 1, max: 16, doc: 'carrier trunks, tried in order after a 503' }),
  'trunk.cps': integer(0, { platform: true, unit: 'INVITEs/s', doc: 'what one trunk accepts in a second; 0 = all' }),
  'trunk.channels': integer(0, { platform: true, unit: 'calls', doc: 'calls at once on one trunk; 0 = no limit' }),
  pacingCps: number(0, {
    platform: true,
    unit: 'INVITEs/s',
    doc: 'the platform smooths what it sends to the trunks to this rate; 0 = as they come',
  }),
  'cdr.mode': choice('queue', {
    platform: true,
    choices: ['inline', 'queue'],
    doc: 'inline: the thread that ends a call waits for the commit',
  }),
  'cdr.queueLimit': integer(10_000, { platform: true, unit: 'rows', min: 1, doc: 'rows that wait for the database' }),
  'cdr.onFull': choice('drop', {
    platform: true,
    choices: ['drop', 'stop'],
    doc: 'at the queue limit: drop = the row is lost, stop = the nodes hear nothing until rows are worked off',
  }),
} satisfies Params;

export function embeddedConfig(p: Resolved<typeof embeddedParams>): EmbeddedConfig {
  return {
    nat: {
      enabled: p['nat.enabled'],
      maxSessions: p['nat.maxSessions'],
      idleTimeoutMs: p['nat.idleTimeoutMs'],
      linkLoss: p['nat.linkLoss'],
    },
    edge: { dispatch: p['edge.dispatch'], inDialog: p['edge.inDialog'], drops: p['edge.drops'] },
    nodes: p.nodes,
    node: {
      threads: p['node.threads'],
      inboxLimit: p['node.inboxLimit'],
      rtpTimeoutMs: p['node.rtpTimeoutMs'],
    },
    relay: { ports: p['relay.ports'], onExhausted: p['relay.onExhausted'], packetsPerS: p['relay.packetsPerS'] },
    trunks: Array.from({ length: p['trunk.count'] }, () => ({ cps: p['trunk.cps'], channels: p['trunk.channels'] })),
    pacingCps: p.pacingCps,
    cdr: { mode: p['cdr.mode'], queueLimit: p['cdr.queueLimit'], onFull: p['cdr.onFull'] },
    tenantCap: p.tenantCap,
  };
}

/** What one call does, as parameters. */
export const callParams = {
  ringMsMin: integer(200, { unit: 'ms', doc: 'shortest ringing (of our own callee)' }),
  ringMsMax: integer(800, { unit: 'ms', doc: 'longest ringing' }),
  holdMsMin: integer(33_000, { unit: 'ms', doc: 'shortest talk, from answer to hang-up by the caller' }),
  holdMsMax: integer(37_000, { unit: 'ms', doc: 'longest talk' }),
  patienceMs: integer(8000, { unit: 'ms', min: 1, doc: 'the caller gives up (CANCEL) without an answer by then' }),
  media: choice('rtp', { choices: ['rtp', 'none'], doc: 'none: signalling only' }),
  ordinaryFailures: number(0, {
    max: 1,
    doc: 'share of calls that are busy, not answered or to a wrong number, a third each (our own callees)',
  }),
  rtcp: flag(true, { doc: 'sender and receiver reports' }),
  steps: text('', {
    doc: "what happens within a call: 'hold@2s,resume@4s,callee:reinvite@5s,update@6s,media@7s,refer@8s>sip:x@y,bye@9s', times from the answer",
  }),
  'session.expiresS': integer(0, {
    unit: 's',
    max: 65_535,
    doc: 'session timers (RFC 4028); 0 = the caller asks for none',
  }),
  'session.minSeS': integer(90, { unit: 's', min: 1, max: 65_535, doc: 'our own callee answers 422 to less' }),
  'session.refresher': choice('caller', { choices: ['caller', 'callee'], doc: 'who refreshes the session' }),
  'session.method': choice('reinvite', { choices: ['reinvite', 'update'], doc: 'what it is refreshed with' }),
  reliable: choice('no', {
    choices: ['no', 'supported', 'required'],
    doc: '100rel: reliable ringing, acknowledged by PRACK (RFC 3262)',
  }),
  'auth.user': text('', { doc: 'who the caller is when it gets 401 or 407' }),
  'auth.password': text('', { doc: 'its secret; it is written to plan.json' }),
  redirects: integer(0, { max: 10, doc: '3xx that a call follows, to loopback or to the target itself' }),
} satisfies Params;

export function callPlan(p: Resolved<typeof callParams>): CallPlan {
  const steps = parseSteps(p.steps);
  const expiresS = p['session.expiresS'];
  return {
    ringMs: { kind: 'uniform', minMs: p.ringMsMin, maxMs: p.ringMsMax },
    holdMs: { kind: 'uniform', minMs: p.holdMsMin, maxMs: p.holdMsMax },
    patienceMs: p.patienceMs,
    media: p.media,
    rtcp: p.rtcp,
    ordinaryFailures: p.ordinaryFailures,
    ...(steps.length > 0 ? { steps } : {}),
    ...(expiresS > 0
      ? {
          session: {
            expiresS,
            minSeS: p['session.minSeS'],
            refresher: p['session.refresher'],
            method: p['session.method'],
          },
        }
      : {}),
    ...(p.reliable === 'no' ? {} : { reliable: p.reliable }),
    ...(p['auth.user'] === '' ? {} : { credentials: { user: p['auth.user'], password: p['auth.password'] } }),
    ...(p.redirects > 0 ? { redirects: p.redirects } : {}),
  };
}
