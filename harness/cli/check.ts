/** One line of `doctor`. */
export interface Check {
  name: string;
  state: 'ok' | 'warn' | 'missing';
  found: string;
  /** What to do about it; empty when it is ok. */
  mend: string;
  /** The main job cannot run while it is missing. */
  required: boolean;
}

export function check(
  name: string,
  ok: boolean,
  found: string,
  mend: string,
  bad: 'warn' | 'missing',
  required = false,
): Check {
  return { name, state: ok ? 'ok' : bad, found, mend: ok ? '' : mend, required };
}
