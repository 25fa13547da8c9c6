import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { LEG_COLUMNS } from '../collect/legs.js';
import { quoted } from '../collect/store.js';
import { deafen, goodCall, lose, platformBye, refused, SyntheticRun, setOutcome, unanswered } from './testing.js';

/**
 * A made-up run as large as wished, for the bench of the diagnosis: blocks of 1,000 calls in 4 s, one after the other. In each
 * 35 calls are bad, by five causes and by none, and the platform's telemetry (four readings a second) tells of them.
 */
const BLOCK_CALLS = 1000;
const BLOCK_MS = 4000;
const PACE_MS = BLOCK_MS / BLOCK_CALLS;
const READING_MS = 250;
/** The longest of its calls, with its end. */
const TAIL_MS = 40_000;

function block(run: SyntheticRun): void {
  for (let i = 0; i < BLOCK_CALLS; i++) {
    const atMs = i * PACE_MS;
    const pair = goodCall(i, atMs, 20_000 + (i % 97) * 100);
    if (i % 100 === 7) {
      platformBye(pair, 30_000, 44);
      deafen(pair.caller);
      deafen(pair.callee);
    } else if (i % 200 === 11) {
      lose(pair.caller, 0.1);
      lose(pair.callee, 0.1);
    } else if (i % 200 === 13) {
      pair.caller.byeCode = 481;
      setOutcome(pair.caller, 'bye-failed', 'us');
    }
    if (i % 200 === 17) run.add(refused(i, atMs, 503, 42));
    else if (i % 200 === 19) run.add(refused(i, atMs, 500));
    else if (i % 200 === 23) {
      run.add(
        unanswered(pair.caller, { outcome: 'timeout', endedBy: 'timer', endedMs: atMs + 32_000, tryingMs: Number.NaN }),
      );
    } else run.addPair(pair);
  }
}

/** Directory of a run of `calls` calls, a multiple of 1,000. */
export async function largeRun(calls: number): Promise<string> {
  const blocks = Math.ceil(calls / BLOCK_CALLS);
  const endMs = blocks * BLOCK_MS + TAIL_MS;
  const run = new SyntheticRun();
  block(run);
  const { store } = run;
  const tell = (tMs: number, source: string, instance: string, values: Record<string, number>): void => {
    for (const metric in values) store.addTelemetry({ tMs, source, instance, metric, value: values[metric]! });
  };
  for (let tMs = READING_MS; tMs <= endMs; tMs += READING_MS) {
    const s = tMs / 1000;
    tell(tMs, 'nat', 'nat-1', { sessions: 9990, sessions_max: 10_000, refused_total: Math.floor(50 * s) });
    tell(tMs, 'relay', 'relay-1', {
      ports_used: 20_000,
      ports_max: 60_000,
      alloc_failed_total: 0,
      unanchored_total: 0,
    });
    tell(tMs, 'cdr', 'cdr-1', { pending: 3, oldest_pending_ms: 12, committed_total: Math.floor(240 * s) });
    tell(tMs, 'edge', 'edge-1', {
      requests_total: Math.floor(1500 * s),
      no_node_total: 0,
      stray_in_dialog_total: Math.floor(2 * s),
    });
    tell(tMs, 'trunk', 'trunk-1', {
      calls: 5000 + (s % 60),
      attempts_total: Math.floor(252 * s),
      rejected_total: Math.floor(2 * s),
    });
    for (let node = 1; node <= 4; node++) {
      tell(tMs, 'node', `node-${node}`, { calls: 1250, threads_busy: 3, threads_max: 16, inbox_depth: 0 });
    }
  }
  for (let tMs = 1000; tMs <= endMs; tMs += 1000)
    for (const name of ['offered', 'started', 'rtpSent', 'rtpReceived', 'sendDropped', 'receiveDropped'])
      store.addFrame({ tMs, worker: 'agents-0', name, value: name.endsWith('Dropped') ? 0 : tMs });
  const load = { offered: calls, started: calls, ended: calls };
  const dir = await run.finish({ load, durationMs: endMs });
  await repeat(dir, blocks);
  return dir;
}

/** Writes legs.parquet anew: `blocks` times what is in it, each later and with numbers of its own. */
async function repeat(dir: string, blocks: number): Promise<void> {
  const times = LEG_COLUMNS.filter((c) => c.type === 'DOUBLE' && !/jitter|maxGap|rtt/i.test(c.name));
  const moved = times.map((c) => `"${c.name}" + k * ${BLOCK_MS} AS "${c.name}"`);
  const from = join(dir, 'legs.parquet');
  const to = join(dir, 'more.parquet');
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  await connection.run(`COPY (SELECT * REPLACE (("callNo" + k * ${BLOCK_CALLS})::UINTEGER AS "callNo", "callId" || '-' || k AS "callId",
      ${moved.join(', ')}) FROM range(${blocks}) r(k), read_parquet(${quoted(from)})) TO ${quoted(to)} (FORMAT parquet, COMPRESSION zstd)`);
  connection.closeSync();
  instance.closeSync();
  renameSync(to, from);
}
