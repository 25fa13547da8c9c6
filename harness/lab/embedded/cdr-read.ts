import { existsSync } from 'node:fs';
import Database from 'libsql';
import type { CdrRow } from './cdr.js';

/** Rows of a CDR database whose thread has closed it; null when there is no such file or it cannot be read. */
export function readCdrFile(file: string): CdrRow[] | null {
  if (!existsSync(file)) return null;
  let db: Database.Database | null = null;
  try {
    db = new Database(file, { readonly: true });
    const rows = db.prepare('SELECT * FROM cdr').all() as Record<string, string | number | null>[];
    const at = (value: string | number | null | undefined): number => (value == null ? Number.NaN : Number(value));
    return rows.map((r) => ({
      callId: String(r.call_id),
      node: Number(r.node),
      tenant: String(r.tenant ?? ''),
      from: String(r.caller ?? ''),
      to: String(r.callee ?? ''),
      startMs: at(r.start_ms),
      answeredMs: at(r.answered_ms),
      endedMs: at(r.ended_ms),
      code: Number(r.code),
    }));
  } catch {
    return null; // somebody else holds it for good: the records are a source that is not there
  } finally {
    db?.close();
  }
}
