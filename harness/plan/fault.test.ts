import { describe, expect, it } from 'vitest';
import { HarnessError } from '../errors.js';
import { canonical, occurrences, paramsAt, parseFault, readFault } from './fault.js';
import { FAULT_KINDS, FAULT_NAMES, specOf } from './fault-kinds.js';
import { misfit } from './params.js';

describe('--fault', () => {
  it('reads kind, instant, length, target and parameters', () => {
    expect(parseFault('nat-table-limit@20s+30s,on=nat,maxFlows=150')).toEqual({
      kind: 'nat-table-limit',
      atMs: 20_000,
      forMs: 30_000,
      on: 'nat',
      params: { maxFlows: 150 },
    });
    expect(parseFault('node-pause@500ms+1.5m')).toMatchObject({ atMs: 500, forMs: 90_000, on: 'node-1', params: {} });
    expect(parseFault('redis-stall@1s+2s,on=redis,backend=docker')).toMatchObject({ on: 'queue', backend: 'docker' });
  });

  it('ramps over the whole time, or faster; repeats', () => {
    const ramp = parseFault('packet-loss@10s+20s,percent=0..10');
    expect(ramp.ramp).toEqual({ param: 'percent', from: 0, to: 10, overMs: 20_000 });
    expect([0, 5_000, 10_000, 20_000, 25_000].map((ms) => paramsAt(ramp, ms).percent)).toEqual([0, 2.5, 5, 10, 10]);
    expect(parseFault('packet-loss@10s+20s,percent=0..10,ramp=5s').ramp?.overMs).toBe(5_000);
    const often = parseFault('node-pause@10s+2s,every=30s,times=3');
    expect(occurrences([often, parseFault('node-restart@20s')]).map((o) => [o.id, o.atMs])).toEqual([
      ['f1', 10_000],
      ['f2', 20_000],
      ['f1-2', 40_000],
      ['f1-3', 70_000],
    ]);
  });

  it.each([
    ['node-pause', 'expected KIND@AT+FOR'],
    ['node-pauze@1s+1s', 'there is no fault node-pauze (did you mean node-pause?); there are packet-loss'],
    ['node-pause@1s', 'node-pause has to end: add +FOR'],
    ['node-restart@1s+5s', 'node-restart happens at an instant'],
    ['node-pause@1+5s', 'at 1: must be a time such as 500ms'],
    ['node-pause@1s+5s,on=', 'on=: must be a role'],
    ['node-pause@1s+5s,weight=5', 'it has no parameter weight'],
    ['packet-loss@1s+5s,percnt=5', 'there is no parameter percnt (did you mean percent?)'],
    ['packet-loss@1s+5s,percent=101', 'percent must be from 0 to 100'],
    ['packet-loss@1s+5s,percent=x', 'percent must be a number'],
    ['packet-loss@1s+5s,percent=1,percent=2', 'percent is there twice'],
    ['packet-loss@1s+5s,ramp=2s', 'ramp wants a parameter with two values'],
    ['packet-loss@1s+5s,percent=0..5,ramp=6s', 'not longer than the fault'],
    ['nat-port-range@1s+5s,ports=9..5,from=1024..2000', 'ports and from cannot both ramp'],
    ['node-pause@1s+5s,every=5s,times=2', 'it must be longer than the fault'],
    ['node-pause@1s+5s,every=9s', 'every and times go together'],
    ['db-stall@1s+5s,by=magic', 'by must be auto or toxiproxy or pause or lock'],
  ])('%s is refused in one line', (text, why) => {
    const refused = (): unknown => parseFault(text);
    expect(refused).toThrow(HarnessError);
    expect(refused).toThrow(why);
    expect(refused).toThrow(/^--fault [^\n]+$/);
  });
});

describe('a fault of a scenario', () => {
  it('is the same as text and as an object', () => {
    const text = parseFault('packet-loss@20s+30s,on=edge,percent=0..10,ramp=10s,direction=in');
    const wish = {
      kind: 'packet-loss',
      at: '20s',
      for: 30_000,
      on: 'edge',
      percent: '0..10',
      ramp: '10s',
      direction: 'in',
    };
    expect(readFault(wish, 'faults[0]')).toEqual(text);
    expect(readFault('node-restart@1s', 'faults[0]').kind).toBe('node-restart');
  });

  it('says where it is wrong', () => {
    expect(() => readFault({ kind: 'node-pause', at: '1s' }, 'scenario x: faults[2]')).toThrow(
      /^scenario x: faults\[2\]: node-pause has to end/,
    );
    expect(() => readFault(7, 'scenario x: faults[2]')).toThrow(/must be a text or an object/);
  });
});

it('every default of the catalogue fits its own parameter, and every target is canonical', () => {
  for (const kind of FAULT_NAMES) {
    for (const param of Object.values(specOf(kind).params)) expect(misfit(param, param.default)).toBeUndefined();
    expect(canonical(specOf(kind).on)).toBe(specOf(kind).on);
  }
  expect(Object.keys(FAULT_KINDS).length).toBeGreaterThan(25);
});
