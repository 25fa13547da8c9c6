import type { LogRecord } from '../collect/cdrs.js';
import { logRecords } from '../collect/logs.js';
import { readBilled } from '../collect/postgres.js';
import type { RunStore } from '../collect/store.js';
import type { StartedStack } from '../lab/docker/started.js';
import { databaseOf } from './lab-telemetry.js';

/** Lines of one service that are kept: the last ones. */
const LINES_MAX = 5_000;
/** Records that the platform is still writing when the last call is over. */
const SETTLE_MS = 1_500;

/**
 * What a stack leaves behind, read when the last call is over and before it is taken down: its call records and its logs. `t0EpochMs` is the
 * run's beginning on the wall clock, which the containers share with us. What cannot be read is not there; nothing is thrown.
 */
export async function harvest(stack: StartedStack, store: RunStore, t0EpochMs: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  const [address, logs] = await Promise.all([databaseOf(stack), logsOf(stack, t0EpochMs)]);
  store.addLogs(logs);
  const records = address === null ? null : await readBilled(address, t0EpochMs);
  if (records !== null) store.addCdrs(records);
}

async function logsOf(stack: StartedStack, t0EpochMs: number): Promise<LogRecord[]> {
  const sinceS = Math.floor(t0EpochMs / 1000) - 1;
  const services = stack.spec.services.filter((s) => s.labels['deadair.role'] !== 'agent');
  const texts = await Promise.all(services.map((service) => stack.log(service, { sinceS, tail: LINES_MAX })));
  return services.flatMap((service, i) => logRecords(texts[i] ?? '', service.name, t0EpochMs));
}
