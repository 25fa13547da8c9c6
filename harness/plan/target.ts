import { HarnessError } from '../errors.js';
import { DEFAULT_PORT } from './signalling.js';
import type { TargetPlan, Transport } from './types.js';

/** Port of SIP over UDP when nothing else is said (RFC 3261 19.1.2). */
export const SIP_PORT = DEFAULT_PORT.udp;

/** Where a Kamailio that we bring up listens; WebSocket and JSON-RPC share the HTTP port. */
export const KAMAILIO_PORTS: Record<Transport, number> = {
  udp: SIP_PORT,
  tcp: SIP_PORT,
  tls: 5061,
  ws: 8080,
  wss: 8443,
};

/** Called parties of ours behind a Kamailio that we bring up: 127.160.x.y has them at 127.161.x.y. */
export function trunkOf(host: string): { host: string; port: number } {
  return { host: host.replace(/^127\.160\./, '127.161.'), port: SIP_PORT };
}

/** An IPv4 address in four plain decimal parts; undefined for anything else. */
export function ipv4Of(host: string): [number, number, number, number] | undefined {
  const match = /^(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})$/.exec(host);
  if (match === null) return undefined;
  const parts = match.slice(1).map(Number) as [number, number, number, number];
  return parts.every((part) => part <= 255) ? parts : undefined;
}

export function isLoopback(host: string): boolean {
  return ipv4Of(host)?.[0] === 127;
}

/** We flood on purpose, so whatever is not loopback has to be named twice: as the target and as what is allowed. */
export function authorise(what: string, host: string, authorised: string | undefined): void {
  if (isLoopback(host) || authorised === host) return;
  const was = authorised === undefined ? '' : `, and --authorise names ${authorised}`;
  throw new HarnessError(
    'NOT_AUTHORISED',
    `${what}: ${host} is outside 127.0.0.0/8${was}; if you may load it, add --authorise ${host}`,
  );
}

/** `sip:user@host:port;transport=tcp` to where its messages go. `otherwise`: the transport when the URI names none. */
export function parseTarget(
  uri: string,
  authorised: string | undefined,
  otherwise: Transport = 'udp',
): Extract<TargetPlan, { kind: 'sip' }> {
  const what = `--target ${uri}`;
  const bad = (why: string): HarnessError => new HarnessError('BAD_TARGET', `${what}: ${why}`);
  const match = /^sips?:(?:([^@\s]+)@)?([^@:;?\s[\]]+)(?::(\d+))?((?:;[^;?\s]+)*)$/i.exec(uri);
  if (match === null) throw bad('expected a SIP URI with an IPv4 address, for example sip:service@127.0.0.1:5060');
  const [, , name = '', portText, params = ''] = match;
  const named = /;transport=([^;]+)/i.exec(params)?.[1];
  const secure = /^sips:/i.test(uri);
  const transport = transportOf(named?.toLowerCase(), secure);
  if (transport === null) {
    const may = secure ? 'tls or wss' : 'udp, tcp, tls, ws or wss';
    throw bad(`transport ${named} is not supported${secure ? ' with sips:' : ''}; it may be ${may}`);
  }
  const host = name.toLowerCase() === 'localhost' ? '127.0.0.1' : name;
  const parts = ipv4Of(host);
  if (parts === undefined) throw bad(`${name} is neither an IPv4 address nor localhost; names are not looked up`);
  if (parts[0] === 0 || parts[0] >= 224) throw bad(`${host} is no address of one host`);
  const port = portText === undefined ? DEFAULT_PORT[transport ?? otherwise] : Number(portText);
  if (port < 1 || port > 65_535) throw bad(`port ${portText} must be from 1 to 65535`);
  authorise(what, host, authorised);
  return { kind: 'sip', uri, host, port, ...(transport === undefined ? {} : { transport }) };
}

/** Undefined when the URI names none; null for one that there is not. RFC 3261 26.2.2: sips: is TLS; RFC 7118 5: or WSS. */
function transportOf(named: string | undefined, secure: boolean): Transport | undefined | null {
  if (named === undefined) return secure ? 'tls' : undefined;
  if (secure) return named === 'tls' || named === 'tcp' ? 'tls' : named === 'ws' || named === 'wss' ? 'wss' : null;
  return Object.hasOwn(DEFAULT_PORT, named) ? (named as Transport) : null;
}
