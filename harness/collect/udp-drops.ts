import { readFileSync } from 'node:fs';

export interface UdpSocketReading {
  /** Bytes that lie in the receive buffer. */
  queuedBytes: number;
  /** Datagrams that the kernel dropped there since the socket was opened. */
  dropsTotal: number;
}

/**
 * What /proc/net/udp, or udp6 for the sixteen bytes of an IPv6 address, says of the socket that is bound to an address (or
 * to all of them) and port on this machine, whoever opened it; null when there is none in our network namespace. `text` is
 * that file's. Several sockets are summed.
 */
export function udpSocketIn(text: string, ip: number | Uint8Array, port: number): UdpSocketReading | null {
  const hex = (n: number, digits: number): string => n.toString(16).toUpperCase().padStart(digits, '0');
  // Words in the byte order of the machine, which is little-endian wherever Node runs on Linux.
  const bytes = typeof ip === 'number' ? Uint8Array.of(ip >>> 24, ip >>> 16, ip >>> 8, ip) : ip;
  let address = '';
  for (let at = 0; at < bytes.length; at += 4) {
    for (let i = 3; i >= 0; i--) address += hex(bytes[at + i]!, 2);
  }
  const wanted = [`${address}:${hex(port, 4)}`, `${address.replace(/./g, '0')}:${hex(port, 4)}`];
  let found: UdpSocketReading | null = null;
  for (const line of text.split('\n')) {
    const columns = line.trim().split(/\s+/);
    if (!wanted.includes(columns[1] ?? '')) continue;
    found ??= { queuedBytes: 0, dropsTotal: 0 };
    found.queuedBytes += Number.parseInt(columns[4]!.split(':')[1]!, 16);
    found.dropsTotal += Number(columns.at(-1));
  }
  return found;
}

/** Follows one such socket: what it dropped since the first reading. */
export class UdpDrops {
  #before = Number.NaN;
  constructor(
    private readonly ip: number | Uint8Array,
    private readonly port: number,
  ) {}

  read(): UdpSocketReading | null {
    let text: string;
    try {
      text = readFileSync(typeof this.ip === 'number' ? '/proc/net/udp' : '/proc/net/udp6', 'latin1');
    } catch {
      return null; // not Linux
    }
    const now = udpSocketIn(text, this.ip, this.port);
    if (now === null) return null;
    if (Number.isNaN(this.#before)) this.#before = now.dropsTotal;
    return { queuedBytes: now.queuedBytes, dropsTotal: Math.max(0, now.dropsTotal - this.#before) };
  }
}
