import { accessSync, constants } from 'node:fs';
import { HarnessError } from '../errors.js';
import { choice, integer, type Params, type Resolved, text } from './scenario.js';
import { authorise, parseAddress } from './target.js';
import type { SignallingPlan, TargetPlan, Transport } from './types.js';

/** How phones speak SIP, as parameters. A scenario spreads them into its own. */
export const signallingParams = {
  transport: choice('udp', { choices: ['udp', 'tcp', 'tls', 'ws', 'wss'], doc: 'what carries SIP; RTP is always UDP' }),
  tls_ca: text('', {
    doc: "tls, wss: PEM file of the authority that signed the target's certificate; empty: those that Node trusts",
  }),
  tls_verify: choice('on', {
    choices: ['on', 'off'],
    doc: 'off: any certificate is taken, and the report warns of it',
  }),
  keepAliveS: integer(120, {
    unit: 's',
    max: 3600,
    doc: 'CRLF ping on every connection, this often at most (RFC 5626 4.4.1); 0 = none',
  }),
  ws_path: text('/', { doc: "ws, wss: path of the server's WebSocket, for example /ws" }),
  outboundProxy: text('', {
    doc: 'REGISTERs and calls go by it, with its URI in Route (RFC 3261 8.1.2): sip:192.0.2.1:5060;lr',
  }),
} satisfies Params;

export function signallingPlan(p: Resolved<typeof signallingParams>): SignallingPlan {
  const { transport, tls_ca: tlsCa, tls_verify, keepAliveS, ws_path: path, outboundProxy: uri } = p;
  const wsPath = path === '/' ? {} : { wsPath: path };
  const said = { transport, tlsCa, tlsVerify: tls_verify === 'on', keepAliveS, ...wsPath };
  return uri === '' ? said : { ...said, outboundProxy: { uri, host: '', port: 0 } };
}

export const isSecure = (transport: Transport): boolean => transport === 'tls' || transport === 'wss';

/** What the scenario says, with the transport that the target's URI names. Throws BAD_PLAN where the parts do not fit. */
export function signallingOf(
  built: SignallingPlan | undefined,
  target: TargetPlan,
  options: { simulate?: boolean | undefined; authorise?: string | undefined },
): SignallingPlan {
  const bad = (why: string): HarnessError => new HarnessError('BAD_PLAN', why);
  const named = target.kind === 'sip' ? target.transport : undefined;
  const said = built ?? { transport: 'udp', tlsCa: '', tlsVerify: true, keepAliveS: 0 };
  if (named !== undefined && said.transport !== 'udp' && said.transport !== named) {
    throw bad(`--set transport=${said.transport}: the target's URI says ${named}; leave one of both out`);
  }
  const transport = named ?? said.transport;
  if (options.simulate && transport !== 'udp') {
    throw bad(`--simulate: the simulated network carries datagrams only, and transport is ${transport}; leave one out`);
  }
  if (said.tlsCa !== '' && !isSecure(transport)) throw bad(`--set tls_ca: transport ${transport} has no certificates`);
  if (!said.tlsVerify && !isSecure(transport))
    throw bad(`--set tls_verify=off: transport ${transport} has no certificates`);
  if (said.wsPath !== undefined && transport !== 'ws' && transport !== 'wss') {
    throw bad(`--set ws_path=${said.wsPath}: transport ${transport} has no path`);
  }
  if (said.wsPath?.startsWith('/') === false) throw bad(`--set ws_path=${said.wsPath}: must begin with /`);
  if (said.tlsCa !== '' && !said.tlsVerify) throw bad('--set tls_ca and tls_verify=off exclude each other');
  if (said.tlsCa !== '' && target.kind === 'embedded') {
    throw bad('--set tls_ca: the embedded platform makes its own authority, which its phones trust; leave it out');
  }
  if (said.tlsCa !== '' && !isReadable(said.tlsCa))
    throw bad(`--set tls_ca=${said.tlsCa}: no such file, or not readable`);
  const { outboundProxy } = said;
  if (outboundProxy === undefined) return { ...said, transport };
  if (target.kind !== 'sip') throw bad('--set outboundProxy: is for --target, or --stack kamailio; leave it out');
  return { ...said, transport, outboundProxy: proxyOf(outboundProxy.uri, transport, options.authorise) };
}

/** Its address, and its URI as it stands in a Route: always a loose router's (RFC 3261 19.1.1). */
function proxyOf(
  uri: string,
  transport: Transport,
  authorised: string | undefined,
): NonNullable<SignallingPlan['outboundProxy']> {
  const what = `--set outboundProxy=${uri}`;
  const { host, port, transport: named } = parseAddress(what, uri, transport);
  authorise(what, host, authorised);
  if (named !== undefined && named !== transport) {
    throw new HarnessError('BAD_PLAN', `${what}: transport is ${transport}; leave out one of both, or make them equal`);
  }
  return { uri: /;lr(;|=|$)/i.test(uri) ? uri : `${uri};lr`, host, port };
}

function isReadable(file: string): boolean {
  try {
    accessSync(file, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}
