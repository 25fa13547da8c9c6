import { HarnessError } from '../errors.js';
import { FAULT_KINDS, FAULT_NAMES, type FaultKind, type FaultKindSpec, ROLE_ALIASES, specOf } from './fault-kinds.js';
import { didYouMean } from './nearest.js';
import { misfit, unknownParam } from './params.js';
import type { ParamValue } from './scenario.js';
import type { FaultPlan } from './types.js';

/**
 * A fault as a scenario writes it: the text of --fault, or an object whose other keys are the kind's parameters.
 *   'nat-table-limit@20s+30s,on=nat,maxFlows=200'
 *   { kind: 'nat-table-limit', at: '20s', for: '30s', on: 'nat', maxFlows: 200 }
 * A number is ms, a text says its unit. `percent: '0..10'` ramps over the fault's time, or over `ramp`.
 */
export type FaultWish =
  | string
  | {
      kind: FaultKind;
      at: number | string;
      for?: number | string;
      on?: string;
      /** Reach the second value of `a..b` after this long, and stay there. */
      ramp?: number | string;
      /** Again, this long after the last beginning, `times` times in all. */
      every?: number | string;
      times?: number;
      /** Only this way of doing it; see docs/faults.md. */
      backend?: string;
      [param: string]: ParamValue | undefined;
    };

/** One stretch of a fault on the run's clock. */
export interface Occurrence {
  /** `f2` is the second fault of the plan, `f2-3` its third repeat. */
  id: string;
  plan: FaultPlan;
  atMs: number;
  forMs: number;
}

const SHAPE = "expected KIND@AT+FOR[,name=value...], for example 'nat-table-limit@20s+30s,on=nat,maxFlows=200'";
const TIMES_MAX = 1_000;
const WORDS = ['on', 'ramp', 'every', 'times', 'backend'] as const;
type Word = (typeof WORDS)[number];

/** `--fault`. Throws BAD_PLAN, one line. */
export function parseFault(text: string, where = `--fault ${text}`): FaultPlan {
  const [head = '', ...rest] = text.split(',').map((part) => part.trim());
  const match = /^([a-z0-9-]+)@([^+@]+?)(?:\+([^+@]+))?$/.exec(head);
  if (match === null) throw bad(where, SHAPE);
  const wish: Record<string, ParamValue> = { kind: match[1]!, at: match[2]! };
  if (match[3] !== undefined) wish.for = match[3];
  for (const part of rest) {
    const equals = part.indexOf('=');
    if (equals < 1) throw bad(where, `'${part}': expected name=value`);
    const name = part.slice(0, equals);
    if (Object.hasOwn(wish, name)) throw bad(where, `${name} is there twice`);
    wish[name] = part.slice(equals + 1);
  }
  return planOf(wish, where);
}

/** A fault of a scenario. `where` names it in the error. Throws BAD_PLAN. */
export function readFault(wish: unknown, where: string): FaultPlan {
  if (typeof wish === 'string') return parseFault(wish, `${where}: ${wish}`);
  if (typeof wish !== 'object' || wish === null || Array.isArray(wish)) {
    throw bad(where, `must be a text or an object; ${SHAPE}`);
  }
  return planOf(wish as Record<string, unknown>, where);
}

function planOf(wish: Record<string, unknown>, where: string): FaultPlan {
  const { kind, at, for: duration, on, ramp, every, times, backend, ...given } = wish;
  if (typeof kind !== 'string' || !Object.hasOwn(FAULT_KINDS, kind)) {
    const named = typeof kind === 'string' ? `${kind}${didYouMean(kind, FAULT_NAMES)}` : String(kind);
    throw bad(where, `there is no fault ${named}; there are ${FAULT_NAMES.join(', ')}`);
  }
  const spec = specOf(kind as FaultKind);
  const atMs = instant(at, 'at', where);
  const forMs = duration === undefined ? 0 : instant(duration, 'for', where);
  if (spec.instant && forMs > 0) throw bad(where, `${kind} happens at an instant: leave +FOR out`);
  if (!spec.instant && forMs === 0) throw bad(where, `${kind} has to end: add +FOR, for example @20s+30s`);
  const values = valuesOf(kind, spec, given, forMs, ramp, where);
  const plan: FaultPlan = { kind: kind as FaultKind, atMs, forMs, on: selector(on ?? spec.on, where), ...values };
  if (backend !== undefined) plan.backend = String(backend);
  const repeat = repeatOf(every, times, forMs, where);
  return repeat === undefined ? plan : { ...plan, repeat };
}

function valuesOf(
  kind: string,
  spec: FaultKindSpec,
  given: Record<string, unknown>,
  forMs: number,
  ramp: unknown,
  where: string,
): Pick<FaultPlan, 'params' | 'ramp'> {
  const params: Record<string, ParamValue> = {};
  for (const [name, param] of Object.entries(spec.params)) params[name] = param.default;
  let ramped: FaultPlan['ramp'];
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue;
    const param = Object.hasOwn(spec.params, name) ? spec.params[name] : undefined;
    if (param === undefined) {
      const also = ` (and ${WORDS.join(', ')})`;
      throw bad(
        where,
        `${kind}: ${Object.keys(spec.params).length === 0 ? `it has no parameter ${name}` : unknownParam(name, spec.params)}${also}`,
      );
    }
    const range = typeof value === 'string' && param.type === 'number' ? /^(.+?)\.\.(.+)$/.exec(value) : null;
    const read = (v: unknown): ParamValue => {
      const typed = param.type === 'number' && typeof v === 'string' && v.trim() !== '' ? Number(v) : v;
      const why = misfit(param, typed);
      if (why !== undefined) throw bad(where, `${kind}: ${name} ${why}`);
      return typed as ParamValue;
    };
    if (range === null) params[name] = read(value);
    else {
      if (ramped !== undefined) throw bad(where, `${kind}: ${ramped.param} and ${name} cannot both ramp`);
      if (spec.instant) throw bad(where, `${kind}: ${name} cannot ramp: it happens at an instant`);
      ramped = { param: name, from: Number(read(range[1])), to: Number(read(range[2])), overMs: forMs };
      params[name] = ramped.to;
    }
  }
  if (ramp !== undefined) {
    if (ramped === undefined)
      throw bad(where, `${kind}: ramp wants a parameter with two values, such as percent=0..10`);
    ramped.overMs = instant(ramp, 'ramp', where);
    if (ramped.overMs <= 0 || ramped.overMs > forMs)
      throw bad(where, `${kind}: ramp must be above 0 and not longer than the fault`);
  }
  return ramped === undefined ? { params } : { params, ramp: ramped };
}

function repeatOf(every: unknown, times: unknown, forMs: number, where: string): FaultPlan['repeat'] {
  if (every === undefined && times === undefined) return undefined;
  if (every === undefined || times === undefined) throw bad(where, 'every and times go together: every=60s,times=3');
  const everyMs = instant(every, 'every', where);
  const n = Number(times);
  if (!Number.isInteger(n) || n < 1 || n > TIMES_MAX)
    throw bad(where, `times must be a whole number from 1 to ${TIMES_MAX}`);
  if (everyMs <= forMs) throw bad(where, 'every counts from beginning to beginning: it must be longer than the fault');
  return { everyMs, times: n };
}

function selector(on: unknown, where: string): string {
  if (typeof on === 'string') {
    if (/^[a-z0-9]+([-_.][a-z0-9]+)*$/.test(on)) return canonical(on);
    // Not ours: the operator has to authorise it by name.
    if (/^container:[\w.-]+$|^toxiproxy:[\w.-]+:\d+\/[\w.-]+$/.test(on)) return on;
  }
  throw bad(
    where,
    `on=${String(on)}: must be a role, such as nat or node-1, the name of a service, container:NAME or toxiproxy:HOST:PORT/PROXY`,
  );
}

/** `redis` -> `queue`, `pbx-2` -> `node-2`. */
export function canonical(on: string): string {
  const [, name = on, number = ''] = /^(.*?)(-\d+)?$/.exec(on) ?? [];
  return Object.hasOwn(ROLE_ALIASES, name) ? `${ROLE_ALIASES[name]}${number}` : on;
}

/** ms: a number, or a text with its unit: 500ms, 20s, 1.5m. */
function instant(value: unknown, what: Word | 'at' | 'for', where: string): number {
  if (typeof value === 'number' && Number.isFinite(value) && value >= 0) return value;
  const match = typeof value === 'string' ? /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(value.trim()) : null;
  if (match === null) throw bad(where, `${what} ${String(value)}: must be a time such as 500ms, 20s or 2m`);
  return Number(match[1]) * { ms: 1, s: 1_000, m: 60_000 }[match[2] as 'ms' | 's' | 'm'];
}

/** Every stretch of every fault, in the order of their beginnings. */
export function occurrences(plans: readonly FaultPlan[]): Occurrence[] {
  return plans
    .flatMap((plan, i) =>
      Array.from({ length: plan.repeat?.times ?? 1 }, (_, n) => ({
        id: `f${i + 1}${n === 0 ? '' : `-${n + 1}`}`,
        plan,
        atMs: plan.atMs + n * (plan.repeat?.everyMs ?? 0),
        forMs: plan.forMs,
      })),
    )
    .sort((a, b) => a.atMs - b.atMs);
}

/** A ramp is climbed in steps of this length. */
export const RAMP_STEP_MS = 1_000;

/** What the ramped parameter is worth `sinceMs` into the fault; the others do not change. */
export function paramsAt({ params, ramp }: Pick<FaultPlan, 'params' | 'ramp'>, sinceMs: number): FaultPlan['params'] {
  if (ramp === undefined) return params;
  const part = Math.min(1, Math.max(0, sinceMs / ramp.overMs));
  const exact = ramp.from + (ramp.to - ramp.from) * part;
  return { ...params, [ramp.param]: Number(exact.toFixed(3)) };
}

function bad(where: string, why: string): HarnessError {
  return new HarnessError('BAD_PLAN', `${where}: ${why}`);
}
