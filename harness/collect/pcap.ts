/**
 * Classic PCAP (draft-ietf-opsawg-pcap), microseconds, LINKTYPE_RAW: each packet begins with its IPv4 header. Wireshark, tshark
 * and sngrep read it. IP and UDP headers are made here: what went over a stream is written as a datagram a message.
 */
export interface Packet {
  /** Microseconds of the Unix epoch. */
  epochUs: number;
  srcIp: number;
  srcPort: number;
  dstIp: number;
  dstPort: number;
  /** Payload as it was on the wire; `bytes` may hold only its beginning. */
  length: number;
  bytes: Uint8Array;
}

const FILE_HEADER = 24;
const PACKET_HEADER = 16;
const IP_BYTES = 20;
const UDP_BYTES = 8;
const HEADERS = IP_BYTES + UDP_BYTES;
const MAGIC_US = 0xa1b2c3d4;
const LINKTYPE_RAW = 101;
const SNAP_LENGTH = 65_535;

/** The whole file. */
export function pcapOf(packets: readonly Packet[]): Buffer {
  const size = packets.reduce((sum, p) => sum + PACKET_HEADER + HEADERS + p.bytes.length, FILE_HEADER);
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

function putPacket(out: Buffer, at: number, p: Packet): number {
  const us = Math.round(p.epochUs);
  out.writeUInt32LE(Math.floor(us / 1e6), at);
  out.writeUInt32LE(us % 1e6, at + 4);
  out.writeUInt32LE(HEADERS + p.bytes.length, at + 8);
  out.writeUInt32LE(HEADERS + p.length, at + 12);
  const ip = at + PACKET_HEADER;
  out[ip] = 0x45;
  out.writeUInt16BE(HEADERS + p.length, ip + 2);
  out[ip + 6] = 0x40; // don't fragment
  out[ip + 8] = 64; // TTL
  out[ip + 9] = 17; // UDP
  out.writeUInt32BE(p.srcIp, ip + 12);
  out.writeUInt32BE(p.dstIp, ip + 16);
  out.writeUInt16BE(headerChecksum(out, ip), ip + 10);
  const udp = ip + IP_BYTES;
  out.writeUInt16BE(p.srcPort, udp);
  out.writeUInt16BE(p.dstPort, udp + 2);
  out.writeUInt16BE(UDP_BYTES + p.length, udp + 4);
  // Checksum 0: none (RFC 768).
  out.set(p.bytes, udp + UDP_BYTES);
  return udp + UDP_BYTES + p.bytes.length;
}

/** RFC 1071, of the IP header. */
function headerChecksum(out: Buffer, ip: number): number {
  let sum = 0;
  for (let i = 0; i < IP_BYTES; i += 2) sum += out.readUInt16BE(ip + i);
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
