import { HarnessError } from '../errors.js';
import type { PlanOptions } from './resolve.js';
import type { ParamValue } from './scenario.js';
import type { RegistrationPlan, StackTarget } from './types.js';

/** Where the port pools of our stacks begin: the relay's, and those of the two PBXs of one without a relay. */
const RELAY_PORTS_FROM = 30_000;
const PBX_PORTS_FROM = 10_000;
/** The relay has a pool on each of its two sides, and one without it has two PBXs: a call takes half of its four ports in one. */
const POOLS = 2;

/**
 * Parameters of the embedded platform that a stack's file has a variable for, so that an incident is the same words on
 * both.
 */
const VARIABLES: Readonly<Record<string, (value: number) => Record<string, string>>> = {
  'nat.maxSessions': (n) => ({ NAT_SESSIONS: String(n) }),
  'nat.idleTimeoutMs': (ms) => ({ NAT_IDLE_S: String(Math.max(1, Math.round(ms / 1000))) }),
  'trunk.cps': (n) => ({ TRUNK_CPS: String(n) }),
  'trunk.channels': (n) => ({ TRUNK_CHANNELS: String(n) }),
  'relay.ports': (n) => ({
    RELAY_RTP_END: String(RELAY_PORTS_FROM + Math.ceil(n / POOLS) - 1),
    PBX_RTP_END: String(PBX_PORTS_FROM + Math.ceil(n / POOLS) - 1),
  }),
};

/** What a stack's edition is, and cannot be told: naive is one way, blueprint the other. */
const OF_THE_EDITION = new Set(['edge.dispatch', 'edge.inDialog', 'relay.onExhausted', 'cdr.mode']);

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

type Values = Readonly<Record<string, ParamValue>>;

/**
 * `asked` are the platform's parameters that the user gave by name: each has to have its variable. `incident` and `cure` are
 * those of the incident: what no variable has is what the edition is or is not, but a cure has to be there whole.
 */
export function stackTarget(
  options: PlanOptions & { stack: string },
  asked: Values,
  { incident, cure }: { incident: Values; cure: Values },
  hasFaults = false,
): StackTarget {
  const bad = (why: string): HarnessError => new HarnessError('BAD_PLAN', why);
  const has = Object.keys(VARIABLES).join(', ');
  const settings: StackTarget['settings'] = [];
  for (const [key, value] of Object.entries({ ...incident, ...cure, ...asked })) {
    const variables = VARIABLES[key]?.(Number(value));
    const said = `${key}=${value}`;
    if (variables !== undefined) settings.push({ what: said, variables });
    else if (Object.hasOwn(asked, key)) {
      throw bad(`--set ${said}: is of the embedded platform; a stack has ${has}, and its own variables by --env`);
    } else if (Object.hasOwn(cure, key)) {
      throw bad(
        OF_THE_EDITION.has(key)
          ? `--cured: ${said} is what an edition is or is not; leave --cured out, and run it on --stack blueprint`
          : `--cured: ${said} is of the embedded platform; a stack has ${has}: leave --cured out, and give more of those`,
      );
    }
  }
  const keys = Object.keys(incident);
  const sets = keys.some((key) => Object.hasOwn(VARIABLES, key) || OF_THE_EDITION.has(key));
  if (keys.length > 0 && !sets && !hasFaults) {
    throw bad(
      `--incident ${options.incident}: a stack has nothing that it could set (${keys.join(', ')}); run it on the embedded platform`,
    );
  }
  for (const [name, value] of Object.entries(assignments(options.env))) {
    settings.push({ what: `--env ${name}=${value}`, variables: { [name]: value } });
  }
  return { kind: 'stack', stack: options.stack, roles: { ...options.roles }, settings };
}

/** The stack's tenants become the phones that the plan registers, unless a file of users says who they are. Throws BAD_PLAN. */
export function populate(target: StackTarget, registrations: RegistrationPlan | undefined): void {
  if (registrations === undefined) return;
  if (registrations.called) {
    throw new HarnessError('BAD_PLAN', `--stack ${target.stack}: calls go to its carrier, not to phones that register`);
  }
  if (registrations.users !== undefined) return;
  const { phones, tenants } = registrations;
  const extensions = Math.ceil(phones / Math.min(phones, tenants));
  target.settings.push({
    what: `${phones} phones of ${tenants} tenants`,
    variables: { TENANTS: String(Math.ceil(phones / extensions)), EXTENSIONS: String(extensions) },
  });
}
