import { openSync } from 'node:fs';
import pino, { type Logger } from 'pino';
import { HarnessError } from '../errors.js';

/** A file gets everything of interest; the terminal, which has the progress line, only what needs attention. */
export function openLog(file: string | undefined): Logger {
  const dest = file === undefined ? 2 : openFile(file);
  // Synchronous: a line that was logged just before the process ends is not lost.
  return pino({ name: 'deadair', level: file === undefined ? 'warn' : 'info' }, pino.destination({ dest, sync: true }));
}

function openFile(file: string): number {
  try {
    return openSync(file, 'a');
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
    throw new HarnessError(
      'BAD_PLAN',
      `--log-file ${file}: cannot be opened (${code}); give a file that can be written`,
      {
        cause,
      },
    );
  }
}
