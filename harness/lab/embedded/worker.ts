import { parentPort, workerData } from 'node:worker_threads';
import { Control, SnapshotRing } from '../../../agents/control.js';
import { hostActors } from '../../../agents/thread.js';
import type { MediaWish } from '../../../agents/wire/media.js';
import type { EmbeddedConfig } from '../../plan/types.js';
import type { Addresses } from './addresses.js';
import { SqliteCdrStore } from './cdr-sqlite.js';
import { EmbeddedPlatform } from './platform.js';
import { SAMPLE_CAPACITY, SAMPLE_US } from './worker-limits.js';

export interface PlatformData {
  config: EmbeddedConfig;
  addresses: Addresses;
  seed: number;
  maxCalls: number;
  /** The CDR database. */
  file: string;
  control: SharedArrayBuffer;
  media: MediaWish;
  telemetry: SharedArrayBuffer;
  telemetryWidth: number;
}

/** A millisecond a hop, as a busy router adds; it halves what the platform costs. */
const REST_US = 1000;

const data = workerData as PlatformData;
const control = new Control(data.control);

await hostActors(control, parentPort!, data.media, REST_US, (wire, t0Us) => {
  const { config, addresses, seed, maxCalls } = data;
  const nowUs = (): number => wire.nowUs();
  const cdr = SqliteCdrStore.open({ file: data.file, limit: config.cdr.queueLimit, nowUs });
  const platform = new EmbeddedPlatform(wire, { config, addresses, cdr, seed, maxCalls, t0Us });
  const ring = new SnapshotRing(data.telemetry, data.telemetryWidth, SAMPLE_CAPACITY);
  let next = t0Us;
  return {
    actors: [platform],
    info: platform.metrics.map(({ source, instance, metric }) => ({ source, instance, metric })),
    onTurn: (now) => {
      if (now < next) return;
      next += SAMPLE_US;
      ring.push((now - t0Us) / 1000, (c) => platform.metrics[c]?.read() ?? Number.NaN);
    },
    close: () => cdr.close(),
  };
});
