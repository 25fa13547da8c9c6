/** What `import … from 'deadair'` gives to the author of a scenario, and to a program that runs one. */
export { type RunRequest, run } from './api.js';
export type { Progress } from './engine/types.js';
export { type ErrorCode, EXIT, type ExitCode, HarnessError } from './errors.js';
export { CAUSES, type Cause } from './plan/causes.js';
export { callParams, callPlan, embeddedConfig, embeddedParams } from './plan/embedded.js';
export type { FaultWish } from './plan/fault.js';
export { FAULT_KINDS, type FaultKind } from './plan/fault-kinds.js';
export {
  type BooleanParam,
  type Built,
  choice,
  defineScenario,
  flag,
  type Incident,
  integer,
  type NumberParam,
  number,
  type Param,
  type Params,
  type ParamValue,
  type Resolved,
  type Scenario,
  type StringParam,
  text,
} from './plan/scenario.js';
export type {
  ArrivalStage,
  CallPlan,
  CallStep,
  DurationDist,
  EmbeddedConfig,
  FaultPlan,
  NatConfig,
  NodeConfig,
  RelayConfig,
  RunPlan,
  TargetPlan,
  TrunkConfig,
} from './plan/types.js';
export { webphoneParams, webphoneWish } from './plan/webphones.js';
export type { RunResult } from './run.js';
export type { Diff, Moved } from './verdict/diff/types.js';
export type { BudgetResult, CauseFinding, Quantiles, Verdict } from './verdict/types.js';
