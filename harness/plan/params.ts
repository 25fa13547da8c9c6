import { HarnessError } from '../errors.js';
import { didYouMean } from './nearest.js';
import type { Param, Params, ParamValue } from './scenario.js';

/** Why a value does not fit its parameter; undefined when it fits. */
export function misfit(param: Param, value: unknown): string | undefined {
  if (typeof value !== param.type) return `must be a ${param.type}`;
  if (param.type === 'number') {
    const n = value as number;
    if (!Number.isFinite(n)) return 'must be a number';
    if (param.integer && !Number.isInteger(n)) return 'must be a whole number';
    if (n < param.min || n > param.max) return `must be from ${param.min} to ${param.max}`;
  }
  if (param.type === 'string' && param.choices !== undefined && !param.choices.includes(value as string)) {
    return `must be ${param.choices.join(' or ')}`;
  }
  return undefined;
}

/** `--set key=value`, read by the parameter's type. */
export function parseSet(assignment: string, params: Params): { key: string; value: ParamValue } {
  const bad = (why: string): HarnessError => new HarnessError('BAD_PLAN', `--set ${assignment}: ${why}`);
  const equals = assignment.indexOf('=');
  if (equals < 1) throw bad('expected key=value, for example --set nat.maxSessions=128');
  const key = assignment.slice(0, equals).trim();
  const written = assignment.slice(equals + 1).trim();
  const param = Object.hasOwn(params, key) ? params[key] : undefined;
  if (param === undefined) throw bad(unknownParam(key, params));
  const value = read(param, written);
  const why = misfit(param, value);
  if (why !== undefined) throw bad(`${key} ${why} (default ${describe(param)})`);
  return { key, value };
}

function read(param: Param, written: string): ParamValue {
  if (param.type === 'number') return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(written) ? Number(written) : written;
  if (param.type === 'boolean') return written === 'true' ? true : written === 'false' ? false : written;
  return written;
}

export function unknownParam(key: string, params: Params): string {
  const names = Object.keys(params);
  return `there is no parameter ${key}${didYouMean(key, names)}; there are ${names.join(', ')}`;
}

/** Default with its unit: `4096 sessions`. */
export function describe(param: Param): string {
  return param.unit === undefined ? String(param.default) : `${param.default} ${param.unit}`;
}

/** What cannot be right in a scenario's own values, as `path: why`; undefined when all fit. */
export function firstMisfit(params: Params, set: Record<string, unknown>): string | undefined {
  for (const [key, value] of Object.entries(set)) {
    const param = Object.hasOwn(params, key) ? params[key] : undefined;
    if (param === undefined) return `${key}: ${unknownParam(key, params)}`;
    const why = misfit(param, value);
    if (why !== undefined) return `${key}: ${why}`;
  }
  return undefined;
}
