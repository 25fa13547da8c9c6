/** What /proc tells about processes (proc(5)). Linux only, as the wires that are measured. */
import { readdirSync, readFileSync } from 'node:fs';

/** Clock ticks to the second of the figures in /proc: USER_HZ, 100 on every architecture that we run on. */
const TICKS = 100;

function fieldsOf(path: string): string[] {
  const text = readFileSync(`/proc/${path}/stat`, 'utf8');
  // The name may have spaces and brackets in it: count from the last one.
  return text.slice(text.lastIndexOf(')') + 2).split(' ');
}

/** CPU of a process or thread that lives, user and system, seconds. `path` is a pid, or self/task/tid. */
export function cpuOf(path: string): number {
  const fields = fieldsOf(path);
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

/** Of this process. */
export function threadIds(): string[] {
  return readdirSync('/proc/self/task');
}

/** CPU of all children of this process that have ended, from exec to exit, seconds. */
export function cpuOfEndedChildren(): number {
  const fields = fieldsOf('self');
  return (Number(fields[13]) + Number(fields[14])) / TICKS;
}

/** Datagrams that the kernel dropped at UDP sockets of these addresses ('127.0.0.1'), for want of room. */
export function udpDrops(ip: string): number {
  const hex = ip
    .split('.')
    .reverse()
    .map((n) => Number(n).toString(16).padStart(2, '0').toUpperCase())
    .join('');
  let drops = 0;
  for (const line of readFileSync('/proc/net/udp', 'utf8').split('\n')) {
    const columns = line.trim().split(/\s+/);
    if (columns[1]?.startsWith(`${hex}:`)) drops += Number(columns.at(-1));
  }
  return drops;
}
