/**
 * A stack's life, in its types: a Stack is what a file says; `up()` makes it a StartedStack, which can be driven and
 * taken down. From the first network on a reaper watches, so that nothing is left behind, whatever becomes of us.
 */
import { createHash } from 'node:crypto';
import { HarnessError } from '../../errors.js';
import { createOptions, endpoint, volumeName } from './container.js';
import { type Docker, engineAddress, reasonOf } from './engine.js';
import { ensureImages, type Tell } from './images.js';
import { LABEL, ownerIsGone, ownerLabel } from './labels.js';
import { createNetworks } from './networks.js';
import { type Reaper, startReaper } from './reaper.js';
import { StartedStack } from './started.js';
import { type Swept, sweep, sweepOrphans } from './sweep.js';
import type { Condition, ServiceSpec, StackSpec } from './types.js';
import { throwIfInterrupted, Watch } from './watch.js';

/** A service that is not ready by then is not coming: PostgreSQL's first start and 50 tenants take under a minute here. */
const READY_MS = 180_000;
/** A lab of somebody who neither ended nor was killed: after this its reaper takes it. */
const LEASE_MS = 6 * 3600_000;

export interface UpOptions {
  /** Labels everything that is made. */
  run: string;
  /** Stays when this process ends, until `stack down`. */
  keep: boolean;
  signal?: AbortSignal | undefined;
  tell: Tell;
  nowMs: () => number;
}

export class Stack {
  constructor(
    readonly spec: StackSpec,
    private readonly docker: Docker,
    private readonly engine: string = engineAddress(),
  ) {}

  /**
   * The stack, ready to be called. One that is up already, and was made from the same file, variables and images, is taken as it is;
   * another of the same name is taken down first, unless a running command owns it. Throws HarnessError, and then nothing is left.
   */
  async up(options: UpOptions): Promise<StartedStack> {
    const { spec, docker } = this;
    const { run, tell, signal, nowMs } = options;
    await sweepOrphans(docker);
    for (const note of spec.notes) tell(note);
    const images = await ensureImages(docker, spec.services, tell);
    const config = configOf(spec, images);
    const found = await StartedStack.find(docker, spec, config);
    if (found !== null) return found;
    await clear(docker, spec.name, tell);
    throwIfInterrupted(signal);

    const startMs = nowMs();
    const reaper = await startReaper({ engine: this.engine, run, deadlineMs: LEASE_MS });
    const labels = {
      [LABEL.run]: run,
      [LABEL.stack]: spec.name,
      [LABEL.owner]: ownerLabel(),
      [LABEL.keep]: options.keep ? 'yes' : 'no',
      [LABEL.config]: config,
    };
    try {
      const ids = await this.#start(labels, options);
      // Its reaper goes: what is to stay is nobody's but `stack down`'s.
      if (options.keep) await reaper.dismiss();
      return new StartedStack(docker, spec, ids, {
        readyMs: nowMs() - startMs,
        reaper: options.keep ? null : reaper,
        reused: false,
      });
    } catch (error) {
      await this.#undo(reaper, run);
      throw error instanceof HarnessError
        ? error
        : new HarnessError('LAB_NOT_READY', `stack ${spec.name}: ${reasonOf(error)}`, { cause: error });
    }
  }

  async #undo(reaper: Reaper, run: string): Promise<void> {
    await sweep(this.docker, `${LABEL.run}=${run}`);
    await reaper.dismiss();
  }

  async #start(labels: Record<string, string>, options: UpOptions): Promise<Map<string, string>> {
    const { spec, docker } = this;
    const networks = await createNetworks(docker, spec, labels);
    for (const volume of spec.volumes) {
      await docker.createVolume({ Name: volumeName(spec.name, volume), Labels: labels });
    }
    const watch = await Watch.open(docker, labels[LABEL.run]!, options.signal);
    try {
      const ids = new Map<string, string>();
      // Those that share another's network come after it: they are made with its id.
      for (const sharing of [false, true]) {
        const round = spec.services.filter((s) => (s.networkOf !== null) === sharing);
        await Promise.all(
          round.map(async (service) => {
            throwIfInterrupted(options.signal);
            ids.set(service.name, await this.#create(service, labels, networks, ids));
          }),
        );
      }
      await new Startup(docker, spec, ids, watch, options).run();
      return ids;
    } finally {
      watch.close();
    }
  }

  async #create(
    service: ServiceSpec,
    labels: Record<string, string>,
    networks: ReadonlyMap<string, string>,
    ids: ReadonlyMap<string, string>,
  ): Promise<string> {
    const { spec, docker } = this;
    const sharesWith = service.networkOf === null ? null : ids.get(service.networkOf)!;
    const own = { ...labels, [LABEL.service]: service.name };
    try {
      const container = await docker.createContainer(createOptions(spec, service, own, sharesWith));
      for (const network of Object.keys(service.networks).slice(1)) {
        const options = { Container: container.id, EndpointConfig: endpoint(service, network) };
        await docker.getNetwork(networks.get(network)!).connect(options);
      }
      return container.id;
    } catch (error) {
      if (error instanceof HarnessError) throw error;
      throw new HarnessError('LAB_NOT_READY', `${service.at}: ${service.name}: ${reasonOf(error)}`, { cause: error });
    }
  }
}

/** Starts each service when those it depends on are where it wants them, and is over when all are ready. */
class Startup {
  readonly #started = new Map<string, Promise<void>>();
  readonly #reached = new Map<string, Promise<void>>();
  constructor(
    private readonly docker: Docker,
    private readonly spec: StackSpec,
    private readonly ids: ReadonlyMap<string, string>,
    private readonly watch: Watch,
    private readonly options: UpOptions,
  ) {}

  async run(): Promise<void> {
    const all = this.spec.services.map(({ name }) => this.#until(name, this.#goal(name)));
    try {
      await Promise.all(all);
      // One without a healthcheck counts as ready when it runs: by now it has shown whether it stays.
      await Promise.all(this.spec.services.map(({ name }) => this.#look(name, this.#goal(name))));
    } finally {
      // One that failed ends the stack; what the others come to is not news.
      for (const one of [...all, ...this.#started.values()]) one.catch(() => undefined);
    }
  }

  /** One whose end others wait for is there to end; every other one is there to serve. */
  #goal(name: string): Condition {
    const oneShot = this.spec.services.some((s) => s.dependsOn[name] === 'service_completed_successfully');
    return oneShot ? 'service_completed_successfully' : 'service_healthy';
  }

  #until(name: string, condition: Condition): Promise<void> {
    const key = `${name} ${condition}`;
    let reached = this.#reached.get(key);
    if (reached === undefined) {
      reached = this.#start(name).then(() => this.#look(name, condition));
      this.#reached.set(key, reached);
    }
    return reached;
  }

  #look(name: string, condition: Condition): Promise<void> {
    return this.watch.until(this.ids.get(name)!, `${this.spec.name}: ${name}`, condition, { deadlineMs: READY_MS });
  }

  #start(name: string): Promise<void> {
    let started = this.#started.get(name);
    if (started === undefined) {
      started = this.#startNow(this.spec.services.find((s) => s.name === name)!);
      this.#started.set(name, started);
    }
    return started;
  }

  async #startNow(service: ServiceSpec): Promise<void> {
    const before = Object.entries(service.dependsOn).map(([name, condition]) => this.#until(name, condition));
    if (service.networkOf !== null) before.push(this.#until(service.networkOf, 'service_started'));
    await Promise.all(before);
    throwIfInterrupted(this.options.signal);
    try {
      await this.docker.getContainer(this.ids.get(service.name)!).start();
    } catch (error) {
      throw new HarnessError('LAB_NOT_READY', `${service.at}: ${service.name} cannot be started: ${reasonOf(error)}`, {
        cause: error,
      });
    }
  }
}

/** Of the resolved file and the images' ids: the same hash is the same platform. */
function configOf(spec: StackSpec, images: ReadonlyMap<string, string>): string {
  const { networks, volumes } = spec;
  // Where it stands in which file makes no difference.
  const services = spec.services.map(({ at: _, ...service }) => service);
  const text = JSON.stringify({ services, networks, volumes, images: [...images] });
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

/** Takes away a stack of this name that is not the one wanted. Throws BAD_STACK when a running command owns it. */
async function clear(docker: Docker, name: string, tell: Tell): Promise<void> {
  const filters = { label: [`${LABEL.stack}=${name}`] };
  const containers = await docker.listContainers({ all: true, filters });
  const busy = containers.find(({ Labels }) => Labels[LABEL.keep] === 'no' && !ownerIsGone(Labels[LABEL.owner]));
  if (busy !== undefined) {
    throw new HarnessError(
      'BAD_STACK',
      `stack ${name} is in use by ${busy.Labels[LABEL.run]} (${busy.Labels[LABEL.owner]}): wait for its end, or deadair stack down ${name}`,
    );
  }
  if (containers.length > 0)
    tell(`stack ${name} is there, but not as wanted (file, variables, images, or a part that ended): made anew`);
  await sweep(docker, `${LABEL.stack}=${name}`);
}

/** `deadair stack down`: one stack, or null for everything that is ours, whoever made it. */
export async function takeDown(docker: Docker, name: string | null): Promise<Swept> {
  return sweep(docker, name === null ? LABEL.run : `${LABEL.stack}=${name}`);
}
