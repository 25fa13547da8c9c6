/** The measured phones: one agents' thread and its collector, as `deadair run` has them, in a process of its own. */
import { setTimeout as sleep } from 'node:timers/promises';
import { COMMAND, STATE } from '../agents/control.js';
import { Counters, quantileUs } from '../agents/counters.js';
import { LegStore, RegistrationStore } from '../agents/store.js';
import type { AgentsData } from '../agents/worker.js';
import { monotonicUs } from '../harness/clock.js';
import { Thread } from '../harness/engine/threads.js';
import { readUsers } from '../harness/plan/users.js';
import { phonesPlan } from './plan.js';
import { cpuOf, threadIds } from './proc.js';
import type { RegisterResult, RegisterTask } from './task.js';

const LEAD_US = 3_000_000;
const POLL_MS = 50;
/** Timer F: what is not registered by then was lost. */
const DRAIN_MS = 40_000;

const task = JSON.parse(process.argv[2]!) as RegisterTask;
const { rows: users } = readUsers({ file: task.users, domain: 'bench.test', sha256: '' }, 1);
let capacity = 1024;
while (capacity < task.phones) capacity *= 2;
const registrations = RegistrationStore.create(capacity);
const counters = new Counters();
const before = new Set(threadIds());
const data = {
  plan: phonesPlan(task, users.slice(0, task.phones)),
  arrivals: new SharedArrayBuffer(0),
  legs: LegStore.create(64).shared,
  legCapacity: 64,
  registrations: { shared: registrations.shared, capacity },
  counters: counters.shared,
  media: 'auto',
} satisfies Omit<AgentsData, 'control'>;
const thread = new Thread('agents-0', { file: '../agents/worker', from: import.meta.url }, data);
while (!thread.loaded) await sleep(5);
const ownThreads = threadIds().filter((id) => !before.has(id));
const threadCpu = (): number => ownThreads.reduce((sum, id) => sum + cpuOf(`self/task/${id}`), 0);
const { control } = thread;
control.t0Us = monotonicUs() + LEAD_US;
control.command = COMMAND.GO;
await thread.ready;
const lastUs = control.t0Us + (task.phones / task.rate) * 1e6 + DRAIN_MS * 1000;
const drain = (): number => registrations.store.drain(() => undefined);
await sleep((control.t0Us - monotonicUs()) / 1000 - 1);
const cpu = process.cpuUsage();
const threadBefore = threadCpu();
for (;;) {
  await sleep(POLL_MS);
  drain();
  if (counters.get('registeredPhones') === task.phones || thread.died !== null || monotonicUs() > lastUs) break;
}
const { user, system } = process.cpuUsage(cpu);
const threadCpuS = threadCpu() - threadBefore;
if (control.state < STATE.STOPPED) await thread.stop();
const result: RegisterResult = {
  registered: counters.get('registeredPhones'),
  retransmits: counters.get('registerRetransmits'),
  loadCpuS: (user + system) / 1e6,
  threadCpuS,
  latenessP99Ms: quantileUs([counters.callLateness], 0.99) / 1000,
};
process.stdout.write(`${JSON.stringify(result)}\n`);
