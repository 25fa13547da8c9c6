import type { FleetPlan } from '../../agents/fleet.js';
import { ipFromString, ipToString } from '../../agents/wire/types.js';
import type { Addresses, Endpoint } from '../lab/embedded/addresses.js';
import { arrivalsEndMs } from '../plan/arrivals.js';
import { trunkOf } from '../plan/target.js';
import type { RegistrationPlan, RunPlan } from '../plan/types.js';
import type { UserRow } from '../plan/users.js';
import { legCapacity } from './gather.js';
import { targetAddress } from './target.js';

/**
 * Places of called parties. A call whose ACK or BYE was lost holds its place for 64*T1 after its caller's is free again,
 * so they have more of them than callers.
 */
export function calleeRoom(maxCalls: number): number {
  return maxCalls + Math.max(64, maxCalls >> 2);
}

/** Records that one worker's calls need. */
export function legRoom({ maxCalls, callers, callees }: FleetPlan): number {
  return legCapacity((callers === null ? 0 : maxCalls) + (callees?.maxCalls ?? 0), 1);
}

/** Who places which calls, and who answers them: worker w takes arrivals w, w + W, ...; the first also answers. */
export function fleetPlans(
  plan: RunPlan,
  addresses: Addresses | null,
  users: UserRow[] | null,
  runTag: string,
  salt: number,
): FleetPlan[] {
  const { callerWorkers, maxCallsPerWorker } = plan.agents;
  return Array.from({ length: callerWorkers }, (_, worker) => {
    const common = {
      worker,
      seed: plan.seed,
      salt: (salt + worker * 0x101) & 0xffff,
      runTag,
      maxCalls: worker === 0 && answersOf(plan) ? maxCallsPerWorker * callerWorkers : maxCallsPerWorker,
      call: plan.call,
    };
    const share = { first: worker, stride: callerWorkers };
    if (addresses !== null && plan.target.kind === 'embedded') {
      const { edge } = addresses;
      return {
        ...common,
        callers: {
          ...share,
          // A worker of its own is a site of its own: another address behind the same router.
          ip: addresses.callers + worker,
          gateway: plan.target.config.nat.enabled ? addresses.gateway : null,
          hop: edge,
          domain: ipToString(edge.ip),
          user: null,
        },
        callees: worker === 0 ? { ...addresses.callees, maxCalls: calleeRoom(common.maxCalls) } : null,
        ...registrantsOf(plan, users, share, addresses.phones + worker, addresses.registrar, addresses.callees),
      };
    }
    const { ip, port, domain, user, localIp } = targetAddress(plan);
    return {
      ...common,
      callers: { ...share, ip: localIp, gateway: null, hop: { ip, port }, domain, user },
      callees: worker === 0 ? calleesBehind(plan, calleeRoom(common.maxCalls)) : null,
      ...registrantsOf(plan, users, share, localIp, { ip, port }),
    };
  });
}

/** Are the called parties ours? */
export function answersOf({ target }: RunPlan): boolean {
  return target.kind === 'embedded' || (target.kind === 'sip' && target.stack !== undefined);
}

/** Called parties behind a stack that we brought up; a target of the user's has its own. */
function calleesBehind({ target }: RunPlan, maxCalls: number): FleetPlan['callees'] {
  if (target.kind !== 'sip' || target.stack === undefined) return null;
  const { host, port } = trunkOf(target.host);
  return { ip: ipFromString(host), port, maxCalls };
}

/** The phones of one worker that register; nothing where the plan has none. */
function registrantsOf(
  plan: RunPlan,
  users: UserRow[] | null,
  share: { first: number; stride: number },
  ip: number,
  hop: Endpoint,
  callees?: Endpoint,
): Pick<FleetPlan, 'registrants'> {
  if (plan.registrations === undefined) return {};
  const untilMs = arrivalsEndMs(plan.arrivals);
  // One socket of called parties takes the calls of all: it is what their contacts say.
  const calledAt = plan.registrations.called && callees !== undefined ? { calledAt: callees } : {};
  return { registrants: { ...share, plan: plan.registrations, users, ip, hop, untilMs, ...calledAt } };
}

/** Room for every phone's attempt, and for as many that ended and were not collected yet; 0 without phones. */
export function registrationCapacity(plan: RegistrationPlan | undefined, workers: number): number {
  if (plan === undefined) return 0;
  const share = Math.ceil(plan.phones / workers);
  let n = 1024;
  while (n < share * 2) n *= 2;
  return n;
}
