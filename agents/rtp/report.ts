import { COUNTER_INDEX, type Counters } from '../counters.js';
import { LEG_OFFSETS } from '../record.js';
import type { LegStore } from '../store.js';
import type { RtpReceiver } from './receive.js';
import {
  BYE,
  get32,
  putBye,
  putReportBlock,
  putSenderReport,
  putSourceDescription,
  RR,
  roundTripMs,
  SR,
} from './rtcp.js';

/** RFC 3550 6.2: at least 5 s between reports, drawn from half to one and a half of it. */
const INTERVAL_US = 5_000_000;
/** RFC 3550 6.2: half of it before the first report; drawn around 2 s, so that short calls have a round trip too. */
const FIRST_US = 2_000_000;
/** Middle 32 bits of NTP count 65,536 to the second. */
const DLSR_PER_US = 65_536 / 1e6;

const R_SENT = LEG_OFFSETS.rtpSent >> 2;
const R_RTCP_SENT = LEG_OFFSETS.rtcpSent >> 2;
const R_RTCP_RECEIVED = LEG_OFFSETS.rtcpReceived >> 2;
const R_RTT = LEG_OFFSETS.rttMs >> 3;
const C_SENT = COUNTER_INDEX.rtcpSent;
const C_RECEIVED = COUNTER_INDEX.rtcpReceived;

/** When each leg reports, what it says, and what it learns from the reports of the other side. */
export class RtcpAgent {
  readonly #store: LegStore;
  readonly #counters: Counters;
  readonly #receiver: RtpReceiver;
  readonly #record: Uint32Array;
  readonly #ssrc: Uint32Array;
  readonly #chance: Uint32Array;
  readonly #dueUs: Float64Array;
  /** Middle NTP bits of the last SR heard, and when it came (0: none). */
  readonly #lsr: Uint32Array;
  readonly #lsrUs: Float64Array;

  constructor(store: LegStore, counters: Counters, receiver: RtpReceiver, maxLegs: number) {
    this.#store = store;
    this.#counters = counters;
    this.#receiver = receiver;
    this.#record = new Uint32Array(maxLegs);
    this.#ssrc = new Uint32Array(maxLegs);
    this.#chance = new Uint32Array(maxLegs);
    this.#dueUs = new Float64Array(maxLegs);
    this.#lsr = new Uint32Array(maxLegs);
    this.#lsrUs = new Float64Array(maxLegs);
  }

  start(leg: number, record: number, ssrc: number, nowUs: number): void {
    this.#record[leg] = record;
    this.#ssrc[leg] = ssrc;
    this.#chance[leg] = ssrc === 0 ? 1 : ssrc;
    this.#lsr[leg] = 0;
    this.#lsrUs[leg] = 0;
    this.#dueUs[leg] = nowUs + FIRST_US * this.#spread(leg);
  }

  due(leg: number, nowUs: number): boolean {
    return nowUs >= this.#dueUs[leg]!;
  }

  /** Writes SR + SDES (+ BYE) at `o`; returns the length. `nextTimestamp` is that of the next RTP packet. */
  write(leg: number, b: Uint8Array, o: number, nextTimestamp: number, nowUs: number, bye: boolean): number {
    const w = this.#record[leg]! >> 2;
    const ssrc = this.#ssrc[leg]!;
    const r = this.#receiver;
    let len = putSenderReport(b, o, ssrc, nowUs, nextTimestamp, this.#store.u32[w + R_SENT]!);
    if (r.hears(leg)) {
      const dlsr = this.#lsr[leg] === 0 ? 0 : (nowUs - this.#lsrUs[leg]!) * DLSR_PER_US;
      len += putReportBlock(
        b,
        o,
        r.ssrc(leg),
        r.takeFractionLost(leg),
        r.cumulativeLost(leg),
        r.maxExt(leg),
        r.jitterSamples(leg),
        this.#lsr[leg]!,
        dlsr,
      );
    }
    len += putSourceDescription(b, o + len, ssrc);
    if (bye) len += putBye(b, o + len, ssrc);
    this.#dueUs[leg] = nowUs + INTERVAL_US * this.#spread(leg);
    this.#store.u32[w + R_RTCP_SENT]!++;
    this.#counters.values[C_SENT]!++;
    return len;
  }

  /** A datagram on the RTCP port: a compound, walked packet by packet; what does not parse is left alone. */
  receive(leg: number, b: Uint8Array, off: number, len: number, nowUs: number): void {
    let o = off;
    const end = off + len;
    let seen = false;
    while (o + 8 <= end && (b[o]! & 0xc0) === 0x80) {
      const size = (((b[o + 2]! << 8) | b[o + 3]!) + 1) << 2;
      if (o + size > end) break;
      const type = b[o + 1]!;
      const blocks = b[o]! & 31;
      if (type === SR && size >= 28) {
        this.#lsr[leg] = ((b[o + 10]! << 24) | (b[o + 11]! << 16) | (b[o + 12]! << 8) | b[o + 13]!) >>> 0;
        this.#lsrUs[leg] = nowUs;
        this.#blocks(leg, b, o + 28, o + size, blocks, nowUs);
        seen = true;
      } else if (type === RR) {
        this.#blocks(leg, b, o + 8, o + size, blocks, nowUs);
        seen = true;
      } else if (type === BYE) {
        seen = true;
      }
      o += size;
    }
    if (!seen) return;
    this.#store.u32[(this.#record[leg]! >> 2) + R_RTCP_RECEIVED]!++;
    this.#counters.values[C_RECEIVED]!++;
  }

  #blocks(leg: number, b: Uint8Array, from: number, end: number, count: number, nowUs: number): void {
    let o = from;
    for (let n = 0; n < count && o + 24 <= end; n++, o += 24) {
      if (get32(b, o) !== this.#ssrc[leg]) continue;
      const record = this.#record[leg]!;
      this.#store.u8[record + LEG_OFFSETS.peerFractionLost] = b[o + 4]!;
      const rtt = roundTripMs(nowUs, get32(b, o + 16), get32(b, o + 20));
      if (rtt >= 0) this.#store.f64[(record >> 3) + R_RTT] = rtt;
    }
  }

  /** 0.5 to 1.5, seeded per leg: xorshift32 (Marsaglia 2003). */
  #spread(leg: number): number {
    let x = this.#chance[leg]!;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#chance[leg] = x;
    return 0.5 + (x >>> 0) / 0x100000000;
  }
}
