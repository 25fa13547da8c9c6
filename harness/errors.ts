/** Process exit codes. 0, 99, 104 and 105 mean what they mean in k6; INVALID is ours. */
export const EXIT = {
  PASS: 0,
  /** A budget was crossed, or had no data. */
  FAIL: 99,
  /** Scenario, option, budget, port or address that cannot be used. */
  BAD_CONFIG: 104,
  /** Ended by SIGINT or SIGTERM; what was measured until then is kept. */
  INTERRUPTED: 105,
  /** A bug of ours. */
  INTERNAL: 70,
  /** The measurement cannot be trusted: generator too slow, target sick at rest, fault not proven removed. */
  INVALID: 112,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

const EXIT_OF = {
  BAD_PLAN: EXIT.BAD_CONFIG,
  UNKNOWN_SCENARIO: EXIT.BAD_CONFIG,
  UNKNOWN_INCIDENT: EXIT.BAD_CONFIG,
  BAD_BUDGET: EXIT.BAD_CONFIG,
  BAD_QUERY: EXIT.BAD_CONFIG,
  BAD_TARGET: EXIT.BAD_CONFIG,
  NOT_AUTHORISED: EXIT.BAD_CONFIG,
  PORT_IN_USE: EXIT.BAD_CONFIG,
  NO_SUCH_RUN: EXIT.BAD_CONFIG,
  NO_CAPABILITY: EXIT.BAD_CONFIG,
  /** A Compose file that cannot be used, or a stack that is not there. */
  BAD_STACK: EXIT.BAD_CONFIG,
  NO_ENGINE: EXIT.BAD_CONFIG,
  INTERRUPTED: EXIT.INTERRUPTED,
  LAB_NOT_READY: EXIT.INVALID,
  TARGET_SILENT: EXIT.INVALID,
  WORKER_DIED: EXIT.INVALID,
} as const;
export type ErrorCode = keyof typeof EXIT_OF;

/** Something a user can mend: `message` is one line that says what, where, and the mend. */
export class HarnessError extends Error {
  readonly code: ErrorCode;
  readonly exitCode: ExitCode;
  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'HarnessError';
    this.code = code;
    this.exitCode = EXIT_OF[code];
  }
}

/** A bug of ours: stop at once. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`assertion failed: ${message}`);
}
