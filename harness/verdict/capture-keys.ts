import { CAPTURES_MAX, type CaptureKey, type CaptureWish } from '../collect/pcap.js';
import { openRun } from './read.js';
import { num } from './rule.js';
import { WORST_FIRST } from './worst.js';

/** The ends of the calls whose packets are wanted, from a run that was judged; null: of all. */
export async function captureKeys(runDir: string, wish: CaptureWish): Promise<CaptureKey[] | null> {
  if (wish.kind === 'all') return null;
  const run = await openRun(runDir);
  try {
    const most = wish.kind === 'bad' ? CAPTURES_MAX : wish.calls;
    const rows =
      await run.query(`SELECT callNo, worker, role, callId, mediaPort, startedMs, coalesce(endedMs, duration_ms) AS endedMs
      FROM legs, run_env WHERE callNo IN (
        SELECT callNo FROM calls LEFT JOIN causes USING (callNo) ${wish.kind === 'bad' ? 'WHERE bad' : ''} ORDER BY ${WORST_FIRST} LIMIT ${most})
      ORDER BY callNo, role, startedMs`);
    return rows.map((r) => ({
      callNo: num(r, 'callNo'),
      worker: num(r, 'worker'),
      role: num(r, 'role'),
      callId: String(r.callId),
      mediaPort: num(r, 'mediaPort'),
      startedMs: num(r, 'startedMs'),
      endedMs: num(r, 'endedMs'),
    }));
  } finally {
    run.close();
  }
}
