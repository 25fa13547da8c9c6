import { Counters } from '../../agents/counters.js';
import type { LegMedia, LegStart } from '../../agents/media.js';
import type { Leg } from '../../agents/record.js';
import { LegStore } from '../../agents/store.js';
import { Caller } from '../../agents/uac.js';
import { Callee } from '../../agents/uas.js';
import { MemoryWorld } from '../../agents/wire/memory.js';
import { ipFromString, ipToString, type UdpPort } from '../../agents/wire/types.js';

export const CALLEE = 0x0a000001;
export const CALLER = 0x0a000003;
/** Where the messages come from, and where every answer must come to. */
export const STRANGER = ipFromString('192.0.2.200');
export const STRANGER_PORT = 40_000;
const SECOND = 1_000_000;

const RING = { kind: 'fixed', ms: 0 } as const;

/** Media that opens and closes; who was to be sent to is noted. */
class NotedMedia implements LegMedia {
  readonly started: string[] = [];
  open_ = 0;
  open(): number {
    this.open_++;
    return 0;
  }
  port(): number {
    return 20_000;
  }
  start(_leg: number, at: LegStart): void {
    if (this.started.length < 100) this.started.push(`${ipToString(at.remoteIp)}:${at.remotePort}`);
  }
  stop(): void {
    // no statistics
  }
  setRemote(): void {
    // Nothing is sent.
  }
  direct(): void {
    // Nothing is sent.
  }
  move(): boolean {
    return false;
  }
  settle(): void {
    // Nothing was moved.
  }
  close(): void {
    this.open_--;
  }
}

export interface GroundOptions {
  seed: number;
  maxCalls: number;
  /** Ports at the stranger's address that hear answers. */
  ports: readonly number[];
  /** Instants of the caller's INVITEs, ms. */
  arrivals?: Float64Array;
  onHeard?: ((text: Uint8Array) => void) | undefined;
  /** Everything that the callee sends, wherever it goes. */
  onCalleeSent?: ((text: Uint8Array) => void) | undefined;
}

/** A real callee and a real caller in virtual time, and a stranger who may send anything to either. */
export class Ground {
  readonly world: MemoryWorld;
  readonly callee: Callee;
  readonly caller: Caller;
  readonly calleeCounters = new Counters();
  readonly callerCounters = new Counters();
  readonly media = new NotedMedia();
  readonly legs: Leg[] = [];
  readonly heard: { text: string; port: number }[] = [];
  readonly stores: LegStore[];
  readonly strangerWire;
  readonly #voice: UdpPort;

  constructor(o: GroundOptions) {
    this.world = new MemoryWorld({ seed: o.seed, latencyUs: 0, jitterUs: 0, startUs: SECOND });
    const [calleeWire, callerWire] = [this.world.wire('callee'), this.world.wire('caller')];
    this.strangerWire = this.world.wire('stranger');
    const capacity = 2 ** Math.ceil(Math.log2(o.maxCalls * 4));
    this.stores = [LegStore.create(capacity).store, LegStore.create(capacity).store];
    const common = { seed: o.seed, worker: 0, maxCalls: o.maxCalls, t0Us: SECOND, media: this.media };
    this.callee = new Callee(calleeWire, {
      ...common,
      ip: CALLEE,
      port: 5060,
      ringMs: RING,
      salt: 0x1234,
      store: this.stores[0]!,
      counters: this.calleeCounters,
    });
    this.caller = new Caller(callerWire, {
      ...common,
      ip: CALLER,
      port: 5060,
      hopIp: STRANGER,
      hopPort: 5060,
      domain: 'target.example',
      user: null,
      arrivals: o.arrivals ?? new Float64Array(0),
      first: 0,
      stride: 1,
      call: { ringMs: RING, holdMs: { kind: 'fixed', ms: 2000 }, patienceMs: 10_000, media: 'rtp', rtcp: false },
      salt: 0x4321,
      runTag: 'torture',
      store: this.stores[1]!,
      counters: this.callerCounters,
    });
    this.world.add(this.callee, calleeWire);
    this.world.add(this.caller, callerWire);
    const { port: sends } = this.callee.stack;
    const commit = sends.commit.bind(sends);
    sends.commit = (len, ip, port) => {
      o.onCalleeSent?.(sends.tx.subarray(0, len));
      commit(len, ip, port);
    };
    const hear = (port: number) =>
      this.strangerWire.bind(STRANGER, port, (bytes, off, len) => {
        const text = bytes.subarray(off, off + len);
        if (o.onHeard !== undefined) o.onHeard(text);
        else this.heard.push({ text: Buffer.from(text).toString('latin1'), port });
      });
    this.#voice = hear(STRANGER_PORT);
    for (const port of o.ports) hear(port);
    this.run(0.001);
  }

  say(bytes: Uint8Array, to: number): void {
    this.#voice.send(bytes, 0, bytes.length, to, 5060);
  }

  run(seconds: number): void {
    this.world.runUntil(this.world.nowUs + seconds * SECOND);
    for (const store of this.stores) store.drain((leg) => this.legs.push(leg));
  }

  /** What must be back at 0 once all timers have run. */
  held(): Record<string, number> {
    const { callee, caller } = this;
    const { client, server } = callee.stack;
    const mine = caller.stack;
    return {
      calleeCalls: callee.callsUp,
      calleeServer: server.active + server.kept + server.armed,
      calleeClient: client.active + client.kept + client.armed,
      callerCalls: caller.callsUp,
      callerServer: mine.server.active + mine.server.kept + mine.server.armed,
      callerClient: mine.client.active + mine.client.kept + mine.client.armed,
      media: this.media.open_,
    };
  }
}

export const NOTHING_HELD = {
  calleeCalls: 0,
  calleeServer: 0,
  calleeClient: 0,
  callerCalls: 0,
  callerServer: 0,
  callerClient: 0,
  media: 0,
};
