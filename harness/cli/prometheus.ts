import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Counter, type CounterConfiguration, Gauge, Registry } from 'prom-client';
import type { Progress } from '../engine/types.js';
import { HarnessError } from '../errors.js';

/** What a run is called, as labels of deadair_run_info. */
export type RunLabels = Record<'run' | 'scenario' | 'incident' | 'seed', string>;

export interface Exporter {
  url: string;
  update(p: Progress): void;
  close(): Promise<void>;
}

/** A counter whose value is known, not counted: prom-client only adds. */
class Known extends Counter<string> {
  constructor(configuration: CounterConfiguration<string>, set: (counter: Known) => void) {
    super({ ...configuration, collect: () => set(this) });
  }
  to(value: number, labels: Record<string, string> = {}): void {
    this.inc(labels, value);
  }
}

/**
 * Prometheus text (exposition format 0.0.4) at http://host:port/metrics while the run goes on. `at` is `port` or `host:port`; without a
 * host nobody but this machine can ask.
 */
export async function startExporter(at: string, labels: RunLabels): Promise<Exporter> {
  const [, host = '127.0.0.1', port] = /^(?:(.+):)?(\d+)$/.exec(at) ?? [];
  if (port === undefined || Number(port) > 65_535)
    throw new HarnessError('BAD_TARGET', `--prometheus ${at}: expected a port, or host:port, such as 127.0.0.1:9464`);
  let latest: Progress | null = null;
  const registry = registryOf(labels, () => latest);
  const server = createServer((request, response) => {
    if (request.url !== '/metrics') {
      response.writeHead(404).end('metrics are at /metrics\n');
      return;
    }
    registry.metrics().then(
      (text) => response.writeHead(200, { 'content-type': registry.contentType }).end(text),
      (error: unknown) => response.writeHead(500).end(`${String(error)}\n`),
    );
  });
  await new Promise<void>((done, fail) => {
    server.once('error', (cause: NodeJS.ErrnoException) =>
      fail(
        new HarnessError('PORT_IN_USE', `--prometheus ${at}: cannot listen (${cause.code}); take another port`, {
          cause,
        }),
      ),
    );
    server.listen(Number(port), host, done);
  });
  // A scraper that keeps its connection may not keep us.
  server.unref();
  const { address, port: taken } = server.address() as AddressInfo;
  return {
    url: `http://${address.includes(':') ? `[${address}]` : address}:${taken}/metrics`,
    update: (p) => {
      latest = p;
    },
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}

function registryOf(labels: RunLabels, latest: () => Progress | null): Registry {
  const registry = new Registry();
  const registers = [registry];
  const counter = (name: string, help: string, value: (p: Progress) => number | undefined): void => {
    new Known({ name: `deadair_${name}`, help, registers }, (c) => {
      c.reset();
      const p = latest();
      const now = p === null ? 0 : value(p);
      if (now === undefined) c.remove();
      else c.to(now);
    });
  };
  const gauge = (name: string, help: string, value: (p: Progress) => number | undefined): void => {
    new Gauge({
      ...{ name: `deadair_${name}`, help, registers },
      collect() {
        const p = latest();
        const now = p === null ? 0 : value(p);
        if (now === undefined) this.remove();
        else this.set(now);
      },
    });
  };
  new Gauge({
    name: 'deadair_run_info',
    help: 'The run that goes on; always 1.',
    labelNames: Object.keys(labels),
    registers,
  }).set(labels, 1);
  gauge('run_seconds', 'Time since the first instant of the run.', (p) => p.tMs / 1000);
  gauge('run_planned_seconds', 'When the run ends at the latest.', (p) => p.endMs / 1000);
  counter('calls_offered_total', 'Calls that were due.', (p) => p.offered);
  counter('calls_blocked_total', 'Calls that were due and that the generator could not start.', (p) => p.blocked);
  counter('calls_started_total', 'Calls whose INVITE was sent.', (p) => p.started);
  counter('calls_answered_total', 'Calls that were answered.', (p) => p.answered);
  counter('calls_ended_total', 'Calls that are over.', (p) => p.ended);
  gauge('calls_up', 'Calls that were started and are not over.', (p) => p.open);
  gauge('phones', 'Phones that register.', (p) => p.phones?.phones);
  gauge('phones_registered', 'Phones that hold a binding, as far as they know.', (p) => p.phones?.registered);
  counter('registrations_attempted_total', 'Attempts to register.', (p) => p.phones?.attempts);
  counter(
    'registrations_failed_total',
    'Attempts to register that were refused or timed out.',
    (p) => p.phones?.failed,
  );
  new Known(
    {
      ...{
        name: 'deadair_calls_bad_total',
        help: 'Calls that went bad, as their callers saw it.',
        labelNames: ['seen_as'],
      },
      registers,
    },
    (c) => {
      c.reset();
      for (const [what, calls] of latest()?.bad ?? []) c.to(calls, { seen_as: what });
    },
  );
  return registry;
}
