import { HarnessError } from '../errors.js';
import type { PlanOptions } from './resolve.js';
import type { ParamValue } from './scenario.js';
import type { StackTarget } from './types.js';

/** Where the port pools of our stacks begin: the relay's, and those of the two PBXs of one without a relay. */
const RELAY_PORTS_FROM = 30_000;
const PBX_PORTS_FROM = 10_000;
const PBXS = 2;

/**
 * Parameters of the embedded platform that a stack's file has a variable for, so that an incident is the same words on
 * both. A call takes four ports in every pool.
 */
const VARIABLES: Readonly<Record<string, (value: number) => Record<string, string>>> = {
  'nat.maxSessions': (n) => ({ NAT_SESSIONS: String(n) }),
  'trunk.cps': (n) => ({ TRUNK_CPS: String(n) }),
  'trunk.channels': (n) => ({ TRUNK_CHANNELS: String(n) }),
  'relay.ports': (n) => ({
    RELAY_RTP_END: String(RELAY_PORTS_FROM + n - 1),
    PBX_RTP_END: String(PBX_PORTS_FROM + Math.ceil(n / PBXS) - 1),
  }),
};

/** `--env NAME=VALUE`. Throws BAD_PLAN. */
export function assignments(env: readonly string[] | undefined): Record<string, string> {
  const out: Record<string, string> = {};
  for (const assignment of env ?? []) {
    const match = /^([A-Za-z_]\w*)=(.*)$/s.exec(assignment);
    if (match === null) throw new HarnessError('BAD_PLAN', `--env ${assignment}: expected NAME=VALUE`);
    out[match[1]!] = match[2]!;
  }
  return out;
}

/**
 * `asked` are the platform's parameters that the user gave by name, `incident` those of an incident or its cure. What the
 * user gives has to have its variable; an incident's other settings are what the stack's edition is or is not.
 */
export function stackTarget(
  options: PlanOptions & { stack: string },
  asked: Readonly<Record<string, ParamValue>>,
  incident: Readonly<Record<string, ParamValue>>,
  hasFaults = false,
): StackTarget {
  const settings: StackTarget['settings'] = [];
  for (const [key, value] of Object.entries({ ...incident, ...asked })) {
    const variables = VARIABLES[key]?.(Number(value));
    if (variables !== undefined) settings.push({ what: `${key}=${value}`, variables });
    else if (Object.hasOwn(asked, key)) {
      throw new HarnessError(
        'BAD_PLAN',
        `--set ${key}=${value}: is of the embedded platform; a stack has ${Object.keys(VARIABLES).join(', ')}, and its own variables by --env`,
      );
    }
  }
  if (Object.keys(incident).length > 0 && settings.length === 0 && !hasFaults) {
    throw new HarnessError(
      'BAD_PLAN',
      `--incident ${options.incident}: a stack has nothing that it could set (${Object.keys(incident).join(', ')}); run it on the embedded platform`,
    );
  }
  for (const [name, value] of Object.entries(assignments(options.env))) {
    settings.push({ what: `--env ${name}=${value}`, variables: { [name]: value } });
  }
  return { kind: 'stack', stack: options.stack, roles: { ...options.roles }, settings };
}
