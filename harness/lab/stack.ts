import { trunkOf } from '../plan/target.js';
import type { RunPlan } from '../plan/types.js';
import { plannedUsers } from '../plan/users.js';
import type { StartedKamailio } from './kamailio/kamailio.js';
import { usersOf, webphoneUsersOf } from './kamailio/users.js';

/** The platform that a plan wants us to bring up beside the engine; null when it names none. The caller stops it. */
export async function bringUp(plan: RunPlan): Promise<StartedKamailio | null> {
  if (plan.target.kind !== 'sip' || plan.target.stack === undefined) return null;
  const { startKamailio } = await import('./kamailio/kamailio.js');
  const users = [
    ...(plan.registrations === undefined ? [] : usersOf(plan.registrations, plannedUsers(plan), plan.seed)),
    ...(plan.webphones === undefined ? [] : webphoneUsersOf(plan.webphones, plan.seed)),
  ];
  const trunk = trunkOf(plan.target.host);
  return startKamailio({ host: plan.target.host, users, trunk: `${trunk.host}:${trunk.port}` });
}
