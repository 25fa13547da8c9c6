import {
  REGISTRATION_FIELDS,
  REGISTRATION_OUTCOMES,
  REGISTRATION_REASONS,
  type Registration,
  type RegistrationField,
} from '../../agents/registration-record.js';
import { type Column, columnType } from './legs.js';

/** The one door from the agents' registration record to registrations.parquet. */
export type { Registration };

export const REGISTRATION_COLUMNS: readonly Column[] = (Object.keys(REGISTRATION_FIELDS) as RegistrationField[]).map(
  (name) => ({ name, type: columnType(REGISTRATION_FIELDS[name]) }),
);

export const REGISTRATION_NAME_COLUMNS: readonly Column[] = [
  { name: 'outcome_name', type: 'VARCHAR' },
  { name: 'reason_name', type: 'VARCHAR' },
];

export function registrationNamesOf(r: Registration): [outcome: string, reason: string] {
  return [REGISTRATION_OUTCOMES[r.outcome] ?? 'unknown', REGISTRATION_REASONS[r.reason] ?? 'unknown'];
}
