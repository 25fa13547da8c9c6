import { readFileSync } from 'node:fs';

export interface UdpSocketReading {
  /** Bytes that lie in the receive buffer. */
  queuedBytes: number;
  /** Datagrams that the kernel dropped there since the socket was opened. */
  dropsTotal: number;
}

/**
 * What /proc/net/udp says of the socket that is bound to an address (or to all of them) and port on this machine, whoever
 * opened it; null when there is none in our network namespace. `text` is that file's. Several sockets are summed.
 */
export function udpSocketIn(text: string, ip: number, port: number): UdpSocketReading | null {
  const little = (((ip & 255) << 24) | ((ip & 0xff00) << 8) | ((ip >>> 8) & 0xff00) | (ip >>> 24)) >>> 0;
  const hex = (n: number, digits: number): string => n.toString(16).toUpperCase().padStart(digits, '0');
  const wanted = [`${hex(little, 8)}:${hex(port, 4)}`, `00000000:${hex(port, 4)}`];
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
    private readonly ip: number,
    private readonly port: number,
  ) {}

  read(): UdpSocketReading | null {
    let text: string;
    try {
      text = readFileSync('/proc/net/udp', 'latin1');
    } catch {
      return null; // not Linux
    }
    const now = udpSocketIn(text, this.ip, this.port);
    if (now === null) return null;
    if (Number.isNaN(this.#before)) this.#before = now.dropsTotal;
    return { queuedBytes: now.queuedBytes, dropsTotal: Math.max(0, now.dropsTotal - this.#before) };
  }
}
