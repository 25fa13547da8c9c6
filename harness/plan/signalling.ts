import { accessSync, constants } from 'node:fs';
import { HarnessError } from '../errors.js';
import { choice, integer, type Params, type Resolved, text } from './scenario.js';
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
} satisfies Params;

export function signallingPlan(p: Resolved<typeof signallingParams>): SignallingPlan {
  const { transport, tls_ca: tlsCa, tls_verify, keepAliveS } = p;
  return { transport, tlsCa, tlsVerify: tls_verify === 'on', keepAliveS };
}

export const isSecure = (transport: Transport): boolean => transport === 'tls' || transport === 'wss';

/** RFC 3261 19.1.2; RFC 7118 has the WebSocket's own (RFC 6455 3). */
export const DEFAULT_PORT: Record<Transport, number> = { udp: 5060, tcp: 5060, tls: 5061, ws: 80, wss: 443 };

/** What the scenario says, with the transport that the target's URI names. Throws BAD_PLAN where the parts do not fit. */
export function signallingOf(
  built: SignallingPlan | undefined,
  target: TargetPlan,
  options: { simulate?: boolean | undefined },
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
  if (said.tlsCa !== '' && !said.tlsVerify) throw bad('--set tls_ca and tls_verify=off exclude each other');
  if (said.tlsCa !== '' && target.kind === 'embedded') {
    throw bad('--set tls_ca: the embedded platform makes its own authority, which its phones trust; leave it out');
  }
  if (said.tlsCa !== '' && !isReadable(said.tlsCa))
    throw bad(`--set tls_ca=${said.tlsCa}: no such file, or not readable`);
  return { ...said, transport };
}

function isReadable(file: string): boolean {
  try {
    accessSync(file, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}
