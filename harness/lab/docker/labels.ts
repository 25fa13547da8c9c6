/**
 * Everything that we make in an engine carries these, so that it can be found and removed by whoever comes after us:
 * our own end, the reaper, the next start, `deadair stack down`.
 */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';

export const LABEL = {
  /** The command that made it: a run's id, or that of one `stack up`. */
  run: 'deadair.run',
  stack: 'deadair.stack',
  service: 'deadair.service',
  role: 'deadair.role',
  /** Whose it is while it is not kept: host, process id and that process's start, so that a number used again is seen. */
  owner: 'deadair.owner',
  /** 'yes': stays when its owner ends, until `stack down`. */
  keep: 'deadair.keep',
  /** What the stack was made from; another one means that it has to be made anew. */
  config: 'deadair.config',
} as const;

/** Of a process of this machine; undefined when there is none. Field 22 of /proc/PID/stat, after the name in brackets. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .at(19);
  } catch {
    return undefined;
  }
}

export function ownerLabel(pid: number = process.pid): string {
  return `${hostname()}/${pid}/${startOf(pid) ?? 'unknown'}`;
}

/** Is it known that whoever made this is gone? Of another machine's processes nothing is known. */
export function ownerIsGone(label: string | undefined): boolean {
  const [host, pid, start] = (label ?? '').split('/');
  if (host !== hostname() || pid === undefined || start === undefined) return false;
  return startOf(Number(pid)) !== start;
}
