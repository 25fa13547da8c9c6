import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Counters } from '../agents/counters.js';
import type { FleetPlan } from '../agents/fleet.js';
import { OUTCOMES, type Outcome } from '../agents/record.js';
import { LegStore } from '../agents/store.js';
import { ipFromString } from '../agents/wire/types.js';
import { monotonicUs } from './clock.js';
import { legCapacity } from './engine/gather.js';
import { letGo, Thread } from './engine/threads.js';
import { HarnessError } from './errors.js';
import type { MediaBackend, Transport } from './plan/types.js';

export interface UasOptions {
  host: string;
  port: number;
  /** Calls at once; one more gets 503. */
  maxCalls: number;
  answerMs: number;
  /** null: until interrupted. */
  durationMs: number | null;
  media: 'rtp' | 'none';
  /** Default: udp. */
  transport?: Transport;
  /** PEM, for tls and wss. */
  certificate?: { cert: string; key: string } | null;
  signal: AbortSignal;
  mediaBackend?: MediaBackend;
  /** The port is bound: calls are answered from now on. */
  onListening?: (at: { wire: string; media: string }) => void;
}

/**
 * received = refused + rejected + completed + dropped + cancelled + noAck + open, and answered are those that got a 200.
 */
export interface UasSummary {
  received: number;
  answered: number;
  /** Ended by the caller's BYE. */
  completed: number;
  /** Answered and ended in any other way. */
  dropped: number;
  /** CANCEL came before the answer. */
  cancelled: number;
  /** The 200 was repeated for 32 s and no ACK came (RFC 3261 13.3.1.4). */
  noAck: number;
  /** INVITEs that cannot make a dialog: 400. */
  rejected: number;
  /** INVITEs beyond maxCalls: 503. */
  refused: number;
  /** Still up at the end. */
  open: number;
  retransmitsSeen: number;
  retransmitsSent: number;
  parseRejected: number;
  receiveDropped: number;
  rtpSent: number;
  rtpReceived: number;
  rtpLost: number;
  durationMs: number;
}

const POLL_MS = 100;
/** Records that wait for the collector: 20,000 calls a second at one look in 100 ms. */
const RECORDS_MIN = 2_048;
const KIND: Partial<Record<Outcome, 'completed' | 'cancelled' | 'noAck' | 'rejected'>> = {
  completed: 'completed',
  'cancelled-by-peer': 'cancelled',
  'no-ack': 'noAck',
  rejected: 'rejected',
};

/** Answers calls with one worker until it is interrupted or its time is over. Throws HarnessError, PORT_IN_USE for one. */
export async function serveUas(options: UasOptions): Promise<UasSummary> {
  const capacity = legCapacity(Math.max(RECORDS_MIN, options.maxCalls), 1);
  const { shared, store } = LegStore.create(capacity);
  const counters = new Counters();
  const thread = new Thread(
    'uas',
    { file: '../agents/worker', from: import.meta.url },
    {
      plan: fleetOf(options),
      arrivals: new SharedArrayBuffer(0),
      legs: shared,
      legCapacity: capacity,
      counters: counters.shared,
      media: options.mediaBackend ?? 'auto',
    },
  );
  const legs = { answered: 0, completed: 0, dropped: 0, cancelled: 0, noAck: 0, rejected: 0, open: 0, rtpLost: 0 };
  const take = (leg: ReturnType<LegStore['read']>): void => {
    const outcome = OUTCOMES[leg.outcome]!;
    if (!Number.isNaN(leg.answeredMs)) legs.answered++;
    legs.rtpLost += leg.rtpLost;
    if (outcome === 'open') legs.open++;
    else legs[KIND[outcome] ?? 'dropped']++;
  };
  try {
    const t0Us = await letGo([thread], 0);
    const { wire, media } = await thread.ready;
    options.onListening?.({ wire, media: options.media === 'none' ? 'none' : media });
    const endUs = options.durationMs === null ? Number.POSITIVE_INFINITY : t0Us + options.durationMs * 1000;
    while (!options.signal.aborted && monotonicUs() < endUs) {
      await sleep(POLL_MS);
      if (thread.died !== null) throw new HarnessError('WORKER_DIED', `the answering worker: ${thread.died}`);
      store.drain(take);
    }
    await thread.stop();
    const durationMs = Math.round((monotonicUs() - t0Us) / 1000);
    store.drain(take);
    store.readOpen(take);
    const refused = counters.get('calleeRefused');
    const { completed, dropped, cancelled, noAck, rejected, open } = legs;
    return {
      received: refused + rejected + completed + dropped + cancelled + noAck + open,
      answered: legs.answered,
      ...{ completed, dropped, cancelled, noAck, rejected, refused, open },
      retransmitsSeen: counters.get('retransmitsSeen'),
      retransmitsSent: counters.get('retransmitsSent'),
      parseRejected: counters.get('parseRejected'),
      receiveDropped: counters.get('receiveDropped'),
      rtpSent: counters.get('rtpSent'),
      rtpReceived: counters.get('rtpReceived'),
      rtpLost: legs.rtpLost,
      durationMs,
    };
  } finally {
    await thread.stop();
  }
}

function fleetOf(options: UasOptions): FleetPlan {
  const { host, port, maxCalls, answerMs, media, transport = 'udp', certificate = null } = options;
  const at = { ip: ipFromString(host), port };
  return {
    worker: 0,
    seed: 1,
    // Another one each time: a dialog of the server that was here before is no dialog of ours.
    salt: randomInt(65_536),
    runTag: '',
    maxCalls,
    call: {
      ringMs: { kind: 'fixed', ms: answerMs },
      holdMs: { kind: 'fixed', ms: 0 },
      patienceMs: 0,
      media,
      rtcp: true,
    },
    callers: null,
    callees: { ...at, maxCalls, streams: transport !== 'udp' },
    streams:
      transport === 'udp'
        ? null
        : {
            ...{ transport, certificate, path: '/', keepAliveMs: 0, listen: [at], label: 'uas' },
            tls: { ca: null, verify: true, serverName: null },
          },
  };
}
