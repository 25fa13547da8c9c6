/**
 * A load test from your own program: find how many calls in one second a platform takes. Here it is the embedded platform in
 * simulation, whose carrier has 100 channels; with `target: 'sip:service@127.0.0.1:5060'` in the place of `simulate` it is yours.
 */
import { run } from 'deadair';

export async function mostCalls(outDir: string): Promise<number> {
  let most = 0;
  for (const burst of [50, 80, 110]) {
    const { verdict, runDir } = await run('peak-dial', {
      outDir,
      simulate: true,
      // Without audio a platform ends a call after 30 s, so these are shorter.
      set: [`burst=${burst}`, 'quietCps=1', 'trunk.channels=100', 'media=none', 'holdMsMin=5000', 'holdMsMax=8000'],
      defaultBudgets: false,
      budget: ['isa: rate<0.005'],
    });
    const causes = verdict.causes.map((c) => `${c.cause} (${c.calls})`).join(', ') || 'none';
    process.stdout.write(`${burst} calls: ${verdict.outcome.word}, causes: ${causes}, ${runDir}\n`);
    if (verdict.outcome.word !== 'PASS') break;
    most = burst;
  }
  return most;
}
