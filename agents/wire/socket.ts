/** Opening and asking sockets: everything that happens once per socket, and may therefore allocate. */
import { HarnessError } from '../../harness/errors.js';
import { isIp6, putIp6 } from './ip6.js';
import {
  AF_INET,
  AF_INET6,
  bswap16,
  bswap32,
  EACCES,
  EADDRINUSE,
  EADDRNOTAVAIL,
  EMFILE,
  ENFILE,
  EPERM,
  IP_RECVERR,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPPROTO_UDP,
  IPV6_RECVERR,
  IPV6_V6ONLY,
  libc,
  SK_MEMINFO_DROPS,
  SO_ATTACH_FILTER,
  SO_MEMINFO,
  SO_RCVBUF,
  SO_RCVBUFFORCE,
  SO_SNDBUF,
  SO_SNDBUFFORCE,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOCK_RAW,
  SOCKADDR_BYTES,
  SOCKADDR6_BYTES,
  SOL_SOCKET,
} from './libc.js';
import { hostOf, hostPort } from './types.js';

/** One per thread: no call below keeps it. */
const scratch = new Uint32Array(new ArrayBuffer(64));
const words = new Int32Array(scratch.buffer);
const lengthOf = new Uint32Array(new ArrayBuffer(64));

/** The descriptor, or -errno. */
export function openSocket(type: number, protocol: number, domain = AF_INET): number {
  const fd = libc().socket(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
  return fd < 0 ? -libc().errno() : fd;
}

/** Into `scratch`; its length. */
function putAddress(ip: number, port: number): number {
  scratch.fill(0);
  if (isIp6(ip)) {
    putName6(words, 0, ip, port);
    return SOCKADDR6_BYTES;
  }
  scratch[0] = AF_INET | (bswap16(port) << 16);
  scratch[1] = bswap32(ip);
  return SOCKADDR_BYTES;
}

/** 0, or the errno. */
export function bindSocket(fd: number, ip: number, port: number): number {
  const length = putAddress(ip, port);
  return libc().bind(fd, libc().address(scratch), length) < 0 ? libc().errno() : 0;
}

/** A sockaddr_in6 at words[at]; flow and scope are as they were: 0. */
export function putName6(words: Int32Array, at: number, ip: number, port: number): void {
  words[at] = AF_INET6 | (bswap16(port) << 16);
  putIp6(words, at + 2, ip);
}

/** A bound UDP socket, or -errno. One of IPv6 has nothing to do with IPv4 (RFC 3493 5.3). */
export function openUdp(ip: number, port: number, filter?: Filter): number {
  const fd = openSocket(SOCK_DGRAM, 0, isIp6(ip) ? AF_INET6 : AF_INET);
  if (fd < 0) return fd;
  if (isIp6(ip)) setOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  if (filter) attachFilter(fd, filter);
  const errno = bindSocket(fd, ip, port);
  if (errno === 0) return fd;
  libc().close(fd);
  return -errno;
}

/** Nobody sends from here, so a socket that is connected to it receives nothing (raw(7): both addresses must match). */
const NOBODY = 0x7ffffffe;

/**
 * A raw socket that sends UDP from `ip` with headers of the caller's, and receives nothing. Or -errno. The kernel writes the IP
 * header: with IP_HDRINCL it would look for the route of every packet anew (FLOWI_FLAG_KNOWN_NH), a tenth of the price.
 */
export function openRawUdp(ip: number): number {
  const fd = openSocket(SOCK_RAW, IPPROTO_UDP);
  if (fd < 0) return fd;
  attachFilter(fd, dropAll());
  let errno = bindSocket(fd, ip, 0);
  if (errno === 0) {
    const length = putAddress(NOBODY, 0);
    if (libc().connect(fd, libc().address(scratch), length) < 0) errno = libc().errno();
  }
  if (errno === 0) return fd;
  libc().close(fd);
  return -errno;
}

export function boundPort(fd: number): number {
  lengthOf[0] = SOCKADDR6_BYTES;
  libc().getsockname(fd, libc().address(scratch), libc().address(lengthOf));
  return bswap16(scratch[0]! >>> 16);
}

export function setOption(fd: number, level: number, name: number, value: number): boolean {
  scratch[0] = value;
  return libc().setsockopt(fd, level, name, libc().address(scratch), 4) === 0;
}

/** ICMP errors become readable: without this an unconnected UDP socket never hears of them (udp(7)). */
export function reportErrors(fd: number, ip: number): void {
  if (isIp6(ip)) setOption(fd, IPPROTO_IPV6, IPV6_RECVERR, 1);
  else setOption(fd, IPPROTO_IP, IP_RECVERR, 1);
}

/** As asked where CAP_NET_ADMIN allows it, else up to net.core.rmem_max and wmem_max. */
export function setBuffers(fd: number, receiveBytes: number, sendBytes: number): void {
  if (!setOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, receiveBytes)) setOption(fd, SOL_SOCKET, SO_RCVBUF, receiveBytes);
  if (!setOption(fd, SOL_SOCKET, SO_SNDBUFFORCE, sendBytes)) setOption(fd, SOL_SOCKET, SO_SNDBUF, sendBytes);
}

/** Datagrams that the kernel dropped at this socket since it was opened, mostly for want of receive buffer. */
export function kernelDrops(fd: number): number {
  lengthOf[0] = 36;
  const failed = libc().getsockopt(fd, SOL_SOCKET, SO_MEMINFO, libc().address(scratch), libc().address(lengthOf)) < 0;
  return failed || lengthOf[0]! < 36 ? 0 : scratch[SK_MEMINFO_DROPS]!;
}

/** Classic BPF: struct sock_filter { u16 code; u8 jt, jf; u32 k } as pairs of words, and the sock_fprog that points at it. */
export interface Filter {
  readonly program: Uint32Array;
  readonly fprog: BigUint64Array;
}

export function filter(instructions: readonly (readonly [code: number, jt: number, jf: number, k: number])[]): Filter {
  const program = new Uint32Array(new ArrayBuffer(instructions.length * 8));
  instructions.forEach(([code, jt, jf, k], i) => {
    program[i * 2] = code | (jt << 16) | (jf << 24);
    program[i * 2 + 1] = k;
  });
  const fprog = new BigUint64Array(new ArrayBuffer(16));
  fprog[0] = BigInt(instructions.length);
  fprog[1] = BigInt(libc().address(program));
  return { program, fprog };
}

/** Whatever comes is dropped before it is queued. */
export function dropAll(): Filter {
  return filter([[0x06, 0, 0, 0]]);
}

export function attachFilter(fd: number, f: Filter): void {
  if (libc().setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, libc().address(f.fprog), 16) === 0) return;
  throw new HarnessError('NO_CAPABILITY', `this kernel refuses socket filters (errno ${libc().errno()})`);
}

export function bindError(errno: number, ip: number, port: number): HarnessError {
  const at = hostPort(ip, port);
  switch (errno) {
    case EADDRINUSE:
      return portInUse(ip, port);
    case EADDRNOTAVAIL:
      return new HarnessError('BAD_PLAN', `${at} cannot be bound: ${hostOf(ip)} is not an address of this machine`);
    case EACCES:
    case EPERM:
      return new HarnessError('NO_CAPABILITY', `${at} cannot be bound: permission denied; use a port above 1023`);
    case EMFILE:
    case ENFILE:
      return new HarnessError('NO_CAPABILITY', `${at} cannot be bound: too many open files; raise ulimit -n`);
    default:
      return new HarnessError('BAD_PLAN', `${at} cannot be bound: errno ${errno}`);
  }
}

export function portInUse(ip: number, port: number): HarnessError {
  const at = port === 0 ? `${hostOf(ip)}, every port,` : hostPort(ip, port);
  return new HarnessError('PORT_IN_USE', `${at} is in use: stop what listens there (ss -lunp), or choose another port`);
}
