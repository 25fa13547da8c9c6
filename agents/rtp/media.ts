import { assert } from '../../harness/errors.js';
import { bucketOf, COUNTER_INDEX, type Counters } from '../counters.js';
import { LEG_OFFSETS } from '../record.js';
import type { LegStore } from '../store.js';
import type { Actor, Gather, MediaPorts, MediaSink } from '../wire/types.js';
import { PAYLOAD_BYTES, writeIdentity } from './identity.js';
import { RtpReceiver } from './receive.js';
import { RtcpAgent } from './report.js';
import { PhaseWheel } from './wheel.js';

/** A packet sent later than this after its instant is our own fault, and counted on the leg. */
const LATE_US = 10_000;
/** Further behind than this we skip instead of sending a burst that no phone would send. */
const STALL_US = 200_000;
/** Legs share instants: 10 ms apart while they are few, 1.25 ms apart when they are many (wheel.ts). */
const PHASE_US = 1250;
const HEADER_BYTES = 12;
const PACKET_BYTES = HEADER_BYTES + PAYLOAD_BYTES;

/** A leg that was opened has a port; one that was started sends and counts as well. */
const FREE = 0;
const OPEN = 1;
const STARTED = 2;

const R_SENT = LEG_OFFSETS.rtpSent >> 2;
const R_LATE = LEG_OFFSETS.rtpSendLate >> 2;
const C_RTP_SENT = COUNTER_INDEX.rtpSent;
const C_RTP_RECEIVED = COUNTER_INDEX.rtpReceived;

export interface MediaEngineOptions {
  ports?: MediaPorts;
  store: LegStore;
  counters: Counters;
  nowUs: number;
  maxLegs: number;
  /** Zero of the record's times. */
  t0Us: number;
  rtcp: boolean;
  ptimeMs: 20;
  /** Read after each batch, so that lateness has the sending in it. Without it (virtual time) the tick's own instant counts. */
  clockUs?: () => number;
}

export interface MediaStart {
  /** Record in the LegStore. */
  slot: number;
  callNo: number;
  /** Our own role (ROLE): the other one is whom we want to hear. */
  role: number;
  /** 0: nothing is sent until setRemote. */
  remoteIp: number;
  remotePort: number;
  ssrc: number;
}

/** All audio of one worker: every leg's port, its packets out every 20 ms, and what it hears. */
export class MediaEngine implements Actor {
  /** 20 ms instants given up because we were more than 200 ms behind. */
  skippedTotal = 0;
  readonly #store: LegStore;
  readonly #counters: Counters;
  readonly #u32: Uint32Array;
  readonly #receiver: RtpReceiver;
  readonly #rtcp: RtcpAgent | null;
  readonly #wheel: PhaseWheel;
  readonly #clockUs: (() => number) | null;
  readonly #periodUs: number;
  readonly #epochUs: number;
  #ports: MediaPorts | null = null;
  #gather: Gather | null = null;
  /** Number of the next phase since the epoch: its instant is epoch + next * PHASE_US. */
  #next = 0;
  readonly #legOfPort = new Int32Array(32768).fill(-1);
  readonly #freeLegs: Int32Array;
  #freeCount: number;
  readonly #state: Uint8Array;
  readonly #port: Uint16Array;
  readonly #record: Uint32Array;
  readonly #callNo: Uint32Array;
  readonly #peerRole: Uint8Array;
  readonly #remoteIp: Uint32Array;
  readonly #remotePort: Uint16Array;
  readonly #ssrc: Uint32Array;
  readonly #seq: Uint16Array;
  readonly #timestamp: Uint32Array;
  /** On hold: no audio leaves, RTCP does (RFC 3264 8.4). */
  readonly #mute: Uint8Array;
  /** The ports before move(), until settle(); 0 = none. */
  readonly #oldPort: Uint16Array;
  /** The next packet begins a talkspurt (RFC 3551 4.1). */
  readonly #marker: Uint8Array;
  /** What each leg says: the same 20 ms in every packet. */
  readonly #audio: Uint8Array;
  /** Of each leg, for wires that copy. Made once. */
  readonly #audioOf: Uint8Array[] = [];

  constructor(options: MediaEngineOptions) {
    const n = options.maxLegs;
    this.#store = options.store;
    this.#counters = options.counters;
    this.#u32 = options.store.u32;
    this.#receiver = new RtpReceiver(options.store, n, options.t0Us);
    this.#rtcp = options.rtcp ? new RtcpAgent(options.store, options.counters, this.#receiver, n) : null;
    this.#periodUs = options.ptimeMs * 1000;
    this.#wheel = new PhaseWheel(this.#periodUs / PHASE_US, n);
    this.#clockUs = options.clockUs ?? null;
    this.#epochUs = options.nowUs;
    this.#freeLegs = new Int32Array(n).map((_, i) => n - 1 - i);
    this.#freeCount = n;
    this.#state = new Uint8Array(n);
    this.#port = new Uint16Array(n);
    this.#record = new Uint32Array(n);
    this.#callNo = new Uint32Array(n);
    this.#peerRole = new Uint8Array(n);
    this.#remoteIp = new Uint32Array(n);
    this.#remotePort = new Uint16Array(n);
    this.#ssrc = new Uint32Array(n);
    this.#seq = new Uint16Array(n);
    this.#timestamp = new Uint32Array(n);
    this.#mute = new Uint8Array(n);
    this.#oldPort = new Uint16Array(n);
    this.#marker = new Uint8Array(n);
    this.#audio = new Uint8Array(n * PAYLOAD_BYTES);
    for (let i = 0; i < n; i++) this.#audioOf.push(this.#audio.subarray(i * PAYLOAD_BYTES, (i + 1) * PAYLOAD_BYTES));
    if (options.ports) this.attach(options.ports);
  }

  /** The wire wants `sink` before it gives the ports. */
  attach(ports: MediaPorts): void {
    this.#ports = ports;
    this.#gather = ports.gather ?? null;
    this.#gather?.lend(this.#audio);
  }

  /** Takes a pair of ports; -1 when no pair or no leg is free. */
  open(): number {
    if (this.#freeCount === 0) return -1;
    const port = this.#ports!.openPair();
    if (port === 0) return -1;
    const leg = this.#freeLegs[--this.#freeCount]!;
    this.#state[leg] = OPEN;
    this.#port[leg] = port;
    this.#legOfPort[port >> 1] = leg;
    return leg;
  }

  port(leg: number): number {
    return this.#port[leg]!;
  }

  /**
   * Begins to send and to count. The first packet leaves within the next 20 ms, in the emptiest phase: call tick() again
   * before waiting, for the next deadline may have come nearer.
   */
  start(leg: number, how: MediaStart, nowUs: number): void {
    assert(this.#state[leg] === OPEN, 'media starts on an open leg');
    this.#state[leg] = STARTED;
    this.#mute[leg] = 0;
    this.#record[leg] = this.#store.at(how.slot);
    this.#callNo[leg] = how.callNo;
    this.#peerRole[leg] = how.role ^ 1;
    this.#ssrc[leg] = how.ssrc;
    // Unpredictable first values (RFC 3550 5.1), from the SSRC, which came from the run's seed.
    this.#seq[leg] = Math.imul(how.ssrc, 0x9e3779b1) >>> 16;
    this.#timestamp[leg] = Math.imul(how.ssrc ^ 0x5bd1e995, 0x85ebca6b);
    this.#marker[leg] = 0x80;
    writeIdentity(this.#audio, leg * PAYLOAD_BYTES, PAYLOAD_BYTES, how.callNo, how.role);
    this.#receiver.reset(leg);
    this.#rtcp?.start(leg, this.#record[leg]!, how.ssrc, nowUs);
    this.#store.setU16(how.slot, LEG_OFFSETS.mediaPort, this.#port[leg]!);
    this.setRemote(leg, how.remoteIp, how.remotePort);

    // The wheel may stand at its next busy phase already; what lies between is empty, so it can be turned back.
    const soonest = Math.ceil((nowUs - this.#epochUs) / PHASE_US);
    if (this.#wheel.size === 0 || soonest < this.#next) this.#next = soonest;
    this.#wheel.add(leg, soonest % this.#wheel.phases);
  }

  /** From now on to this address: a re-INVITE's SDP, or an answer that came later. */
  setRemote(leg: number, ip: number, port: number): void {
    assert(this.#state[leg] === STARTED, 'only a started leg has a remote');
    this.#remoteIp[leg] = ip;
    this.#remotePort[leg] = port;
    const record = this.#record[leg]!;
    this.#u32[(record + LEG_OFFSETS.remoteMediaIp) >> 2] = ip;
    this.#store.u16[(record + LEG_OFFSETS.remoteMediaPort) >> 1] = port;
  }

  direct(leg: number, sends: boolean, resumes: boolean): void {
    if (this.#state[leg] !== STARTED) return;
    if (sends && this.#mute[leg] === 1) this.#marker[leg] = 0x80;
    this.#mute[leg] = sends ? 0 : 1;
    if (resumes) this.#receiver.resume(leg);
  }

  move(leg: number): boolean {
    if (this.#state[leg] !== STARTED || this.#oldPort[leg] !== 0) return false;
    const port = this.#ports!.openPair();
    if (port === 0) return false;
    this.#oldPort[leg] = this.#port[leg]!;
    this.#port[leg] = port;
    this.#legOfPort[port >> 1] = leg;
    this.#store.u16[(this.#record[leg]! + LEG_OFFSETS.mediaPort) >> 1] = port;
    return true;
  }

  settle(leg: number, moved: boolean): void {
    const old = this.#oldPort[leg]!;
    if (old === 0) return;
    const leaving = moved ? old : this.#port[leg]!;
    if (!moved) this.#port[leg] = old;
    this.#store.u16[(this.#record[leg]! + LEG_OFFSETS.mediaPort) >> 1] = this.#port[leg]!;
    this.#oldPort[leg] = 0;
    this.#legOfPort[leaving >> 1] = -1;
    this.#ports!.closePair(leaving);
  }

  /** Ends the audio: RTCP BYE, and nothing more is counted. The record already holds the last numbers. */
  stop(leg: number, nowUs: number): void {
    if (this.#state[leg] !== STARTED) return;
    this.#wheel.remove(leg);
    this.#state[leg] = OPEN;
    if (this.#rtcp !== null && this.#remotePort[leg] !== 0) this.#report(leg, nowUs, true);
  }

  /** Gives the ports back. A leg that still runs is stopped without a word. */
  close(leg: number): void {
    if (this.#state[leg] === FREE) return;
    this.settle(leg, true);
    this.#wheel.remove(leg);
    this.#state[leg] = FREE;
    this.#legOfPort[this.#port[leg]! >> 1] = -1;
    this.#ports!.closePair(this.#port[leg]!);
    this.#freeLegs[this.#freeCount++] = leg;
  }

  readonly sink: MediaSink = (bytes, off, len, localPort, _srcIp, _srcPort, nowUs) => {
    const leg = this.#legOfPort[localPort >> 1]!;
    if (leg < 0 || this.#state[leg] !== STARTED) return;
    const record = this.#record[leg]!;
    if ((localPort & 1) === 1) {
      this.#rtcp?.receive(leg, bytes, off, len, nowUs);
    } else if (
      len < HEADER_BYTES ||
      (bytes[off]! & 0xc0) !== 0x80 ||
      (bytes[off + 1]! >= 192 && bytes[off + 1]! < 224)
    ) {
      // RFC 5761 4: 192-223 in the second byte is RTCP, which we did not offer on this port.
      this.#receiver.foreign(record);
    } else {
      this.#receiver.packet(leg, record, this.#callNo[leg]!, this.#peerRole[leg]!, bytes, off, len, nowUs);
      this.#counters.values[C_RTP_RECEIVED]!++;
    }
  };

  /** Sends all phases whose instant has come. */
  tick(nowUs: number): number {
    const wheel = this.#wheel;
    if (wheel.size === 0) return Number.POSITIVE_INFINITY;
    if (nowUs - this.#instant() > STALL_US) this.#skip(nowUs);
    for (let due = this.#instant(); due <= nowUs; due = this.#instant()) {
      const phase = this.#next % wheel.phases;
      this.#next++;
      const count = wheel.counts[phase]!;
      if (count > 0) this.#sendPhase(phase, count, due, nowUs);
    }
    const ahead = wheel.untilBusy(this.#next % wheel.phases);
    this.#next += ahead;
    return this.#instant();
  }

  #instant(): number {
    return this.#epochUs + this.#next * PHASE_US;
  }

  #sendPhase(phase: number, count: number, dueUs: number, nowUs: number): void {
    const legs = this.#wheel.legs;
    const first = phase * this.#wheel.width;
    const late = nowUs - dueUs > LATE_US ? 1 : 0;
    let sent = 0;
    for (let k = first; k < first + count; k++) {
      const leg = legs[k]!;
      if (this.#remotePort[leg] === 0) continue;
      if (this.#mute[leg] === 0) {
        this.#send(leg, late);
        sent++;
      } else this.#timestamp[leg]! += PAYLOAD_BYTES;
      if (this.#rtcp?.due(leg, nowUs)) this.#report(leg, nowUs, false);
    }
    this.#counters.values[C_RTP_SENT]! += sent;
    const behindUs = (this.#clockUs === null ? nowUs : this.#clockUs()) - dueUs;
    this.#counters.rtpLateness[bucketOf(behindUs)]! += sent;
  }

  #send(leg: number, late: number): void {
    const ports = this.#ports!;
    const { tx } = ports;
    const at = ports.slot();
    const seq = this.#seq[leg]!++;
    const ts = this.#timestamp[leg]!;
    const ssrc = this.#ssrc[leg]!;
    this.#timestamp[leg] = ts + PAYLOAD_BYTES;
    tx[at] = 0x80;
    tx[at + 1] = this.#marker[leg]!; // payload type 0, PCMU
    this.#marker[leg] = 0;
    tx[at + 2] = seq >>> 8;
    tx[at + 3] = seq;
    tx[at + 4] = ts >>> 24;
    tx[at + 5] = ts >>> 16;
    tx[at + 6] = ts >>> 8;
    tx[at + 7] = ts;
    tx[at + 8] = ssrc >>> 24;
    tx[at + 9] = ssrc >>> 16;
    tx[at + 10] = ssrc >>> 8;
    tx[at + 11] = ssrc;
    const ip = this.#remoteIp[leg]!;
    const port = this.#remotePort[leg]!;
    const gather = this.#gather;
    if (gather !== null) {
      gather.commit(HEADER_BYTES, leg * PAYLOAD_BYTES, PAYLOAD_BYTES, this.#port[leg]!, ip, port);
    } else {
      tx.set(this.#audioOf[leg]!, at + HEADER_BYTES);
      ports.commit(PACKET_BYTES, this.#port[leg]!, ip, port);
    }
    const w = this.#record[leg]! >> 2;
    this.#u32[w + R_SENT]!++;
    this.#u32[w + R_LATE]! += late;
  }

  #report(leg: number, nowUs: number, bye: boolean): void {
    const ports = this.#ports!;
    const len = this.#rtcp!.write(leg, ports.tx, ports.slot(), this.#timestamp[leg]!, nowUs, bye);
    ports.commit(len, this.#port[leg]! + 1, this.#remoteIp[leg]!, this.#remotePort[leg]! + 1);
  }

  /** Whole periods are given up; sequence numbers go on, timestamps jump: nothing was lost, it was never said. */
  #skip(nowUs: number): void {
    const wheel = this.#wheel;
    const periods = Math.floor((nowUs - this.#instant()) / this.#periodUs);
    const dueUs = this.#instant();
    for (let phase = 0; phase < wheel.phases; phase++) {
      for (let k = 0; k < wheel.counts[phase]!; k++) {
        const leg = wheel.legs[phase * wheel.width + k]!;
        if (this.#remotePort[leg] === 0) continue;
        this.#timestamp[leg]! += periods * PAYLOAD_BYTES;
        this.#u32[(this.#record[leg]! >> 2) + R_LATE]! += periods;
        this.skippedTotal += periods;
      }
    }
    // Each skipped packet in the histogram once, as late as it would have been.
    for (let n = 0; n < periods; n++) {
      this.#counters.rtpLateness[bucketOf(nowUs - dueUs - n * this.#periodUs)]! += wheel.size;
    }
    this.#next += periods * wheel.phases;
  }
}
