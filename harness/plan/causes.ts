/**
 * Names of what can be wrong with a call. A closed list, so that a scenario that injects a cause and a diagnosis that
 * names one can be compared; `unknown` is an honest answer, and no incident injects it.
 */
export const CAUSES = [
  'nat-table-full',
  'nat-mapping-expired',
  'rtp-port-exhausted',
  'packet-loss',
  'trunk-cps-limit',
  'trunk-channel-limit',
  'db-stall',
  'cdr-backlog',
  'cpu-starved',
  'config-reload',
  'misrouted-in-dialog',
  'node-down',
  'no-ack',
  'rtp-timeout',
  'session-expired',
  'registration-shed',
  'tenant-cap',
  'number-collision',
  'generator-limited',
  'unknown',
] as const;
export type Cause = (typeof CAUSES)[number];
