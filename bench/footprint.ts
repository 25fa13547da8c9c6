/** A process that holds N calls up and tells what memory it takes: fleet and records in one thread, so that one heap has all. */
import { Counters } from '../agents/counters.js';
import { Fleet } from '../agents/fleet.js';
import { LegStore } from '../agents/store.js';
import { DgramWire } from '../agents/wire/dgram.js';
import { runBlocking } from '../agents/wire/loop.js';
import { openWire } from '../agents/wire/open.js';
import { legCapacity } from '../harness/engine/gather.js';
import { memory } from './footprint-memory.js';
import { callerPlan, evenArrivals } from './plan.js';
import type { AgentTask, FootprintLine } from './task.js';

/** Settled for so long, media flowing, before the memory is read. */
const SETTLE_US = 1_000_000;
const REST_US = 500;

const task = JSON.parse(process.argv[2]!) as AgentTask;
const { wire } = openWire(task.backend);
if (wire instanceof DgramWire) throw new Error('the footprint is measured on the Linux wire');
const idle = memory();
const { store } = LegStore.create(legCapacity(task.maxCalls, 1));
const counters = new Counters();
const t0Us = wire.nowUs() + 100_000;
const fleet = new Fleet(wire, callerPlan(task), evenArrivals(task), store, counters, t0Us);
const giveUpUs = t0Us + (task.calls / task.rateCps) * 1e6 + task.holdMs * 1000;
let upUs = 0;
let line: FootprintLine | null = null;
runBlocking(
  wire,
  [fleet],
  () => line !== null || wire.nowUs() > giveUpUs,
  (nowUs) => {
    if (upUs === 0 && counters.get('answered') === task.calls) upUs = nowUs;
    if (upUs > 0 && nowUs - upUs > SETTLE_US) line = { up: fleet.caller?.callsUp ?? 0, idle, loaded: memory() };
  },
  REST_US,
);
wire.close();
process.stdout.write(`${JSON.stringify(line)}\n`);
