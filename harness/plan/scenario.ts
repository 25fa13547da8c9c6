import type { Cause } from './causes.js';
import type { FaultWish } from './fault.js';
import type { ArrivalStage, CallPlan, EmbeddedConfig, RegistrationPlan, SignallingPlan } from './types.js';
import type { WebphoneWish } from './webphones.js';

interface ParamOf<T, D> {
  type: T;
  default: D;
  /** What one of it is: ms, calls, ports. */
  unit?: string;
  doc: string;
  /** It sets up the embedded platform, so it means nothing to a --target. */
  platform?: boolean;
}
export interface NumberParam extends ParamOf<'number', number> {
  min: number;
  max: number;
  integer: boolean;
}
export interface StringParam<C extends string = string> extends ParamOf<'string', C> {
  /** Undefined: any text. */
  choices?: readonly C[];
}
export type BooleanParam = ParamOf<'boolean', boolean>;
export type Param = NumberParam | StringParam | BooleanParam;

/** Dotted name -> parameter. Every one can be set with `--set name=value`. */
export type Params = Record<string, Param>;
export type ParamValue = number | string | boolean;
/** What build() gets: dotted name -> value. */
export type Resolved<P extends Params> = { [K in keyof P]: P[K]['default'] };

interface Common {
  doc: string;
  unit?: string;
  platform?: boolean;
}
const MAX_DEFAULT = 1_000_000_000;

/** A whole number, 0 or more unless `min` says otherwise. */
export function integer(value: number, options: Common & { min?: number; max?: number }): NumberParam {
  return { type: 'number', default: value, min: 0, max: MAX_DEFAULT, integer: true, ...options };
}
export function number(value: number, options: Common & { min?: number; max?: number }): NumberParam {
  return { type: 'number', default: value, min: 0, max: MAX_DEFAULT, integer: false, ...options };
}
export function choice<const C extends string>(
  value: NoInfer<C>,
  options: Common & { choices: readonly C[] },
): StringParam<C> {
  return { type: 'string', default: value, ...options };
}
export function text(value: string, options: Common): StringParam {
  return { type: 'string', default: value, ...options };
}
export function flag(value: boolean, options: Common): BooleanParam {
  return { type: 'boolean', default: value, ...options };
}

/** What a scenario makes of its parameters. */
export interface Built {
  arrivals: ArrivalStage[];
  drainMs: number;
  call: CallPlan;
  /** How phones speak SIP; over UDP without it. */
  signalling?: SignallingPlan;
  registrations?: RegistrationPlan;
  webphones?: WebphoneWish;
  platform: EmbeddedConfig;
  /** Done in every run of it, beside those of the incident and of the command line. */
  faults?: FaultWish[];
  agents?: { callerWorkers?: number; maxCallsPerWorker?: number };
}

export interface Incident<P extends Params = Params> {
  /** One line. */
  summary: string;
  /** The cause that it injects; only the scoring of the verdict reads it. */
  cause: Cause | null;
  set: Partial<Resolved<P>>;
  /** What a stack in Docker has instead: real parts, whose limits and sizes are others. */
  onStack?: Partial<Resolved<P>>;
  faults?: (p: Resolved<P>) => FaultWish[];
  cure?: { summary: string; set: Partial<Resolved<P>> };
  /** Why there is no cure, where there is none. */
  noCure?: string;
  /** Values of the parameter `cure` that `--compare` lays side by side. */
  compare?: string[];
}

/**
 * A kind of day. Parameters resolve in this order, the later one wins:
 * defaults < onStack < incident.set < incident.onStack < incident.cure.set (with --cured) < --set;
 * `onStack` counts only where the platform is a stack in Docker.
 */
export interface Scenario<P extends Params = Params> {
  /** Lower-case letters, digits and hyphens: it becomes part of the run's directory. */
  name: string;
  /** One line. */
  summary: string;
  params: P;
  /** Defaults on a stack in Docker, which shares the machine's cores with both ends of the calls. */
  onStack?: Partial<Resolved<P>>;
  build: (p: Resolved<P>) => Built;
  /** `none` is always there and need not be listed. */
  incidents?: Record<string, Incident<P>>;
  /** Budgets that hold unless --no-default-budgets; a function where they depend on the parameters. */
  budgets: string[] | ((p: Resolved<P>) => string[]);
}

/** The default export of a scenario file. Gives types to the author and returns what it got. */
export function defineScenario<const P extends Params>(scenario: Scenario<P>): Scenario<P> {
  return scenario;
}

export const NO_INCIDENT = 'none';
const NONE: Incident = { summary: 'control: the platform is healthy and nothing is done to it', cause: null, set: {} };

/** All incidents by name, `none` first. */
export function incidentsOf(scenario: Scenario): Record<string, Incident> {
  return { [NO_INCIDENT]: NONE, ...scenario.incidents };
}
