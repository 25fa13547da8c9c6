import { ascii } from '../../../agents/sip/text.js';
import { ipToString } from '../../../agents/wire/types.js';
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

/** Q.850 causes as PBXs send them (RFC 3326, Q.850 2.2.7): 44 requested channel not available, 47 resource, 17 user busy. */
export const REASON = {
  RTP_TIMEOUT: ascii('Reason: Q.850;cause=44;text="RTP timeout"\r\n'),
  NO_RESOURCE: ascii('Reason: Q.850;cause=47;text="Resource unavailable"\r\n'),
  TENANT_FULL: ascii('Reason: Q.850;cause=17;text="Tenant call limit"\r\n'),
};
export const TAG = ascii('pbx');

export function contactOf({ ip, port }: Pick<NodeOptions, 'ip' | 'port'>): Uint8Array {
  return ascii(`Contact: <sip:pbx@${ipToString(ip)}:${port}>\r\nServer: embedded-pbx\r\n`);
}
