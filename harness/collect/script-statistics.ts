import { request } from 'node:http';
import type { Readings } from './rtpengine.js';

/**
 * What the configuration of a Kamailio of ours counts by itself (module statistics, group `script`), and the dialogs that
 * are up, over JSON-RPC (POST /RPC on its SIP port).
 */
const READ_MS = 900;
const CALLS = [
  { jsonrpc: '2.0', id: 1, method: 'stats.get_statistics', params: ['script:'] },
  { jsonrpc: '2.0', id: 2, method: 'dlg.stats_active' },
];

/** Statistic -> metric; of the edge, and of the carrier's trunk. */
export const EDGE_STATISTICS = { stray_in_dialog: 'stray_in_dialog_total' } as const;
export const TRUNK_STATISTICS = {
  attempts: 'attempts_total',
  refused_cps: 'refused_cps_total',
  refused_channels: 'refused_channels_total',
} as const;

/** `["script:attempts = 3", ...]`; what is not asked for is not in the result. */
export function statisticsOf(lines: unknown, wanted: Readonly<Record<string, string>>): Readings {
  const out: Readings = {};
  for (const line of Array.isArray(lines) ? lines : []) {
    const match = /^script:(\w+) = (\d+)/.exec(String(line));
    const metric = match === null ? undefined : wanted[match[1]!];
    if (metric !== undefined) out[metric] = Number(match![2]);
  }
  return out;
}

/** `result` of one call. Not by fetch(), which refuses the ports of SIP. Rejects when there is no answer, or none in JSON. */
function ask(host: string, port: number, call: object): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const body = JSON.stringify(call);
    const headers = { 'Content-Length': Buffer.byteLength(body) };
    const post = request(
      { host, port, path: '/RPC', method: 'POST', timeout: READ_MS, headers, agent: false },
      (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        answer.on('error', reject);
        answer.on('end', () => {
          try {
            resolve((JSON.parse(text) as { result?: unknown }).result);
          } catch (error) {
            reject(error);
          }
        });
      },
    );
    post.on('timeout', () => post.destroy(new Error('no answer in time')));
    post.on('error', reject);
    post.end(body);
  });
}

/** null: it does not answer, or counts nothing of this. `calls`: dialogs that are up or ring. */
export async function readStatistics(
  host: string,
  wanted: Readonly<Record<string, string>>,
  port = 5060,
): Promise<Readings | null> {
  try {
    const [lines, dialogs] = await Promise.all(CALLS.map((call) => ask(host, port, call)));
    const readings = statisticsOf(lines, wanted);
    if (Object.keys(readings).length === 0) return null;
    const { all } = (dialogs ?? {}) as { all?: number };
    return { ...readings, ...(typeof all === 'number' ? { calls: all } : {}) };
  } catch {
    // Not there, too slow, or no Kamailio: a reading that is not there.
    return null;
  }
}
