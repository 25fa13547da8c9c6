import type { TlsClient } from './pipe.js';
import type { StreamTransport, WireCounters } from './types.js';

/** A port that connections are accepted on; port 0: any free one. */
export interface ListenAt {
  ip: number;
  port: number;
}

/** The stream transport of one worker, as data that can cross a thread. */
export interface StreamPlan {
  transport: StreamTransport;
  tls: TlsClient;
  /** PEM, where TLS or WSS is listened on. */
  certificate: { cert: string; key: string } | null;
  /** Of a WebSocket's request. */
  path: string;
  /** CRLF CRLF this often (RFC 5626 4.4.1); 0: never. */
  keepAliveMs: number;
  listen: readonly ListenAt[];
  /** Makes the .invalid names of WebSocket clients (RFC 7118 5) differ between workers. */
  label: string;
}

/** Connections of one worker, both ways. Beyond it a dialled one is lost at once, and an accepted one closed. */
export const CONNECTIONS_MAX = 16_384;
/** What one connection may hold that the kernel has not taken; more is dropped and counted. */
export const QUEUE_BYTES_MAX = 256 * 1024;
export const CONNECT_TIMEOUT_US = 10_000_000;
/** RFC 5626 4.4.1: a pong is due within 10 s. */
export const PONG_TIMEOUT_US = 10_000_000;
/** Connections that wait to be accepted; the kernel has a limit of its own (net.core.somaxconn). */
export const BACKLOG = 4096;

export interface StreamCounters extends WireCounters {
  /** Gauges: connections that are open, and those that are being made. */
  open: number;
  connecting: number;
  dialled: number;
  /** Of those, to where an earlier connection failed or was lost. */
  redialled: number;
  connected: number;
  accepted: number;
  refused: number;
  reset: number;
  /** Ended by the peer in order. */
  closed: number;
  timedOut: number;
  unreached: number;
  /** A certificate or a handshake that one of both ends did not accept. */
  tlsFailed: number;
  webSocketFailed: number;
  tooLong: number;
  noLength: number;
  /** CONNECTIONS_MAX. */
  noRoom: number;
  pings: number;
  pongs: number;
  pongTimeouts: number;
}

export function streamCounters(): StreamCounters {
  return {
    ...{ sent: 0, received: 0, sendDropped: 0, receiveDropped: 0, unreachable: 0 },
    ...{ open: 0, connecting: 0, dialled: 0, redialled: 0, connected: 0, accepted: 0 },
    ...{ refused: 0, reset: 0, closed: 0, timedOut: 0, unreached: 0, tlsFailed: 0, webSocketFailed: 0 },
    ...{ tooLong: 0, noLength: 0, noRoom: 0, pings: 0, pongs: 0, pongTimeouts: 0 },
  };
}
