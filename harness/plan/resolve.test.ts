import { describe, expect, it } from 'vitest';
import { HarnessError } from '../errors.js';
import { type LoadedScenario, loadScenario } from './load.js';
import { type PlanOptions, resolvePlan } from './resolve.js';
import { validatePlan } from './schema.js';

const stamp = { now: new Date('2026-11-22T10:15:00.123Z'), suffix: 'ab12' };
const peak: LoadedScenario = await loadScenario('peak-dial');
const plan = (options: PlanOptions) => resolvePlan(peak, options, stamp);

function configOf(options: PlanOptions) {
  const { target } = plan(options);
  if (target.kind !== 'embedded') throw new Error('not embedded');
  return target.config;
}

describe('peak-dial resolves', () => {
  it('to the control', () => {
    const control = plan({});
    expect(control).toMatchObject({
      runId: 'peak-dial-none-20261122-101500-ab12',
      incident: 'none',
      injectedCause: null,
      seed: 1,
      mode: 'real',
      faults: [],
      agents: { callerWorkers: 1, maxCallsPerWorker: 4096, mediaBackend: 'auto' },
      command: 'deadair run peak-dial --seed 1',
    });
    expect(control.budgets).toContain('mos: p(5)>3.6');
    expect(validatePlan(JSON.parse(JSON.stringify(control)))).toEqual(control);
  });

  it('each incident and cure', () => {
    for (const [name, incident] of Object.entries(peak.scenario.incidents ?? {})) {
      expect(plan({ incident: name }).injectedCause).toBe(incident.cause);
      if (incident.cure) expect(plan({ incident: name, cured: true }).cured).toBe(true);
    }
    expect(configOf({ incident: 'trunk-channels', cured: true }).trunks).toEqual([
      { cps: 0, channels: 100 },
      { cps: 0, channels: 100 },
    ]);
    expect(plan({ incident: 'db-stall' }).faults).toMatchObject([
      { kind: 'db-stall', atMs: 8000, forMs: 12_000, on: 'database' },
    ]);
    expect(plan({ incident: 'nat-table', cured: true }).runId).toBe('peak-dial-nat-table-cured-20261122-101500-ab12');
  });

  it('defaults < incident < cure < --set', () => {
    const max = (options: PlanOptions): number => configOf(options).nat.maxSessions;
    expect(max({})).toBe(4096);
    expect(max({ incident: 'nat-table' })).toBe(100);
    expect(max({ incident: 'nat-table', cured: true })).toBe(512);
    expect(max({ incident: 'nat-table', cured: true, set: ['nat.maxSessions=99'] })).toBe(99);
  });

  it('the rest of the command line', () => {
    const options = { incident: 'nat-table', cured: true, seed: '7', simulate: true, mediaBackend: 'sockets' };
    const p = plan({ ...options, set: ['media=none', 'burst=10'], budget: ['ser: rate>0.9'], defaultBudgets: false });
    expect(p).toMatchObject({ seed: 7, mode: 'simulated', budgets: ['ser: rate>0.9'], call: { media: 'none' } });
    expect(p.command).toBe(
      "deadair run peak-dial --incident nat-table --cured --seed 7 --set media=none --set burst=10 --no-default-budgets --budget 'ser: rate>0.9' --simulate --media-backend sockets",
    );
    expect(plan({ set: ['media=none'] }).budgets.join()).not.toContain('mos');
  });

  it('targets', () => {
    const at = (target: string, authorise?: string) => plan({ target, ...(authorise ? { authorise } : {}) }).target;
    expect(at('sip:service@127.0.0.1')).toMatchObject({ host: '127.0.0.1', port: 5060 });
    expect(at('sip:localhost:5070;transport=UDP')).toMatchObject({ kind: 'sip', host: '127.0.0.1', port: 5070 });
    expect(at('sip:a@10.0.0.1', '10.0.0.1')).toMatchObject({ host: '10.0.0.1' });
  });
});

describe('one line for', () => {
  const example = 'for example sip:service@127.0.0.1:5060';
  const cases: [string, PlanOptions, string, string][] = [
    [
      'an unknown incident',
      { incident: 'nat-tabel' },
      'UNKNOWN_INCIDENT',
      'scenario peak-dial has no incident nat-tabel (did you mean nat-table?); it has none, nat-table, rtp-ports, trunk-cps, trunk-channels, db-stall, misrouted, session-timer, nat-mapping, ack-lost, cdr-backlog, noisy-neighbour, tenant-cap, packet-loss',
    ],
    ['a cure of nothing', { cured: true }, 'BAD_PLAN', '--cured: name what to cure with --incident'],
    [
      'no cure',
      { incident: 'packet-loss', cured: true },
      'BAD_PLAN',
      '--cured: incident packet-loss has no cure: the link is outside the platform, and nothing that the platform can set brings the packets back',
    ],
    [
      'no value',
      { set: ['burst'] },
      'BAD_PLAN',
      '--set burst: expected key=value, for example --set nat.maxSessions=128',
    ],
    ['no number', { set: ['burst=many'] }, 'BAD_PLAN', '--set burst=many: burst must be a number (default 150 calls)'],
    ['an empty number', { set: ['burst='] }, 'BAD_PLAN', '--set burst=: burst must be a number (default 150 calls)'],
    ['a fraction', { set: ['nodes=1.5'] }, 'BAD_PLAN', '--set nodes=1.5: nodes must be a whole number (default 2)'],
    [
      'range',
      { set: ['nat.linkLoss=2'] },
      'BAD_PLAN',
      '--set nat.linkLoss=2: nat.linkLoss must be from 0 to 1 (default 0)',
    ],
    ['choices', { set: ['media=x'] }, 'BAD_PLAN', '--set media=x: media must be rtp or none (default rtp)'],
    ['a flag', { set: ['rtcp=1'] }, 'BAD_PLAN', '--set rtcp=1: rtcp must be a boolean (default true)'],
    [
      'crossed bounds',
      { set: ['ringMsMin=900'] },
      'BAD_PLAN',
      'scenario peak-dial: build(): call.ringMs: the shortest (900 ms) is longer than the longest (800 ms)',
    ],
    [
      'too many calls',
      { set: ['burst=20000000'] },
      'BAD_PLAN',
      'arrivals: 20,000,020 calls are more than the 10 million of one run; lower the rate or the duration of a stage',
    ],
    ['a seed', { seed: 'x' }, 'BAD_PLAN', '--seed x: must be a whole number from 0 to 4294967295'],
    ['a backend', { mediaBackend: 'x' }, 'BAD_PLAN', '--media-backend x: must be one of auto, raw, sockets, dgram'],
    [
      'a variable of no stack',
      { env: ['TRUNK_CPS=5'] },
      'BAD_PLAN',
      '--env and the roles of services are of a stack in Docker: name it with --stack',
    ],
    ['a variable without a value', { stack: 'naive', env: ['A'] }, 'BAD_PLAN', '--env A: expected NAME=VALUE'],
    [
      'a simulated stack',
      { stack: 'naive', simulate: true },
      'BAD_PLAN',
      '--simulate and --stack naive exclude each other: a simulated run has no network',
    ],
    [
      'a fault that the embedded platform does not have',
      { fault: ['cpu-limit@1s+1s'] },
      'BAD_PLAN',
      '--fault cpu-limit: is not done to the embedded platform, which has packet-loss, delay, jitter, reorder, duplicate, bandwidth, partition, one-way-partition, nat-table-limit, nat-mapping-timeout, nat-port-range, rtp-port-exhaustion, db-stall, udp-receive-buffer, node-pause, node-kill, node-restart, config-reload, trunk-cps-limit, trunk-channel-limit, trunk-reject, registrar-outage; name a stack with --stack',
    ],
    [
      'a fault at a target that is not ours',
      { fault: ['db-stall@1s+1s'], target: 'sip:127.0.0.1' },
      'BAD_PLAN',
      '--fault db-stall: is done to a platform that we bring up: leave --target out; a relay in front of a target loses and delays its packets: deadair relay',
    ],
    [
      'an incident that stacks cannot have',
      { stack: 'naive', incident: 'packet-loss' },
      'BAD_PLAN',
      '--incident packet-loss: a stack has nothing that it could set (nat.linkLoss); run it on the embedded platform',
    ],
    [
      'a limit that stacks do not have',
      { stack: 'naive', set: ['nodes=3'] },
      'BAD_PLAN',
      '--set nodes=3: is of the embedded platform; a stack has nat.maxSessions, nat.idleTimeoutMs, trunk.cps, trunk.channels, relay.ports, and its own variables by --env',
    ],
    ['both', { stack: 'embedded', target: 'sip:127.0.0.1' }, 'BAD_PLAN', '--stack and --target exclude each other'],
    [
      'an incident elsewhere',
      { incident: 'nat-table', target: 'sip:127.0.0.1' },
      'BAD_PLAN',
      '--incident nat-table: an incident is done to the embedded platform, and --target replaces that; leave one out',
    ],
    [
      'a limit elsewhere',
      { set: ['nodes=3'], target: 'sip:127.0.0.1' },
      'BAD_PLAN',
      '--set nodes=3: nodes is of the embedded platform, which --target replaces',
    ],
    [
      'webphones without WebSocket',
      { set: ['webphones=4'] },
      'BAD_PLAN',
      'webphones: the embedded platform does not speak WebSocket; use --stack kamailio, or --target',
    ],
    [
      'webphones without a server',
      { set: ['webphones=4'], target: 'sip:127.0.0.9' },
      'BAD_PLAN',
      'webphones: say where they connect, for example --set webphones.server=ws://127.0.0.9:8080',
    ],
    [
      'webphones elsewhere',
      { set: ['webphones=4', 'webphones.server=wss://192.0.2.1:8443'], target: 'sip:127.0.0.9' },
      'NOT_AUTHORISED',
      'webphones.server=wss://192.0.2.1:8443: 192.0.2.1 is outside 127.0.0.0/8; if you may load it, add --authorise 192.0.2.1',
    ],
    [
      'one webphone',
      { set: ['webphones=1'], stack: 'kamailio' },
      'BAD_PLAN',
      'webphones=1: they call each other, so there have to be two',
    ],
    [
      'webphones that talk too long',
      { set: ['webphones=4', 'webphones.holdMs=90000', 'graceMs=5000'], stack: 'kamailio' },
      'BAD_PLAN',
      'webphones=4: the run is 46.4 s too short for one of their calls; shorten webphones.holdMs, or lengthen the run',
    ],
    [
      'no URI',
      { target: '127.0.0.1' },
      'BAD_TARGET',
      `--target 127.0.0.1: expected a SIP URI with an address, ${example} or sip:service@[::1]:5060`,
    ],
    [
      'a name',
      { target: 'sip:pbx.example' },
      'BAD_TARGET',
      '--target sip:pbx.example: pbx.example is neither an IP address nor localhost; names are not looked up',
    ],
    [
      'TCP',
      { target: 'sip:127.0.0.1;transport=sctp' },
      'BAD_TARGET',
      '--target sip:127.0.0.1;transport=sctp: transport sctp is not supported; it may be udp, tcp, tls, ws or wss',
    ],
    ['a port', { target: 'sip:127.0.0.1:0' }, 'BAD_TARGET', '--target sip:127.0.0.1:0: port 0 must be from 1 to 65535'],
    [
      'multicast',
      { target: 'sip:224.0.1.75', authorise: '224.0.1.75' },
      'BAD_TARGET',
      '--target sip:224.0.1.75: 224.0.1.75 is no address of one host; name one',
    ],
    [
      'no authority',
      { target: 'sip:10.0.0.1' },
      'NOT_AUTHORISED',
      '--target sip:10.0.0.1: 10.0.0.1 is outside 127.0.0.0/8; if you may load it, add --authorise 10.0.0.1',
    ],
    [
      'authority over another',
      { target: 'sip:10.0.0.1', authorise: '10.0.0.2' },
      'NOT_AUTHORISED',
      '--target sip:10.0.0.1: 10.0.0.1 is outside 127.0.0.0/8, and --authorise names 10.0.0.2; if you may load it, add --authorise 10.0.0.1',
    ],
  ];
  it.each(cases)('%s', (_what, options, code, message) => {
    const error = caught(() => plan(options));
    expect(error.message).toBe(message);
    expect(error.code).toBe(code);
    expect(error.exitCode).toBe(104);
  });

  it('an unknown parameter, with the nearest', () => {
    expect(caught(() => plan({ set: ['nat.maxSession=1'] })).message).toMatch(
      /^--set nat\.maxSession=1: there is no parameter nat\.maxSession \(did you mean nat\.maxSessions\?\); there are quietCps, /,
    );
    expect(caught(() => plan({ set: ['constructor=1'] })).message).toContain('there is no parameter constructor');
  });

  it('a budget', () => {
    expect(caught(() => plan({ budget: ['mos: rate<1'] })).code).toBe('BAD_BUDGET');
  });

  it('a plan.json that was changed by hand', () => {
    const good = plan({});
    const read = (change: object): string =>
      caught(() => validatePlan({ ...good, ...change }, 'results/x/plan.json')).message;
    expect(read({ seed: -1 })).toBe('results/x/plan.json: seed: Too small: expected number to be >=0');
    expect(read({ drainMs: undefined })).toBe('results/x/plan.json: drainMs: expected number, but it is missing');
    expect(read({ arrivals: [{ ...good.arrivals[0], toCps: 'x' }] })).toBe(
      'results/x/plan.json: arrivals[0].toCps: expected number, received string',
    );
  });
});

function caught(work: () => unknown): HarnessError {
  try {
    work();
  } catch (error) {
    if (error instanceof HarnessError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}
