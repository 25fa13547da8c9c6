import { entryArgs } from '../../entry.js';
import { startOutliver } from '../../outlive.js';

/** A process that removes what we made when we are gone, whatever became of us. */
export interface Reaper {
  /** All that was made stays, or is gone already: it ends and does nothing. */
  dismiss(): Promise<void>;
}

/** Resolves once it watches: nothing may be made before. Throws LAB_NOT_READY. */
export async function startReaper(options: { engine: string; run: string; deadlineMs: number }): Promise<Reaper> {
  const { engine, run, deadlineMs } = options;
  const args = [...entryArgs('reaper-process', import.meta.url), engine, run, String(deadlineMs)];
  const process = await startOutliver('the reaper', args);
  return {
    dismiss: async () => {
      process.send('keep');
      await process.join();
    },
  };
}
