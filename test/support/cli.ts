import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';

/** The built command line as a process of its own: what a user runs, with its exit code and whatever it leaves behind. */
const MAIN = fileURLToPath(new URL('../../dist/harness/cli/main.js', import.meta.url));

/** Groups that still run: a test that failed half-way did not wait for its own. */
const live = new Set<number>();
afterAll(() => {
  for (const pid of live) killGroup(pid);
});

export interface CliResult {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
  /** Processes that it started are still there. */
  leftRunning: boolean;
}

export interface RunningCli {
  pid: number;
  done: Promise<CliResult>;
  /** Resolves when standard error matches; rejects when the command ends before. */
  says(pattern: RegExp): Promise<void>;
  interrupt(): void;
}

/** `limitMs` is for a hanging command only: it is killed then, and its `signal` says so. */
export function startCli(
  args: readonly string[],
  { limitMs = 90_000, cwd = '.', env = {} as NodeJS.ProcessEnv } = {},
): RunningCli {
  if (!existsSync(MAIN)) throw new Error(`${MAIN} is not there: npm run build`);
  // A group of its own, so that what it leaves behind can be seen, and ended.
  const child = spawn(process.execPath, [MAIN, ...args], {
    ...{ cwd, env: { ...process.env, ...env }, detached: true },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const pid = child.pid!;
  live.add(pid);
  let stdout = '';
  let stderr = '';
  let ended = false;
  const listeners = new Set<() => void>();
  const tell = (): void => {
    for (const listen of listeners) listen();
  };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
    tell();
  });
  const timer = setTimeout(() => killGroup(pid), limitMs);
  const done = new Promise<CliResult>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      ended = true;
      tell();
      void groupLives(pid).then((leftRunning) => {
        if (leftRunning) killGroup(pid);
        live.delete(pid);
        resolve({ code, signal, stdout, stderr, leftRunning });
      });
    });
  });
  return {
    pid,
    done,
    says: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (pattern.test(stderr)) resolve();
          else if (ended) reject(new Error(`ended before it said ${pattern}: ${stderr}`));
          else return;
          listeners.delete(look);
        };
        listeners.add(look);
        look();
      }),
    interrupt: () => child.kill('SIGINT'),
  };
}

export function runCommand(args: readonly string[], options?: Parameters<typeof startCli>[1]): Promise<CliResult> {
  return startCli(args, options).done;
}

/** One that has ended and is not yet reaped counts as there, so it is asked a few times. */
async function groupLives(pid: number): Promise<boolean> {
  for (let i = 0; i < 40; i++) {
    if (!signalGroup(pid, 0)) return false;
    await sleep(50);
  }
  return true;
}

function killGroup(pid: number): void {
  signalGroup(pid, 'SIGKILL');
}

/** False: there is no such group. */
function signalGroup(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-pid, signal);
    return true;
  } catch {
    return false;
  }
}
