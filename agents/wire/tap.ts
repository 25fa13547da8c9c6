/**
 * A wire that remembers what went over it: each message and packet is copied into a ring in shared memory, as it was sent or
 * received, so that a call's PCAP can be written when the run is over. Nothing is allocated per packet; a full ring forgets its
 * oldest records, and counts them.
 */
import { assert } from '../../harness/errors.js';
import { Copier } from './copier.js';
import type {
  Lost,
  MediaPorts,
  MediaPortsKind,
  MediaRange,
  MediaSink,
  Sink,
  Transport,
  UdpPort,
  Wire,
  WireCounters,
} from './types.js';

/**
 * Head and tail are positions that only grow, in bytes; a record never wraps, and lies at a multiple of 8:
 *
 *   0        8        16      20       24       28       32        34         36       40
 *   +--------+--------+-------+--------+--------+--------+---------+----------+--------+----------------
 *   | tUs    | size   | kept  | length | srcIp  | dstIp  | srcPort | dstPort  | flags  | bytes (kept)
 *   +--------+--------+-------+--------+--------+--------+---------+----------+--------+----------------
 */
const RECORD_BYTES = 40;
const HEADER_BYTES = 64;
const HEAD = 0;
const TAIL = 1;
const FORGOTTEN = 2;
/** Nothing but the rest of the ring before it begins anew. */
const PADDING = 0x80000000;
/** Flags: the role, and whether it was sent. */
const SENT = 0x100;

/** Beside the roles of agents/record.ts: phones that are called and call. */
export const TAP_PHONES = 3;

/** Whose phone it was, as agents/record.ts numbers roles, or TAP_PHONES. */
export interface TapRecord {
  tUs: number;
  role: number;
  /** By the phone; otherwise it was received there. */
  sent: boolean;
  srcIp: number;
  srcPort: number;
  dstIp: number;
  dstPort: number;
  /** As it was on the wire; `bytes` may hold fewer. */
  length: number;
  bytes: Uint8Array;
}

export class TapRing {
  readonly #capacity: number;
  readonly #state: Float64Array;
  readonly #u8: Uint8Array;
  readonly #u16: Uint16Array;
  readonly #u32: Uint32Array;
  readonly #f64: Float64Array;

  static bytesFor(capacity: number): number {
    return HEADER_BYTES + capacity;
  }

  /** `capacity`: a multiple of 8, and room for some of the longest datagrams. */
  constructor(shared: SharedArrayBuffer, capacity: number) {
    assert(capacity % 8 === 0 && capacity >= 16_384, 'room of a tap');
    assert(shared.byteLength === TapRing.bytesFor(capacity), 'size of a tap');
    this.#capacity = capacity;
    this.#state = new Float64Array(shared, 0, HEADER_BYTES / 8);
    this.#u8 = new Uint8Array(shared, HEADER_BYTES);
    this.#u16 = new Uint16Array(shared, HEADER_BYTES);
    this.#u32 = new Uint32Array(shared, HEADER_BYTES);
    this.#f64 = new Float64Array(shared, HEADER_BYTES);
  }

  /** Records that had to go for younger ones. */
  get forgotten(): number {
    return this.#state[FORGOTTEN]!;
  }

  /** Keeps the first `keep` bytes of a datagram of `len`. */
  put(
    copier: Copier,
    bytes: Uint8Array,
    off: number,
    len: number,
    keep: number,
    flags: number,
    srcIp: number,
    srcPort: number,
    dstIp: number,
    dstPort: number,
    tUs: number,
  ): void {
    const kept = len < keep ? len : keep;
    const size = (RECORD_BYTES + kept + 7) & ~7;
    let head = this.#state[HEAD]!;
    let at = head % this.#capacity;
    const left = this.#capacity - at;
    if (size > left) {
      this.#makeRoom(head + left);
      // What is too short for a record's head needs no mark: whoever reads skips it.
      if (left >= RECORD_BYTES) {
        this.#u32[(at + 8) >> 2] = left;
        this.#u32[(at + 36) >> 2] = PADDING;
      }
      head += left;
      at = 0;
    }
    this.#makeRoom(head + size);
    this.#f64[at >> 3] = tUs;
    this.#u32[(at + 8) >> 2] = size;
    this.#u32[(at + 16) >> 2] = kept;
    this.#u32[(at + 20) >> 2] = len;
    this.#u32[(at + 24) >> 2] = srcIp;
    this.#u32[(at + 28) >> 2] = dstIp;
    this.#u16[(at + 32) >> 1] = srcPort;
    this.#u16[(at + 34) >> 1] = dstPort;
    this.#u32[(at + 36) >> 2] = flags;
    copier.copy(bytes, off, this.#u8, at + RECORD_BYTES, kept);
    this.#state[HEAD] = head + size;
  }

  /** Forgets from the oldest on until everything up to `until` fits. */
  #makeRoom(until: number): void {
    let tail = this.#state[TAIL]!;
    while (until - tail > this.#capacity) {
      const at = tail % this.#capacity;
      const left = this.#capacity - at;
      if (left < RECORD_BYTES) tail += left;
      else {
        if (this.#u32[(at + 36) >> 2] !== PADDING) this.#state[FORGOTTEN]!++;
        tail += this.#u32[(at + 8) >> 2]!;
      }
    }
    this.#state[TAIL] = tail;
  }

  /** Every record, oldest first. Only when the worker has stopped. */
  *records(): Generator<TapRecord> {
    const head = this.#state[HEAD]!;
    for (let tail = this.#state[TAIL]!; tail < head; ) {
      const at = tail % this.#capacity;
      const left = this.#capacity - at;
      if (left < RECORD_BYTES) {
        tail += left;
        continue;
      }
      const flags = this.#u32[(at + 36) >> 2]!;
      const kept = this.#u32[(at + 16) >> 2]!;
      tail += this.#u32[(at + 8) >> 2]!;
      if (flags === PADDING) continue;
      yield {
        tUs: this.#f64[at >> 3]!,
        role: flags & 0xff,
        sent: (flags & SENT) !== 0,
        srcIp: this.#u32[(at + 24) >> 2]!,
        dstIp: this.#u32[(at + 28) >> 2]!,
        srcPort: this.#u16[(at + 32) >> 1]!,
        dstPort: this.#u16[(at + 34) >> 1]!,
        length: this.#u32[(at + 20) >> 2]!,
        bytes: this.#u8.slice(at + RECORD_BYTES, at + RECORD_BYTES + kept),
      };
    }
  }
}

/** Signalling and media do not push each other out. */
export interface Tap {
  sip: TapRing;
  rtp: TapRing;
}

/** Buffers of one worker's tap, to cross a thread. */
export interface TapBuffers {
  sip: SharedArrayBuffer;
  rtp: SharedArrayBuffer;
}

/** 16 MiB: some 20,000 messages. */
export const TAP_SIP_BYTES = 16 * 1024 * 1024;
/** 96 MiB: a million packets of 96 bytes. */
export const TAP_RTP_BYTES = 96 * 1024 * 1024;

/** RTP header and the head of the payload; RTCP whole. */
const RTP_KEPT = 56;
const SIP_KEPT = 2048;

export function tapBuffers(): TapBuffers {
  return {
    sip: new SharedArrayBuffer(TapRing.bytesFor(TAP_SIP_BYTES)),
    rtp: new SharedArrayBuffer(TapRing.bytesFor(TAP_RTP_BYTES)),
  };
}

export function openTap({ sip, rtp }: TapBuffers): Tap {
  return { sip: new TapRing(sip, TAP_SIP_BYTES), rtp: new TapRing(rtp, TAP_RTP_BYTES) };
}

class TapPort implements UdpPort {
  readonly ip: number;
  readonly port: number;
  readonly transport?: Transport;
  readonly sentBy?: string;
  readonly tx: Uint8Array;
  readonly drops?: () => number;
  readonly #copier = new Copier();
  constructor(
    readonly inner: UdpPort,
    readonly wire: Wire,
    readonly ring: TapRing,
    readonly role: number,
  ) {
    this.ip = inner.ip;
    this.port = inner.port;
    this.tx = inner.tx;
    if (inner.transport !== undefined) this.transport = inner.transport;
    if (inner.sentBy !== undefined) this.sentBy = inner.sentBy;
    if (inner.drops !== undefined) this.drops = () => inner.drops!();
  }
  slot(): number {
    return this.inner.slot();
  }
  commit(len: number, dstIp: number, dstPort: number): void {
    const { inner, ring, role, ip, port } = this;
    ring.put(
      this.#copier,
      this.tx,
      inner.slot(),
      len,
      SIP_KEPT,
      role | SENT,
      ip,
      port,
      dstIp,
      dstPort,
      this.wire.nowUs(),
    );
    inner.commit(len, dstIp, dstPort);
  }
  send(bytes: Uint8Array, off: number, len: number, dstIp: number, dstPort: number): void {
    const { inner, ring, role, ip, port } = this;
    ring.put(this.#copier, bytes, off, len, SIP_KEPT, role | SENT, ip, port, dstIp, dstPort, this.wire.nowUs());
    inner.send(bytes, off, len, dstIp, dstPort);
  }
  close(): void {
    this.inner.close();
  }
}

class TapMedia implements MediaPorts {
  readonly kind: MediaPortsKind;
  readonly ip: number;
  readonly tx: Uint8Array;
  readonly #copier = new Copier();
  constructor(
    readonly inner: MediaPorts,
    readonly wire: Wire,
    readonly ring: TapRing,
    readonly role: number,
  ) {
    this.kind = inner.kind;
    this.ip = inner.ip;
    this.tx = inner.tx;
  }
  openPair(): number {
    return this.inner.openPair();
  }
  closePair(evenPort: number): void {
    this.inner.closePair(evenPort);
  }
  slot(): number {
    return this.inner.slot();
  }
  commit(len: number, srcPort: number, dstIp: number, dstPort: number): void {
    const { inner, ring, role, ip } = this;
    const keep = (srcPort & 1) === 0 ? RTP_KEPT : SIP_KEPT;
    ring.put(
      this.#copier,
      this.tx,
      inner.slot(),
      len,
      keep,
      role | SENT,
      ip,
      srcPort,
      dstIp,
      dstPort,
      this.wire.nowUs(),
    );
    inner.commit(len, srcPort, dstIp, dstPort);
  }
  close(): void {
    this.inner.close();
  }
}

class TapWire implements Wire {
  readonly kind: Wire['kind'];
  readonly counters: WireCounters;
  constructor(
    readonly inner: Wire,
    readonly tap: Tap,
    readonly role: number,
  ) {
    this.kind = inner.kind;
    this.counters = inner.counters;
  }
  nowUs(): number {
    return this.inner.nowUs();
  }
  bind(ip: number, port: number, sink: Sink, lost?: Lost): UdpPort {
    const ring = this.tap.sip;
    const { role } = this;
    const copier = new Copier();
    let local = port;
    const heard: Sink = (b, off, len, srcIp, srcPort, nowUs) => {
      ring.put(copier, b, off, len, SIP_KEPT, role, srcIp, srcPort, ip, local, nowUs);
      sink(b, off, len, srcIp, srcPort, nowUs);
    };
    const inner = lost === undefined ? this.inner.bind(ip, port, heard) : this.inner.bind(ip, port, heard, lost);
    local = inner.port;
    return new TapPort(inner, this.inner, ring, role);
  }
  openMedia(range: MediaRange, sink: MediaSink): MediaPorts {
    const ring = this.tap.rtp;
    const { role } = this;
    const copier = new Copier();
    const heard: MediaSink = (b, off, len, localPort, srcIp, srcPort, nowUs) => {
      const keep = (localPort & 1) === 0 ? RTP_KEPT : SIP_KEPT;
      ring.put(copier, b, off, len, keep, role, srcIp, srcPort, range.ip, localPort, nowUs);
      sink(b, off, len, localPort, srcIp, srcPort, nowUs);
    };
    return new TapMedia(this.inner.openMedia(range, heard), this.inner, ring, role);
  }
  flush(): void {
    this.inner.flush();
  }
  close(): void {
    this.inner.close();
  }
}

/** The same wire, remembered. `role` marks whose it is: agents/record.ts ROLE. */
export function tapped(wire: Wire, tap: Tap, role: number): Wire {
  return new TapWire(wire, tap, role);
}
