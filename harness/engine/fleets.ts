import type { FleetPlan } from '../../agents/fleet.js';
import { ipToString } from '../../agents/wire/types.js';
import type { Addresses } from '../lab/embedded/addresses.js';
import type { RunPlan } from '../plan/types.js';
import { targetAddress } from './target.js';

/** Who places which calls, and who answers them: worker w takes arrivals w, w + W, ...; the first also answers. */
export function fleetPlans(plan: RunPlan, addresses: Addresses | null, runTag: string, salt: number): FleetPlan[] {
  const { callerWorkers, maxCallsPerWorker } = plan.agents;
  return Array.from({ length: callerWorkers }, (_, worker) => {
    const common = {
      worker,
      seed: plan.seed,
      salt: (salt + worker * 0x101) & 0xffff,
      runTag,
      maxCalls: worker === 0 && addresses !== null ? maxCallsPerWorker * callerWorkers : maxCallsPerWorker,
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
        callees: worker === 0 ? addresses.callees : null,
      };
    }
    const { ip, port, domain, user, localIp } = targetAddress(plan);
    return {
      ...common,
      callers: { ...share, ip: localIp, gateway: null, hop: { ip, port }, domain, user },
      callees: null,
    };
  });
}
