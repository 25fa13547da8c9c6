/**
 * Classic PCAP (draft-ietf-opsawg-pcap), microseconds, LINKTYPE_RAW: each packet begins with its IP header. Wireshark, tshark
 * and sngrep read it. IP and UDP headers are made here: what went over a stream is written as a datagram a message.
 */
export interface Packet {
  /** Microseconds of the Unix epoch. */
  epochUs: number;
  /** A number is IPv4's, sixteen bytes IPv6's; both are of one kind. */
  srcIp: number | Uint8Array;
  srcPort: number;
  dstIp: number | Uint8Array;
  dstPort: number;
  /** Payload as it was on the wire; `bytes` may hold only its beginning. */
  length: number;
  bytes: Uint8Array;
}

const FILE_HEADER = 24;
const PACKET_HEADER = 16;
const IP_BYTES = 20;
const IP6_BYTES = 40;
const UDP_BYTES = 8;
const UDP = 17;
const HOPS = 64;
const MAGIC_US = 0xa1b2c3d4;
const LINKTYPE_RAW = 101;
const SNAP_LENGTH = 65_535;

/** The whole file. */
export function pcapOf(packets: readonly Packet[]): Buffer {
  const size = packets.reduce((sum, p) => sum + PACKET_HEADER + headersOf(p) + p.bytes.length, FILE_HEADER);
  const out = Buffer.alloc(size);
  out.writeUInt32LE(MAGIC_US, 0);
  out.writeUInt16LE(2, 4);
  out.writeUInt16LE(4, 6);
  out.writeUInt32LE(SNAP_LENGTH, 16);
  out.writeUInt32LE(LINKTYPE_RAW, 20);
  let at = FILE_HEADER;
  for (const p of packets) at = putPacket(out, at, p);
  return out;
}

function headersOf({ srcIp }: Packet): number {
  return (typeof srcIp === 'number' ? IP_BYTES : IP6_BYTES) + UDP_BYTES;
}

function putPacket(out: Buffer, at: number, p: Packet): number {
  const us = Math.round(p.epochUs);
  const headers = headersOf(p);
  out.writeUInt32LE(Math.floor(us / 1e6), at);
  out.writeUInt32LE(us % 1e6, at + 4);
  out.writeUInt32LE(headers + p.bytes.length, at + 8);
  out.writeUInt32LE(headers + p.length, at + 12);
  const ip = at + PACKET_HEADER;
  const udp = ip + headers - UDP_BYTES;
  out.writeUInt16BE(p.srcPort, udp);
  out.writeUInt16BE(p.dstPort, udp + 2);
  out.writeUInt16BE(UDP_BYTES + p.length, udp + 4);
  out.set(p.bytes, udp + UDP_BYTES);
  const end = udp + UDP_BYTES + p.bytes.length;
  if (typeof p.srcIp === 'number') putIp4(out, ip, p);
  else putIp6(out, ip, p, end);
  return end;
}

/** UDP's checksum stays 0: none (RFC 768). */
function putIp4(out: Buffer, ip: number, p: Packet): void {
  out[ip] = 0x45;
  out.writeUInt16BE(IP_BYTES + UDP_BYTES + p.length, ip + 2);
  out[ip + 6] = 0x40; // don't fragment
  out[ip + 8] = HOPS;
  out[ip + 9] = UDP;
  out.writeUInt32BE(Number(p.srcIp), ip + 12);
  out.writeUInt32BE(Number(p.dstIp), ip + 16);
  out.writeUInt16BE(checksum(out, ip, ip + IP_BYTES, 0), ip + 10);
}

/** Here UDP must have a checksum (RFC 8200 8.1); where the end of the datagram was not kept it stays 0, and nobody can check. */
function putIp6(out: Buffer, ip: number, p: Packet, end: number): void {
  const length = UDP_BYTES + p.length;
  out[ip] = 0x60;
  out.writeUInt16BE(length, ip + 4);
  out[ip + 6] = UDP;
  out[ip + 7] = HOPS;
  if (typeof p.srcIp !== 'number') out.set(p.srcIp, ip + 8);
  if (typeof p.dstIp !== 'number') out.set(p.dstIp, ip + 24);
  if (p.bytes.length < p.length) return;
  // The pseudo-header: both addresses, which stand right before the UDP header, the length, and the protocol.
  const sum = checksum(out, ip + 8, end, length + UDP);
  out.writeUInt16BE(sum === 0 ? 0xffff : sum, ip + IP6_BYTES + 6);
}

/** RFC 1071, of [from, end), begun with `start`. */
function checksum(out: Buffer, from: number, end: number, start: number): number {
  let sum = start;
  for (let i = from; i + 1 < end; i += 2) sum += out.readUInt16BE(i);
  if ((end - from) % 2 === 1) sum += out[end - 1]! << 8;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/** Which calls get a PCAP of their own; `all`: one file with everything that the taps still hold. */
export type CaptureWish = { kind: 'all' } | { kind: 'bad' } | { kind: 'worst'; calls: number };

/** Of `bad`: more files than this nobody opens. */
export const CAPTURES_MAX = 100;

/** How one end of a call is found among the packets of its worker. */
export interface CaptureKey {
  callNo: number;
  worker: number;
  role: number;
  callId: string;
  mediaPort: number;
  startedMs: number;
  endedMs: number;
}
