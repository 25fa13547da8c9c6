import type { EnvRecord } from '../collect/schema.js';

/** A tenant as people name it: its domain, the first label of that, or its number. Null: no such tenant in this run. */
export function tenantNumber({ tenants = [] }: EnvRecord, wanted: string): number | null {
  const named = tenants.findIndex((domain) => domain === wanted || domain.split('.')[0] === wanted);
  if (named >= 0) return named;
  const number = /^\d+$/.test(wanted) ? Number(wanted) : -1;
  return number >= 0 && number < tenants.length ? number : null;
}

export function tenantName({ tenants = [] }: EnvRecord, number: number): string {
  return tenants[number] ?? String(number);
}
