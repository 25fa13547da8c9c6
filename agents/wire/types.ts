/**
 * What the SIP and RTP rooms need of a network. Three implementations: `linux` (sendmmsg/recvmmsg through koffi),
 * `dgram` (any platform) and `memory` (seeded, virtual time). IPv4 addresses are unsigned 32-bit numbers in host order
 * (127.0.0.1 = 0x7f000001), IPv6 addresses stand-ins among them (ip6.ts). Times are microseconds of the run's monotonic
 * clock. Nothing here allocates per packet.
 */
import { ip6Text, isIp6, readIp6 } from './ip6.js';

/** Longest datagram that we send or keep: RFC 3261 18.1.1 wants TCP above the path MTU, so 1,500 is generous. */
export const DATAGRAM_MAX = 2048;

/** A received datagram. `bytes[off, off+len)` is valid only during the call. */
export type Sink = (bytes: Uint8Array, off: number, len: number, srcIp: number, srcPort: number, nowUs: number) => void;

/** Like Sink, for a pool of media ports: `localPort` is the port it arrived at. */
export type MediaSink = (
  bytes: Uint8Array,
  off: number,
  len: number,
  localPort: number,
  srcIp: number,
  srcPort: number,
  nowUs: number,
) => void;

/** What carries SIP (RFC 3261 18, RFC 7118). All but udp are streams: reliable, and a peer is reached over a connection. */
export type Transport = 'udp' | 'tcp' | 'tls' | 'ws' | 'wss';
export type StreamTransport = Exclude<Transport, 'udp'>;

/**
 * One bound port of UDP, or of a stream that is written to in the same way: the port finds or opens the connection to
 * (dstIp, dstPort). Write at tx[slot()...], then commit: it leaves with the batch, at the latest on wire.flush().
 */
export interface UdpPort {
  readonly ip: number;
  readonly port: number;
  /** Absent: udp. */
  readonly transport?: Transport;
  /** What Via and Contact say instead of ip:port: a name that nobody can look up (RFC 7118 5). */
  readonly sentBy?: string;
  readonly tx: Uint8Array;
  /** Offset in `tx` where the next datagram of up to DATAGRAM_MAX bytes may be written. Stable until commit(). */
  slot(): number;
  commit(len: number, dstIp: number, dstPort: number): void;
  /** Copies and commits. */
  send(bytes: Uint8Array, off: number, len: number, dstIp: number, dstPort: number): void;
  /** Streams that are listened on. Off: every connection is cut and new ones are refused, as by a server that is away. */
  setListening?(on: boolean): void;
  /** Datagrams that the kernel dropped at this socket since it was opened; absent where it does not say. */
  drops?(): number;
  close(): void;
}

/**
 * The connection to (ip, port) could not be made, or is gone; what was committed to it may not have arrived. `why` is
 * one or two words for a record. Streams only.
 */
export type Lost = (ip: number, port: number, why: string, nowUs: number) => void;

export type MediaPortsKind = 'raw' | 'sockets' | 'dgram' | 'memory';

/** Sends bytes from where they lie, behind a header in the slot: what never changes is not copied for each packet. */
export interface Gather {
  /** Bytes that may be sent so. They must stay what they are until the next flush. */
  lend(bytes: Uint8Array): void;
  /** `len` bytes of the slot, then lent[off, off + more). */
  commit(len: number, off: number, more: number, srcPort: number, dstIp: number, dstPort: number): void;
}

/** Many UDP ports on one address. Ports come in pairs: even for RTP, the next odd for RTCP (RFC 3550 11). */
export interface MediaPorts {
  readonly kind: MediaPortsKind;
  readonly ip: number;
  readonly tx: Uint8Array;
  /** Where the system can do it. */
  readonly gather?: Gather;
  /** Takes a pair; returns the even port, or 0 when the range is used up or the system refuses another socket. */
  openPair(): number;
  closePair(evenPort: number): void;
  slot(): number;
  commit(len: number, srcPort: number, dstIp: number, dstPort: number): void;
  close(): void;
}

export interface WireCounters {
  sent: number;
  received: number;
  /** The kernel refused a send (EAGAIN, ENOBUFS): the generator's own loss. */
  sendDropped: number;
  /** Datagrams that the kernel dropped for want of room in our receive buffers, and those longer than DATAGRAM_MAX. */
  receiveDropped: number;
  /** ICMP port unreachable came back: nothing listens there. */
  unreachable: number;
}

export interface MediaRange {
  ip: number;
  /** Even first port and last port, inclusive. */
  portMin: number;
  portMax: number;
}

export interface Wire {
  readonly kind: 'linux' | 'dgram' | 'memory' | 'stream';
  readonly counters: WireCounters;
  nowUs(): number;
  /** port 0 = any free one. Throws HarnessError PORT_IN_USE. */
  bind(ip: number, port: number, sink: Sink, lost?: Lost): UdpPort;
  openMedia(range: MediaRange, sink: MediaSink): MediaPorts;
  flush(): void;
  close(): void;
}

/** Anything that lives on a wire: agents, and every part of the embedded platform. */
export interface Actor {
  /** Does what is due at nowUs; returns when it next wants to be called (Infinity: only when a packet comes). */
  tick(nowUs: number): number;
}

export function ipToString(ip: number): string {
  if (isIp6(ip)) return ip6Text(ip);
  return `${ip >>> 24}.${(ip >>> 16) & 255}.${(ip >>> 8) & 255}.${ip & 255}`;
}

/** As the host of a URI: an IPv6 address in brackets (RFC 3261 25.1). */
export function hostOf(ip: number): string {
  return isIp6(ip) ? `[${ip6Text(ip)}]` : ipToString(ip);
}

export function hostPort(ip: number, port: number): string {
  return `${hostOf(ip)}:${port}`;
}

const LOOPBACK = 127;
const LOOPBACK6 = '::1';

/** 127.0.0.0/8 (RFC 1122 3.2.1.3), ::1 (RFC 4291 2.5.3). */
export function isLoopbackIp(ip: number): boolean {
  return isIp6(ip) ? ip6Text(ip) === LOOPBACK6 : ip >>> 24 === LOOPBACK;
}

/** NaN when it is neither a dotted quad nor an IPv6 address, which may be in brackets. */
export function ipFromString(text: string): number {
  if (text.includes(':')) {
    const bytes = new Uint8Array(Buffer.from(text, 'latin1'));
    const ip = readIp6(bytes, 0, bytes.length);
    return ip < 0 ? Number.NaN : ip;
  }
  const m = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (!m) return Number.NaN;
  let ip = 0;
  for (let i = 1; i <= 4; i++) {
    const octet = Number(m[i]);
    if (octet > 255) return Number.NaN;
    ip = ip * 256 + octet;
  }
  return ip;
}
