import { parentPort, workerData } from 'node:worker_threads';
import { Control, SnapshotRing } from '../../../agents/control.js';
import type { User } from '../../../agents/identity.js';
import { hostActors } from '../../../agents/thread.js';
import type { MediaWish } from '../../../agents/wire/media.js';
import type { StreamPlan } from '../../../agents/wire/stream-options.js';
import type { EmbeddedConfig, FaultPlan, RegistrationPlan } from '../../plan/types.js';
import type { Addresses } from './addresses.js';
import { SqliteCdrStore } from './cdr-sqlite.js';
import { CredentialCache } from './credentials.js';
import { SqliteCredentials } from './credentials-sqlite.js';
import { FaultBoard } from './fault-board.js';
import { EmbeddedPlatform } from './platform.js';
import { credentialsOf, directoryOf, outagesOf, QUERY_LIMIT, type RegistrarParts } from './platform-registrar.js';
import { SAMPLE_CAPACITY, SAMPLE_US } from './worker-limits.js';

export interface PlatformData {
  config: EmbeddedConfig;
  addresses: Addresses;
  seed: number;
  maxCalls: number;
  /** The CDR database. */
  file: string;
  /** The phones that may register, with the seed of their secrets; null: there is no registrar. */
  registrations: RegistrationPlan | null;
  users: readonly User[] | null;
  planSeed: number;
  /** The subscriber database. */
  subscribers: string;
  faults: FaultPlan[];
  faultBoard: SharedArrayBuffer;
  control: SharedArrayBuffer;
  media: MediaWish;
  /** What phones reach it over, where it is no UDP. */
  streams: StreamPlan | null;
  telemetry: SharedArrayBuffer;
  telemetryWidth: number;
}

/** Up to two milliseconds a hop under load, as a busy router adds; it halves what the platform costs. */
const REST_US = 500;

const data = workerData as PlatformData;
const control = new Control(data.control);

await hostActors(
  control,
  parentPort!,
  data.media,
  REST_US,
  (wire, t0Us, streams) => {
    const { config, addresses, seed, maxCalls } = data;
    const nowUs = (): number => wire.nowUs();
    const cdr = SqliteCdrStore.open({ file: data.file, limit: config.cdr.queueLimit, nowUs });
    const registrar = registrarParts(nowUs, t0Us);
    const faults = { plans: data.faults, board: new FaultBoard(data.faultBoard) };
    const platform = new EmbeddedPlatform(wire, {
      ...{ config, addresses, cdr, seed, maxCalls, t0Us, registrar, streams, faults },
    });
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
      close: async () => {
        await cdr.close();
        await registrar?.db?.close();
      },
    };
  },
  data.streams,
);

function registrarParts(nowUs: () => number, t0Us: number): RegistrarParts | null {
  const { config, registrations, users, planSeed, subscribers, faults } = data;
  if (config.registrar === undefined || registrations === null) return null;
  const outages = outagesOf(faults, t0Us);
  const base = { outages, ...directoryOf(registrations, planSeed, users) };
  const credentials = credentialsOf(registrations, planSeed, users);
  if (config.registrar.credentials === 'cached') return { ...base, cache: new CredentialCache(credentials) };
  const latencyUs = config.registrar.dbLatencyMs * 1000;
  const db = SqliteCredentials.open({ file: subscribers, limit: QUERY_LIMIT, nowUs, credentials, latencyUs });
  return { ...base, db };
}
