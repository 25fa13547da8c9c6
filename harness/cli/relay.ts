import { type Command, InvalidArgumentError } from 'commander';
import { HarnessError } from '../errors.js';
import { onInterrupt } from './interrupt.js';
import { printResult, tell } from './output.js';

interface RelayFlags {
  listen: string;
  to: string;
  fault?: string[];
  seed: number;
  for: number;
  json?: boolean;
  authorise?: string;
}

/** A relay that was forgotten ends by itself. */
const FOR_S = 600;
const FOR_MAX_S = 86_400;

const whole =
  (least: number, most: number) =>
  (value: string): number => {
    const n = Number(value);
    if (!/^\d+$/.test(value) || n < least || n > most)
      throw new InvalidArgumentError(`must be a whole number from ${least} to ${most}.`);
    return n;
  };
const list = (value: string, before: string[] | undefined): string[] => [...(before ?? []), value];

export function addRelay(program: Command): void {
  program
    .command('relay')
    .description('stand in front of a UDP service, and lose, delay, double or reorder its datagrams by a seed')
    .requiredOption('--to <host:port>', 'the service: IPv4 address and port')
    .option('--listen <host:port>', 'where its clients send instead; port 0: any free one', '127.0.0.1:0')
    .option(
      '--fault <what>',
      "what is done, from the relay's start: 'packet-loss@0s+30s,percent=5,burst=3'; in: clients to service; may be repeated",
      list,
    )
    .option('--seed <n>', 'the same seed, the same packets of each client', whole(0, 0xffffffff), 1)
    .option('--for <seconds>', 'end by itself after this', whole(1, FOR_MAX_S), FOR_S)
    .option('--json', 'print what it did as JSON')
    .option('--authorise <host>', 'allow an address outside 127.0.0.0/8; names exactly that host')
    .action(relay);
}

async function relay(flags: RelayFlags): Promise<void> {
  const [{ relayUdp }, { parseFault }, { authorise }, { ipv4Of }] = await Promise.all([
    import('../impair/udp-relay.js'),
    import('../plan/fault.js'),
    import('../plan/target.js'),
    import('../plan/host.js'),
  ]);
  const address = (option: string, text: string, leastPort: number): { host: string; port: number } => {
    const bad = (why: string): HarnessError => new HarnessError('BAD_PLAN', `${option} ${text}: ${why}`);
    const match = /^([^:]+):(\d+)$/.exec(text);
    if (match === null) throw bad('expected host:port, for example 127.0.0.1:5060');
    const host = match[1] === 'localhost' ? '127.0.0.1' : match[1]!;
    const port = Number(match[2]);
    if (ipv4Of(host) === undefined) throw bad(`${host} is not an IPv4 address`);
    if (port < leastPort || port > 65_535) throw bad(`port ${match[2]} must be from ${leastPort} to 65535`);
    authorise(`${option} ${text}`, host, flags.authorise);
    return { host, port };
  };
  const plan = {
    listen: address('--listen', flags.listen, 0),
    to: address('--to', flags.to, 1),
    faults: (flags.fault ?? []).map((text) => parseFault(text)),
  };
  const interrupt = onInterrupt();
  try {
    const report = await relayUdp({
      ...plan,
      seed: flags.seed,
      durationMs: flags.for * 1000,
      signal: interrupt.signal,
      onListening: ({ host, port }) => tell(`relay: ${host}:${port} to ${plan.to.host}:${plan.to.port}`),
    });
    printResult(flags.json ? JSON.stringify(report, null, 2) : lines(report).join('\n'));
  } finally {
    interrupt.release();
  }
}

type Report = Awaited<ReturnType<typeof import('../impair/udp-relay.js')['relayUdp']>>;

function lines(r: Report): string[] {
  const faults = r.faults.map((f) => {
    const share = f.seen === 0 ? '' : ` (${((100 * f.hit) / f.seen).toFixed(1)} %)`;
    const when =
      f.appliedAtMs === null ? 'never on' : `from ${f.appliedAtMs.toFixed(0)} to ${f.removedAtMs?.toFixed(0)} ms`;
    return `${f.kind}: ${when}, done to ${f.hit} of ${f.seen} packets${share}`;
  });
  const lost = r.refused + r.tooLong + r.noRoom;
  return [
    `${r.in} packets in, ${r.out} out, ${r.forwarded} forwarded, of ${r.clients} clients`,
    ...(lost === 0
      ? []
      : [
          `the relay itself lost ${lost}: ${r.refused} of too many clients, ${r.tooLong} too long, ${r.noRoom} for want of room`,
        ]),
    ...faults,
  ];
}
