import { describe, expect, it } from 'vitest';
import { loadScenario } from './load.js';
import { type PlanOptions, resolvePlan } from './resolve.js';
import { tenantRows } from './users.js';

const peak = await loadScenario('peak-dial');
const storm = await loadScenario('registration-storm');
const stamp = { now: new Date('2026-11-22T10:15:00.123Z'), suffix: 'ab12' };

const plan = (options: PlanOptions, loaded = peak) => resolvePlan(loaded, { stack: 'naive', ...options }, stamp);
const variables = (options: PlanOptions, loaded = peak): Record<string, string> => {
  const { target } = plan(options, loaded);
  if (target.kind !== 'stack') throw new Error('no stack');
  return Object.assign({}, ...target.settings.map((setting) => setting.variables));
};

describe('a scenario on a stack', () => {
  it('has defaults of its own, which --set overrides, and an incident its own over those', () => {
    expect(plan({}).params).toMatchObject({ quietCps: 5, quietMs: 30_000, burst: 50 });
    expect(plan({ set: ['burst=9'] }).params.burst).toBe(9);
    expect(plan({ incident: 'nat-table' }).params).toMatchObject({ burst: 20, holdMsMin: 33_000 });
    expect(resolvePlan(peak, { incident: 'nat-table' }, stamp).params.burst).toBe(150);
  });

  it('has an incident as variables of its file, and so the cure', () => {
    expect(variables({ incident: 'nat-table' })).toEqual({ NAT_SESSIONS: '40' });
    expect(variables({ incident: 'nat-table', cured: true })).toEqual({ NAT_SESSIONS: '512' });
    expect(variables({ incident: 'trunk-cps' })).toEqual({ TRUNK_CPS: '20' });
    expect(variables({ incident: 'trunk-channels' })).toEqual({ TRUNK_CHANNELS: '40' });
    // 160 ports, 80 on each side of the relay or at each PBX: 40 calls.
    expect(variables({ incident: 'rtp-ports' })).toEqual({ RELAY_RTP_END: '30079', PBX_RTP_END: '10079' });
    expect(variables({ set: ['nat.idleTimeoutMs=5000'], env: ['PBX_IMAGE=asterisk16'] })).toEqual({
      NAT_IDLE_S: '5',
      PBX_IMAGE: 'asterisk16',
    });
  });

  it('has misrouting by its edition: the load of the incident is all that can be set', () => {
    expect(variables({ incident: 'misrouted' })).toEqual({});
    expect(plan({ incident: 'misrouted' }).call.steps).toHaveLength(2);
  });

  it('registers phones: its tenants are as many as the plan wants', () => {
    expect(variables({}, storm)).toEqual({ TENANTS: '50', EXTENSIONS: '20' });
    expect(variables({ incident: 'storm', set: ['phones=90', 'tenants=4'] }, storm)).toEqual({
      TENANTS: '4',
      EXTENSIONS: '23',
    });
    expect(tenantRows('t0.test,1001,a,20\nt0.test,1002,b,20\nt1.test,1001,c,20\n')).toEqual([
      { domain: 't0.test', user: '1001', password: 'a', tenant: 0 },
      { domain: 't0.test', user: '1002', password: 'b', tenant: 0 },
      { domain: 't1.test', user: '1001', password: 'c', tenant: 1 },
    ]);
  });

  it.each<[string, PlanOptions, typeof peak, string]>([
    [
      'a cure that is the other edition',
      { incident: 'misrouted', cured: true },
      peak,
      '--cured: edge.dispatch=call-id-hash is what an edition is or is not; leave --cured out, and run it on --stack blueprint',
    ],
    [
      'a cure that stacks do not have',
      { incident: 'trunk-cps', cured: true },
      peak,
      '--cured: pacingCps=45 is of the embedded platform; a stack has nat.maxSessions, nat.idleTimeoutMs, trunk.cps, trunk.channels, relay.ports: leave --cured out, and give more of those',
    ],
    [
      'another transport',
      { set: ['transport=tcp'] },
      storm,
      '--set transport=tcp: phones in a stack speak SIP over UDP only',
    ],
  ])('refuses %s', (_what, options, loaded, message) => {
    expect(() => plan(options, loaded)).toThrow(message);
  });
});
