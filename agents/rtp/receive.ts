import { LEG_OFFSETS } from '../record.js';
import type { LegStore } from '../store.js';
import { callNoAt, classify, findIdentity, HEARD } from './identity.js';

/**
 * What each leg hears, kept per packet in the words of RFC 3550 and written straight into the leg's record: as cheap as
 * keeping it aside, and a worker that is killed leaves numbers that are right to the last packet.
 *
 * One source at a time: relays and B2BUAs restart SSRC and sequence in mid-call, so a new SSRC starts new tracking and
 * the losses of the old one stay counted.
 *
 *      expected = maxExt - baseExt + 1       lost = expected - unique       runs of missing numbers = loss events
 *
 * The last 128 sequence numbers are a bitmap (bit = seq mod 128): it tells duplicates from reordering, and mends the
 * count of runs when a missing packet comes after all.
 */

/** A packet further ahead than this is a restarted sender, not a loss (RFC 3550 A.1), unless the pause explains it. */
const MAX_DROPOUT = 3000;
/** A packet further behind than this is a restarted sender, not reordering (RFC 3550 A.1). Below the bitmap's 128. */
const MAX_MISORDER = 100;
/** Slack when a long pause is compared with a jump of the sequence: two seconds of 20 ms packets. */
const PAUSE_SLACK_PACKETS = 100;
const WINDOW = 128;
/** A playout buffer of this depth, above the least transit seen, would have missed the packet. */
const JITTER_BUFFER_US = 60_000;
/** The least transit creeps up by this share per packet (10 s time constant), so that a longer route is learnt. */
const TRANSIT_CREEP = 1 / 512;
/** Microseconds per RTP timestamp unit of PCMU at 8 kHz. */
const US_PER_SAMPLE = 125;

/** Per-leg words. One leg lies together, so that a packet touches few cache lines. */
const STRIDE = 16;
const SSRC = 0;
const LAST_TS = 1;
const MAX_EXT = 2;
const BASE_EXT = 3;
const UNIQUE = 4;
const RECEIVED = 5;
const BITS = 6; // 4 words
const LOST_BEFORE = 10;
const EXPECTED_PRIOR = 11;
const RECEIVED_PRIOR = 12;
/** Next number of a sender that may have restarted, or -1. */
const BAD_SEQ = 13;
const ACTIVE = 14;
const F_STRIDE = 8;
const LAST_US = 0;
const JITTER_US = 1;
const TRANSIT_US = 2;
const LEAST_US = 3;
/** Arrival of the packet that LAST_TS is of: a suspect one moves LAST_US only. */
const TIMED_US = 4;

const R_RECEIVED = LEG_OFFSETS.rtpReceived >> 2;
const R_LOST = LEG_OFFSETS.rtpLost >> 2;
const R_EVENTS = LEG_OFFSETS.lossEvents >> 2;
const R_REORDERED = LEG_OFFSETS.rtpReordered >> 2;
const R_DUPLICATE = LEG_OFFSETS.rtpDuplicate >> 2;
const R_LATE = LEG_OFFSETS.rtpLate >> 2;
const R_SILENCE = LEG_OFFSETS.rtpSilence >> 2;
const R_PEER = LEG_OFFSETS.heardPeer >> 2;
const R_SELF = LEG_OFFSETS.heardSelf >> 2;
const R_OTHER = LEG_OFFSETS.heardOther >> 2;
const R_FOREIGN = LEG_OFFSETS.heardForeign >> 2;
const R_OTHER_NO = LEG_OFFSETS.heardCallNo >> 2;
const R_FIRST = LEG_OFFSETS.firstRtpMs >> 3;
const R_LAST = LEG_OFFSETS.lastRtpMs >> 3;
const R_JITTER = LEG_OFFSETS.jitterMs >> 3;
const R_JITTER_MAX = LEG_OFFSETS.jitterMaxMs >> 3;
const R_GAP = LEG_OFFSETS.maxGapMs >> 3;

/** What happened to the sequence number of a packet. */
const FRESH = 0;
const DUPLICATE = 1;
/** Far off: wait for a second one in sequence (RFC 3550 A.1). */
const SUSPECT = 2;
const RESTARTED = 3;

export class RtpReceiver {
  readonly #i: Int32Array;
  readonly #f: Float64Array;
  readonly #r32: Uint32Array;
  readonly #r64: Float64Array;
  readonly #t0Us: number;

  constructor(store: LegStore, maxLegs: number, t0Us: number) {
    this.#i = new Int32Array(maxLegs * STRIDE);
    this.#f = new Float64Array(maxLegs * F_STRIDE);
    this.#r32 = store.u32;
    this.#r64 = store.f64;
    this.#t0Us = t0Us;
  }

  reset(leg: number): void {
    this.#i.fill(0, leg * STRIDE, (leg + 1) * STRIDE);
    this.#f.fill(0, leg * F_STRIDE, (leg + 1) * F_STRIDE);
  }

  /** One RTP packet (version already checked); `record` is the byte offset of the leg's record. */
  packet(
    leg: number,
    record: number,
    callNo: number,
    peerRole: number,
    bytes: Uint8Array,
    off: number,
    len: number,
    nowUs: number,
  ): void {
    const i = this.#i;
    const f = this.#f;
    const r = this.#r32;
    const d = this.#r64;
    const b = leg * STRIDE;
    const fb = leg * F_STRIDE;
    const w = record >> 2;
    const m = record >> 3;
    const seq = (bytes[off + 2]! << 8) | bytes[off + 3]!;
    const ts = (bytes[off + 4]! << 24) | (bytes[off + 5]! << 16) | (bytes[off + 6]! << 8) | bytes[off + 7]!;
    const ssrc = (bytes[off + 8]! << 24) | (bytes[off + 9]! << 16) | (bytes[off + 10]! << 8) | bytes[off + 11]!;
    const nowMs = (nowUs - this.#t0Us) / 1000;

    r[w + R_RECEIVED]!++;
    if (r[w + R_RECEIVED] === 1) d[m + R_FIRST] = nowMs;
    else {
      const gapMs = (nowUs - f[fb + LAST_US]!) / 1000;
      if (gapMs > d[m + R_GAP]!) d[m + R_GAP] = gapMs;
    }
    d[m + R_LAST] = nowMs;

    let fate = FRESH;
    if (i[b + ACTIVE] === 0 || i[b + SSRC] !== ssrc) {
      this.#restart(b, ssrc, seq);
      fate = RESTARTED;
    } else {
      const ahead = (seq - i[b + MAX_EXT]!) & 0xffff;
      if (ahead === 1) {
        const ext = i[b + MAX_EXT]! + 1;
        i[b + MAX_EXT] = ext;
        i[b + BITS + ((ext >> 5) & 3)]! |= 1 << (ext & 31);
        i[b + UNIQUE]!++;
        i[b + RECEIVED]!++;
      } else {
        fate = this.#outOfOrder(b, w, seq, ahead, nowUs - f[fb + LAST_US]!);
        const lost = i[b + LOST_BEFORE]! + i[b + MAX_EXT]! - i[b + BASE_EXT]! + 1 - i[b + UNIQUE]!;
        r[w + R_LOST] = lost;
      }
    }

    // RFC 3550 A.8, in microseconds and as differences, so that no clock or timestamp wrap matters.
    if (fate === RESTARTED) {
      f[fb + TRANSIT_US] = 0;
      f[fb + LEAST_US] = 0;
      f[fb + JITTER_US] = 0;
    } else if (fate !== SUSPECT) {
      const change = nowUs - f[fb + TIMED_US]! - ((ts - i[b + LAST_TS]!) | 0) * US_PER_SAMPLE;
      const jitter = f[fb + JITTER_US]! + ((change < 0 ? -change : change) - f[fb + JITTER_US]!) / 16;
      f[fb + JITTER_US] = jitter;
      d[m + R_JITTER] = jitter / 1000;
      if (jitter > d[m + R_JITTER_MAX]! * 1000) d[m + R_JITTER_MAX] = jitter / 1000;
      const transit = f[fb + TRANSIT_US]! + change;
      f[fb + TRANSIT_US] = transit;
      if (fate === FRESH) {
        const over = transit - f[fb + LEAST_US]!;
        if (over > JITTER_BUFFER_US) r[w + R_LATE]!++;
        f[fb + LEAST_US]! += over < 0 ? over : over * TRANSIT_CREEP;
      }
    }
    f[fb + LAST_US] = nowUs;
    if (fate !== SUSPECT) {
      i[b + LAST_TS] = ts;
      f[fb + TIMED_US] = nowUs;
    }

    let head = 12;
    let end = len;
    const b0 = bytes[off]!;
    if (b0 !== 0x80) {
      head += (b0 & 15) << 2;
      if ((b0 & 0x10) !== 0) head += 4 + (((bytes[off + head + 2]! << 8) | bytes[off + head + 3]!) << 2);
      if ((b0 & 0x20) !== 0) end -= bytes[off + len - 1]!;
    }
    const payload = end - head;
    const heard = payload < 0 ? HEARD.FOREIGN : classify(bytes, off + head, payload, callNo, peerRole);
    if (heard === HEARD.PEER) r[w + R_PEER]!++;
    else if (heard === HEARD.SILENCE) r[w + R_SILENCE]!++;
    else if (heard === HEARD.SELF) r[w + R_SELF]!++;
    else if (heard === HEARD.FOREIGN) r[w + R_FOREIGN]!++;
    else {
      r[w + R_OTHER]!++;
      r[w + R_OTHER_NO] = callNoAt(bytes, findIdentity(bytes, off + head, payload));
    }
  }

  /** The next packet ends a silence that was agreed on: the time before it is no gap. */
  resume(leg: number): void {
    this.#f[leg * F_STRIDE + LAST_US] = Number.POSITIVE_INFINITY;
  }

  /** Something that is not RTP came to the port. */
  foreign(record: number): void {
    this.#r32[(record >> 2) + R_FOREIGN]!++;
  }

  /** The current source, for RTCP report blocks (RFC 3550 6.4.1); `hears` is false until a packet came. */
  hears(leg: number): boolean {
    return this.#i[leg * STRIDE + ACTIVE] === 1;
  }
  ssrc(leg: number): number {
    return this.#i[leg * STRIDE + SSRC]!;
  }
  maxExt(leg: number): number {
    return this.#i[leg * STRIDE + MAX_EXT]! - 0x10000;
  }
  jitterSamples(leg: number): number {
    return Math.floor(this.#f[leg * F_STRIDE + JITTER_US]! / US_PER_SAMPLE);
  }
  cumulativeLost(leg: number): number {
    const b = leg * STRIDE;
    return this.#i[b + MAX_EXT]! - this.#i[b + BASE_EXT]! + 1 - this.#i[b + RECEIVED]!;
  }
  /** Share lost since the last call, 0..255 (RFC 3550 A.3). */
  takeFractionLost(leg: number): number {
    const i = this.#i;
    const b = leg * STRIDE;
    const expected = i[b + MAX_EXT]! - i[b + BASE_EXT]! + 1;
    const expectedNew = expected - i[b + EXPECTED_PRIOR]!;
    const lostNew = expectedNew - (i[b + RECEIVED]! - i[b + RECEIVED_PRIOR]!);
    i[b + EXPECTED_PRIOR] = expected;
    i[b + RECEIVED_PRIOR] = i[b + RECEIVED]!;
    if (expectedNew <= 0 || lostNew <= 0) return 0;
    const fraction = Math.floor((lostNew * 256) / expectedNew);
    return Math.min(fraction, 255);
  }

  #restart(b: number, ssrc: number, seq: number): void {
    const i = this.#i;
    if (i[b + ACTIVE] === 1) {
      i[b + LOST_BEFORE]! += i[b + MAX_EXT]! - i[b + BASE_EXT]! + 1 - i[b + UNIQUE]!;
    }
    // One cycle up, so that a packet from before the first never goes below zero.
    const ext = seq + 0x10000;
    i[b + ACTIVE] = 1;
    i[b + SSRC] = ssrc;
    i[b + MAX_EXT] = ext;
    i[b + BASE_EXT] = ext;
    i[b + UNIQUE] = 1;
    i[b + RECEIVED] = 1;
    i[b + EXPECTED_PRIOR] = 0;
    i[b + RECEIVED_PRIOR] = 0;
    i[b + BAD_SEQ] = -1;
    // What lies before the first packet is not missing.
    i[b + BITS] = -1;
    i[b + BITS + 1] = -1;
    i[b + BITS + 2] = -1;
    i[b + BITS + 3] = -1;
  }

  #outOfOrder(b: number, w: number, seq: number, ahead: number, pauseUs: number): number {
    const i = this.#i;
    const r = this.#r32;
    const max = i[b + MAX_EXT]!;
    if (ahead !== 0 && ahead < 0x8000 && (ahead < MAX_DROPOUT || ahead < pauseUs / 20_000 + PAUSE_SLACK_PACKETS)) {
      const ext = max + ahead;
      const from = ahead > WINDOW ? ext - WINDOW + 1 : max + 1;
      for (let s = from; s < ext; s++) i[b + BITS + ((s >> 5) & 3)]! &= ~(1 << (s & 31));
      i[b + BITS + ((ext >> 5) & 3)]! |= 1 << (ext & 31);
      i[b + MAX_EXT] = ext;
      i[b + UNIQUE]!++;
      i[b + RECEIVED]!++;
      r[w + R_EVENTS]!++;
      return FRESH;
    }
    const behind = (0x10000 - ahead) & 0xffff;
    if (behind > MAX_MISORDER) {
      if (i[b + BAD_SEQ] === seq) {
        this.#restart(b, i[b + SSRC]!, seq);
        return RESTARTED;
      }
      i[b + BAD_SEQ] = (seq + 1) & 0xffff;
      return SUSPECT;
    }
    i[b + RECEIVED]!++;
    const ext = max - behind;
    const base = i[b + BASE_EXT]!;
    if (ext < base) {
      // Sent before the first that we heard: the stream began here.
      for (let s = ext + 1; s < base; s++) i[b + BITS + ((s >> 5) & 3)]! &= ~(1 << (s & 31));
      if (base - ext > 1) r[w + R_EVENTS]!++;
      i[b + BASE_EXT] = ext;
    } else if (this.#has(b, ext)) {
      r[w + R_DUPLICATE]!++;
      return DUPLICATE;
    } else {
      // A hole in a run of missing ones: splits it, shortens it or ends it.
      const before = this.#has(b, ext - 1);
      const after = this.#has(b, ext + 1);
      if (before && after) r[w + R_EVENTS]!--;
      else if (!before && !after) r[w + R_EVENTS]!++;
      i[b + BITS + ((ext >> 5) & 3)]! |= 1 << (ext & 31);
    }
    i[b + UNIQUE]!++;
    r[w + R_REORDERED]!++;
    return FRESH;
  }

  #has(b: number, ext: number): boolean {
    return (this.#i[b + BITS + ((ext >> 5) & 3)]! & (1 << (ext & 31))) !== 0;
  }
}
