import { readdirSync } from 'node:fs';
import { fileText } from './host.js';
import type { Readings } from './rtpengine.js';

/**
 * Processor time of a group of processes, from the kernel's own files: version 1 (cpu.stat and cpuacct.usage) and 2 (cpu.stat). No
 * container is asked anything: one that is frozen is read like any other. Readings of source `cpu`.
 *
 *   wait_ms_total   runnable threads that did not run, from /proc/<thread>/schedstat: where nobody set a quota this is
 *                   how a neighbour is felt
 */
const ROOT = '/sys/fs/cgroup';
/** A service with more threads than this is read by its first ones. */
const THREADS_MAX = 400;

/** Where the group of process `pid` lies, by /proc/<pid>/cgroup: the folder of its processor files, and of its thread list. */
export function groupOf(cgroup: string): { version: 1 | 2; cpu: string; usage: string } | null {
  const line = (controller: string): string | undefined =>
    new RegExp(`^\\d+:(?:[^:]*,)?${controller}(?:,[^:]*)?:(/.*)$`, 'm').exec(cgroup)?.[1];
  const cpu = line('cpu');
  if (cpu !== undefined)
    return { version: 1, cpu: `${ROOT}/cpu${cpu}`, usage: `${ROOT}/cpuacct${line('cpuacct') ?? cpu}` };
  const unified = /^0::(\/.*)$/m.exec(cgroup)?.[1];
  return unified === undefined ? null : { version: 2, cpu: ROOT + unified, usage: ROOT + unified };
}

/** `nr_throttled 3` lines as numbers; times of version 1 are ns, of version 2 us. */
export function quotaReadings(cpuStat: string, version: 1 | 2): Readings {
  const of = (name: string): number | null => {
    const value = new RegExp(`^${name} (\\d+)$`, 'm').exec(cpuStat)?.[1];
    return value === undefined ? null : Number(value);
  };
  const throttled = version === 1 ? of('throttled_time') : of('throttled_usec');
  const usage = version === 2 ? of('usage_usec') : null;
  const out: Readings = {};
  if (throttled !== null) out.throttled_ms_total = throttled / (version === 1 ? 1e6 : 1e3);
  if (usage !== null) out.cpu_ms_total = usage / 1e3;
  const [periods, throttledPeriods] = [of('nr_periods'), of('nr_throttled')];
  if (periods !== null) out.periods_total = periods;
  if (throttledPeriods !== null) out.throttled_periods_total = throttledPeriods;
  return out;
}

/** /proc/<thread>/schedstat: ns on a processor, ns runnable without one, turns. */
export function schedstat(text: string): { cpuMs: number; waitMs: number } | null {
  const [cpu, wait] = text.trim().split(/\s+/).map(Number);
  if (cpu === undefined || wait === undefined || Number.isNaN(cpu) || Number.isNaN(wait)) return null;
  return { cpuMs: cpu / 1e6, waitMs: wait / 1e6 };
}

/** Sums what threads waited, though threads come and go: a sum over those that are there would fall. */
export class ThreadWaits {
  #totalMs = 0;
  #cpuMs = 0;
  #before = new Map<string, { cpuMs: number; waitMs: number }>();

  /** `threads`: their /proc folders. */
  read(threads: readonly string[]): { cpuMs: number; waitMs: number } {
    const now = new Map<string, { cpuMs: number; waitMs: number }>();
    for (const folder of threads.slice(0, THREADS_MAX)) {
      const reading = schedstat(fileText(`${folder}/schedstat`));
      if (reading === null) continue;
      now.set(folder, reading);
      const before = this.#before.get(folder) ?? { cpuMs: 0, waitMs: 0 };
      this.#totalMs += Math.max(0, reading.waitMs - before.waitMs);
      this.#cpuMs += Math.max(0, reading.cpuMs - before.cpuMs);
    }
    this.#before = now;
    return { cpuMs: this.#cpuMs, waitMs: this.#totalMs };
  }
}

/** The processor time of one container, by a process in it. */
export class GroupReader {
  readonly #group: ReturnType<typeof groupOf>;
  readonly #waits = new ThreadWaits();

  constructor(pid: number) {
    this.#group = pid > 0 ? groupOf(fileText(`/proc/${pid}/cgroup`)) : null;
  }

  /** null: the kernel's files are not in reach (another machine, or a desktop's virtual one). */
  read(): Readings | null {
    if (this.#group === null) return null;
    const { version, cpu, usage } = this.#group;
    const stat = fileText(`${cpu}/cpu.stat`);
    if (stat === '') return null;
    const out = quotaReadings(stat, version);
    if (version === 1) {
      const used = Number.parseInt(fileText(`${usage}/cpuacct.usage`), 10);
      if (!Number.isNaN(used)) out.cpu_ms_total = used / 1e6;
    }
    const threads = fileText(`${cpu}/${version === 1 ? 'tasks' : 'cgroup.threads'}`)
      .trim()
      .split('\n');
    const { waitMs } = this.#waits.read(threads.filter((tid) => tid !== '').map((tid) => `/proc/${tid}`));
    return { ...out, wait_ms_total: waitMs };
  }
}

/** Threads of this process. Readings of source `own`. */
export class OwnThreads {
  readonly #waits = new ThreadWaits();

  read(): Readings | null {
    let names: string[];
    try {
      names = readdirSync('/proc/self/task');
    } catch {
      return null; // not Linux
    }
    const { cpuMs, waitMs } = this.#waits.read(names.map((tid) => `/proc/self/task/${tid}`));
    return { cpu_ms_total: cpuMs, wait_ms_total: waitMs };
  }
}

/** The part of the engine's `stats` answer that we read; all of it may be lacking. */
export interface EngineStats {
  cpu_stats?: {
    cpu_usage?: { total_usage?: number };
    throttling_data?: { periods?: number; throttled_periods?: number; throttled_time?: number };
  };
  memory_stats?: { usage?: number };
}

/** The same from the engine's interface, where the kernel's files are out of reach: without what threads waited. */
export function engineReadings({ cpu_stats: cpu, memory_stats: memory }: EngineStats): Readings | null {
  const used = cpu?.cpu_usage?.total_usage;
  if (used === undefined) return null;
  const { periods = 0, throttled_periods: throttled = 0, throttled_time: time = 0 } = cpu?.throttling_data ?? {};
  return {
    cpu_ms_total: used / 1e6,
    throttled_ms_total: time / 1e6,
    periods_total: periods,
    throttled_periods_total: throttled,
    ...(memory?.usage === undefined ? {} : { memory_bytes: memory.usage }),
  };
}
