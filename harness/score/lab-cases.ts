import type { Cause } from '../plan/causes.js';
import type { PlanOptions } from '../plan/resolve.js';
import type { ScoreCase } from './cases.js';

/**
 * The catalogue on the real stacks: a row for each incident, which is a run that anybody could type, and what a diagnosis should say of it.
 * Small loads: two cores carry the whole platform and both ends of some forty calls.
 */
interface LabRow {
  stack: 'naive' | 'blueprint';
  what: string;
  set?: string[];
  env?: string[];
  fault?: string[];
  truth: Cause[];
}

/** 25 calls in all, 12 to 14 s each; the burst at 5 s. */
const SMALL = ['quietCps=1', 'quietMs=5000', 'burst=20', 'holdMsMin=12000', 'holdMsMax=14000'];
const LONG = ['quietCps=1', 'quietMs=5000', 'burst=20', 'holdMsMin=40000', 'holdMsMax=42000'];

const ROWS: readonly LabRow[] = [
  { stack: 'naive', what: 'none', truth: [] },
  { stack: 'blueprint', what: 'none', truth: [] },
  { stack: 'naive', what: 'nat-table', set: [...LONG, 'nat.maxSessions=30'], truth: ['nat-table-full'] },
  { stack: 'blueprint', what: 'nat-table', set: [...LONG, 'nat.maxSessions=30'], truth: ['nat-table-full'] },
  { stack: 'naive', what: 'trunk-cps', set: ['trunk.cps=5'], truth: ['trunk-cps-limit'] },
  { stack: 'blueprint', what: 'trunk-channels', set: ['trunk.channels=8'], truth: ['trunk-channel-limit'] },
  { stack: 'blueprint', what: 'rtp-ports', set: ['relay.ports=48'], truth: ['rtp-port-exhausted'] },
  { stack: 'naive', what: 'misrouted', set: ['steps=reinvite@3s,reinvite@6s'], truth: ['misrouted-in-dialog'] },
  {
    stack: 'naive',
    what: 'nat-mapping',
    set: ['steps=callee:bye@11s', 'holdMsMin=20000', 'holdMsMax=22000'],
    fault: ['nat-mapping-timeout@1s+60s,seconds=4'],
    truth: ['nat-mapping-expired'],
  },
  {
    stack: 'blueprint',
    what: 'packet-loss',
    fault: ['packet-loss@1s+60s,percent=12,what=rtp'],
    truth: ['packet-loss'],
  },
  {
    stack: 'blueprint',
    what: 'ack-lost',
    set: LONG,
    fault: ['packet-loss@1s+60s,percent=100,method=ACK'],
    truth: ['no-ack'],
  },
  { stack: 'blueprint', what: 'cpu-limit', fault: ['cpu-limit@4s+25s,on=relay'], truth: ['cpu-starved'] },
  { stack: 'naive', what: 'cpu-burn', fault: ['cpu-burn@4s+25s,on=node-1'], truth: ['cpu-starved'] },
  { stack: 'naive', what: 'node-down', fault: ['node-pause@4s+30s,on=node-1'], truth: ['node-down'] },
  { stack: 'naive', what: 'config-reload', fault: ['config-reload@5s,on=node-1'], truth: ['config-reload'] },
  {
    stack: 'blueprint',
    what: 'trunk-channels + packet-loss',
    set: ['trunk.channels=8'],
    fault: ['packet-loss@1s+60s,percent=12,what=rtp'],
    truth: ['trunk-channel-limit', 'packet-loss'],
  },
];

const SCENARIO = 'peak-dial';

export function labCatalogue(): ScoreCase[] {
  return ROWS.map(({ stack, what, set = [], env, fault, truth }) => {
    // What a row sets by itself comes last, and wins.
    const options: Pick<PlanOptions, 'stack' | 'set' | 'env' | 'fault'> = {
      stack,
      set: unique([...SMALL, ...set]),
      ...(env === undefined ? {} : { env }),
      ...(fault === undefined ? {} : { fault }),
    };
    return { name: `${stack} ${what}`, scenario: SCENARIO, options, truth, real: true };
  });
}

function unique(assignments: readonly string[]): string[] {
  return [...new Map(assignments.map((a) => [a.slice(0, a.indexOf('=')), a])).values()];
}
