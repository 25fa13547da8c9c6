import type { NodeConfig } from '../../plan/types.js';
import type { CdrStore } from './cdr.js';
import type { MediaRelay } from './relay.js';
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
  salt: number;
  t0Us: number;
}
