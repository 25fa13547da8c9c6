import { HarnessError } from '../errors.js';
import type { Cause } from '../plan/causes.js';
import { loadScenario, scenarioNames } from '../plan/load.js';
import type { PlanOptions } from '../plan/resolve.js';
import { incidentsOf } from '../plan/scenario.js';

/** One thing that is done to a platform, and what a diagnosis should say of it. */
export interface ScoreCase {
  name: string;
  scenario: string;
  options: Pick<PlanOptions, 'incident' | 'cured' | 'set' | 'stack' | 'env' | 'fault'>;
  /** The causes that were injected; none where every name would be wrong. */
  truth: Cause[];
  /** On real sockets, one after the other; otherwise in virtual time. */
  real?: boolean;
}

/**
 * Two faults at once. Each bites although the other is there: of 170 calls a trunk of 50 CPS leaves 70, which want 71 NAT
 * sessions at once; a stall's own scenario has a burst of 40, of which a trunk of 20 CPS refuses half.
 */
const PAIRS: readonly { incident: string; set: string[]; adds: Cause }[] = [
  { incident: 'nat-table', set: ['nat.maxSessions=60', 'trunk.cps=50'], adds: 'trunk-cps-limit' },
  { incident: 'nat-table', set: ['relay.ports=340', 'relay.onExhausted=relay-anyway'], adds: 'rtp-port-exhausted' },
  { incident: 'rtp-ports', set: ['nat.linkLoss=0.12'], adds: 'packet-loss' },
  { incident: 'trunk-channels', set: ['nat.linkLoss=0.12'], adds: 'packet-loss' },
  { incident: 'db-stall', set: ['trunk.cps=20'], adds: 'trunk-cps-limit' },
  { incident: 'db-stall', set: ['nat.linkLoss=0.12'], adds: 'packet-loss' },
];
const PAIRS_OF = 'peak-dial';

/** Of a scenario whose default size says no more than a smaller one does. */
const SIZE: Readonly<Record<string, readonly string[]>> = {
  'registration-storm': ['phones=2000', 'watchMs=40000'],
};

/** Of the calls of a healthy run, those that are busy, not answered, or to a wrong number. */
const ORDINARY = 0.02;

/**
 * The catalogue: every incident that injects a cause, each cure, a healthy run of each scenario that has one, the pairs, and a
 * healthy run in which people are busy.
 */
export async function catalogue(only?: string): Promise<ScoreCase[]> {
  const cases: ScoreCase[] = [];
  for (const name of scenarioNames()) {
    const { scenario } = await loadScenario(name);
    const incidents = Object.entries(incidentsOf(scenario)).filter(([, i]) => i.cause !== null);
    if (incidents.length === 0) continue;
    const add = (what: string, options: ScoreCase['options'], truth: Cause[]): void => {
      const set = [...(SIZE[name] ?? []), ...(options.set ?? [])];
      cases.push({ name: `${name} ${what}`, scenario: name, options: { ...options, set }, truth });
    };
    add('none', {}, []);
    if ('ordinaryFailures' in scenario.params) {
      add('ordinary failures', { set: [`ordinaryFailures=${ORDINARY}`] }, []);
    }
    for (const [incident, { cause, cure }] of incidents) {
      add(incident, { incident }, [cause!]);
      if (cure !== undefined) add(`${incident}, cured`, { incident, cured: true }, []);
    }
    if (name !== PAIRS_OF) continue;
    for (const { incident, set, adds } of PAIRS) {
      const cause = incidents.find(([i]) => i === incident)![1].cause!;
      add(`${incident} + ${adds}`, { incident, set }, [cause, adds]);
    }
  }
  return chosenOf(cases, only);
}

/** Those that have `only` in their name; all without it. Throws BAD_PLAN when none has. */
export function chosenOf(cases: readonly ScoreCase[], only: string | undefined): ScoreCase[] {
  if (only === undefined) return [...cases];
  const chosen = cases.filter((c) => c.name.includes(only));
  if (chosen.length > 0) return chosen;
  throw new HarnessError(
    'BAD_PLAN',
    `--only ${only}: no case has that in its name; there are ${cases.map((c) => c.name).join('; ')}`,
  );
}
