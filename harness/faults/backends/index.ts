import type { Backend } from '../lease.js';
import { command, postgres } from './command.js';
import { docker } from './docker.js';
import { netem } from './netem.js';
import { nft } from './nft.js';
import { nothing } from './nothing.js';
import { ports } from './ports.js';
import { sysctl } from './sysctl.js';
import { toxiproxy } from './toxiproxy.js';

/** Every way of doing faults to a stack in Docker. */
export const BACKENDS: readonly Backend[] = [netem, toxiproxy, command, sysctl, ports, nft, docker, postgres, nothing];
