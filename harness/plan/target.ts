import { HarnessError } from '../errors.js';
import { hostMisfit, ipv4Of, ipv6Of, isLoopback, isSameHost, uriHost } from './host.js';
import type { TargetPlan, Transport } from './types.js';

/** RFC 3261 19.1.2; RFC 7118 has the WebSocket's own (RFC 6455 3). */
export const DEFAULT_PORT: Record<Transport, number> = { udp: 5060, tcp: 5060, tls: 5061, ws: 80, wss: 443 };

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

/** We flood on purpose, so whatever is not loopback has to be named twice: as the target and as what is allowed. */
export function authorise(what: string, host: string, authorised: string | undefined): void {
  if (isLoopback(host) || authorised?.split(',').some((named) => isSameHost(host, named))) return;
  const was = authorised === undefined ? '' : `, and --authorise names ${authorised}`;
  const loopback = host.includes(':') ? 'is not ::1' : 'is outside 127.0.0.0/8';
  throw new HarnessError(
    'NOT_AUTHORISED',
    `${what}: ${uriHost(host)} ${loopback}${was}; if you may load it, add --authorise ${host}`,
  );
}

/** `sip:user@host:port;transport=tcp` to where its messages go. `otherwise`: the transport when the URI names none. */
export function parseTarget(
  uri: string,
  authorised: string | undefined,
  otherwise: Transport = 'udp',
): Extract<TargetPlan, { kind: 'sip' }> {
  const { host, port, transport } = parseAddress(`--target ${uri}`, uri, otherwise);
  authorise(`--target ${uri}`, host, authorised);
  return { kind: 'sip', uri, host, port, ...(transport === undefined ? {} : { transport }) };
}

/** `transport` is what the URI names. Throws BAD_TARGET, which begins with `what`. */
export function parseAddress(
  what: string,
  uri: string,
  otherwise: Transport,
): { host: string; port: number; transport?: Transport | undefined } {
  const bad = (why: string): HarnessError => new HarnessError('BAD_TARGET', `${what}: ${why}`);
  const match = /^sips?:(?:([^@\s]+)@)?(\[[^@\s[\]]+\]|[^@:;?\s[\]]+)(?::(\d+))?((?:;[^;?\s]+)*)$/i.exec(uri);
  if (match === null) {
    throw bad('expected a SIP URI with an address, for example sip:service@127.0.0.1:5060 or sip:service@[::1]:5060');
  }
  const [, , name = '', portText, params = ''] = match;
  const named = /;transport=([^;]+)/i.exec(params)?.[1];
  const secure = /^sips:/i.test(uri);
  const transport = transportOf(named?.toLowerCase(), secure);
  if (transport === null) {
    const may = secure ? 'tls or wss' : 'udp, tcp, tls, ws or wss';
    throw bad(`transport ${named} is not supported${secure ? ' with sips:' : ''}; it may be ${may}`);
  }
  const host = addressOf(name);
  if (host === undefined) throw bad(`${name} is neither an IP address nor localhost; names are not looked up`);
  const misfit = hostMisfit(host);
  if (misfit !== null) throw bad(misfit);
  const port = portText === undefined ? DEFAULT_PORT[transport ?? otherwise] : Number(portText);
  if (port < 1 || port > 65_535) throw bad(`port ${portText} must be from 1 to 65535`);
  return { host, port, transport };
}

/** The address that a URI's host is, without brackets; undefined when it is a name. */
export function addressOf(name: string): string | undefined {
  if (name.toLowerCase() === 'localhost') return '127.0.0.1';
  if (name.startsWith('[')) return ipv6Of(name.slice(1, -1));
  return ipv4Of(name) === undefined ? undefined : name;
}

/** Undefined when the URI names none; null for one that there is not. RFC 3261 26.2.2: sips: is TLS; RFC 7118 5: or WSS. */
function transportOf(named: string | undefined, secure: boolean): Transport | undefined | null {
  if (named === undefined) return secure ? 'tls' : undefined;
  if (secure) return named === 'tls' || named === 'tcp' ? 'tls' : named === 'ws' || named === 'wss' ? 'wss' : null;
  return Object.hasOwn(DEFAULT_PORT, named) ? (named as Transport) : null;
}
