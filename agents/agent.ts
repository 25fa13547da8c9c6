/**
 * One worker of the harness in a process of its own, in a container behind whatever network it is to call from: frames
 * on stdin and stdout (frames.ts), words on stderr. The worker is the same as on the host. When its stdin closes, whoever
 * drove it is gone, and it ends with all its calls.
 */
import { createSocket } from 'node:dgram';
import { Worker } from 'node:worker_threads';
import { monotonicUs } from '../harness/clock.js';
import { entryArgs } from '../harness/entry.js';
import { packageVersion } from '../harness/version.js';
import type { Assignment } from './assignment.js';
import { COMMAND, Control, STATE } from './control.js';
import { Counters } from './counters.js';
import { FRAME, FrameReader, f64Frame, frame, jsonFrame, PIECE_BYTES, protocolOf, STATE_BYTES } from './frames.js';
import { LegStore, type RecordStore, RegistrationStore } from './store.js';
import type { WorkerMessage } from './thread.js';
import { ipFromString, ipToString } from './wire/types.js';
import type { AgentsData } from './worker.js';

/** The worker's state is looked at this often; a change of it, and every second, is told. */
const LOOK_MS = 100;
const TELL_MS = 1_000;
/** What the other side has not read yet: above it nothing is added, and records wait in their store, which has its own limit. */
const UNREAD_BYTES_MAX = 8 * 1024 * 1024;
const STOP_MS = 5_000;

const control = new Control();
const counters = new Counters();
let assignment: Assignment | null = null;
let legs: LegStore | null = null;
let registrations: RegistrationStore | null = null;
let worker: Worker | null = null;
let died: string | null = null;
let toldState = -1;
let toldMs = 0;

const send = (bytes: Buffer): void => void process.stdout.write(bytes);
// Nobody reads any more: the same as a closed stdin.
process.stdout.on('error', () => process.exit(0));
process.stdin.on('end', () => process.exit(0)).on('error', () => process.exit(0));

const reader = new FrameReader((kind, payload) => {
  switch (kind) {
    case FRAME.CLOCK:
      send(f64Frame(FRAME.CLOCK, monotonicUs()));
      return;
    case FRAME.PLAN:
      assignment = JSON.parse(payload.toString()) as Assignment;
      return;
    case FRAME.ARRIVALS:
      void start(assignment!, payload);
      return;
    case FRAME.GO:
      control.t0Us = payload.readDoubleLE(0);
      control.command = COMMAND.GO;
      return;
    case FRAME.HANG_UP:
      control.command = COMMAND.HANG_UP;
      return;
    case FRAME.STOP:
      void stop();
      return;
    default:
      throw new Error(`frame ${kind} is not for agents`);
  }
});
process.stdin.on('data', (chunk: Buffer) => reader.push(chunk));
send(jsonFrame(FRAME.HELLO, { protocol: protocolOf(), version: packageVersion(), node: process.version }));

async function start({ plan, media, legCapacity, registrationCapacity }: Assignment, bytes: Buffer): Promise<void> {
  const arrivals = new SharedArrayBuffer(bytes.byteLength);
  new Uint8Array(arrivals).set(bytes);
  const legShare = LegStore.create(legCapacity);
  const phoneShare = registrationCapacity === 0 ? null : RegistrationStore.create(registrationCapacity);
  legs = legShare.store;
  registrations = phoneShare?.store ?? null;
  for (const party of [plan.callers, plan.registrants]) {
    if (party && party.ip === 0) party.ip = await addressTowards(party.hop);
  }
  const data: AgentsData = {
    plan,
    arrivals,
    legs: legShare.shared,
    legCapacity,
    registrations: phoneShare === null ? null : { shared: phoneShare.shared, capacity: registrationCapacity },
    counters: counters.shared,
    control: control.shared,
    media,
  };
  const [file, ...argv] = entryArgs('worker', import.meta.url);
  // stdout is for frames: whatever a thread would print there goes to stderr.
  worker = new Worker(file, { argv, execArgv: [], workerData: data, stdout: true });
  worker.stdout.pipe(process.stderr);
  worker.on('message', (message: WorkerMessage) => {
    if (message.kind === 'error') died = message.message;
    send(jsonFrame(FRAME.SAID, message));
  });
  worker.on('error', (error) => {
    died = error.message;
  });
  worker.on('exit', () => {
    if (control.command !== COMMAND.STOP) died ??= 'the thread ended';
    end();
  });
  setInterval(look, LOOK_MS);
}

/** The address that the kernel would send from. Nothing is sent: connect() only asks for a route. */
function addressTowards(hop: { ip: number; port: number }): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4');
    socket.once('error', reject);
    socket.connect(hop.port, ipToString(hop.ip), () => {
      const { address } = socket.address();
      socket.close(() => resolve(ipFromString(address)));
    });
  });
}

function look(): void {
  const nowMs = performance.now();
  if (control.state === toldState && nowMs - toldMs < TELL_MS) return;
  if (process.stdout.writableLength > UNREAD_BYTES_MAX) return;
  tell();
  toldMs = nowMs;
}

function tell(): void {
  toldState = control.state;
  const head = Buffer.alloc(STATE_BYTES);
  head.writeUInt32LE(toldState, 0);
  head.writeDoubleLE(control.busyUs, 8);
  head.writeDoubleLE(control.idleUs, 16);
  send(frame(FRAME.COUNTERS, head, new Uint8Array(counters.shared)));
  records(legs, FRAME.LEGS, FRAME.OPEN_LEGS);
  records(registrations, FRAME.REGISTRATIONS, FRAME.OPEN_REGISTRATIONS);
  send(frame(FRAME.SNAPSHOT));
}

/** What is over, and then what is open: a record that ends in between comes again as finished, and replaces its copy. */
function records(
  store: Pick<RecordStore<never, never>, 'drainBytes' | 'openBytes'> | null,
  kind: number,
  openKind: number,
): void {
  if (store === null) return;
  const finished = new Pieces(kind);
  store.drainBytes((bytes) => finished.add(bytes));
  finished.flush();
  const open = new Pieces(openKind);
  store.openBytes((bytes, done) => open.add(Uint8Array.of(done ? 1 : 0), bytes));
  open.flush();
}

class Pieces {
  readonly #bytes = Buffer.allocUnsafe(PIECE_BYTES);
  #used = 0;
  constructor(private readonly kind: number) {}
  add(...parts: readonly Uint8Array[]): void {
    const length = parts.reduce((n, part) => n + part.byteLength, 0);
    if (this.#used + length > PIECE_BYTES) this.flush();
    for (const part of parts) {
      this.#bytes.set(part, this.#used);
      this.#used += part.byteLength;
    }
  }
  flush(): void {
    if (this.#used > 0) send(frame(this.kind, this.#bytes.subarray(0, this.#used)));
    this.#used = 0;
  }
}

async function stop(): Promise<void> {
  control.command = COMMAND.STOP;
  if (worker === null) return end();
  setTimeout(() => {
    died ??= `did not stop in ${STOP_MS / 1000} s`;
    void worker?.terminate();
  }, STOP_MS).unref();
}

let ended = false;
function end(): void {
  if (ended) return;
  ended = true;
  if (died === null) control.state = STATE.STOPPED;
  tell();
  process.stdout.write(jsonFrame(FRAME.GONE, { died }), () => process.exit(0));
}
