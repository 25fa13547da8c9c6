import { HarnessError } from '../errors.js';
import type { LoadedScenario } from './load.js';
import { didYouMean } from './nearest.js';
import { misfit } from './params.js';
import { freshStamp, type PlanOptions, resolvePlan, type Stamp } from './resolve.js';
import { incidentsOf, NO_INCIDENT, type Param } from './scenario.js';
import type { RunPlan } from './types.js';

export interface ComparedPlan {
  /** The value that tells this run from the others. */
  label: string;
  plan: RunPlan;
}

/** More curves than this cannot be told apart. */
const RUNS_MAX = 8;
const DEFAULT_PARAM = 'cure';

/**
 * One plan for each value of a parameter: `cure=none,both`; without a name the values are those of `cure`; `true` takes
 * what the incident names to be compared. All else is the same, the seed too.
 */
export function comparedPlans(
  loaded: LoadedScenario,
  options: PlanOptions,
  compare: string | true,
  stamp: Stamp = freshStamp(),
): ComparedPlan[] {
  const { key, values } = wanted(loaded, options, compare);
  return values.map((label, i) => {
    const set = [...(options.set ?? []), `${key}=${label}`];
    const suffix = `${stamp.suffix}-${i + 1}`;
    return { label, plan: resolvePlan(loaded, { ...options, set }, { now: stamp.now, suffix }) };
  });
}

function wanted(
  { scenario, ref }: LoadedScenario,
  options: PlanOptions,
  compare: string | true,
): { key: string; values: string[] } {
  const bad = (why: string): HarnessError =>
    new HarnessError('BAD_PLAN', `--compare${compare === true ? '' : ` ${compare}`}: ${why}`);
  const incidents = incidentsOf(scenario);
  const name = options.incident ?? NO_INCIDENT;
  let key = DEFAULT_PARAM;
  let list =
    compare === true ? (Object.hasOwn(incidents, name) ? incidents[name]!.compare : undefined) : compare.split(',');
  if (compare !== true && compare.includes('=')) {
    const equals = compare.indexOf('=');
    key = compare.slice(0, equals).trim();
    list = compare.slice(equals + 1).split(',');
  }
  if (list === undefined) {
    const known = Object.entries(incidents).filter(([, incident]) => incident.compare !== undefined);
    const instead = known.length === 0 ? '' : `; incidents that name some are ${known.map(([n]) => n).join(', ')}`;
    throw bad(`say what to compare, as in --compare nat.maxSessions=64,4096${instead}`);
  }
  const param: Param | undefined = Object.hasOwn(scenario.params, key) ? scenario.params[key] : undefined;
  if (param === undefined) {
    throw bad(
      `scenario ${ref} has no parameter ${key}${didYouMean(key, Object.keys(scenario.params))}; write name=value,value`,
    );
  }
  const values = list.map((value) => value.trim()).filter((value) => value !== '');
  if (values.length < 2) throw bad('give at least two values, with commas between them');
  if (values.length > RUNS_MAX) throw bad(`${values.length} values; at most ${RUNS_MAX} can be told apart in a plot`);
  const twice = values.find((value, i) => values.indexOf(value) !== i);
  if (twice !== undefined) throw bad(`${twice} is there twice`);
  if (param.type === 'string') {
    for (const value of values) {
      const why = misfit(param, value);
      if (why !== undefined) throw bad(`${value}: ${key} ${why}${didYouMean(value, param.choices ?? [])}`);
    }
  }
  return { key, values };
}
