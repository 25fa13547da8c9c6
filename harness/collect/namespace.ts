import { fileText } from './host.js';
import type { Readings } from './rtpengine.js';

/**
 * The network namespace of a container, from /proc/<pid>/net of a process in it: connection tracking and UDP. Readings of source `net`;
 * of a router, what it turned away is what a NAT tells.
 */

/** /proc/net/stat/nf_conntrack: a line per processor in hex; entries are the same on each, the rest is summed. */
export function conntrackReadings(text: string): Readings {
  const [head, ...lines] = text.trim().split('\n');
  const names = head?.trim().split(/\s+/) ?? [];
  const column = (name: string): number[] => {
    const at = names.indexOf(name);
    return at < 0 ? [] : lines.map((line) => Number.parseInt(line.trim().split(/\s+/)[at] ?? '', 16));
  };
  const sum = (name: string): number => column(name).reduce((n, x) => n + x, 0);
  const entries = column('entries')[0];
  if (entries === undefined || Number.isNaN(entries)) return {};
  return { conntrack: entries, conntrack_drops_total: sum('drop') + sum('early_drop') + sum('insert_failed') };
}

/** /proc/net/snmp: two lines that begin with `Udp:`, names and values. */
export function udpReadings(text: string): Readings {
  const [names, values] = [...text.matchAll(/^Udp: (.*)$/gm)].map((m) => m[1]!.split(' '));
  if (names === undefined || values === undefined) return {};
  const of = (name: string): number => Number(values[names.indexOf(name)] ?? 0);
  return {
    udp_received_total: of('InDatagrams'),
    udp_dropped_total: of('RcvbufErrors'),
    udp_no_port_total: of('NoPorts'),
  };
}

/** null: out of reach. */
export function readNamespace(pid: number): Readings | null {
  if (pid <= 0) return null;
  const out = {
    ...conntrackReadings(fileText(`/proc/${pid}/net/stat/nf_conntrack`)),
    ...udpReadings(fileText(`/proc/${pid}/net/snmp`)),
  };
  return Object.keys(out).length === 0 ? null : out;
}
