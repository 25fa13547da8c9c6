import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import type { Readings } from './rtpengine.js';

/** Linux's USER_HZ: what /proc/stat counts in, on every architecture that Node runs on. */
const TICK_MS = 10;

/** /proc/stat, /proc/loadavg and /proc/pressure/cpu as readings of source `host`; what is not there is not in the result. */
export function hostReadings(stat: string, loadavg: string, pressure: string): Readings {
  const out: Readings = {};
  const ticks = /^cpu +([\d ]+)$/m.exec(stat)?.[1]?.trim().split(' ').map(Number);
  if (ticks !== undefined && ticks.length >= 8) {
    const [user, nice, system, idle, iowait, irq, softirq, steal] = ticks as [
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    out.busy_ms_total = (user + nice + system + irq + softirq) * TICK_MS;
    out.idle_ms_total = (idle + iowait) * TICK_MS;
    out.steal_ms_total = steal * TICK_MS;
  }
  const running = /^procs_running (\d+)$/m.exec(stat)?.[1];
  if (running !== undefined) out.running = Number(running);
  const load1 = Number.parseFloat(loadavg);
  if (!Number.isNaN(load1)) out.load1 = load1;
  // Microseconds in which at least one runnable thread waited (PSI).
  const some = /^some .*total=(\d+)$/m.exec(pressure)?.[1];
  if (some !== undefined) out.pressure_ms_total = Number(some) / 1000;
  return out;
}

/** What a small file under /proc or /sys says; '' where it is not there. */
export function fileText(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return ''; // another system, another kernel, or a process that ended: a reading that is not there
  }
}

/** Null on a system without /proc. */
export function readHost(): Readings | null {
  const readings = hostReadings(fileText('/proc/stat'), fileText('/proc/loadavg'), fileText('/proc/pressure/cpu'));
  return readings.busy_ms_total === undefined ? null : { ...readings, cpus: cpus().length };
}
