import { request } from 'node:http';

/** RTPengine's Prometheus text (`--listen-http`, path /metrics) as readings of source `relay`. */
const READ_MS = 900;

/** Series of RTPengine -> what we call it. Series of one name and several labels are summed, but for `only`. */
const SERIES: readonly { series: string; only?: string; metric: string }[] = [
  { series: 'rtpengine_sessions', only: 'type="own"', metric: 'calls' },
  { series: 'rtpengine_ports_used', metric: 'ports_used' },
  { series: 'rtpengine_ports_free', metric: 'ports_free' },
  { series: 'rtpengine_packets_total', metric: 'packets_total' },
  { series: 'rtpengine_packet_errors_total', metric: 'packet_errors_total' },
  { series: 'rtpengine_errors_total', metric: 'request_errors_total' },
  { series: 'rtpengine_one_way_sessions_total', metric: 'one_way_total' },
  { series: 'rtpengine_zero_packet_streams_total', metric: 'zero_packet_streams_total' },
  { series: 'rtpengine_closed_sessions_total', only: 'reason="timeout"', metric: 'closed_by_timeout_total' },
];

export type Readings = Record<string, number>;

/** What the text says; a series that is not there is not in the result. */
export function relayReadings(text: string): Readings {
  const out: Readings = {};
  for (const line of text.split('\n')) {
    const match = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (match === null) continue;
    const [, name, labels = '', value] = match;
    for (const { series, only, metric } of SERIES) {
      if (series !== name || (only !== undefined && !labels.includes(only))) continue;
      out[metric] = (out[metric] ?? 0) + Number(value);
    }
  }
  // The pool of one interface is shared by all its addresses, or counted for each: the sum is what is there in either case.
  if (out.ports_used !== undefined && out.ports_free !== undefined) out.ports_max = out.ports_used + out.ports_free;
  delete out.ports_free;
  return out;
}

/** One look; null when the relay does not answer in time, which is a reading that is not there. */
export function readRelay(host: string, port: number): Promise<Readings | null> {
  return new Promise((resolve) => {
    const get = request({ host, port, path: '/metrics', timeout: READ_MS }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        resolve(response.statusCode === 200 ? relayReadings(Buffer.concat(chunks).toString()) : null);
      });
      response.on('error', () => resolve(null));
    });
    get.on('timeout', () => get.destroy());
    get.on('error', () => resolve(null));
    get.end();
  });
}
