import type { MessagePort } from 'node:worker_threads';
import { HarnessError } from '../harness/errors.js';
import { COMMAND, type Control, STATE } from './control.js';
import { DgramWire } from './wire/dgram.js';
import { runBlocking, runEvented } from './wire/loop.js';
import type { MediaWish } from './wire/media.js';
import { openWire } from './wire/open.js';
import type { Actor, Wire } from './wire/types.js';

/** What a worker tells before its loop takes the thread, or why it could not begin. */
export type WorkerMessage =
  | { kind: 'ready'; wire: string; media: string; why: string; info: unknown }
  | { kind: 'error'; code: string | null; message: string; stack: string };

export interface Hosted {
  actors: Actor[];
  /** Plain data for the control plane. */
  info: unknown;
  onTurn: (nowUs: number) => void;
  close?: () => Promise<void>;
}

/**
 * The life of every worker thread: say that the code is loaded, wait for t0 and GO, build the actors on a wire, run them
 * until STOP. Under traffic the loop rests for `restUs` between turns, so that packets gather. What is thrown while building reaches the control plane as one message.
 */
export async function hostActors(
  control: Control,
  parent: MessagePort,
  media: MediaWish,
  restUs: number,
  build: (wire: Wire, t0Us: number) => Hosted,
): Promise<void> {
  const say = (message: WorkerMessage): void => parent.postMessage(message);
  control.state = STATE.LOADED;
  control.awaitCommand();
  if (control.command === COMMAND.STOP) return;
  try {
    const { wire, media: choice } = openWire(media);
    const hosted = build(wire, control.t0Us);
    if (wire instanceof DgramWire) await wire.ready();
    say({ kind: 'ready', wire: wire.kind, media: choice.kind, why: choice.why, info: hosted.info });
    control.state = STATE.READY;
    const stop = (): boolean => control.command === COMMAND.STOP;
    const onTurn = (nowUs: number, times: { busyUs: number; idleUs: number }): void => {
      control.setTimes(times.busyUs, times.idleUs);
      hosted.onTurn(nowUs);
    };
    if (wire instanceof DgramWire) await runEvented(wire, hosted.actors, stop, onTurn);
    else runBlocking(wire, hosted.actors, stop, onTurn, restUs);
    wire.close();
    await hosted.close?.();
    control.state = STATE.STOPPED;
  } catch (error) {
    const e = error instanceof Error ? error : new Error(String(error));
    const code = e instanceof HarnessError ? e.code : null;
    say({ kind: 'error', code, message: e.message, stack: e.stack ?? e.message });
  }
}
