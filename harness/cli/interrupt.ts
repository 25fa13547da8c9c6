import { createRequire } from 'node:module';
import { EXIT } from '../errors.js';
import { tell } from './output.js';

export interface Interrupt {
  signal: AbortSignal;
  /** Put the signals back to what they were. */
  release(): void;
}

/** The first SIGINT or SIGTERM asks for an orderly end with what was measured so far; the second ends us at once. */
export function onInterrupt(): Interrupt {
  const controller = new AbortController();
  const handle = (name: NodeJS.Signals): void => {
    if (controller.signal.aborted) quit();
    tell(`${name}: stopping, results are being saved; once more to quit at once`);
    controller.abort(name);
  };
  process.on('SIGINT', handle);
  process.on('SIGTERM', handle);
  return {
    signal: controller.signal,
    release: () => {
      process.off('SIGINT', handle);
      process.off('SIGTERM', handle);
    },
  };
}

/**
 * Ends the process without ending its threads first, as process.exit() would: one that waits for a locked database
 * cannot be ended (libsql panics, and prints its stack). The faults' own processes see our end, and undo what they did.
 */
function quit(): never {
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
    koffi.load(null).func('void _exit(int)')(EXIT.INTERRUPTED);
  } catch {
    // No koffi for this machine: the ordinary way.
  }
  process.exit(EXIT.INTERRUPTED);
}
