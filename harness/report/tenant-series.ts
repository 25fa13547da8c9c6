import type { OpenRun } from '../verdict/read.js';
import { num } from '../verdict/rule.js';
import { tenantName } from '../verdict/tenants.js';
import type { Plot } from './series.js';

/** A screen of small multiples; the tenant that is ill is among the worst. */
const TENANTS_MAX = 12;
/** Small plots have room for few points. */
const POINTS = 60;

/** One small plot for each of the worst tenants: calls begun and gone bad, or attempts to register and refused ones. */
export async function tenantPlots(run: OpenRun): Promise<Plot[]> {
  if ((run.env.tenants?.length ?? 0) < 2) return [];
  const stepMs = Math.max(1000, Math.ceil(run.env.durationMs / POINTS / 1000) * 1000);
  const calls = num(await run.one('SELECT count(DISTINCT caller_tenant) AS n FROM graded WHERE has_caller'), 'n') > 1;
  const from = calls
    ? 'SELECT caller_tenant AS tenant, started_ms AS begun, bad FROM graded WHERE has_caller'
    : "SELECT tenant, startedMs AS begun, outcome_name IN ('rejected', 'timeout', 'unconnected') AS bad FROM registrations WHERE startedMs IS NOT NULL";
  const worst = await run.query(`SELECT tenant, count(*) AS n, count(*) FILTER (bad) AS hits FROM (${from})
    GROUP BY tenant ORDER BY hits / n DESC, n DESC, tenant LIMIT ${TENANTS_MAX}`);
  const steps = Math.ceil(run.env.durationMs / stepMs);
  const x = Array.from({ length: steps }, (_, i) => (i * stepMs) / 1000);
  const plots: Plot[] = [];
  for (const row of worst) {
    const rows =
      await run.query(`SELECT floor(begun / ${stepMs}) AS s, count(*) AS n, count(*) FILTER (bad) AS hits FROM (${from})
      WHERE tenant = ${num(row, 'tenant')} GROUP BY s`);
    const [begun, bad] = [new Array<number>(steps).fill(0), new Array<number>(steps).fill(0)];
    for (const r of rows) {
      const s = Math.min(steps - 1, Math.max(0, num(r, 's')));
      begun[s] = num(r, 'n');
      bad[s] = num(r, 'hits');
    }
    plots.push({
      title: tenantName(run.env, num(row, 'tenant')),
      unit: `${num(row, 'hits')} of ${num(row, 'n')} ${calls ? 'calls went bad' : 'attempts failed'}`,
      x,
      lines: [
        { label: calls ? 'begun' : 'attempts', style: 'a', values: begun },
        { label: calls ? 'went bad' : 'failed', style: 'bad', values: bad },
      ],
    });
  }
  return plots;
}
