import type { NodeConfig } from '../../plan/types.js';
import type { CdrStore } from './cdr.js';
import type { MediaRelay } from './relay.js';
import type { TenantCaps } from './tenant-caps.js';
import type { Pacer } from './threads.js';

export interface NodeOptions extends NodeConfig {
  /** 1, 2, ... */
  number: number;
  ip: number;
  port: number;
  maxCalls: number;
  trunks: readonly { ip: number; port: number }[];
  relay: MediaRelay;
  onExhausted: 'reject' | 'relay-anyway';
  cdr: CdrStore;
  cdrInline: boolean;
  pacer: Pacer;
  caps: TenantCaps;
  /** It reads nothing from its socket for now. */
  isDeaf: () => boolean;
  salt: number;
  t0Us: number;
}
