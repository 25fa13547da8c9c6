import { type Command, InvalidArgumentError } from 'commander';
import { HarnessError } from '../errors.js';
import { onInterrupt } from './interrupt.js';
import { printResult, tell } from './output.js';

interface UasFlags {
  listen: string;
  maxCalls: number;
  answerMs: number;
  duration?: number;
  media: string;
  json?: boolean;
  authorise?: string;
}

const whole =
  (least: number) =>
  (value: string): number => {
    const n = Number(value);
    if (!/^\d+$/.test(value) || n < least) throw new InvalidArgumentError(`must be a whole number from ${least}.`);
    return n;
  };

export function addUas(program: Command): void {
  program
    .command('uas')
    .description('answer calls, for pointing other tools at us; ends on SIGINT, SIGTERM or --duration')
    .option('--listen <host:port>', 'IPv4 address and UDP port', '127.0.0.1:5060')
    .option('--max-calls <n>', 'calls at once', whole(1), 1000)
    .option('--answer-ms <ms>', 'ring this long before 200 OK', whole(0), 0)
    .option('--duration <seconds>', 'end by itself after this', whole(1))
    .option('--media <kind>', 'rtp: send and grade audio; none: signalling only', 'rtp')
    .option('--json', 'print the counts as JSON')
    .option('--authorise <host>', 'allow to listen outside 127.0.0.0/8; names exactly that host')
    .action(uas);
}

async function uas(flags: UasFlags): Promise<void> {
  const [{ serveUas }, { authorise, ipv4Of }] = await Promise.all([
    import('../uas-server.js'),
    import('../plan/target.js'),
  ]);
  const bad = (why: string): HarnessError => new HarnessError('BAD_PLAN', `--listen ${flags.listen}: ${why}`);
  const match = /^([^:]+):(\d+)$/.exec(flags.listen);
  if (match === null) throw bad('expected host:port, for example 127.0.0.1:5060');
  const host = match[1] === 'localhost' ? '127.0.0.1' : match[1]!;
  const port = Number(match[2]);
  if (ipv4Of(host) === undefined) throw bad(`${host} is not an IPv4 address`);
  if (port < 1 || port > 65_535) throw bad(`port ${match[2]} must be from 1 to 65535`);
  authorise(`--listen ${flags.listen}`, host, flags.authorise);
  const { media } = flags;
  if (media !== 'rtp' && media !== 'none') throw new HarnessError('BAD_PLAN', `--media ${media}: must be rtp or none`);
  const interrupt = onInterrupt();
  try {
    const summary = await serveUas({
      host,
      port,
      maxCalls: flags.maxCalls,
      answerMs: flags.answerMs,
      durationMs: flags.duration === undefined ? null : flags.duration * 1000,
      media,
      signal: interrupt.signal,
      onListening: ({ wire, media }) => tell(`listening on ${host}:${port} (UDP ${wire}, media ${media})`),
    });
    const lines = Object.entries(summary).map(([name, value]) => `${name} ${value}`);
    printResult(flags.json ? JSON.stringify(summary, null, 2) : lines.join('\n'));
  } finally {
    interrupt.release();
  }
}
