/** Which way of owning media ports this machine allows, and why: the report names both. */
import { readFileSync } from 'node:fs';
import { HarnessError } from '../../harness/errors.js';
import { IPPROTO_UDP, LIBC_SUPPORTED, libc, SOCK_RAW } from './libc.js';
import { openSocket } from './socket.js';

export type MediaWish = 'auto' | 'raw' | 'sockets' | 'dgram';

export interface MediaChoice {
  kind: 'raw' | 'sockets' | 'dgram';
  /** One clause for the report: why this one, or why not a better one. */
  why: string;
}

/** capabilities(7), linux/capability.h. */
const CAP_NET_RAW = 13n;

/** Undefined when raw sockets work here, else the reason. */
export function rawRefusal(): string | undefined {
  const refusal = syscallRefusal();
  if (refusal !== undefined) return refusal;
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  if (effective !== undefined && ((BigInt(`0x${effective}`) >> CAP_NET_RAW) & 1n) === 0n) {
    return 'CAP_NET_RAW is missing';
  }
  // A seccomp profile or a security module may refuse what the capability grants.
  const fd = openSocket(SOCK_RAW, IPPROTO_UDP);
  if (fd < 0) return `a raw socket was refused (errno ${-fd})`;
  libc().close(fd);
  return undefined;
}

/** Undefined when system calls through koffi work here, else the reason. */
export function syscallRefusal(): string | undefined {
  if (!LIBC_SUPPORTED) return `no direct system calls on ${process.platform}-${process.arch}`;
  try {
    libc();
    return undefined;
  } catch (error) {
    return `koffi does not load: ${(error as Error).message.split('\n')[0]}`;
  }
}

/** What it comes to on IPv6: our raw sockets and their filters are IPv4's (packet-ring.ts). */
export function mediaOn(choice: MediaChoice, is6: boolean): MediaChoice {
  if (!is6 || choice.kind !== 'raw') return choice;
  return { kind: 'sockets', why: 'raw media is for IPv4 only' };
}

/** Throws NO_CAPABILITY when what was asked for by name is not to be had; `auto` takes the best that is. */
export function chooseMedia(wish: MediaWish): MediaChoice {
  if (wish === 'dgram') return { kind: 'dgram', why: 'asked for' };
  const noSyscalls = syscallRefusal();
  if (noSyscalls !== undefined) {
    if (wish === 'auto') return { kind: 'dgram', why: noSyscalls };
    throw new HarnessError('NO_CAPABILITY', `media ${wish}: ${noSyscalls}; use media dgram`);
  }
  if (wish === 'sockets') return { kind: 'sockets', why: 'asked for' };
  const noRaw = rawRefusal();
  if (noRaw === undefined) return { kind: 'raw', why: wish === 'raw' ? 'asked for' : 'CAP_NET_RAW is there' };
  if (wish === 'auto') return { kind: 'sockets', why: noRaw };
  throw new HarnessError('NO_CAPABILITY', `media raw: ${noRaw}; run with CAP_NET_RAW, or use media sockets`);
}
