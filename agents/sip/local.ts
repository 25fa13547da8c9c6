import { hostPort, type UdpPort } from '../wire/types.js';
import { isReliable } from './client.js';
import { ascii } from './text.js';

/** How a port of ours is named in the messages that leave it. */
export interface Local {
  /** sent-protocol and sent-by of a Via (RFC 3261 18.1.1): `SIP/2.0/TCP 127.0.0.1:5060`. */
  via: Uint8Array;
  /** Host and port of a Contact. */
  host: string;
  /** URI parameters of a Contact: nothing for UDP, else `;transport=tcp`; RFC 7118 8.1 says ws for WSS too. */
  params: string;
}

const PARAMS = { udp: '', tcp: ';transport=tcp', tls: ';transport=tls', ws: ';transport=ws', wss: ';transport=ws' };

const known = new WeakMap<UdpPort, Local>();

/** The same object for the same port. */
export function localOf(port: UdpPort): Local {
  const before = known.get(port);
  if (before !== undefined) return before;
  const transport = port.transport ?? 'udp';
  const host = port.sentBy ?? hostPort(port.ip, port.port);
  const local = { via: ascii(`SIP/2.0/${transport.toUpperCase()} ${host}`), host, params: PARAMS[transport] };
  known.set(port, local);
  return local;
}

/** A WebSocket message is one SIP message, with or without a Content-Length (RFC 7118 5); TCP and TLS go by it alone. */
export function isFramed(port: UdpPort): boolean {
  return isReliable(port) && port.transport !== 'ws' && port.transport !== 'wss';
}
