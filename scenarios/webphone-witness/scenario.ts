import { callParams, callPlan, embeddedConfig, embeddedParams } from '../../harness/plan/embedded.js';
import { defineScenario, integer, number } from '../../harness/plan/scenario.js';
import { webphoneParams, webphoneWish } from '../../harness/plan/webphones.js';

export default defineScenario({
  name: 'webphone-witness',
  summary:
    'sip.js clients hold 20 calls while phones register in a storm and the engine calls: do real clients fare as well?',
  params: {
    phones: integer(500, {
      unit: 'phones',
      min: 1,
      max: 100_000,
      doc: 'that register, refresh, and all come back at once',
    }),
    tenants: integer(20, { unit: 'tenants', min: 1, max: 65_535, doc: 'each with a domain, which is its realm' }),
    expiresS: integer(60, { unit: 's', min: 1, doc: 'what phones ask for; they refresh at 50 to 90 % of it' }),
    cps: number(5, { unit: 'calls/s', doc: 'of the engine' }),
    durationMs: integer(60_000, { unit: 'ms', min: 1, doc: 'for which phones register and calls arrive' }),
    stormAtMs: integer(30_000, { unit: 'ms', doc: 'when every phone restarts, within a second' }),
    ...callParams,
    holdMsMin: integer(8000, { unit: 'ms', doc: 'shortest talk of the engine' }),
    holdMsMax: integer(12_000, { unit: 'ms', doc: 'longest talk of the engine' }),
    ...embeddedParams,
    ...webphoneParams,
    webphones: integer(20, {
      unit: 'phones',
      min: 2,
      max: 200,
      doc: 'sip.js user agents; each holds a call it placed',
    }),
  },
  build: (p) => ({
    arrivals: [{ name: 'calls', durationMs: p.durationMs, fromCps: p.cps, toCps: p.cps }],
    drainMs: p.ringMsMax + Math.max(p.holdMsMax, p['webphones.holdMs']) + GRACE_MS,
    call: callPlan(p),
    registrations: {
      phones: p.phones,
      tenants: p.tenants,
      phonesPerSocket: PHONES_PER_SOCKET,
      expiresS: p.expiresS,
      refreshMin: 0.5,
      refreshMax: 0.9,
      retry: { kind: 'rfc5626', baseMs: 5000, maxMs: 60_000 },
      waves: [
        { name: 'boot', atMs: 0, overMs: BOOT_MS, order: 'shuffled', restart: true },
        { name: 'storm', atMs: p.stormAtMs, overMs: STORM_MS, order: 'shuffled', restart: true },
      ],
    },
    platform: embeddedConfig(p),
    webphones: webphoneWish(p),
  }),
  budgets: (p) => [
    'registered_share: rate>=0.999',
    'asr: rate>=0.99',
    'drop_rate: rate<=0.01',
    ...(p.media === 'rtp' ? ['dead_air: count==0', 'one_way: count==0'] : []),
  ],
});

const BOOT_MS = 5000;
const STORM_MS = 1000;
const GRACE_MS = 5000;
const PHONES_PER_SOCKET = 64;
