/** The shapes of plan data, checked at the door: scenario files, what they build, and plan.json read back. */
import { z } from 'zod';
import { type ErrorCode, HarnessError } from '../errors.js';
import { CAUSES } from './causes.js';
import { FAULT_NAMES } from './fault-kinds.js';
import { type RunPlan, STEP_ACTIONS } from './types.js';

const ms = z.number().min(0).max(1e9);
const count = z.number().int().min(0);
const share = z.number().min(0).max(1);
const name = z.string().regex(/^[a-z0-9]+(-[a-z0-9]+)*$/, 'must be lower-case letters, digits and single hyphens');
const line = z.string().regex(/^\S[^\n]*$/, 'must be one line');

const dist = z
  .discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('fixed'), ms }),
    z.strictObject({ kind: z.literal('uniform'), minMs: ms, maxMs: ms }),
    z.strictObject({ kind: z.literal('exponential'), meanMs: ms, minMs: ms, maxMs: ms }),
  ])
  .superRefine((d, context) => {
    if (d.kind === 'fixed' || d.minMs <= d.maxMs) return;
    context.addIssue({
      code: 'custom',
      message: `the shortest (${d.minMs} ms) is longer than the longest (${d.maxMs} ms)`,
    });
  });

const stage = z.strictObject({
  name: z.string(),
  durationMs: ms.refine((d) => d > 0, 'must be above 0'),
  fromCps: z.number().min(0),
  toCps: z.number().min(0),
  poisson: z.boolean().exactOptional(),
});

const step = z
  .strictObject({
    at: z.string().regex(/^answer\+\d+(\.\d+)?(ms|s)$/, "must be an instant after the answer, such as 'answer+2s'"),
    by: z.enum(['caller', 'callee']).exactOptional(),
    do: z.enum(STEP_ACTIONS),
    to: z
      .string()
      .regex(/^sips?:[^\s<>]+$/, 'must be a SIP URI, such as sip:100@192.0.2.1')
      .exactOptional(),
  })
  .refine((s) => s.do === 'refer' || s.to === undefined, { message: 'only refer has one', path: ['to'] });
/** Notes of what happened in a call have room for about eight; more steps than this are a scenario's slip. */
const STEPS_MAX = 32;

const session = z.strictObject({
  expiresS: count.min(1).max(65_535),
  minSeS: count.min(1).max(65_535),
  refresher: z.enum(['caller', 'callee']),
  method: z.enum(['reinvite', 'update']),
});

/** Anything that a header can hold between quotes, and nothing that would end it. */
const token = z.string().regex(/^[\x20-\x7e]{1,128}$/, 'must be 1 to 128 printable ASCII characters');

const call = z.strictObject({
  ringMs: dist,
  holdMs: dist,
  patienceMs: ms,
  media: z.enum(['rtp', 'none']),
  rtcp: z.boolean(),
  ordinaryFailures: share.exactOptional(),
  steps: z.array(step).max(STEPS_MAX).exactOptional(),
  session: session.exactOptional(),
  reliable: z.enum(['supported', 'required']).exactOptional(),
  credentials: z.strictObject({ user: token, password: token }).exactOptional(),
  redirects: count.max(10).exactOptional(),
});

const registrar = z.strictObject({
  threads: count.min(1),
  receiveBufferBytes: count.min(2048),
  credentials: z.enum(['cached', 'database']),
  dbLatencyMs: ms,
  algorithms: z.array(z.enum(['MD5', 'SHA-256'])).min(1),
  nonceLifeS: count.min(1),
  minExpiresS: count.min(1),
  maxExpiresS: count.min(1),
  expiresSpread: share,
  limitPerS: z.number().min(0),
  retryAfterS: count,
  retryAfterSpreadS: count,
});

const retry = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('immediate') }),
  z.strictObject({ kind: z.literal('fixed'), ms }),
  z.strictObject({ kind: z.literal('rfc5626'), baseMs: ms, maxMs: ms }),
]);

/** Phones of one run: their sockets, and the tags of one worker (20 bits). */
const PHONES_MAX = 100_000;
const registrations = z.strictObject({
  phones: count.min(1).max(PHONES_MAX),
  tenants: count.min(1).max(65_535),
  users: z
    .strictObject({ file: z.string().min(1), domain: z.string(), sha256: z.string().default('') })
    .exactOptional(),
  phonesPerSocket: count.min(1),
  expiresS: count.min(1),
  refreshMin: share,
  refreshMax: share,
  retry,
  called: z.boolean().exactOptional(),
  calling: z.boolean().exactOptional(),
  waves: z
    .array(
      z.strictObject({
        name: z.string(),
        atMs: ms,
        overMs: ms,
        order: z.enum(['shuffled', 'by-tenant']),
        share: share.exactOptional(),
        restart: z.boolean(),
      }),
    )
    .min(1),
});

const transport = z.enum(['udp', 'tcp', 'tls', 'ws', 'wss']);
const signalling = z.strictObject({
  transport,
  tlsCa: z.string(),
  tlsVerify: z.boolean(),
  keepAliveS: count.max(3600),
  wsPath: z.string().min(1).exactOptional(),
  outboundProxy: z.strictObject({ uri: z.string().min(1), host: z.string(), port: count.max(65_535) }).exactOptional(),
});

const platform = z.strictObject({
  nat: z.strictObject({
    enabled: z.boolean(),
    maxSessions: count,
    idleTimeoutMs: ms,
    linkLoss: z.number().min(0).max(1),
  }),
  edge: z.strictObject({
    dispatch: z.enum(['round-robin', 'call-id-hash']),
    inDialog: z.enum(['route', 'dispatch']).exactOptional(),
    drops: z.enum(['nothing', 'UPDATE', 'ACK']).exactOptional(),
  }),
  nodes: count.min(1),
  node: z.strictObject({ threads: count.min(1), inboxLimit: count.min(1), rtpTimeoutMs: ms }),
  relay: z.strictObject({
    ports: count.max(60_000),
    onExhausted: z.enum(['reject', 'relay-anyway']),
    packetsPerS: count.exactOptional(),
  }),
  tenantCap: count.exactOptional(),
  trunks: z.array(z.strictObject({ cps: z.number().min(0), channels: count })).min(1),
  pacingCps: z.number().min(0),
  cdr: z.strictObject({
    mode: z.enum(['inline', 'queue']),
    queueLimit: count.min(1),
    onFull: z.enum(['drop', 'stop']).exactOptional(),
  }),
  registrar: registrar.exactOptional(),
});

const workers = count.min(1).max(64);
/** A worker's leg store is 512 bytes a call: 32 MB of shared memory at this limit. */
const callsPerWorker = count.min(1).max(65_536);

/** What scenarios write is read by plan/fault.ts; this is what it makes of it. */
const fault = z.strictObject({
  kind: z.enum(FAULT_NAMES),
  atMs: ms,
  forMs: ms,
  on: z.string(),
  params: z.record(z.string(), z.union([z.number(), z.string(), z.boolean()])),
  ramp: z.strictObject({ param: z.string(), from: z.number(), to: z.number(), overMs: ms }).exactOptional(),
  repeat: z.strictObject({ times: count.min(1), everyMs: ms }).exactOptional(),
  backend: z.string().exactOptional(),
});

const webphoneWish = z.strictObject({
  count,
  callsPerSecond: z.number().positive(),
  holdMs: ms,
  transport: z.enum(['ws', 'wss']),
  server: z.string(),
  ca: z.string(),
});
const webphones = z.strictObject({
  count: count.min(2),
  server: z.string(),
  ca: z.string().nullable(),
  registerEveryMs: ms,
  expiresS: count.min(1),
  fromMs: ms,
  callsPerSecond: z.number().positive(),
  holdMs: dist,
});

/** Each is read by readFault, which says what is wrong with it. */
export const wishesSchema = z.array(z.unknown());

export const builtSchema = z.strictObject({
  faults: wishesSchema.exactOptional(),
  arrivals: z.array(stage).min(1, 'needs at least one stage'),
  drainMs: ms,
  call,
  signalling: signalling.exactOptional(),
  registrations: registrations.exactOptional(),
  webphones: webphoneWish.exactOptional(),
  platform,
  agents: z
    .strictObject({ callerWorkers: workers.exactOptional(), maxCallsPerWorker: callsPerWorker.exactOptional() })
    .exactOptional(),
});

const value = z.union([z.number(), z.string(), z.boolean()]);
const values = z.record(z.string(), value);
const common = { unit: z.string().optional(), doc: line, platform: z.boolean().optional() };
const param = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('number'),
    default: z.number(),
    min: z.number().default(0),
    max: z.number().default(1e9),
    integer: z.boolean().default(false),
    ...common,
  }),
  z.strictObject({
    type: z.literal('string'),
    default: z.string(),
    choices: z.array(z.string()).min(1).optional(),
    ...common,
  }),
  z.strictObject({ type: z.literal('boolean'), default: z.boolean(), ...common }),
]);
const fn = z.custom<(p: Record<string, unknown>) => unknown>((x) => typeof x === 'function', 'must be a function');

const incident = z.strictObject({
  summary: line,
  cause: z.enum(CAUSES).nullable(),
  set: values,
  onStack: values.optional(),
  faults: fn.optional(),
  cure: z.strictObject({ summary: line, set: values }).optional(),
  noCure: line.optional(),
  compare: z.array(z.string()).min(2).optional(),
});

export const scenarioSchema = z.strictObject({
  name,
  summary: line,
  params: z.record(z.string().regex(/^[A-Za-z]\w*(\.\w+)*$/, 'must be a dotted name such as nat.maxSessions'), param),
  onStack: values.optional(),
  build: fn,
  incidents: z
    .record(name, incident)
    .refine((all) => !Object.hasOwn(all, 'none'), 'must not define none: the control is always there')
    .optional(),
  budgets: z.union([z.array(z.string()), fn], 'must be a list of texts, or a function that returns one'),
});

const port = count.min(1).max(65_535);
const planSchema = z.strictObject({
  schema: z.literal('deadair.plan/1'),
  runId: name,
  scenario: z.string(),
  incident: z.string(),
  cured: z.boolean(),
  injectedCause: z.string().nullable(),
  seed: count.max(0xffffffff),
  mode: z.enum(['real', 'simulated']),
  params: values,
  target: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('embedded'), config: platform }),
    z.strictObject({
      kind: z.literal('sip'),
      transport: transport.exactOptional(),
      uri: z.string(),
      host: z.union([z.ipv4(), z.ipv6()]),
      port,
      stack: z.literal('kamailio').exactOptional(),
    }),
    z.strictObject({
      kind: z.literal('stack'),
      stack: z.string(),
      roles: z.record(z.string(), z.string()),
      settings: z.array(z.strictObject({ what: z.string(), variables: z.record(z.string(), z.string()) })),
    }),
  ]),
  arrivals: z.array(stage).min(1),
  drainMs: ms,
  call,
  signalling: signalling.exactOptional(),
  registrations: registrations.exactOptional(),
  webphones: webphones.exactOptional(),
  agents: z.strictObject({
    callerWorkers: workers,
    maxCallsPerWorker: callsPerWorker,
    mediaBackend: z.enum(['auto', 'raw', 'sockets', 'dgram']),
  }),
  faults: z.array(fault),
  budgets: z.array(z.string()),
  command: z.string(),
}) satisfies z.ZodType<RunPlan>;

/** plan.json read back. `where` names the file in the one line of the error. */
export function validatePlan(plan: unknown, where = 'plan.json'): RunPlan {
  return checked(planSchema, plan, 'BAD_PLAN', where);
}

/** The parsed data, or one line: where, the path within it, and the reason. */
export function checked<T>(schema: z.ZodType<T>, data: unknown, code: ErrorCode, where: string): T {
  const result = schema.safeParse(data);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const at = issue === undefined || issue.path.length === 0 ? '' : `${dotted(issue.path)}: `;
  throw new HarnessError(code, `${where}: ${at}${issue === undefined ? 'not valid' : reason(issue)}`);
}

function dotted(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === 'number') return `${text}[${key}]`;
    return text === '' ? String(key) : `${text}.${String(key)}`;
  }, '');
}

function reason(issue: z.core.$ZodIssue): string {
  // zod writes "Invalid input: expected number, received undefined"; a missing field deserves its own word.
  const text = issue.message
    .replace(/^Invalid (input|option): /, '')
    .replace(', received undefined', ', but it is missing');
  // A record's bad key carries its reason one level deeper.
  if (issue.code === 'invalid_key' && issue.issues[0] !== undefined) return issue.issues[0].message;
  return text.replace(/\n/g, ' ');
}
