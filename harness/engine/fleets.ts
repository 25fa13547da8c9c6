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
export function legRoom({ maxCalls, callers, callees, registrants }: FleetPlan): number {
  const phones = registrants?.calls?.maxCalls ?? 0;
  return legCapacity((callers === null ? 0 : maxCalls) + (callees?.maxCalls ?? 0) + phones, 1);
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
    const phonesCall = plan.registrations?.calling === true;
    if (addresses !== null && plan.target.kind === 'embedded') {
      const { edge } = addresses;
      return {
        ...common,
        callers: phonesCall
          ? null
          : {
              ...share,
              // A worker of its own is a site of its own: another address behind the same router.
              ip: addresses.callers + worker,
              gateway: plan.target.config.nat.enabled ? addresses.gateway : null,
              hop: edge,
              domain: ipToString(edge.ip),
              user: null,
            },
        callees:
          worker === 0 && plan.registrations?.called !== true
            ? { ...addresses.callees, maxCalls: calleeRoom(common.maxCalls) }
            : null,
        ...registrantsOf(plan, users, share, addresses.phones + worker, addresses.registrar, edge),
      };
    }
    const { ip, port, domain, user, localIp } = targetAddress(plan);
    const proxy = plan.signalling?.outboundProxy;
    const way = proxy === undefined ? null : { uri: proxy.uri, ip: ipFromString(proxy.host), port: proxy.port };
    const hop = way ?? { ip, port };
    return {
      ...common,
      callers: phonesCall
        ? null
        : { ...share, ip: localIp, gateway: null, hop: { ip: hop.ip, port: hop.port }, domain, user },
      callees: worker === 0 && !phonesCall ? calleesBehind(plan, calleeRoom(common.maxCalls)) : null,
      ...registrantsOf(plan, users, share, localIp, { ip: hop.ip, port: hop.port }),
      proxy: way,
    };
  });
}

/** Are the called parties ours? */
export function answersOf({ target, registrations }: RunPlan): boolean {
  if (registrations?.calling === true) return true;
  return target.kind === 'embedded' || (target.kind === 'sip' && target.stack !== undefined);
}

/** Called parties behind a stack that we brought up; a target of the user's has its own. */
function calleesBehind({ target }: RunPlan, maxCalls: number): FleetPlan['callees'] {
  if (target.kind !== 'sip' || target.stack === undefined) return null;
  const { host, port } = trunkOf(target.host);
  return { ip: ipFromString(host), port, maxCalls };
}

/** The phones of one worker that register; nothing where the plan has none. */
export function registrantsOf(
  plan: RunPlan,
  users: UserRow[] | null,
  share: { first: number; stride: number },
  ip: number,
  hop: Endpoint,
  /** Where their calls go, if not there. */
  callHop: Endpoint = hop,
): Pick<FleetPlan, 'registrants'> {
  if (plan.registrations === undefined) return {};
  const untilMs = arrivalsEndMs(plan.arrivals);
  const { called, calling } = plan.registrations;
  const { maxCallsPerWorker, callerWorkers } = plan.agents;
  // Both ends of a call may be here, and all the called ends of a run.
  const maxCalls = (calling ? maxCallsPerWorker : 0) + calleeRoom(maxCallsPerWorker * callerWorkers);
  const calls = called ? { calls: { maxCalls, place: calling ? callHop : null } } : {};
  return { registrants: { ...share, plan: plan.registrations, users, ip, hop, untilMs, ...calls } };
}

/** Room for every phone's attempt, and for as many that ended and were not collected yet; 0 without phones. */
export function registrationCapacity(plan: RegistrationPlan | undefined, workers: number): number {
  if (plan === undefined) return 0;
  const share = Math.ceil(plan.phones / workers);
  let n = 1024;
  while (n < share * 2) n *= 2;
  return n;
}
