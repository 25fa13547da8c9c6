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
    if (controller.signal.aborted) process.exit(EXIT.INTERRUPTED);
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
