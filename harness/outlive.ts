/**
 * Processes of ours that outlive whoever started them: the reaper of a stack, the watchdog of a run's faults. Each is in a
 * session of its own, which a signal to our group or the end of a terminal does not reach, and its stdin is the lease: when
 * that closes its owner is gone, however it went.
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { HarnessError } from './errors.js';

export interface Outliver {
  readonly pid: number;
  /** A line to its stdin. */
  send(line: string): void;
  /** Its next lines, after the first. */
  onLine(take: (line: string) => void): void;
  /** Settles when it has ended, with the line of its standard error that names why. */
  readonly gone: Promise<string>;
  /** Waits for its end, which so far kept nobody waiting. */
  join(): Promise<void>;
}

/** Resolves with its first line, which means that it is at work. Throws LAB_NOT_READY. */
export function startOutliver(what: string, args: readonly string[]): Promise<Outliver> {
  const child = spawn(process.execPath, [...args], { detached: true, stdio: ['pipe', 'pipe', 'pipe'] });
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => {
    complaint = (complaint + chunk.toString()).slice(-2_000);
  });
  // That it is gone is told by 'close'.
  child.stdin.on('error', () => undefined);
  const gone = new Promise<string>((resolve) => {
    const why = (): string =>
      complaint
        .split('\n')
        .find((line) => /Error/.test(line))
        ?.trim() ?? 'no reason given';
    // Its last words have been read by then.
    child.on('close', () => resolve(why()));
    child.on('error', (error) => resolve(error.message));
  });
  return new Promise((resolve, reject) => {
    const lines = createInterface({ input: child.stdout });
    lines.once('line', () => {
      // It must not keep us alive: that it outlives us is its purpose.
      child.unref();
      for (const stream of [child.stdin, child.stdout, child.stderr]) (stream as unknown as { unref(): void }).unref();
      resolve({
        pid: child.pid!,
        send: (line) => void child.stdin.write(`${line}\n`),
        onLine: (take) => void lines.on('line', take),
        gone,
        join: async () => {
          child.ref();
          await gone;
        },
      });
    });
    void gone.then((why) => {
      reject(new HarnessError('LAB_NOT_READY', `${what} could not be started: ${why}`));
    });
  });
}

/** In such a process: its owner's lines, and his end. Nobody who reads our output any more is the same as a closed stdin. */
export function owner(options: { onLine: (line: string) => void; onGone: () => void; deadlineMs?: number }): void {
  const { onLine, onGone } = options;
  createInterface({ input: process.stdin }).on('line', onLine);
  process.stdin.on('end', onGone).on('error', onGone).on('close', onGone);
  process.stdout.on('error', onGone);
  // Ctrl-C at a terminal reaches its whole group; ours is another, but a signal by hand must not undo the lease.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onGone);
  if (options.deadlineMs !== undefined) setTimeout(onGone, options.deadlineMs);
}
