import { readFileSync } from 'node:fs';
import { WebSocket } from 'ws';

/**
 * sip.js makes a browser's WebSocket. In this thread that is the one of ws, which checks the server's certificate against
 * `caFile` (PEM; null: the authorities of Node).
 */
export function provideWebSocket(caFile: string | null): void {
  const trust = caFile === null ? {} : { ca: readFileSync(caFile) };
  class TrustingWebSocket extends WebSocket {
    constructor(url: string, protocols?: string | string[]) {
      super(url, protocols, { ...trust, perMessageDeflate: false, handshakeTimeout: CONNECT_MS });
    }
  }
  Object.assign(globalThis, { WebSocket: TrustingWebSocket });
}

const CONNECT_MS = 5_000;
