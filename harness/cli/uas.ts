import { readFileSync } from 'node:fs';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { HarnessError } from '../errors.js';
import type { Transport } from '../plan/types.js';
import { onInterrupt } from './interrupt.js';
import { printResult, tell } from './output.js';

interface UasFlags {
  listen: string;
  transport: Transport;
  tlsCert?: string;
  tlsKey?: string;
  maxCalls: number;
  answerMs: number;
  duration?: number;
  media: string;
  json?: boolean;
  authorise?: string;
}

const TRANSPORTS: readonly Transport[] = ['udp', 'tcp', 'tls', 'ws', 'wss'];

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
    .option('--listen <host:port>', 'IP address and port, as 127.0.0.1:5060 or [::1]:5060', '127.0.0.1:5060')
    .addOption(new Option('--transport <name>', 'what carries SIP').choices(TRANSPORTS).default('udp'))
    .option('--tls-cert <file>', 'tls, wss: PEM file of the certificate')
    .option('--tls-key <file>', 'tls, wss: PEM file of its key')
    .option('--max-calls <n>', 'calls at once', whole(1), 1000)
    .option('--answer-ms <ms>', 'ring this long before 200 OK', whole(0), 0)
    .option('--duration <seconds>', 'end by itself after this', whole(1))
    .option('--media <kind>', 'rtp: send and grade audio; none: signalling only', 'rtp')
    .option('--json', 'print the counts as JSON')
    .option('--authorise <host>', 'allow to listen outside 127.0.0.0/8 and ::1; names exactly that host')
    .action(uas);
}

/** Throws BAD_PLAN where the files and the transport do not fit, or cannot be read. */
function certificateOf({ transport, tlsCert, tlsKey }: UasFlags): { cert: string; key: string } | null {
  const bad = (why: string): HarnessError => new HarnessError('BAD_PLAN', why);
  const secure = transport === 'tls' || transport === 'wss';
  if (!secure && (tlsCert ?? tlsKey) !== undefined)
    throw bad(`--tls-cert and --tls-key: ${transport} has no certificates`);
  if (!secure) return null;
  if (tlsCert === undefined || tlsKey === undefined)
    throw bad(`--transport ${transport}: wants --tls-cert and --tls-key`);
  const read = (option: string, file: string): string => {
    try {
      return readFileSync(file, 'utf8');
    } catch (error) {
      throw bad(`${option} ${file}: cannot be read: ${(error as NodeJS.ErrnoException).code}`);
    }
  };
  return { cert: read('--tls-cert', tlsCert), key: read('--tls-key', tlsKey) };
}

async function uas(flags: UasFlags): Promise<void> {
  const [{ serveUas }, { addressOf, authorise }, { hostMisfit }] = await Promise.all([
    import('../uas-server.js'),
    import('../plan/target.js'),
    import('../plan/host.js'),
  ]);
  const bad = (why: string): HarnessError => new HarnessError('BAD_PLAN', `--listen ${flags.listen}: ${why}`);
  const match = /^(\[[^[\]]+\]|[^:]+):(\d+)$/.exec(flags.listen);
  if (match === null) throw bad('expected host:port, for example 127.0.0.1:5060 or [::1]:5060');
  const host = addressOf(match[1]!);
  const port = Number(match[2]);
  if (host === undefined) throw bad(`${match[1]} is not an IP address`);
  const misfit = hostMisfit(host);
  if (misfit !== null) throw bad(misfit);
  if (port < 1 || port > 65_535) throw bad(`port ${match[2]} must be from 1 to 65535`);
  authorise(`--listen ${flags.listen}`, host, flags.authorise);
  const { media } = flags;
  if (media !== 'rtp' && media !== 'none') throw new HarnessError('BAD_PLAN', `--media ${media}: must be rtp or none`);
  const certificate = certificateOf(flags);
  const interrupt = onInterrupt();
  try {
    const summary = await serveUas({
      host,
      port,
      maxCalls: flags.maxCalls,
      answerMs: flags.answerMs,
      durationMs: flags.duration === undefined ? null : flags.duration * 1000,
      media,
      transport: flags.transport,
      certificate,
      signal: interrupt.signal,
      onListening: ({ wire, media }) =>
        tell(`listening on ${match[1]}:${port} (${flags.transport.toUpperCase()} ${wire}, media ${media})`),
    });
    const lines = Object.entries(summary).map(([name, value]) => `${name} ${value}`);
    printResult(flags.json ? JSON.stringify(summary, null, 2) : lines.join('\n'));
  } finally {
    interrupt.release();
  }
}
