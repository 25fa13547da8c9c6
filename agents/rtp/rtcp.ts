/**
 * RTCP (RFC 3550 6) as a phone sends it every few seconds: a compound of SR (one report block once something was heard),
 * SDES with a CNAME (6.1: in every compound), and BYE at the end. Written with shifts into the wire's own buffer.
 */
export const SR = 200;
export const RR = 201;
export const SDES = 202;
export const BYE = 203;

/** Largest compound we write: SR with a block 52, SDES 24, BYE 8. */
export const RTCP_MAX = 84;

export function put32(b: Uint8Array, o: number, v: number): void {
  b[o] = v >>> 24;
  b[o + 1] = v >>> 16;
  b[o + 2] = v >>> 8;
  b[o + 3] = v;
}

export function get32(b: Uint8Array, o: number): number {
  return ((b[o]! << 24) | (b[o + 1]! << 16) | (b[o + 2]! << 8) | b[o + 3]!) >>> 0;
}

/** Middle 32 bits of an NTP time: 16 bits of seconds, 16 of fraction (RFC 3550 4). The epoch is the run's clock. */
export function ntpMiddle(us: number): number {
  const seconds = Math.floor(us / 1e6);
  const fraction = Math.floor(((us - seconds * 1e6) * 65536) / 1e6);
  return (((seconds & 0xffff) << 16) | fraction) >>> 0;
}

/** SR without a report block; returns its length, 28. */
export function putSenderReport(
  b: Uint8Array,
  o: number,
  ssrc: number,
  nowUs: number,
  rtpTimestamp: number,
  packets: number,
): number {
  const seconds = Math.floor(nowUs / 1e6);
  b[o] = 0x80;
  b[o + 1] = SR;
  b[o + 2] = 0;
  b[o + 3] = 6;
  put32(b, o + 4, ssrc);
  put32(b, o + 8, seconds);
  put32(b, o + 12, Math.floor(((nowUs - seconds * 1e6) * 4294.967296) % 0x100000000));
  put32(b, o + 16, rtpTimestamp);
  put32(b, o + 20, packets);
  put32(b, o + 24, Math.imul(packets, 160));
  return 28;
}

/** Appends the one report block to the SR at `sr`; returns 24. */
export function putReportBlock(
  b: Uint8Array,
  sr: number,
  ssrc: number,
  fractionLost: number,
  cumulativeLost: number,
  maxExt: number,
  jitter: number,
  lsr: number,
  dlsr: number,
): number {
  b[sr] = 0x81;
  b[sr + 3] = 12;
  const o = sr + 28;
  // 24 bits, signed, clamped (RFC 3550 A.3).
  const lost = cumulativeLost > 0x7fffff ? 0x7fffff : Math.max(cumulativeLost, -0x800000);
  put32(b, o, ssrc);
  put32(b, o + 4, lost & 0xffffff);
  b[o + 4] = fractionLost;
  put32(b, o + 8, maxExt);
  put32(b, o + 12, jitter);
  put32(b, o + 16, lsr);
  put32(b, o + 20, dlsr);
  return 24;
}

const HEX = '0123456789abcdef';

/** SDES with CNAME "da-<ssrc in hex>"; returns its length, 24. */
export function putSourceDescription(b: Uint8Array, o: number, ssrc: number): number {
  b[o] = 0x81;
  b[o + 1] = SDES;
  b[o + 2] = 0;
  b[o + 3] = 5;
  put32(b, o + 4, ssrc);
  b[o + 8] = 1;
  b[o + 9] = 11;
  b[o + 10] = 0x64;
  b[o + 11] = 0x61;
  b[o + 12] = 0x2d;
  for (let i = 0; i < 8; i++) b[o + 13 + i] = HEX.charCodeAt((ssrc >>> (28 - 4 * i)) & 15);
  b[o + 21] = 0;
  b[o + 22] = 0;
  b[o + 23] = 0;
  return 24;
}

/** Returns its length, 8. */
export function putBye(b: Uint8Array, o: number, ssrc: number): number {
  b[o] = 0x81;
  b[o + 1] = BYE;
  b[o + 2] = 0;
  b[o + 3] = 1;
  put32(b, o + 4, ssrc);
  return 8;
}

/** Round trip in ms from a report block that came at `nowUs` (RFC 3550 6.4.1: A - LSR - DLSR); NaN when LSR is 0. */
export function roundTripMs(nowUs: number, lsr: number, dlsr: number): number {
  if (lsr === 0) return Number.NaN;
  const units = (ntpMiddle(nowUs) - lsr - dlsr) | 0;
  // Rounding of both clocks to 1/65536 s can make it a hair below zero.
  return units < 0 ? 0 : units / 65.536;
}
