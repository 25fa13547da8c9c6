import { HarnessError } from '../errors.js';
import { longest } from './dist.js';
import { uriHost } from './host.js';
import { choice, integer, number, type Params, type Resolved, text } from './scenario.js';
import { authorise, KAMAILIO_PORTS } from './target.js';
import type { ArrivalStage, CallPlan, TargetPlan, WebphonePlan } from './types.js';

/**
 * The webphones of a scenario, which spreads these into its parameters: `...webphoneParams`, and in build()
 * `webphones: webphoneWish(p)`.
 */
export const webphoneParams = {
  webphones: integer(0, {
    unit: 'phones',
    max: 200,
    doc: 'sip.js user agents beside the load: a witness of their own',
  }),
  'webphones.callsPerSecond': number(1, { unit: 'calls/s', min: 0.01, max: 5, doc: 'calls among them' }),
  'webphones.holdMs': integer(20_000, { unit: 'ms', min: 1000, doc: 'talk time of their calls' }),
  'webphones.transport': choice('ws', { choices: ['ws', 'wss'], doc: 'with --stack kamailio' }),
  'webphones.server': text('', { doc: 'with --target: ws://host:port/path or wss://' }),
  'webphones.ca': text('', { doc: 'with wss: PEM file of the authority to trust; empty: those that Node trusts' }),
} satisfies Params;

/** What a scenario asks for; which server that means is known with the target. */
export interface WebphoneWish {
  count: number;
  callsPerSecond: number;
  holdMs: number;
  transport: 'ws' | 'wss';
  server: string;
  ca: string;
}

export function webphoneWish(p: Resolved<typeof webphoneParams>): WebphoneWish {
  return {
    count: p.webphones,
    callsPerSecond: p['webphones.callsPerSecond'],
    holdMs: p['webphones.holdMs'],
    transport: p['webphones.transport'],
    server: p['webphones.server'],
    ca: p['webphones.ca'],
  };
}

/** What real clients are owed, whatever the scenario is. */
export const WEBPHONE_BUDGETS = ['webphone_asr: rate>=0.95', 'webphone_heard: rate>=0.95'];

/** Ten a second: a witness does not storm. */
const REGISTER_EVERY_MS = 100;
/** From the last first registration to the first call. */
const SETTLE_MS = 1000;
const EXPIRES_S = 600;
/** What a call takes beyond ringing and talk. */
const GRACE_MS = 2000;

/** The instant by which the last webphone's call is placed, so that it can end before the run does. */
export function lastWebphoneCallMs(
  plan: { arrivals: readonly ArrivalStage[]; drainMs: number; call: CallPlan },
  webphones: Pick<WebphonePlan, 'holdMs'>,
): number {
  const runMs = plan.arrivals.reduce((ms, stage) => ms + stage.durationMs, plan.drainMs);
  return runMs - longest(webphones.holdMs) - longest(plan.call.ringMs) - GRACE_MS;
}

/** The plan of the webphones; undefined when there shall be none. Throws BAD_PLAN, NOT_AUTHORISED. */
export function planWebphones(
  wish: WebphoneWish | undefined,
  target: TargetPlan,
  run: { arrivals: readonly ArrivalStage[]; drainMs: number; call: CallPlan },
  authorised: string | undefined,
): WebphonePlan | undefined {
  if (wish === undefined || wish.count === 0) return undefined;
  const bad = (why: string): HarnessError => new HarnessError('BAD_PLAN', why);
  if (wish.count === 1) throw bad('webphones=1: they call each other, so there have to be two');
  const plan: WebphonePlan = {
    count: wish.count,
    server: serverOf(wish, target, authorised),
    ca: wish.ca === '' ? null : wish.ca,
    registerEveryMs: REGISTER_EVERY_MS,
    expiresS: EXPIRES_S,
    fromMs: wish.count * REGISTER_EVERY_MS + SETTLE_MS,
    callsPerSecond: wish.callsPerSecond,
    holdMs: { kind: 'fixed', ms: wish.holdMs },
  };
  const lastMs = lastWebphoneCallMs(run, plan);
  if (lastMs < plan.fromMs) {
    throw bad(
      `webphones=${wish.count}: the run is ${(plan.fromMs - lastMs) / 1000} s too short for one of their calls; shorten webphones.holdMs, or lengthen the run`,
    );
  }
  return plan;
}

function serverOf({ server, transport }: WebphoneWish, target: TargetPlan, authorised: string | undefined): string {
  const bad = (why: string): HarnessError => new HarnessError('BAD_PLAN', why);
  if (target.kind === 'embedded') {
    throw bad('webphones: the embedded platform does not speak WebSocket; use --stack kamailio, or --target');
  }
  if (target.kind === 'stack') {
    throw bad('webphones: no stack in Docker speaks WebSocket; use --stack kamailio, or --target');
  }
  if (target.stack === 'kamailio') {
    if (server !== '') throw bad('webphones.server: --stack kamailio has a server of its own; leave it out');
    return `${transport}://${uriHost(target.host)}:${KAMAILIO_PORTS[transport]}`;
  }
  if (server === '') {
    throw bad(
      `webphones: say where they connect, for example --set webphones.server=ws://${uriHost(target.host)}:8080`,
    );
  }
  const match = /^wss?:\/\/([^/:]+)(?::\d+)?(?:\/\S*)?$/.exec(server);
  if (match === null) throw bad(`webphones.server=${server}: expected ws://host:port/path or wss://`);
  authorise(`webphones.server=${server}`, match[1] === 'localhost' ? '127.0.0.1' : match[1]!, authorised);
  return server;
}
