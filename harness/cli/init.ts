import { existsSync, writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { HarnessError } from '../errors.js';
import { printResult } from './output.js';

export function addInit(program: Command): void {
  program
    .command('init')
    .description('write a scenario of your own, with comments that explain it')
    .argument('[file]', 'where; it must not exist yet', 'my-scenario.ts')
    .action((file: string) => {
      if (!/\.m?ts$/.test(file))
        throw new HarnessError('BAD_PLAN', `init ${file}: a scenario file ends in .ts or .mts`);
      if (existsSync(file)) throw new HarnessError('BAD_PLAN', `init ${file}: is there already; nothing was written`);
      const name = file
        .replace(/^.*[/\\]/, '')
        .replace(/\.m?ts$/, '')
        .toLowerCase()
        .replace(/[^a-z0-9]+/g, '-')
        .replace(/^-|-$/g, '');
      try {
        writeFileSync(file, template(name === '' ? 'mine' : name), { flag: 'wx' });
      } catch (cause) {
        const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
        throw new HarnessError('BAD_PLAN', `init ${file}: cannot be written (${code})`, { cause });
      }
      const path = /[/\\]/.test(file) ? file : `./${file}`;
      printResult(NEXT.replaceAll('FILE', path));
    });
}

const NEXT = `FILE is written. What to do with it:

  deadair run FILE --simulate                            seconds, no network: does it say what you meant?
  deadair run FILE                                       on the embedded platform, real sockets of this machine
  deadair run FILE --incident small-carrier              the same with something wrong, and the cause named
  deadair run FILE --target sip:service@127.0.0.1:5060   a platform of yours; elsewhere than loopback add --authorise HOST
`;

function template(name: string): string {
  return `import { callParams, callPlan, defineScenario, embeddedConfig, embeddedParams, integer, number } from 'deadair';

export default defineScenario({
  // Names the directory of each run. Lower-case letters, digits, hyphens.
  name: '${name}',
  summary: 'a small office: calls come evenly, ring, are answered, and are hung up by the caller',

  // Every one can be set on the command line: --set cps=5. \`deadair scenarios FILE\` lists them.
  params: {
    cps: number(3, { unit: 'calls/s', doc: 'calls that begin in a second' }),
    forMs: integer(10_000, { unit: 'ms', min: 1, doc: 'for how long calls begin' }),
    // How calls are: ringing (ringMsMin, ringMsMax), talk (holdMsMin, holdMsMax), patience, audio (media=rtp or none), and so on.
    ...callParams,
    // What the embedded platform can take: nat.maxSessions, relay.ports, trunk.cps, trunk.channels, and so on.
    ...embeddedParams,
  },

  build: (p) => ({
    // Open model: each call has its instant, whatever became of those before it. fromCps and toCps may differ: a ramp.
    // One stage follows the other.
    arrivals: [{ name: 'steady', durationMs: p.forMs, fromCps: p.cps, toCps: p.cps }],
    // After the last arrival: the longest ringing and talk, and what a lost BYE may take (32 s, RFC 3261 timer F).
    drainMs: p.ringMsMax + p.holdMsMax + 33_000,
    call: callPlan(p),
    platform: embeddedConfig(p),
  }),

  // What can go wrong, by name: deadair run FILE --incident small-carrier [--cured].
  incidents: {
    'small-carrier': {
      summary: 'the carrier takes 10 calls at once, and answers 503 from the 11th',
      // What the diagnosis should find; it is not told, and is scored against this afterwards.
      cause: 'trunk-channel-limit',
      set: { 'trunk.channels': 10 },
      cure: { summary: 'as many channels as the office needs', set: { 'trunk.channels': 200 } },
    },
  },

  // When is it good enough? k6's grammar: metric{tags}: aggregation operator number. See docs/budgets.md.
  budgets: (p) => [
    'asr: rate>0.99',
    'drop_rate: rate<0.005',
    'srd_ms: p(95)<500',
    // Told, and does not fail the run.
    'bad_rate: rate<0.001 warn',
    ...(p.media === 'rtp' ? ['one_way: count==0', 'mos: p(5)>3.6'] : []),
  ],
});
`;
}
