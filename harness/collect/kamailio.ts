import { request } from 'node:http';
import type { Readings } from './rtpengine.js';

/**
 * Kamailio over JSON-RPC (xhttp, POST /RPC on its SIP port): dialogs, states of its nodes, replies, shared memory, limits. Readings of
 * source `edge`. A method that this Kamailio does not have leaves out its readings.
 */
const READ_MS = 900;

export const RPC_CALLS = [
  { method: 'dlg.stats_active', params: [] },
  { method: 'dispatcher.list', params: [] },
  { method: 'core.shmmem', params: [] },
  { method: 'stats.get_statistics', params: ['sl:', 'capped'] },
  { method: 'stats.get_statistics', params: ['tmx:'] },
  { method: 'pl.list', params: [] },
] as const;

const count = (value: unknown): number | null => {
  const n = Number(value);
  return value === undefined || value === null || Number.isNaN(n) ? null : n;
};

/** `result` of each of RPC_CALLS, in that order; undefined for one that failed. */
export function edgeReadings(results: readonly unknown[]): Readings {
  const [dialogs, nodes, memory, sl, tm, limits] = results;
  const out: Readings = {};
  const put = (metric: string, value: number | null): void => {
    if (value !== null) out[metric] = value;
  };
  const active = dialogs as { all?: unknown; starting?: unknown; connecting?: unknown } | undefined;
  put('dialogs', count(active?.all));
  const early = [count(active?.starting), count(active?.connecting)];
  if (early[0] !== null) put('dialogs_early', (early[0] ?? 0) + (early[1] ?? 0));
  // FLAGS: first letter A active, I inactive, D disabled, T trying.
  const flags = [...JSON.stringify(nodes ?? '').matchAll(/"FLAGS":"(\w)/g)].map((m) => m[1]);
  if (flags.length > 0) {
    put('nodes_up', flags.filter((f) => f === 'A').length);
    put('nodes_down', flags.filter((f) => f !== 'A').length);
  }
  const shm = memory as { total?: unknown; used?: unknown; real_used?: unknown } | undefined;
  put('memory_used', count(shm?.real_used ?? shm?.used));
  put('memory_max', count(shm?.total));
  const statistics = statisticsOf([sl, tm]);
  for (const [name, metric] of STATISTICS) put(metric, statistics.get(name) ?? null);
  const pipes = JSON.stringify(limits ?? '');
  if (pipes.includes('counter')) {
    const limited = [...pipes.matchAll(/"(?:counter|load)":(-?\d+)/g)].map((m) => Number(m[1]));
    put(
      'limit_counter',
      limited.reduce((n, x) => n + Math.max(0, x), 0),
    );
  }
  return out;
}

const STATISTICS: readonly (readonly [string, string])[] = [
  ['sl:4xx_replies', 'replies_4xx_total'],
  ['sl:5xx_replies', 'replies_5xx_total'],
  ['sl:sent_replies', 'replies_total'],
  ['script:capped', 'capped_total'],
  ['tmx:5xx_transactions', 'transactions_5xx_total'],
  ['tmx:4xx_transactions', 'transactions_4xx_total'],
  ['tmx:active_transactions', 'transactions'],
];

/** `["sl:5xx_replies = 3", ...]`, in one answer or in several. */
function statisticsOf(answers: readonly unknown[]): Map<string, number> {
  const found = new Map<string, number>();
  for (const line of answers.flat()) {
    const match = /^(\S+) = (\d+)/.exec(String(line));
    if (match !== null) found.set(match[1]!, Number(match[2]));
  }
  return found;
}

function call(host: string, port: number, method: string, params: readonly string[]): Promise<unknown> {
  return new Promise((resolve) => {
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, ...(params.length === 0 ? {} : { params }) });
    const headers = { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) };
    const post = request(
      { host, port, path: '/RPC', method: 'POST', timeout: READ_MS, headers, agent: false },
      (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('error', () => resolve(undefined));
        answer.on('end', () => {
          try {
            resolve((JSON.parse(Buffer.concat(chunks).toString()) as { result?: unknown }).result);
          } catch {
            resolve(undefined); // not JSON: nobody whom we know
          }
        });
      },
    );
    post.on('timeout', () => post.destroy());
    post.on('error', () => resolve(undefined));
    post.end(body);
  });
}

/** null: it does not answer. */
export async function readEdge(host: string, port = 5060): Promise<Readings | null> {
  const results = await Promise.all(RPC_CALLS.map(({ method, params }) => call(host, port, method, params)));
  const readings = edgeReadings(results);
  return Object.keys(readings).length === 0 ? null : readings;
}
