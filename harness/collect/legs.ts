import {
  ENDED_BY,
  type FieldType,
  LEG_FIELDS,
  type Leg,
  type LegField,
  METHOD_NAMES,
  OUTCOMES,
  type Outcome,
} from '../../agents/record.js';

/** The one door from the agents' leg record to the files: column types, names of the coded columns, an empty leg. */
export type { Leg, LegField, Outcome };
export { ENDED_BY, LEG_FIELDS, METHOD_NAMES, OUTCOMES };

export type ColumnType = 'UTINYINT' | 'USMALLINT' | 'UINTEGER' | 'DOUBLE' | 'VARCHAR';

export interface Column {
  name: string;
  type: ColumnType;
}

export function columnType(type: FieldType): ColumnType {
  if (type === 'f64') return 'DOUBLE';
  if (type === 'u32') return 'UINTEGER';
  if (type === 'u16') return 'USMALLINT';
  return type === 'u8' ? 'UTINYINT' : 'VARCHAR';
}

export const LEG_COLUMNS: readonly Column[] = (Object.keys(LEG_FIELDS) as LegField[]).map((name) => ({
  name,
  type: columnType(LEG_FIELDS[name]),
}));

/** Written beside the codes, so that a query reads without a table of codes. */
export const NAME_COLUMNS: readonly Column[] = [
  { name: 'outcome_name', type: 'VARCHAR' },
  { name: 'ended_by_name', type: 'VARCHAR' },
  { name: 'role_name', type: 'VARCHAR' },
];

const ROLE_NAMES = ['caller', 'callee', 'transfer'];

export function namesOf(leg: Leg): [outcome: string, endedBy: string, role: string] {
  return [OUTCOMES[leg.outcome] ?? 'unknown', ENDED_BY[leg.endedBy] ?? 'unknown', ROLE_NAMES[leg.role] ?? 'unknown'];
}

/** These are measured from the first packet on, so they start at 0; every other double is a time. */
const NOT_TIMES = new Set<string>(['jitterMs', 'jitterMaxMs', 'maxGapMs', 'heldMs']);

/** A leg to which nothing has happened. */
export function blankLeg(): Leg {
  const leg: Record<string, number | string> = {};
  for (const name of Object.keys(LEG_FIELDS) as LegField[]) {
    const type = LEG_FIELDS[name];
    if (typeof type === 'object') leg[name] = '';
    else leg[name] = type === 'f64' && !NOT_TIMES.has(name) ? Number.NaN : 0;
  }
  return leg as Leg;
}
