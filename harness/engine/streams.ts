import { existsSync, readFileSync } from 'node:fs';
import type { FleetPlan } from '../../agents/fleet.js';
import { CONNECTIONS_MAX, type StreamPlan } from '../../agents/wire/stream-options.js';
import { ipToString } from '../../agents/wire/types.js';
import { HarnessError } from '../errors.js';
import { type Certificate, makeCertificate } from '../lab/certificate.js';
import type { Addresses } from '../lab/embedded/addresses.js';
import { isSecure } from '../plan/signalling.js';
import type { RunPlan } from '../plan/types.js';

/**
 * How the phones of one worker reach their hop; null over UDP. `authority`: PEM of the certificate authority that the
 * embedded platform made for this run.
 */
export function streamPlan(plan: RunPlan, fleet: FleetPlan, authority: string | null): StreamPlan | null {
  const said = plan.signalling;
  if (said === undefined || said.transport === 'udp') return null;
  const { transport, tlsCa, tlsVerify, keepAliveS, wsPath = '/' } = said;
  const webSocket = transport === 'ws' || transport === 'wss';
  return {
    transport,
    tls: { ca: tlsCa === '' ? authority : readFileSync(tlsCa, 'utf8'), verify: tlsVerify, serverName: null },
    certificate: null,
    path: wsPath,
    keepAliveMs: keepAliveS * 1000,
    // A browser cannot be connected to; whoever else speaks SIP can (RFC 3261 18.2.2, RFC 7118 5).
    listen: webSocket ? [] : addressesOf(fleet).map((ip) => ({ ip, port: 0 })),
    label: `${fleet.runTag}w${fleet.worker}`,
  };
}

/** The other end, at the embedded platform: its edge and its registrar listen; null over UDP. */
export function platformStreams(plan: RunPlan, at: Addresses, certificate: Certificate | null): StreamPlan | null {
  const transport = plan.signalling?.transport ?? 'udp';
  if (transport === 'udp') return null;
  const listen = [at.edge, ...(plan.registrations === undefined ? [] : [at.registrar])];
  const tls = { ca: null, verify: true, serverName: null };
  return { transport, tls, certificate, path: '/', keepAliveMs: 0, listen, label: 'platform' };
}

/** For the addresses that phones of TLS and WSS connect to; null where there is none to show. */
export function certificateFor(plan: RunPlan, at: Addresses | null): Certificate | null {
  if (at === null || !isSecure(plan.signalling?.transport ?? 'udp')) return null;
  return makeCertificate([at.edge, at.registrar].map(({ ip }) => ipToString(ip)));
}

export function warningsOf({ signalling }: RunPlan): { warnings?: string[] } {
  if (signalling === undefined || signalling.tlsVerify) return {};
  return { warnings: ['tls-unverified: any certificate was taken (tls_verify=off)'] };
}

/** What a process has open beside its connections. */
const OTHER_FILES = 200;

/** Throws for what these transports cannot do: BAD_PLAN; NO_CAPABILITY when connections would run into the limit of open files, or into our own. */
export function refuseStreams({ signalling, registrations, target, agents }: RunPlan): void {
  if (signalling === undefined || signalling.transport === 'udp' || registrations === undefined) return;
  if (target.kind === 'embedded' && registrations.called) {
    const why = `the embedded platform calls registered phones over UDP only, and transport is ${signalling.transport}`;
    throw new HarnessError('BAD_PLAN', `${why}: leave out the calls (cps=0), or the transport`);
  }
  const connections = Math.ceil(registrations.phones / registrations.phonesPerSocket);
  const mend = 'set fewer phones, or more phonesPerConnection';
  // Both ends of a connection to the embedded platform are ours; it is one worker with all of them.
  const most = CONNECTIONS_MAX * (target.kind === 'embedded' ? 1 : agents.callerWorkers);
  if (connections > most) {
    throw new HarnessError(
      'NO_CAPABILITY',
      `${connections} connections are more than the ${most} that we keep: ${mend}`,
    );
  }
  const files = connections * (target.kind === 'embedded' ? 2 : 1) + OTHER_FILES;
  const limit = openFilesLimit();
  if (files > limit) {
    throw new HarnessError('NO_CAPABILITY', `${files} open files wanted, ${limit} allowed: raise ulimit -n, ${mend}`);
  }
}

/** Infinity where the system does not say. */
function openFilesLimit(): number {
  const file = '/proc/self/limits';
  const soft = existsSync(file) ? /^Max open files\s+(\d+)/m.exec(readFileSync(file, 'utf8'))?.[1] : undefined;
  return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft);
}

/** Callers and phones each have a port of their own, also where they share an address. */
function addressesOf({ callers, registrants }: FleetPlan): number[] {
  return [...(callers === null ? [] : [callers.ip]), ...(registrants === undefined ? [] : [registrants.ip])];
}
