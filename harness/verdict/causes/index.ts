import type { CauseRule } from '../rule.js';
import { cdrBacklog } from './cdr-backlog.js';
import { configReload } from './config-reload.js';
import { cpuStarved } from './cpu-starved.js';
import { dbStall } from './db-stall.js';
import { generatorLimited } from './generator-limited.js';
import { misroutedInDialog } from './misrouted-in-dialog.js';
import { natMappingExpired } from './nat-mapping-expired.js';
import { natTableFull } from './nat-table-full.js';
import { noAck } from './no-ack.js';
import { nodeDown } from './node-down.js';
import { numberCollision } from './number-collision.js';
import { packetLoss } from './packet-loss.js';
import { registrationShed } from './registration-shed.js';
import { rtpPortExhausted } from './rtp-port-exhausted.js';
import { rtpTimeout } from './rtp-timeout.js';
import { sessionExpired } from './session-expired.js';
import { tenantCap } from './tenant-cap.js';
import { trunkChannelLimit } from './trunk-channel-limit.js';
import { trunkCpsLimit } from './trunk-cps-limit.js';

/** Every cause that can be named, ourselves first. The order decides only between equal confidences. */
export const CAUSE_RULES: readonly CauseRule[] = [
  generatorLimited,
  natTableFull,
  natMappingExpired,
  rtpPortExhausted,
  trunkCpsLimit,
  trunkChannelLimit,
  dbStall,
  cdrBacklog,
  configReload,
  cpuStarved,
  misroutedInDialog,
  nodeDown,
  numberCollision,
  packetLoss,
  sessionExpired,
  noAck,
  rtpTimeout,
  registrationShed,
  tenantCap,
];
