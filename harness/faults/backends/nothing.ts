/** Faults that no way of doing is known for here. They are named, with the reason, instead of being left out in silence. */
import type { FaultKind } from '../../plan/fault-kinds.js';
import type { Backend } from '../lease.js';

const WHY: Partial<Record<FaultKind, string>> = {
  'disk-stall':
    'the stacks keep their databases on tmpfs, which no device throttle reaches, and containers here have no block device of their own to freeze; db-stall and node-pause come nearest',
  'udp-receive-buffer':
    "a socket's buffer is its owner's, and net.core is not of a namespace: start the edge with a small one; firewall-pps-limit loses bursts at the same place",
  'registrar-outage': 'a stack has no registrar of its own: partition on=edge, or node-pause on=edge',
};

export const nothing: Backend = {
  name: 'none',
  kinds: Object.keys(WHY) as FaultKind[],
  preference: 1_000,
  lacks: async ({ plan }) => WHY[plan.kind]!,
  work: async ({ plan }) => {
    throw new Error(`${plan.kind}: nothing does it`);
  },
};
