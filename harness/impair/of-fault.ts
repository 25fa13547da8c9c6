import type { FaultPlan } from '../plan/types.js';
import { type PacketFilter, packetFilter } from './filter.js';
import { checkImpairment, type Distribution, type Impairment, NO_IMPAIRMENT } from './types.js';

/** Faults that are done to datagrams by an impairment. */
export const PACKET_FAULTS = [
  'packet-loss',
  'delay',
  'jitter',
  'reorder',
  'duplicate',
  'bandwidth',
  'partition',
  'one-way-partition',
] as const;
export type PacketFault = (typeof PACKET_FAULTS)[number];

export const isPacketFault = (kind: string): kind is PacketFault => (PACKET_FAULTS as readonly string[]).includes(kind);

/** What a fault with these parameters does to a datagram. Throws BAD_PLAN when no chance could do it. */
export function impairmentOf(kind: PacketFault, params: FaultPlan['params'], where: string): Impairment {
  const impairment = { ...NO_IMPAIRMENT, ...changes(kind, params) };
  checkImpairment(impairment, where);
  return impairment;
}

function changes(kind: PacketFault, params: FaultPlan['params']): Partial<Impairment> {
  const n = (name: string): number => Number(params[name] ?? 0);
  switch (kind) {
    case 'packet-loss':
      // A mean burst of one is what independent losses nearly have.
      return { loss: n('percent') / 100, lossBurst: n('burst') > 1 ? n('burst') : 0 };
    case 'delay':
      return {
        delayMs: n('ms'),
        jitterMs: n('jitterMs'),
        distribution: (params.distribution ?? 'uniform') as Distribution,
        inOrder: params.order !== 'free',
      };
    case 'jitter':
      return { delayMs: n('ms') / 2, jitterMs: n('ms') / 2, inOrder: true };
    case 'reorder':
      return { reorder: n('percent') / 100, reorderGap: n('gap') || 1, reorderMs: n('ms') };
    case 'duplicate':
      return { duplicate: n('percent') / 100 };
    case 'bandwidth':
      return { bandwidthKbps: n('kbps'), queueMs: n('queueMs') };
    case 'partition':
    case 'one-way-partition':
      return { loss: 1 };
  }
}

/** Directions in which it is done, seen from the target. */
export function waysOf({ direction }: FaultPlan['params']): ('in' | 'out')[] {
  return direction === 'in' || direction === 'out' ? [direction] : ['in', 'out'];
}

/** Packets that it is done to; null: all. */
export function filterOf({ what, method }: FaultPlan['params'], where: string): PacketFilter | null {
  if (typeof method === 'string' && method !== '') return packetFilter(method, where);
  if (what === undefined || what === 'all') return null;
  return packetFilter(what === 'rtp' ? 'media' : String(what), where);
}
