/**
 * What the commands call of the rooms behind them, loaded when a command needs it: `scenarios`, `doctor` and every
 * bad option answer without loading DuckDB or a wire.
 */
import type { Logger } from 'pino';
import type { ExitCode } from '../errors.js';
import type { RunPlan } from '../plan/types.js';
import type { Verdict } from '../verdict/types.js';

export interface Progress {
  tMs: number;
  endMs: number;
  offered: number;
  started: number;
  blocked: number;
  open: number;
  answered: number;
  ended: number;
}

export interface RunResult {
  runDir: string;
  verdict: Verdict;
  exitCode: ExitCode;
}

export interface RunOptions {
  /** The run's own directory, named by its runId, is made in here. */
  outDir: string;
  onProgress?: (p: Progress) => void;
  signal?: AbortSignal;
  log?: Logger;
}

export interface UasOptions {
  host: string;
  port: number;
  /** Calls at once; one more gets 503. */
  maxCalls: number;
  answerMs: number;
  /** null: until interrupted. */
  durationMs: number | null;
  media: 'rtp' | 'none';
  signal: AbortSignal;
  /** The port is bound: calls are answered from now on. */
  onListening?: (at: { wire: string; media: string }) => void;
}
export type UasSummary = object;

export async function runPlan(plan: RunPlan, options: RunOptions): Promise<RunResult> {
  const engine = await load<{ runPlan: typeof runPlan }>('../run.js');
  return engine.runPlan(plan, options);
}

export async function serveUas(options: UasOptions): Promise<UasSummary> {
  const server = await load<{ serveUas: typeof serveUas }>('../uas-server.js');
  return server.serveUas(options);
}

export async function summaryText(verdict: Verdict): Promise<string> {
  const report = await load<{ summaryText: (verdict: Verdict) => string }>('../report/summary.js');
  return report.summaryText(verdict);
}

export async function autopsyText(runDir: string, call?: string): Promise<string> {
  const report = await load<{ autopsyText: typeof autopsyText }>('../report/autopsy.js');
  return call === undefined ? report.autopsyText(runDir) : report.autopsyText(runDir, call);
}

/** The path is a variable, so that the compiler does not ask for the module's own types. */
async function load<T>(path: string): Promise<T> {
  const url = new URL(path, import.meta.url);
  // Under Vitest we run from the .ts sources.
  if (import.meta.url.endsWith('.ts')) url.pathname = url.pathname.replace(/\.js$/, '.ts');
  return (await import(/* @vite-ignore */ url.href)) as T;
}
