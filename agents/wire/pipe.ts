/**
 * One connection as bytes or as messages: TCP, TLS (node:net, node:tls) or a WebSocket (RFC 6455, sub-protocol sip of RFC
 * 7118). Above it nothing knows which.
 */
import { connect, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { WebSocket } from 'ws';
import { STREAM_MESSAGE_MAX } from './framing.js';
import type { StreamTransport } from './types.js';

/** Why a connection is gone, or never came to be. */
export const GONE = ['refused', 'unreachable', 'reset', 'closed', 'timed out', 'TLS', 'WebSocket'] as const;
export type Gone = (typeof GONE)[number];

export interface PipeEvents {
  /** Connected, and where there is a handshake, through with it. */
  onOpen(): void;
  onBytes(chunk: Uint8Array): void;
  /** A WebSocket message: one whole SIP message. */
  onMessage(bytes: Uint8Array): void;
  /** Once, and the last of all. `detail` has the system's word. */
  onGone(why: Gone, detail: string): void;
}

export interface Pipe {
  /** Takes the buffer over. What is written before onOpen leaves then. */
  write(bytes: Buffer): void;
  /** Bytes that the kernel has not taken yet. */
  readonly waiting: number;
  cork(): void;
  uncork(): void;
  /** Ends when what was written is sent. */
  end(): void;
  /** At once; onGone is not called any more. */
  destroy(): void;
}

export interface TlsClient {
  /** PEM; null: what Node trusts. */
  ca: string | null;
  verify: boolean;
  /** For SNI and the certificate's name; null: the address. */
  serverName: string | null;
}

export interface Dial {
  transport: StreamTransport;
  host: string;
  port: number;
  localHost: string;
  tls: TlsClient;
  /** Of the WebSocket's request. */
  path: string;
}

export function dial(to: Dial, events: PipeEvents): Pipe {
  const { host, port, localHost } = to;
  if (to.transport === 'ws' || to.transport === 'wss') {
    const url = `${to.transport}://${host.includes(':') ? `[${host}]` : host}:${port}${to.path}`;
    const tls = to.transport === 'wss' ? tlsOptions(to.tls) : {};
    const options = { localAddress: localHost, perMessageDeflate: false, maxPayload: STREAM_MESSAGE_MAX, ...tls };
    return new MessagePipe(new WebSocket(url, 'sip', options), events);
  }
  const options = { host, port, localAddress: localHost, noDelay: true };
  if (to.transport === 'tcp') return new BytePipe(connect(options), 'connect', events);
  return new BytePipe(connectTls({ ...options, ...tlsOptions(to.tls) }), 'secureConnect', events);
}

function tlsOptions({ ca, verify, serverName }: TlsClient): object {
  return {
    rejectUnauthorized: verify,
    ...(ca === null ? {} : { ca }),
    ...(serverName === null ? {} : { servername: serverName }),
  };
}

/** An accepted TCP or TLS connection: it is open. */
export function acceptBytes(socket: Socket, events: PipeEvents): Pipe {
  socket.setNoDelay(true);
  return new BytePipe(socket, null, events);
}

export function acceptMessages(socket: WebSocket, events: PipeEvents): Pipe {
  return new MessagePipe(socket, events);
}

/** Calls through to the owner until the connection is gone or given up. */
abstract class Ends {
  #over = false;
  constructor(readonly events: PipeEvents) {}
  gone(why: Gone, detail: string): void {
    if (this.#over) return;
    this.#over = true;
    this.events.onGone(why, detail);
  }
  forget(): void {
    this.#over = true;
  }
  get over(): boolean {
    return this.#over;
  }
}

class BytePipe extends Ends implements Pipe {
  constructor(
    private readonly socket: Socket | TLSSocket,
    openEvent: 'connect' | 'secureConnect' | null,
    events: PipeEvents,
  ) {
    super(events);
    let open = openEvent === null;
    if (openEvent !== null) {
      socket.once(openEvent, () => {
        open = true;
        if (!this.over) events.onOpen();
      });
    }
    socket.on('data', (chunk) => {
      if (!this.over) events.onBytes(chunk);
    });
    // The peer has ended: SIP has no use for half a connection.
    socket.on('end', () => socket.destroy());
    socket.on('error', (error) => this.gone(goneBy(error, openEvent === 'secureConnect' && !open), detailOf(error)));
    socket.on('close', () => this.gone(open ? 'closed' : 'reset', ''));
  }
  get waiting(): number {
    return this.socket.writableLength;
  }
  write(bytes: Buffer): void {
    this.socket.write(bytes);
  }
  cork(): void {
    this.socket.cork();
  }
  uncork(): void {
    this.socket.uncork();
  }
  end(): void {
    this.socket.end();
  }
  destroy(): void {
    this.forget();
    this.socket.destroy();
  }
}

class MessagePipe extends Ends implements Pipe {
  #early: Buffer[] | null;
  #earlyBytes = 0;
  constructor(
    private readonly socket: WebSocket,
    events: PipeEvents,
  ) {
    super(events);
    this.#early = socket.readyState === WebSocket.CONNECTING ? [] : null;
    socket.on('open', () => {
      const early = this.#early ?? [];
      this.#early = null;
      this.#earlyBytes = 0;
      if (this.over) return;
      events.onOpen();
      for (const bytes of early) this.write(bytes);
    });
    socket.on('message', (data) => {
      if (this.over) return;
      if (Array.isArray(data)) events.onMessage(Buffer.concat(data));
      else events.onMessage(Buffer.isBuffer(data) ? data : new Uint8Array(data));
    });
    socket.on('error', (error) => this.gone(goneBy(error, false, 'WebSocket'), detailOf(error)));
    socket.on('close', () => this.gone('closed', ''));
  }
  get waiting(): number {
    return this.socket.bufferedAmount + this.#earlyBytes;
  }
  /** As text: RFC 7118 5 has UTF-8 in a text frame, binary for the rest, and some peers read the first only. */
  write(bytes: Buffer): void {
    if (this.#early === null) {
      this.socket.send(bytes, { binary: false });
      return;
    }
    this.#early.push(bytes);
    this.#earlyBytes += bytes.length;
  }
  cork(): void {
    // A frame is written at once: each is a message.
  }
  uncork(): void {
    // as above
  }
  end(): void {
    this.socket.close(1000);
  }
  destroy(): void {
    this.forget();
    this.socket.terminate();
  }
}

function detailOf(error: Error): string {
  return 'code' in error ? String(error.code) : error.message;
}

const BY_CODE: Record<string, Gone> = {
  ECONNREFUSED: 'refused',
  ECONNRESET: 'reset',
  EPIPE: 'reset',
  ETIMEDOUT: 'timed out',
  EHOSTUNREACH: 'unreachable',
  ENETUNREACH: 'unreachable',
  EADDRNOTAVAIL: 'unreachable',
  EMFILE: 'unreachable',
};
/** OpenSSL's words for a certificate or a handshake that it does not accept. */
const TLS_CODE = /^ERR_(TLS|SSL|OSSL)|CERT|^EPROTO$|SELF_SIGNED|UNABLE_TO|DEPTH_ZERO|HOSTNAME_MISMATCH|INVALID_CA/;

function goneBy(error: Error, handshaking: boolean, otherwise: Gone = 'closed'): Gone {
  const code = detailOf(error);
  const known = BY_CODE[code];
  if (known !== undefined) return known;
  return handshaking || TLS_CODE.test(code) ? 'TLS' : otherwise;
}
