import { cpus, loadavg, release, totalmem, type } from 'node:os';
import { packageVersion } from '../harness/version.js';

/** Where the figures were taken: they mean nothing without it. */
export interface Machine {
  cpu: string;
  cores: number;
  memoryGb: number;
  kernel: string;
  node: string;
  sipp: string | null;
  deadair: string;
  /** Load average of the last minute at the start and at the end: what else ran. */
  load: [number, number];
}

export function machine(sipp: string | null): Machine {
  const load = Math.round(loadavg()[0]! * 100) / 100;
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    kernel: `${type()} ${release()}`,
    node: process.version,
    sipp,
    deadair: packageVersion(),
    load: [load, load],
  };
}
