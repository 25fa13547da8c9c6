import { choice, integer, number, type Params, text } from './scenario.js';

/** What a fault can be done to: a role of the platform. `node-2` is the second of its role; any service of a stack by its name. */
export const FAULT_ROLES = [
  'nat',
  'edge',
  'node',
  'relay',
  'trunk',
  'database',
  'queue',
  'proxy',
  'cdr-writer',
  'registrar',
  'phones',
  'callees',
] as const;
/** What people say, and the role that it is. */
export const ROLE_ALIASES: Readonly<Record<string, (typeof FAULT_ROLES)[number]>> = {
  redis: 'queue',
  router: 'nat',
  pbx: 'node',
  db: 'database',
};

export interface FaultKindSpec {
  /** One line. */
  summary: string;
  /** Where it is done when nothing else is said. */
  on: string;
  /** Nothing to take away: it happens at its instant. Without it a fault needs `+FOR`. */
  instant?: true;
  /** The embedded platform has it too. */
  embedded?: true;
  params: Params;
}

const DIRECTIONS = ['both', 'in', 'out'] as const;
const direction = choice('both', {
  doc: 'seen from the target: packets that come in, go out, or both',
  choices: DIRECTIONS,
});
const what = choice('all', {
  doc: 'all packets, SIP (port 5060 and 5061), or other UDP',
  choices: ['all', 'sip', 'rtp'],
});
const method = text('', { doc: 'only SIP messages of this method (requests and their responses); empty: any' });
const share = (value: number, doc: string) => number(value, { unit: '%', doc, max: 100 });
const distribution = choice('uniform', {
  doc: 'of the jitter; normal and pareto: jitterMs is the standard deviation',
  choices: ['uniform', 'normal', 'pareto'],
});
const order = choice('keep', {
  doc: 'free: what waits less overtakes; keep: it waits for those before it, and the mean grows',
  choices: ['keep', 'free'],
});
const packets = { direction, what, method };
const stall = choice('stall', {
  doc: 'bytes stop for ever, come late, or come slowly',
  choices: ['stall', 'latency', 'bandwidth'],
});
const stallParams = {
  mode: stall,
  ms: integer(1000, { unit: 'ms', doc: 'of latency, each way through the proxy' }),
  kBps: integer(10, { unit: 'kB/s', doc: 'of bandwidth', min: 1 }),
};

/** Every fault by name. A parameter that is a number may ramp: `percent=0..10`. */
export const FAULT_KINDS = {
  'packet-loss': {
    summary: 'packets are lost by chance',
    on: 'nat',
    params: {
      percent: share(5, 'of packets that are lost'),
      burst: number(1, {
        unit: 'packets',
        doc: 'mean length of a loss (Gilbert-Elliott); 1: each packet by itself',
        min: 1,
      }),
      ...packets,
    },
  },
  delay: {
    summary: 'packets come late',
    on: 'nat',
    params: {
      ms: number(80, { unit: 'ms', doc: 'each packet waits this long' }),
      jitterMs: number(0, { unit: 'ms', doc: 'and up to this much less or more' }),
      distribution,
      order,
      ...packets,
    },
  },
  jitter: {
    summary: 'packets come at uneven intervals, in order',
    on: 'nat',
    params: { ms: number(40, { unit: 'ms', doc: 'each packet waits uniformly from 0 to this' }), ...packets },
  },
  reorder: {
    summary: 'packets overtake each other',
    on: 'nat',
    params: {
      percent: share(5, 'of packets that are held back'),
      gap: integer(3, { unit: 'packets', doc: 'of the same flow that go by meanwhile', min: 1, max: 64 }),
      ms: number(50, { unit: 'ms', doc: 'and no longer than this' }),
      ...packets,
    },
  },
  duplicate: {
    summary: 'packets arrive twice',
    on: 'nat',
    params: { percent: share(5, 'of packets that come twice'), ...packets },
  },
  bandwidth: {
    summary: 'a line that is too thin, with a queue before it',
    on: 'nat',
    params: {
      kbps: integer(512, { unit: 'kbit/s', doc: 'of the line, each way', min: 8 }),
      queueMs: integer(100, {
        unit: 'ms',
        doc: 'that a packet waits at most; what would wait longer is dropped',
        min: 1,
      }),
      ...packets,
    },
  },
  'nat-table-limit': {
    summary: "the router's UDP session table is full: new flows leave no packet behind",
    on: 'nat',
    params: { maxFlows: integer(200, { unit: 'flows', doc: 'that the table holds' }) },
  },
  'nat-mapping-timeout': {
    summary: 'the router forgets silent UDP sessions too soon',
    on: 'nat',
    params: {
      seconds: number(5, { unit: 's', doc: 'of silence that forget a session', min: 0.1 }),
      refresh: choice('both', {
        doc: 'packets that keep it alive; out: those that come in do not (embedded platform)',
        choices: ['both', 'out'],
      }),
    },
  },
  'nat-port-range': {
    summary: 'the router has few ports to map to',
    on: 'nat',
    params: {
      ports: integer(100, { unit: 'ports', doc: 'in the range', min: 1, max: 40_000 }),
      from: integer(20_000, { doc: 'first port of the range', min: 1024, max: 60_000 }),
    },
  },
  'firewall-pps-limit': {
    summary: 'a firewall lets so many UDP packets a second through',
    on: 'edge',
    params: {
      pps: integer(500, { unit: 'packets/s', doc: 'that pass', min: 1 }),
      burst: integer(50, { unit: 'packets', doc: 'that pass at once', min: 1 }),
      direction,
    },
  },
  'rtp-port-exhaustion': {
    summary: "the media relay's ports are taken by others",
    on: 'relay',
    params: { leave: integer(20, { unit: 'ports', doc: 'that stay free' }) },
  },
  partition: {
    summary: 'nothing passes between the target and its peer',
    on: 'node-1',
    params: { peer: text('', { doc: 'the other end, as in on=; empty: everybody' }) },
  },
  'one-way-partition': {
    summary: 'packets pass between the target and its peer in one direction only',
    on: 'node-1',
    params: {
      peer: text('', { doc: 'the other end, as in on=; empty: everybody' }),
      direction: choice('in', { doc: 'the direction that is cut, seen from the target', choices: ['in', 'out'] }),
    },
  },
  'db-stall': {
    summary: 'the database does not answer',
    on: 'database',
    embedded: true,
    params: {
      by: choice('auto', {
        doc: 'what makes it stall: the proxy before it, its process frozen, or a lock on the table of call records',
        choices: ['auto', 'toxiproxy', 'pause', 'lock'],
      }),
      table: text('', { doc: 'that is locked; empty: the one with the call records' }),
      ...stallParams,
    },
  },
  'redis-stall': {
    summary: 'Redis does not answer',
    on: 'queue',
    params: {
      by: choice('auto', {
        doc: 'the proxy before it, or its process frozen',
        choices: ['auto', 'toxiproxy', 'pause'],
      }),
      ...stallParams,
    },
  },
  'disk-stall': {
    summary: "a node's local database (SQLite) cannot be written",
    on: 'node-1',
    params: { file: text('', { doc: 'the database; empty: AstDB' }) },
  },
  'udp-receive-buffer': {
    summary: 'the receive buffer of the SIP socket is small: bursts are lost in the kernel',
    on: 'edge',
    params: {
      bytes: integer(4096, { unit: 'bytes', doc: 'of the socket buffer', min: 2304 }),
      port: integer(5060, { doc: 'of the socket', min: 1, max: 65_535 }),
    },
  },
  'cpu-limit': {
    summary: 'a quota of CPU time',
    on: 'node-1',
    params: { cpus: number(0.1, { unit: 'cores', doc: 'that it gets', min: 0.01, max: 64 }) },
  },
  'cpu-burn': {
    summary: 'a neighbour burns CPU',
    on: 'node-1',
    params: {
      threads: integer(0, { doc: 'that burn; 0: one for each core', max: 256 }),
      weight: integer(1024, { doc: 'CPU shares of the neighbour; a service has 1,024', min: 2, max: 262_144 }),
    },
  },
  'node-pause': { summary: 'frozen: it is there, and answers nothing', on: 'node-1', params: {} },
  'node-kill': { summary: 'killed; started again at the end', on: 'node-1', params: {} },
  'node-restart': { summary: 'restarted at once', on: 'node-1', instant: true, params: {} },
  'trunk-cps-limit': {
    summary: 'the carrier takes fewer calls a second: 503, Q.850 cause 42',
    on: 'trunk',
    params: { cps: integer(5, { unit: 'calls/s', doc: 'that it takes' }) },
  },
  'trunk-channel-limit': {
    summary: 'the carrier has fewer channels: 503, Q.850 cause 34',
    on: 'trunk',
    params: { channels: integer(10, { unit: 'channels', doc: 'that it has' }) },
  },
  'trunk-reject': {
    summary: 'the carrier refuses every call',
    on: 'trunk',
    params: { code: integer(503, { doc: 'SIP code that it answers', min: 400, max: 699 }) },
  },
  'config-reload': {
    summary: 'its configuration is read anew',
    on: 'node-1',
    instant: true,
    params: {
      tenants: integer(100, { doc: 'of the embedded platform, read one after the other', min: 1, max: 100_000 }),
      msPerTenant: number(50, {
        unit: 'ms',
        doc: 'that all signalling threads wait for each (embedded platform)',
        max: 60_000,
      }),
    },
  },
  'dns-failure': {
    summary: 'names are not resolved',
    on: 'edge',
    params: { mode: choice('silent', { doc: 'queries vanish, or are refused', choices: ['silent', 'refused'] }) },
  },
  'registrar-outage': { summary: 'the registrar hears nothing', on: 'registrar', embedded: true, params: {} },
} as const satisfies Record<string, FaultKindSpec>;

export type FaultKind = keyof typeof FAULT_KINDS;
export const FAULT_NAMES = Object.keys(FAULT_KINDS) as [FaultKind, ...FaultKind[]];

export function specOf(kind: FaultKind): FaultKindSpec {
  return FAULT_KINDS[kind];
}
