import type { CallStep } from '../../harness/plan/types.js';
import { ROLE } from '../record.js';

/** What a session does next: a step of the plan, or a refresh. */
export const DO = {
  NOTHING: 0,
  HOLD: 1,
  RESUME: 2,
  REINVITE: 3,
  MEDIA: 4,
  UPDATE: 5,
  REFER: 6,
  BYE: 7,
  REFRESH: 8,
} as const;

const CODES: Record<CallStep['do'], number> = {
  hold: DO.HOLD,
  resume: DO.RESUME,
  reinvite: DO.REINVITE,
  media: DO.MEDIA,
  update: DO.UPDATE,
  refer: DO.REFER,
  bye: DO.BYE,
};

export interface Step {
  /** After the answer. */
  atUs: number;
  what: number;
  to: string | null;
}

const AT = /^answer\+(\d+(?:\.\d+)?)(ms|s)$/;

/** Microseconds after the answer; NaN when it cannot be read. The plan's door has the same pattern. */
export function stepAtUs(at: string): number {
  const m = AT.exec(at);
  return m === null ? Number.NaN : Number(m[1]) * (m[2] === 's' ? 1_000_000 : 1000);
}

/** The steps of each role, in the order in which they are due. */
export function stepsByRole(steps: readonly CallStep[] | undefined): Record<number, readonly Step[]> {
  const of = (by: 'caller' | 'callee'): Step[] =>
    (steps ?? [])
      .filter((s) => (s.by ?? 'caller') === by)
      .map((s) => ({ atUs: stepAtUs(s.at), what: CODES[s.do], to: s.to ?? null }))
      .sort((a, b) => a.atUs - b.atUs);
  return { [ROLE.CALLER]: of('caller'), [ROLE.CALLEE]: of('callee'), [ROLE.TRANSFER]: [] };
}
