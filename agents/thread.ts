import type { MessagePort } from 'node:worker_threads';
import { HarnessError } from '../harness/errors.js';
import { COMMAND, type Control, STATE } from './control.js';
import { DgramWire } from './wire/dgram.js';
import { runBlocking, runEvented } from './wire/loop.js';
import { type MediaWish, mediaOn } from './wire/media.js';
import { openWire } from './wire/open.js';
import { StreamWire } from './wire/stream.js';
import type { StreamPlan } from './wire/stream-options.js';
import type { Actor, Wire } from './wire/types.js';

/** What a worker tells before its loop takes the thread, or why it could not begin. */
export type WorkerMessage =
  | { kind: 'ready'; wire: string; media: string; why: string; info: unknown }
  | { kind: 'error'; code: string | null; message: string; stack: string };

export interface Hosted {
  actors: Actor[];
  /** Plain data for the control plane. */
  info: unknown;
  /** Its addresses are of IPv6. */
  ip6?: boolean;
  onTurn: (nowUs: number) => void;
  close?: () => Promise<void>;
}

/**
 * The life of every worker thread: say that the code is loaded, wait for t0 and GO, build the actors on a wire, run them
 * until STOP. With `streamPlan` the thread runs Node's event loop. Under traffic the loop rests for `restUs` between turns, so that packets gather. What is thrown while building reaches the control plane as one message.
 */
export async function hostActors(
  control: Control,
  parent: MessagePort,
  media: MediaWish,
  restUs: number,
  build: (wire: Wire, t0Us: number, streams: StreamWire | null) => Hosted,
  streamPlan: StreamPlan | null = null,
): Promise<void> {
  const say = (message: WorkerMessage): void => parent.postMessage(message);
  control.state = STATE.LOADED;
  control.awaitCommand();
  if (control.command === COMMAND.STOP) return;
  let streams: StreamWire | null = null;
  try {
    const { wire, media: chosen } = openWire(media);
    if (streamPlan !== null) streams = await StreamWire.open(streamPlan, wire);
    const hosted = build(wire, control.t0Us, streams);
    if (wire instanceof DgramWire) await wire.ready();
    const kind = streams === null ? wire.kind : `${streams.plan.transport} over ${wire.kind}`;
    const choice = mediaOn(chosen, hosted.ip6 ?? false);
    say({ kind: 'ready', wire: kind, media: choice.kind, why: choice.why, info: hosted.info });
    control.state = STATE.READY;
    const stop = (): boolean => control.command === COMMAND.STOP;
    const onTurn = (nowUs: number, times: { busyUs: number; idleUs: number }): void => {
      control.setTimes(times.busyUs, times.idleUs);
      hosted.onTurn(nowUs);
    };
    if (streams !== null) await runEvented(streams, [...hosted.actors, streams], stop, onTurn);
    else if (wire instanceof DgramWire) await runEvented(wire, hosted.actors, stop, onTurn);
    else runBlocking(wire, hosted.actors, stop, onTurn, restUs);
    streams?.close();
    streams = null;
    wire.close();
    await hosted.close?.();
    control.state = STATE.STOPPED;
  } catch (error) {
    const e = error instanceof Error ? error : new Error(String(error));
    const code = e instanceof HarnessError ? e.code : null;
    say({ kind: 'error', code, message: e.message, stack: e.stack ?? e.message });
    // What listens would keep the thread alive.
    streams?.close();
  }
}
