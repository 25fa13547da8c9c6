/** A process whose phones are all registered and idle, and that tells what memory it takes: phones and records in one thread. */
import { Counters } from '../agents/counters.js';
import { Fleet } from '../agents/fleet.js';
import { LegStore, RegistrationStore } from '../agents/store.js';
import { DgramWire } from '../agents/wire/dgram.js';
import { runBlocking } from '../agents/wire/loop.js';
import { openWire } from '../agents/wire/open.js';
import { registrationCapacity } from '../harness/engine/fleets.js';
import { memory } from './footprint-memory.js';
import { phonesPlan } from './plan.js';
import type { FootprintLine, RegisterTask } from './task.js';

/** Timer K (5 s) is over for all of them: what is left is what an idle phone needs. */
const SETTLE_US = 6_000_000;
const DRAIN_US = 40_000_000;
const REST_US = 500;
const DRAIN_EVERY_US = 100_000;

const task = JSON.parse(process.argv[2]!) as RegisterTask;
const { wire } = openWire('auto');
if (wire instanceof DgramWire) throw new Error('the footprint is measured on the Linux wire');
const idle = memory();
const plan = phonesPlan(task, null);
const { store: legs } = LegStore.create(64);
const { store } = RegistrationStore.create(registrationCapacity(plan.registrants!.plan, 1));
const counters = new Counters();
const t0Us = wire.nowUs() + 1_000_000;
const fleet = new Fleet(wire, plan, new Float64Array(0), legs, counters, t0Us, store);
const giveUpUs = t0Us + (task.phones / task.rate) * 1e6 + DRAIN_US;
let upUs = 0;
let drainedUs = 0;
let line: FootprintLine | null = null;
runBlocking(
  wire,
  [fleet],
  () => line !== null || wire.nowUs() > giveUpUs,
  (nowUs) => {
    if (nowUs - drainedUs > DRAIN_EVERY_US) {
      drainedUs = nowUs;
      store.drain(() => undefined);
    }
    if (upUs === 0 && counters.get('registeredPhones') === task.phones) upUs = nowUs;
    if (upUs > 0 && nowUs - upUs > SETTLE_US) {
      line = { up: counters.get('registeredPhones'), idle, loaded: memory() };
    }
  },
  REST_US,
);
wire.close();
process.stdout.write(`${JSON.stringify(line)}\n`);
