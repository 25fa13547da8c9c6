import type { CauseRule } from '../rule.js';
import { dbStall } from './db-stall.js';
import { generatorLimited } from './generator-limited.js';
import { misroutedInDialog } from './misrouted-in-dialog.js';
import { natTableFull } from './nat-table-full.js';
import { noAck } from './no-ack.js';
import { nodeDown } from './node-down.js';
import { numberCollision } from './number-collision.js';
import { packetLoss } from './packet-loss.js';
import { rtpPortExhausted } from './rtp-port-exhausted.js';
import { rtpTimeout } from './rtp-timeout.js';
import { sessionExpired } from './session-expired.js';
import { trunkChannelLimit } from './trunk-channel-limit.js';
import { trunkCpsLimit } from './trunk-cps-limit.js';

/** Every cause that can be named, ourselves first. The order decides only between equal confidences. */
export const CAUSE_RULES: readonly CauseRule[] = [
  generatorLimited,
  natTableFull,
  rtpPortExhausted,
  trunkCpsLimit,
  trunkChannelLimit,
  dbStall,
  misroutedInDialog,
  nodeDown,
  numberCollision,
  packetLoss,
  sessionExpired,
  noAck,
  rtpTimeout,
];
