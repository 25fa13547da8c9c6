/** Starts the measured generator and reads what it says. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { entryArgs } from '../harness/entry.js';
import { endsWithUs } from './children.js';
import type { AgentLine, AgentResult, AgentTask, MediaCount } from './task.js';

export interface Agent {
  child: ChildProcess;
  /** Each is true when it has come to that. */
  started: Promise<true>;
  up: Promise<true>;
  done: Promise<AgentResult>;
  count(): Promise<MediaCount>;
}

export function startAgent(task: AgentTask): Agent {
  const child = endsWithUs(
    spawn(process.execPath, [...entryArgs('./agent', import.meta.url), JSON.stringify(task)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    }),
  );
  const lines = createInterface({ input: child.stdout! });
  // After the last line, which may come later than the exit.
  const exit = once(lines, 'close').then(() => {
    throw new Error(`the generator ended early, exit ${child.exitCode ?? child.signalCode}`);
  });
  const wait = <T>(read: (line: AgentLine) => T | undefined): Promise<T> => {
    const line = new Promise<T>((resolve) => {
      const listen = (text: string): void => {
        const value = read(JSON.parse(text) as AgentLine);
        if (value === undefined) return;
        lines.off('line', listen);
        resolve(value);
      };
      lines.on('line', listen);
    });
    const first = Promise.race([line, exit]);
    first.catch(() => undefined);
    return first;
  };
  return {
    child,
    started: wait((line) => (line.kind === 'started' ? true : undefined)),
    up: wait((line) => (line.kind === 'up' ? true : undefined)),
    done: wait((line) => (line.kind === 'done' ? line : undefined)),
    count: () => {
      child.kill('SIGUSR2');
      return wait((line) => (line.kind === 'count' ? line : undefined));
    },
  };
}

/** The whole life of one generator. */
export async function runAgent(task: AgentTask): Promise<AgentResult> {
  const agent = startAgent(task);
  const result = await agent.done;
  if (agent.child.exitCode === null) await once(agent.child, 'exit');
  return result;
}
