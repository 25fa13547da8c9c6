import type { DurationDist } from '../harness/plan/types.js';
import { CallAgent } from './call/agent.js';
import type { SessionPlan } from './call/session.js';
import type { CallParts } from './call/table.js';
import { hostOf, type Wire } from './wire/types.js';

export interface CalleeOptions extends CallParts {
  port: number;
  /** Before 200 OK; 180 goes out at once. */
  ringMs: DurationDist;
  /** Share of calls that are not answered for ordinary reasons; 0 without it. */
  ordinaryFailures?: number;
  /** What it does in its calls. */
  call?: SessionPlan;
}

/** Answers calls. It places some only if a caller sends it elsewhere (REFER). */
export class Callee extends CallAgent {
  constructor(wire: Wire, options: CalleeOptions) {
    const n = options.maxCalls;
    super(
      wire,
      {
        ...options,
        plan: options.call ?? {},
        // Timer J keeps a BYE for 32 s after the call, so more transactions than calls.
        limits: {
          clientTransactions: Math.max(1024, n * 2),
          serverTransactions: Math.min(1 << 19, Math.max(8192, n * 16)),
          messages: Math.max(4096, n * 4),
        },
        domain: hostOf(options.ip),
        user: null,
        runTag: `transfer${options.salt & 0xffff}`,
      },
      {
        ringMs: options.ringMs,
        ordinaryFailures: options.ordinaryFailures ?? 0,
        seed: options.seed,
        salt: options.salt,
      },
    );
  }

  protected override onUp(): void {
    // Its own calls are transfers, which the agent keeps.
  }
}
