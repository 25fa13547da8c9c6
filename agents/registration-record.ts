import { type FieldType, type Layout, offsetsOf } from './record.js';

/**
 * One attempt of a phone to register, from its instant to its end: the REGISTER, the one that answers a challenge (401,
 * 407) and those that ask for longer (423). What follows a refusal or a timeout is another attempt. Times in ms since t0.
 */
export const REGISTRATION_OUTCOMES = [
  'open',
  /** 200 with our contact. */
  'registered',
  /** Final 3xx-6xx, a challenge that our credentials did not satisfy, or a 200 without our contact. */
  'rejected',
  /** Timer F (RFC 3261 17.1.2.2). */
  'timeout',
  /** The phone restarted meanwhile. */
  'superseded',
  /** The connection was refused, or lost before the answer: as a 503 (RFC 3261 8.1.3.1). */
  'unconnected',
] as const;
export type RegistrationOutcome = (typeof REGISTRATION_OUTCOMES)[number];

/** Why the phone tried. */
export const REGISTRATION_REASONS = ['wave', 'refresh', 'retry'] as const;
export type RegistrationReason = (typeof REGISTRATION_REASONS)[number];

export const REGISTRATION_FIELDS = {
  intendedMs: 'f64', // the plan's instant, the refresh's, or the one that the retry policy chose
  startedMs: 'f64', // first REGISTER sent
  doneMs: 'f64', // final answer, or timer F
  phone: 'u32',
  grantedExpiresS: 'u32',
  tenant: 'u16',
  finalCode: 'u16', // 0 = none
  retryAfterS: 'u16',
  n401: 'u16',
  n423: 'u16',
  n503: 'u16',
  retransmissions: 'u16',
  failures: 'u16', // attempts that failed in a row before this one
  outcome: 'u8', // index in REGISTRATION_OUTCOMES
  reason: 'u8', // index in REGISTRATION_REASONS
  wave: 'u8', // of the plan; the last one that this phone was in
  worker: 'u8',
} as const satisfies Record<string, FieldType>;

export type RegistrationField = keyof typeof REGISTRATION_FIELDS;
export type Registration = Record<RegistrationField, number>;

export const REGISTRATION_LAYOUT: Layout<RegistrationField> = {
  fields: REGISTRATION_FIELDS,
  offsets: offsetsOf<RegistrationField>(REGISTRATION_FIELDS),
  bytes: 64,
  times: ['intendedMs', 'startedMs', 'doneMs'],
};
