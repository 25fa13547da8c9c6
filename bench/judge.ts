/** The process that is measured: judges the run of its argument, and says what that took. */
import { readFileSync } from 'node:fs';
import { judge } from '../harness/verdict/index.js';

const startedAt = performance.now();
const verdict = await judge(process.argv[2]!, {
  injectedCause: null,
  budgets: ['asr: rate>0.9', 'mos: p(5)>1', 'pdd_ms: p(95)<4000'],
  faults: [],
  command: '',
});
const line = {
  seconds: (performance.now() - startedAt) / 1000,
  // The kernel's own high-water mark; resourceUsage() says the same where /proc is not.
  peakMb: Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) / 1024,
  calls: verdict.calls.total,
  bad: verdict.calls.bad,
  causes: verdict.causes.map((c) => c.cause),
};
process.stdout.write(`${JSON.stringify(line)}\n`);
