import type { Progress } from '../engine/types.js';

export interface ProgressPrinter {
  update(label: string, p: Progress): void;
  /** Leaves a clean line behind. */
  done(): void;
}

export interface ProgressOutput {
  write(text: string): unknown;
  isTTY?: boolean;
  columns?: number;
}

/** A screen is rewritten at most five times a second; a log in CI gets a line every 5 s of the run. */
const SCREEN_MS = 200;
const LINE_MS = 5000;

export function progressPrinter(out: ProgressOutput, now: () => number = () => performance.now()): ProgressPrinter {
  return out.isTTY ? screen(out, now) : lines(out);
}

function screen(out: ProgressOutput, now: () => number): ProgressPrinter {
  const latest = new Map<string, Progress>();
  let writtenAt = Number.NEGATIVE_INFINITY;
  let dirty = false;
  return {
    update(label, p) {
      latest.set(label, p);
      if (now() - writtenAt < SCREEN_MS) return;
      writtenAt = now();
      const width = (out.columns ?? 80) - 1;
      const text = latest.size === 1 ? describe(label, p) : [...latest].map(([name, q]) => brief(name, q)).join(' | ');
      // Carriage return, then erase to the end of the line (ECMA-48 EL).
      out.write(`\r${text.slice(0, width)}\x1b[K`);
      dirty = true;
    },
    done() {
      if (dirty) out.write('\r\x1b[K');
      dirty = false;
    },
  };
}

function lines(out: ProgressOutput): ProgressPrinter {
  const nextMs = new Map<string, number>();
  return {
    update(label, p) {
      if (p.tMs < (nextMs.get(label) ?? 0)) return;
      nextMs.set(label, (Math.floor(p.tMs / LINE_MS) + 1) * LINE_MS);
      out.write(`${describe(label, p)}\n`);
    },
    done() {
      nextMs.clear();
    },
  };
}

export function describe(label: string, p: Progress): string {
  const phones = p.phones === undefined ? '' : `  ${phonesText(p.phones)}`;
  if (phones !== '' && p.offered === 0) return `${label}  ${clock(p)}${phones}`;
  const counts = `offered ${p.offered}  started ${p.started}  answered ${p.answered}  open ${p.open}  ended ${p.ended}`;
  const blocked = p.blocked > 0 ? `  BLOCKED ${p.blocked}` : '';
  return `${label}  ${clock(p)}  ${counts}${blocked}${badText(p)}${phones}`;
}

function brief(label: string, p: Progress): string {
  if (p.phones !== undefined && p.offered === 0) {
    return `${label} ${clock(p)} registered ${p.phones.registered}/${p.phones.phones}`;
  }
  return `${label} ${clock(p)} up ${p.open} ended ${p.ended}/${p.offered}`;
}

/** Kinds of bad calls on one line; the rest is in the report. */
const KINDS_MAX = 3;

/** As callers saw them: why, is known when the run is over. */
function badText({ bad }: Progress): string {
  if (bad.length === 0) return '';
  const all = bad.reduce((n, [, calls]) => n + calls, 0);
  const kinds = bad.slice(0, KINDS_MAX).map(([what, calls]) => `${calls} × ${what}`);
  return `  BAD ${all} (${kinds.join(', ')}${bad.length > KINDS_MAX ? ', …' : ''})`;
}

function phonesText(r: NonNullable<Progress['phones']>): string {
  const blocked = r.blocked > 0 ? `  BLOCKED ${r.blocked}` : '';
  return `registered ${r.registered}/${r.phones}  attempts ${r.attempts}  failed ${r.failed}${blocked}`;
}

function clock(p: Progress): string {
  // The run ends when its last call does; that is seldom as late as it could be.
  return `${(p.tMs / 1000).toFixed(0)} s (at most ${(p.endMs / 1000).toFixed(0)} s)`;
}
