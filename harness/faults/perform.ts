import { readFileSync } from 'node:fs';
import type { Docker } from '../lab/docker/engine.js';
import { reasonOf } from '../lab/docker/engine.js';
import * as engine from '../lab/docker/fault-steps.js';
import type { Step } from './lease.js';
import { addToxic, cutProxy, hasToxic, removeToxic } from './toxics.js';

/**
 * Carries out one step, or throws with what it saw instead; one line. `orGone`: a container that is not there any more took
 * the fault along, so that there is nothing to do and nothing to see.
 */
export type Perform = (step: Step, options?: { orGone: boolean }) => Promise<void>;

/** Room for an engine that is busy bringing up a stack; a sidecar takes about a second here. */
const STEP_MS = 15_000;
/** Toxiproxy answers in milliseconds, or hangs: removing a toxic waits for bytes that nobody may ever take. */
const TOXIC_MS = 5_000;
const SOON_MS = 100;
const SOON_TRIES = 50;

/** What had no end in its time may still happen: a sidecar that the engine makes late. Given up after this. */
const LATE_MS = 20_000;

/** `authorised`: containers and addresses that are not ours, and that the operator named. */
export function performer(
  docker: Docker,
  authorised: readonly string[],
  stepMs: number = STEP_MS,
): { perform: Perform; late: () => Promise<boolean> } {
  const late = new Set<Promise<void>>();
  const work = async (step: Step, orGone: boolean): Promise<void> => {
    if (orGone && (await wentAlong(docker, step))) return;
    for (const container of touched(step)) await engine.refuseForeign(docker, container, authorised);
    await perform(docker, step);
  };
  return {
    perform: async (step, { orGone } = { orGone: false }) => {
      const working = work(step, orGone);
      try {
        await within('at' in step ? Math.min(stepMs, TOXIC_MS) : stepMs, wordsOf(step), () => working);
      } catch (error) {
        const ended = working.then(
          () => undefined,
          () => undefined,
        );
        late.add(ended);
        void ended.then(() => late.delete(ended));
        throw error;
      }
    },
    late: async () => {
      // One that failed at once is settled by now.
      await new Promise((resolve) => setImmediate(resolve));
      if (late.size === 0) return false;
      let timer: NodeJS.Timeout | undefined;
      const patience = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, LATE_MS);
      });
      await Promise.race([Promise.all(late), patience]).finally(() => clearTimeout(timer));
      return true;
    },
  };
}

/** Containers that a step changes, or into whose namespaces it goes. */
function touched(step: Step): string[] {
  if (step.do === 'sidecar' || step.do === 'run') {
    return [step.spec.networkOf, step.spec.pidOf].filter((c) => c !== null);
  }
  return 'container' in step ? [step.container] : [];
}

async function wentAlong(docker: Docker, step: Step): Promise<boolean> {
  if ('at' in step) {
    const { holder } = step.at;
    return holder !== null && (await engine.markOf(docker, holder)) === '';
  }
  return 'container' in step && (await engine.isAbsent(docker, step.container));
}

/** What is late goes on by itself: the engine's answer comes too late for us, that is all. */
export async function within<T>(ms: number, what: string, work: () => Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: no end in ${ms / 1000} s`)), ms);
  });
  const working = work();
  working.catch(() => undefined);
  return Promise.race([working, late]).finally(() => clearTimeout(timer));
}

function wordsOf(step: Step): string {
  if ('container' in step) return `${step.do} ${step.container}`;
  if ('at' in step) return `${step.do} ${step.at.proxy}`;
  return step.do;
}

async function perform(docker: Docker, step: Step): Promise<void> {
  switch (step.do) {
    case 'sidecar':
      return engine.startSidecar(docker, step.name, step.labels, step.spec);
    case 'remove':
      return engine.removeContainer(docker, step.container);
    case 'absent':
      return need(await engine.isAbsent(docker, step.container), `container ${step.container} is still there`);
    case 'exec':
      return patiently(step.soon, async () => {
        const { exitCode, output } = await engine.execIn(docker, step.container, step.cmd);
        judge(`${step.cmd[0]} in ${step.container}`, exitCode, output, step);
      });
    case 'exec-detached':
      return engine.execDetached(docker, step.container, step.cmd);
    case 'run': {
      if (step.orGone !== undefined && (await engine.markOf(docker, step.orGone)) === '') return;
      const { exitCode, output } = await engine.runSidecar(docker, step.labels, step.spec);
      return judge(`${step.spec.cmd[0]} beside ${step.spec.networkOf ?? 'nothing'}`, exitCode, output, step);
    }
    case 'pause':
    case 'unpause':
    case 'start':
    case 'restart':
      return engine.change(docker, step.container, step.do);
    case 'kill':
      return engine.kill(docker, step.container, step.signal);
    case 'is':
      return patiently(step.soon, async () => {
        const { state, well } = await engine.stateOf(docker, step.container);
        const so = step.state === 'well' ? well : state.startsWith(step.state);
        need(so, `${step.container} is ${state}, not ${step.state}`);
      });
    case 'quota':
      return engine.setQuota(docker, step.container, step.cpus);
    case 'quota-is': {
      const cpus = await engine.quotaOf(docker, step.container);
      return need(
        cpus === step.cpus,
        `${step.container} has ${cpus ?? 'no'} cores of quota, not ${step.cpus ?? 'none'}`,
      );
    }
    case 'toxic': {
      const { name, type, stream, attributes } = step;
      return addToxic(step.at, { name, type, stream, attributes });
    }
    case 'no-toxic':
      return removeToxic(step.at, step.name);
    case 'toxic-is': {
      const there = await hasToxic(step.at, step.name);
      return need(there === step.there, `toxic ${step.name} is ${there ? 'still' : 'not'} there`);
    }
    case 'cut-proxy':
      return cutProxy(step.at);
    case 'end-process':
      if (processStart(step.pid) === step.start) process.kill(step.pid, 'SIGKILL');
      return;
    case 'process-gone':
      return need(processStart(step.pid) !== step.start, `process ${step.pid} is still there`);
  }
}

/** What becomes true a moment later is looked at again; whoever performs the step has the deadline. */
async function patiently(soon: true | undefined, look: () => Promise<void>): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return await look();
    } catch (error) {
      if (!soon || tries >= SOON_TRIES) throw error;
      await new Promise((resolve) => setTimeout(resolve, SOON_MS));
    }
  }
}

function judge(what: string, exitCode: number, output: string, { sees, not }: { sees?: string; not?: string }): void {
  const said = output.replace(/\s+/g, ' ').trim().slice(-200);
  need(exitCode === 0, `${what} ended with exit code ${exitCode}: ${said}`);
  need(sees === undefined || new RegExp(sees).test(output), `${what} does not show ${sees}: ${said}`);
  need(not === undefined || !new RegExp(not).test(output), `${what} still shows ${not}: ${said}`);
}

function need(so: boolean, otherwise: string): void {
  if (!so) throw new Error(otherwise);
}

/** Field 22 of /proc/PID/stat, after the name in brackets; undefined for one that is gone, or dead and not yet reaped. */
export function processStart(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : fields[19];
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

/** The engine's own words, or the error's, one line. */
export function reason(error: unknown): string {
  return reasonOf(error).slice(0, 300);
}
