import { Population } from '../../agents/identity.js';
import type { RunPlan } from '../plan/types.js';
import { plannedUsers } from '../plan/users.js';

/** Domains of the tenants, by number; undefined in a run without phones that register. */
export function tenantDomains(plan: RunPlan): string[] | undefined {
  if (plan.registrations === undefined) return undefined;
  const { phones } = plan.registrations;
  const population = new Population(plan.registrations, plan.seed, plannedUsers(plan));
  const domains: string[] = [];
  for (let phone = 0; phone < phones; phone++) {
    const tenant = population.tenant(phone);
    domains[tenant] ??= population.user(phone).domain;
  }
  return domains;
}
