import { HarnessError } from '../errors.js';
import { type CallStep, STEP_ACTIONS } from './types.js';

/**
 * Steps as one parameter, so that they can be typed: `hold@2s,resume@4s,callee:update@5s,refer@6s>sip:100@192.0.2.1`.
 * Times count from the answer; the caller does what does not say `callee:`.
 */
const STEP = /^(?:(caller|callee):)?([a-z]+)@(\d+(?:\.\d+)?(?:ms|s))(?:>(\S+))?$/;
const SHAPE = 'expected [callee:]ACTION@TIME, for example hold@2s or refer@5s>sip:100@192.0.2.1';

export function parseSteps(text: string): CallStep[] {
  const parts = text.split(',').map((part) => part.trim());
  if (parts.length === 1 && parts[0] === '') return [];
  return parts.map((part) => {
    const bad = (why: string): HarnessError => new HarnessError('BAD_PLAN', `steps: '${part}': ${why}`);
    const m = STEP.exec(part);
    if (m === null) throw bad(SHAPE);
    const [, by, action, time, to] = m;
    if (!(STEP_ACTIONS as readonly string[]).includes(action!)) {
      throw bad(`there is no ${action}; there are ${STEP_ACTIONS.join(', ')}`);
    }
    if (to !== undefined && action !== 'refer') throw bad('only refer has a URI');
    if (to !== undefined && !/^sips?:/.test(to)) throw bad(`${to} is not a SIP URI`);
    return {
      at: `answer+${time}`,
      ...(by === undefined ? {} : { by: by as 'caller' | 'callee' }),
      do: action as CallStep['do'],
      ...(to === undefined ? {} : { to }),
    };
  });
}
