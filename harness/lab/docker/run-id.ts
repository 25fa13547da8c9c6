import { randomBytes } from 'node:crypto';

/** Of a command that makes something in an engine and is no run of calls: unique, and readable in a label. */
export function newRunId(stack: string): string {
  return `stack-${stack}-${randomBytes(4).toString('hex')}`;
}
