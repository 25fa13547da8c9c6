/** Where connections come in: a server of TCP, TLS or WebSocket on one address. */
import { createServer as createHttp, type IncomingMessage } from 'node:http';
import { createServer as createHttps } from 'node:https';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTls } from 'node:tls';
import { type WebSocket, WebSocketServer } from 'ws';
import { HarnessError } from '../../harness/errors.js';
import { STREAM_MESSAGE_MAX } from './framing.js';
import { acceptBytes, acceptMessages, type Pipe, type PipeEvents } from './pipe.js';
import { BACKLOG, type ListenAt, type StreamPlan } from './stream-options.js';
import { hostPort, ipToString } from './types.js';

export interface ListenerUser {
  onConnection(host: string, port: number, connect: (events: PipeEvents) => Pipe): void;
  /** A handshake of TLS or WebSocket that failed before there was a connection to speak of. */
  onRefused(why: 'TLS' | 'WebSocket'): void;
}

export class Listener {
  user: ListenerUser | null = null;
  /** The port that was asked for, or the one that was given. */
  port = 0;
  readonly ip: number;
  readonly #server: Server;
  readonly #wanted: number;

  constructor(plan: StreamPlan, at: ListenAt) {
    this.ip = at.ip;
    this.#wanted = at.port;
    this.#server = serverOf(plan, this);
  }

  /** Resolves when it listens. Rejects with PORT_IN_USE or the like. */
  async listen(): Promise<void> {
    const host = ipToString(this.ip);
    const port = this.port === 0 ? this.#wanted : this.port;
    await new Promise<void>((resolve, reject) => {
      const failed = (error: NodeJS.ErrnoException): void => reject(listenFailure(error, hostPort(this.ip, port)));
      this.#server.once('error', failed);
      this.#server.listen({ host, port, backlog: BACKLOG, exclusive: true, ipv6Only: true }, () => {
        this.#server.off('error', failed);
        resolve();
      });
    });
    this.port = (this.#server.address() as AddressInfo).port;
  }

  get listening(): boolean {
    return this.#server.listening;
  }

  /** Connections that were accepted stay. */
  close(): void {
    if (this.#server.listening) this.#server.close();
  }

  accept(socket: Socket, connect: (events: PipeEvents) => Pipe): void {
    const { remoteAddress, remotePort } = socket;
    // It may be gone already.
    if (remoteAddress === undefined || remotePort === undefined || this.user === null) socket.destroy();
    else this.user.onConnection(remoteAddress, remotePort, connect);
  }
}

function serverOf(plan: StreamPlan, listener: Listener): Server {
  const { transport, certificate } = plan;
  const tls = { cert: certificate?.cert, key: certificate?.key };
  if (transport === 'tcp') return createServer((socket) => accept(listener, socket));
  if (transport === 'tls' && certificate === null) {
    // A client without a certificate: the port is ours, and what the peer wants goes over the connection that we made.
    return createServer((socket) => {
      socket.destroy();
      listener.user?.onRefused('TLS');
    });
  }
  if (transport === 'tls') {
    const server = createTls(tls, (socket) => accept(listener, socket));
    server.on('tlsClientError', () => listener.user?.onRefused('TLS'));
    return server;
  }
  const http = transport === 'ws' ? createHttp(upgradeRequired) : createHttps(tls, upgradeRequired);
  http.on('tlsClientError', () => listener.user?.onRefused('TLS'));
  const sockets = new WebSocketServer({
    server: http,
    perMessageDeflate: false,
    maxPayload: STREAM_MESSAGE_MAX,
    clientTracking: false,
    // RFC 7118 4.1: the sub-protocol sip, or no connection.
    handleProtocols: (offered) => (offered.has('sip') ? 'sip' : false),
    verifyClient: ({ req }: { req: IncomingMessage }, done: (ok: boolean, status?: number) => void) => {
      const offered = String(req.headers['sec-websocket-protocol'] ?? '').split(/\s*,\s*/);
      const ok = offered.includes('sip');
      if (!ok) listener.user?.onRefused('WebSocket');
      done(ok, 400);
    },
  });
  sockets.on('wsClientError', (_error, socket) => {
    listener.user?.onRefused('WebSocket');
    socket.destroy();
  });
  sockets.on('connection', (socket: WebSocket, request) => {
    listener.accept(request.socket, (events) => acceptMessages(socket, events));
  });
  return http;
}

function accept(listener: Listener, socket: Socket): void {
  // Until somebody takes it over, a reset must not end the process.
  socket.on('error', () => socket.destroy());
  listener.accept(socket, (events) => acceptBytes(socket, events));
}

function upgradeRequired(_request: object, response: { writeHead(status: number): { end(): void } }): void {
  response.writeHead(426).end();
}

function listenFailure(error: NodeJS.ErrnoException, at: string): HarnessError {
  const cause = { cause: error };
  if (error.code === 'EADDRINUSE')
    return new HarnessError(
      'PORT_IN_USE',
      `${at} (TCP) is in use: stop what listens there, or choose another port`,
      cause,
    );
  if (error.code === 'EACCES' || error.code === 'EMFILE' || error.code === 'ENFILE')
    return new HarnessError('NO_CAPABILITY', `${at} (TCP) cannot be listened on: ${error.code}`, cause);
  return new HarnessError('BAD_PLAN', `${at} (TCP) cannot be listened on: ${error.code ?? error.message}`, cause);
}
