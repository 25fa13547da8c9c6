/**
 * The few libc calls of the data plane, through koffi. Loaded on first use, so that other platforms never touch it.
 * Pointers are numbers: V8 keeps an ArrayBuffer's bytes outside its heap, at an address that does not move, but it frees
 * them with the ArrayBuffer. Whoever hands an address to the kernel keeps a reference to the buffer for as long.
 * One call costs about 0.3 us on top of the system call itself: so everything that can be batched is.
 */
import { createRequire } from 'node:module';
import type Koffi from 'koffi';

export const AF_INET = 2;
export const AF_INET6 = 10;
export const SOCK_DGRAM = 2;
export const SOCK_RAW = 3;
export const SOCK_NONBLOCK = 0o4000;
export const SOCK_CLOEXEC = 0o2000000;
export const IPPROTO_IP = 0;
export const IPPROTO_ICMP = 1;
export const IPPROTO_UDP = 17;
export const IPPROTO_IPV6 = 41;

export const SOL_SOCKET = 1;
export const SO_SNDBUF = 7;
export const SO_RCVBUF = 8;
export const SO_ATTACH_FILTER = 26;
export const SO_SNDBUFFORCE = 32;
export const SO_RCVBUFFORCE = 33;
/** Nine 32-bit numbers of struct sk_meminfo; the last one is sk_drops. Linux 4.12. */
export const SO_MEMINFO = 55;
export const SK_MEMINFO_DROPS = 8;
export const IP_RECVERR = 11;
export const IPV6_RECVERR = 25;
export const IPV6_V6ONLY = 26;

export const MSG_DONTWAIT = 0x40;
export const MSG_TRUNC = 0x20;
export const MSG_ERRQUEUE = 0x2000;

export const EPOLL_CLOEXEC = 0o2000000;
export const EPOLL_CTL_ADD = 1;
export const EPOLL_CTL_DEL = 2;
export const EPOLLIN = 1;
export const EPOLLERR = 8;
export const POLLIN = 1;

export const EPERM = 1;
export const EINTR = 4;
export const EAGAIN = 11;
export const EACCES = 13;
export const ENFILE = 23;
export const EMFILE = 24;
export const EADDRINUSE = 98;
export const EADDRNOTAVAIL = 99;
export const ENOBUFS = 105;
export const ECONNREFUSED = 111;

/** struct sockaddr_in, iovec, mmsghdr on LP64: the same on x86-64 and AArch64, glibc and musl. */
export const SOCKADDR_BYTES = 16;
/** struct sockaddr_in6: family and port, flow, four words of address, scope. */
export const SOCKADDR6_BYTES = 28;
export const IOVEC_BYTES = 16;
export const MMSGHDR_BYTES = 64;
/** struct epoll_event is packed on x86-64 only (sys/epoll.h): 12 bytes with the data at 4, elsewhere 16 and 8. */
export const EPOLL_EVENT_BYTES = process.arch === 'x64' ? 12 : 16;
export const EPOLL_DATA_OFFSET = process.arch === 'x64' ? 4 : 8;

export interface Libc {
  socket(domain: number, type: number, protocol: number): number;
  bind(fd: number, addr: number, len: number): number;
  connect(fd: number, addr: number, len: number): number;
  setsockopt(fd: number, level: number, name: number, value: number, len: number): number;
  getsockopt(fd: number, level: number, name: number, value: number, len: number): number;
  getsockname(fd: number, addr: number, len: number): number;
  sendmmsg(fd: number, headers: number, count: number, flags: number): number;
  recvmmsg(fd: number, headers: number, count: number, flags: number, timeout: number): number;
  sendto(fd: number, buffer: number, len: number, flags: number, addr: number, addrLen: number): number;
  recvfrom(fd: number, buffer: number, len: number, flags: number, addr: number, addrLen: number): number;
  epollCreate(flags: number): number;
  epollCtl(epfd: number, op: number, fd: number, event: number): number;
  epollWait(epfd: number, events: number, max: number, timeoutMs: number): number;
  ppoll(fds: number, count: number, timeout: number, sigmask: number): number;
  close(fd: number): number;
  /** The address, or -1. */
  mmap(addr: number, bytes: number, protection: number, flags: number, fd: number, offset: number): number;
  munmap(addr: number, bytes: number): number;
  clockGettime(clock: number, timespec: number): number;
  /** Of this thread's last call: read it before anything else. */
  errno(): number;
  /** The view's address. The caller keeps the view. */
  address(view: ArrayBufferView): number;
  /** Mapped memory as a buffer: not to be touched after munmap. */
  view(addr: number, bytes: number): ArrayBuffer;
}

function bindAll(): Libc {
  const koffi = createRequire(import.meta.url)('koffi') as typeof Koffi;
  // null is the running program, which has a libc already, whichever its name (libc.so.6, libc.musl-x86_64.so.1).
  const lib = koffi.load(null);
  const fn = <K extends keyof Libc>(prototype: string): Libc[K] => lib.func(prototype) as unknown as Libc[K];
  return {
    socket: fn<'socket'>('int socket(int, int, int)'),
    bind: fn<'bind'>('int bind(int, intptr_t, uint32_t)'),
    connect: fn<'connect'>('int connect(int, intptr_t, uint32_t)'),
    setsockopt: fn<'setsockopt'>('int setsockopt(int, int, int, intptr_t, uint32_t)'),
    getsockopt: fn<'getsockopt'>('int getsockopt(int, int, int, intptr_t, intptr_t)'),
    getsockname: fn<'getsockname'>('int getsockname(int, intptr_t, intptr_t)'),
    sendmmsg: fn<'sendmmsg'>('int sendmmsg(int, intptr_t, uint32_t, int)'),
    recvmmsg: fn<'recvmmsg'>('int recvmmsg(int, intptr_t, uint32_t, int, intptr_t)'),
    sendto: fn<'sendto'>('long sendto(int, intptr_t, size_t, int, intptr_t, uint32_t)'),
    recvfrom: fn<'recvfrom'>('long recvfrom(int, intptr_t, size_t, int, intptr_t, intptr_t)'),
    epollCreate: fn<'epollCreate'>('int epoll_create1(int)'),
    epollCtl: fn<'epollCtl'>('int epoll_ctl(int, int, int, intptr_t)'),
    epollWait: fn<'epollWait'>('int epoll_wait(int, intptr_t, int, int)'),
    ppoll: fn<'ppoll'>('int ppoll(intptr_t, unsigned long, intptr_t, intptr_t)'),
    close: fn<'close'>('int close(int)'),
    mmap: fn<'mmap'>('intptr_t mmap(intptr_t, size_t, int, int, int, long)'),
    munmap: fn<'munmap'>('int munmap(intptr_t, size_t)'),
    clockGettime: fn<'clockGettime'>('int clock_gettime(int, intptr_t)'),
    errno: () => koffi.errno(),
    address: (view) => Number(koffi.address(view)),
    view: (addr, bytes) => koffi.view(addr, bytes),
  };
}

let loaded: Libc | undefined;

/** Throws where koffi has no binary for this platform. */
export function libc(): Libc {
  loaded ??= bindAll();
  return loaded;
}

export const LIBC_SUPPORTED = process.platform === 'linux' && (process.arch === 'x64' || process.arch === 'arm64');

export function bswap16(n: number): number {
  return ((n & 255) << 8) | ((n >>> 8) & 255);
}

export function bswap32(n: number): number {
  return ((n << 24) | ((n & 0xff00) << 8) | ((n >>> 8) & 0xff00) | (n >>> 24)) >>> 0;
}
