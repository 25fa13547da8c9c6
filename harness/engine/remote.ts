import type { Assignment } from '../../agents/assignment.js';
import { COMMAND, STATE } from '../../agents/control.js';
import { Counters } from '../../agents/counters.js';
import {
  type Channel,
  FRAME,
  FrameReader,
  f64Frame,
  frame,
  type Gone,
  type Hello,
  jsonFrame,
  protocolOf,
  STATE_BYTES,
} from '../../agents/frames.js';
import { RecordMirror } from '../../agents/mirror.js';
import { LEG_LAYOUT, type Leg, type LegField } from '../../agents/record.js';
import { REGISTRATION_LAYOUT, type Registration, type RegistrationField } from '../../agents/registration-record.js';
import type { WorkerMessage } from '../../agents/thread.js';
import { monotonicUs } from '../clock.js';
import { type ErrorCode, HarnessError } from '../errors.js';
import type { AgentHost, Ready } from './agent-host.js';

/** From the start of its process to its first word: Node in a container on a busy machine. */
const HELLO_MS = 20_000;
const STOP_MS = 8_000;
/** Two clocks that are one differ by how each thread measures its offset to it, some microseconds. */
const CLOCK_SLACK_US = 2_000;

/** A worker in a container: the same as a thread of ours, over frames. */
export class RemoteAgent implements AgentHost {
  readonly counters = new Counters();
  readonly legs = new RecordMirror<LegField, Leg>(LEG_LAYOUT);
  readonly registrations = new RecordMirror<RegistrationField, Registration>(REGISTRATION_LAYOUT);
  readonly ready: Promise<Ready>;
  died: string | null = null;
  state: number = STATE.LOADING;
  #command: number = COMMAND.WAIT;
  #settle: (error: Error | null, ready?: Ready) => void = () => undefined;
  #awaits = new Map<number, (payload: Buffer) => void>();
  readonly #gone: Promise<void>;

  private constructor(
    readonly name: string,
    private readonly channel: Channel,
  ) {
    this.ready = new Promise((resolve, reject) => {
      this.#settle = (error, ready) => (error === null ? resolve(ready!) : reject(error));
    });
    // Whoever waits for it hears; nobody has to.
    this.ready.catch(() => undefined);
    const reader = new FrameReader((kind, payload) => this.#take(kind, payload));
    channel.onBytes((chunk) => {
      try {
        reader.push(chunk);
      } catch (error) {
        this.died ??= (error as Error).message;
        channel.close();
      }
    });
    this.#gone = channel.closed.then((words) => {
      if (this.#command !== COMMAND.STOP) this.died ??= words === '' ? 'its process ended' : words;
      this.#settle(new HarnessError('WORKER_DIED', `${name}: ${this.died ?? 'its process ended'}`));
      for (const wake of this.#awaits.values()) wake(Buffer.alloc(0));
    });
  }

  /** Greets it, proves that its clock is ours, and gives it its work. Throws BAD_STACK, LAB_NOT_READY. */
  static async open(name: string, channel: Channel, work: Assignment, arrivals: Float64Array): Promise<RemoteAgent> {
    const agent = new RemoteAgent(name, channel);
    try {
      await agent.#greet();
      await agent.#compareClocks();
    } catch (error) {
      channel.close();
      throw error;
    }
    channel.send(jsonFrame(FRAME.PLAN, work));
    channel.send(frame(FRAME.ARRIVALS, new Uint8Array(arrivals.buffer, arrivals.byteOffset, arrivals.byteLength)));
    return agent;
  }

  get loaded(): boolean {
    return this.state >= STATE.LOADED || this.died !== null;
  }

  go(t0Us: number): void {
    this.#command = COMMAND.GO;
    this.channel.send(f64Frame(FRAME.GO, t0Us));
  }

  hangUp(): void {
    this.#command = COMMAND.HANG_UP;
    this.channel.send(frame(FRAME.HANG_UP));
  }

  async stop(): Promise<void> {
    if (this.#command !== COMMAND.STOP) this.channel.send(frame(FRAME.STOP));
    this.#command = COMMAND.STOP;
    const timer = setTimeout(() => {
      this.died ??= `did not stop in ${STOP_MS / 1000} s`;
      this.channel.close();
    }, STOP_MS);
    await this.#gone;
    clearTimeout(timer);
  }

  async #greet(): Promise<void> {
    const payload = await this.#expect(FRAME.HELLO, HELLO_MS);
    const { protocol, version } = JSON.parse(payload.toString()) as Hello;
    if (protocol === protocolOf()) return;
    throw new HarnessError(
      'BAD_STACK',
      `${this.channel.name} holds another deadair (${version}) than the one that runs here: build its image again (docker/offline/build.sh agent)`,
    );
  }

  /** t0 is one number for both: that holds only where CLOCK_MONOTONIC is the same, as it is in every container of this machine. */
  async #compareClocks(): Promise<void> {
    const beforeUs = monotonicUs();
    this.channel.send(f64Frame(FRAME.CLOCK, beforeUs));
    const theirsUs = (await this.#expect(FRAME.CLOCK, HELLO_MS)).readDoubleLE(0);
    const afterUs = monotonicUs();
    if (theirsUs >= beforeUs - CLOCK_SLACK_US && theirsUs <= afterUs + CLOCK_SLACK_US) return;
    const off = ((theirsUs - afterUs) / 1e6).toFixed(3);
    throw new HarnessError(
      'LAB_NOT_READY',
      `${this.channel.name}: its clock is ${off} s off ours; agents have to run on this machine, without a time namespace`,
    );
  }

  async #expect(kind: number, withinMs: number): Promise<Buffer> {
    const payload = await new Promise<Buffer>((resolve) => {
      const timer = setTimeout(() => resolve(Buffer.alloc(0)), withinMs);
      this.#awaits.set(kind, (bytes) => {
        clearTimeout(timer);
        this.#awaits.delete(kind);
        resolve(bytes);
      });
    });
    if (payload.byteLength > 0) return payload;
    const why = this.died ?? `said nothing in ${withinMs / 1000} s`;
    throw new HarnessError('LAB_NOT_READY', `${this.channel.name}: its agents' process could not be started: ${why}`);
  }

  #take(kind: number, payload: Buffer): void {
    switch (kind) {
      case FRAME.COUNTERS:
        this.state = payload.readUInt32LE(0);
        new Uint8Array(this.counters.shared).set(payload.subarray(STATE_BYTES));
        return;
      case FRAME.LEGS:
        this.legs.addFinished(payload);
        return;
      case FRAME.REGISTRATIONS:
        this.registrations.addFinished(payload);
        return;
      case FRAME.OPEN_LEGS:
        this.legs.addOpen(payload);
        return;
      case FRAME.OPEN_REGISTRATIONS:
        this.registrations.addOpen(payload);
        return;
      case FRAME.SNAPSHOT:
        this.legs.snapshot();
        this.registrations.snapshot();
        return;
      case FRAME.SAID:
        this.#said(JSON.parse(payload.toString()) as WorkerMessage);
        return;
      case FRAME.GONE:
        this.died ??= (JSON.parse(payload.toString()) as Gone).died;
        return;
      default:
        this.#awaits.get(kind)?.(payload);
    }
  }

  #said(message: WorkerMessage): void {
    if (message.kind === 'ready') {
      this.#settle(null, message);
      return;
    }
    this.died = message.message;
    const text = `${this.name}: ${message.message}`;
    this.#settle(
      message.code === null
        ? Object.assign(new Error(text), { stack: message.stack })
        : new HarnessError(message.code as ErrorCode, text),
    );
  }
}
