import { readFileSync } from 'node:fs';
import type { FleetPlan } from '../../agents/fleet.js';
import type { StreamPlan } from '../../agents/wire/stream-options.js';
import type { RunPlan } from '../plan/types.js';

/**
 * How the phones of one worker reach their hop; null over UDP. `authority`: PEM of the certificate authority that the
 * embedded platform made for this run.
 */
export function streamPlan(plan: RunPlan, fleet: FleetPlan, authority: string | null): StreamPlan | null {
  const said = plan.signalling;
  if (said === undefined || said.transport === 'udp') return null;
  const { transport, tlsCa, tlsVerify, keepAliveS } = said;
  const webSocket = transport === 'ws' || transport === 'wss';
  return {
    transport,
    tls: { ca: tlsCa === '' ? authority : readFileSync(tlsCa, 'utf8'), verify: tlsVerify, serverName: null },
    certificate: null,
    path: '/',
    keepAliveMs: keepAliveS * 1000,
    // A browser cannot be connected to; whoever else speaks SIP can (RFC 3261 18.2.2, RFC 7118 5).
    listen: webSocket ? [] : addressesOf(fleet).map((ip) => ({ ip, port: 0 })),
    label: `${fleet.runTag}w${fleet.worker}`,
  };
}

/** Callers and phones each have a port of their own, also where they share an address. */
function addressesOf({ callers, registrants }: FleetPlan): number[] {
  return [...(callers === null ? [] : [callers.ip]), ...(registrants === undefined ? [] : [registrants.ip])];
}
