/** The measured generator: one agents' thread and its collector, as `deadair run` has them, in a process of its own. */
import { setTimeout as sleep } from 'node:timers/promises';
import { COMMAND, STATE } from '../agents/control.js';
import { Counters, quantileUs } from '../agents/counters.js';
import { LEG_LAYOUT, LEG_OFFSETS, type Leg, type LegField, OUTCOMES } from '../agents/record.js';
import { RecordLog } from '../agents/record-reader.js';
import { LegStore } from '../agents/store.js';
import type { AgentsData } from '../agents/worker.js';
import { monotonicUs } from '../harness/clock.js';
import { legCapacity } from '../harness/engine/gather.js';
import { Thread } from '../harness/engine/threads.js';
import { callerPlan, evenArrivals } from './plan.js';
import { cpuOf, threadIds } from './proc.js';
import type { AgentLine, AgentTask } from './task.js';

/** From GO to the first arrival: the thread builds its tables meanwhile, which are no part of the load. */
const LEAD_US = 1_000_000;
const POLL_MS = 50;
/** Timer B: what has not ended by then was lost. */
const DRAIN_MS = 40_000;

const task = JSON.parse(process.argv[2]!) as AgentTask;
const say = (line: AgentLine): boolean => process.stdout.write(`${JSON.stringify(line)}\n`);

const arrivals = evenArrivals(task);
const capacity = legCapacity(task.maxCalls, 1);
const legs = LegStore.create(capacity);
const counters = new Counters();
const before = new Set(threadIds());
const data = {
  plan: callerPlan(task),
  arrivals: arrivals.buffer,
  legs: legs.shared,
  legCapacity: capacity,
  registrations: null,
  counters: counters.shared,
  media: task.backend,
} satisfies Omit<AgentsData, 'control'>;
const thread = new Thread('agents-0', { file: '../agents/worker', from: import.meta.url }, data);
while (!thread.loaded) await sleep(5);
const ownThreads = threadIds().filter((id) => !before.has(id));
const threadCpu = (): number => ownThreads.reduce((sum, id) => sum + cpuOf(`self/task/${id}`), 0);
const { control } = thread;
control.t0Us = monotonicUs() + LEAD_US;
control.command = COMMAND.GO;
const ready = await thread.ready;

const endedUs = control.t0Us + (arrivals[task.calls - 1]! + task.holdMs + DRAIN_MS) * 1000;
const completedAs = OUTCOMES.indexOf('completed');
let completed = 0;
const log = new RecordLog<LegField, Leg>(LEG_LAYOUT);
const drain = (): void => {
  legs.store.drainTo(log, (bytes, at) => {
    if (bytes[at + LEG_OFFSETS.outcome] === completedAs) completed++;
  });
};
await sleep((control.t0Us - monotonicUs()) / 1000 - 1);
say({ kind: 'started' });
const cpu = process.cpuUsage();
const threadBefore = threadCpu();
let seen = new Float64Array(counters.rtpLateness.length);
process.on('SIGUSR2', () => {
  const now = Float64Array.from(counters.rtpLateness);
  const since = [now.map((n, i) => n - seen[i]!)];
  seen = now;
  const latenessMs = {
    p50: quantileUs(since, 0.5) / 1000,
    p99: quantileUs(since, 0.99) / 1000,
    max: quantileUs(since, 1) / 1000,
  };
  say({ kind: 'count', rtpSent: counters.get('rtpSent'), rtpReceived: counters.get('rtpReceived'), latenessMs });
});
let up = false;
for (;;) {
  await sleep(POLL_MS);
  drain();
  if (!up && counters.get('answered') + counters.get('ended') - completed >= task.calls) {
    up = true;
    say({ kind: 'up' });
  }
  const ended = counters.get('started') === task.calls && counters.get('ended') === task.calls;
  if (ended || thread.died !== null || monotonicUs() > endedUs) break;
}
const { user, system } = process.cpuUsage(cpu);
const threadCpuS = threadCpu() - threadBefore;
await sleep(2 * POLL_MS);
drain();
if (control.state < STATE.STOPPED) await thread.stop();
say({
  kind: 'done',
  calls: task.calls,
  completed,
  retransmits: counters.get('retransmitsSent'),
  sendDropped: counters.get('sendDropped'),
  receiveDropped: counters.get('receiveDropped'),
  rtpSent: counters.get('rtpSent'),
  rtpReceived: counters.get('rtpReceived'),
  loadCpuS: (user + system) / 1e6,
  threadCpuS,
  callLatenessP99Ms: quantileUs([counters.callLateness], 0.99) / 1000,
  wire: ready.wire,
  media: task.media === 'none' ? 'none' : ready.media,
});
