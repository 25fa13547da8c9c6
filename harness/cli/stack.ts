import { type Command, Option } from 'commander';
import { HarnessError } from '../errors.js';
import type { RoleMap } from '../lab/docker/locate.js';
import type { Swept } from '../lab/docker/sweep.js';
import { onInterrupt } from './interrupt.js';
import { printResult, table, tell } from './output.js';

const list = (value: string, before: string[] | undefined): string[] => [...(before ?? []), value];

/** Roles that a Compose file of the user's own may be mapped to, service by service. */
const MAPPED = ['edge', 'node', 'relay', 'database', 'queue', 'nat', 'trunk'] as const;

export type RoleFlags = Partial<Record<(typeof MAPPED)[number], string>>;

/** `--edge SERVICE` and so on, of `stack up` and of `run`. */
export function addRoleOptions(command: Command): Command {
  for (const role of MAPPED) {
    const option = new Option(`--${role} <service>`, `of your own Compose file: the service that is the ${role}`);
    command.addOption(
      role === 'edge' || role === 'node' || role === 'relay' || role === 'database' ? option : option.hideHelp(),
    );
  }
  return command;
}

export function rolesOf(flags: RoleFlags): RoleMap {
  const roles: RoleMap = {};
  for (const role of MAPPED) if (flags[role] !== undefined) roles[role] = flags[role];
  return roles;
}

export function addStack(program: Command): void {
  const stack = program
    .command('stack')
    .description('a platform of real parts in Docker: naive, blueprint, or a Compose file of yours');
  addRoleOptions(
    stack
      .command('up')
      .description('bring a stack up, wait until it is ready, and leave it there')
      .argument('<name>', 'naive, blueprint, or the path of a Compose file')
      .option('--env <NAME=VALUE>', 'a variable of the file; may be repeated', list),
  ).action(up);
  stack
    .command('status')
    .description('what is there, and how it is')
    .argument('[name]', 'one stack; all of them without it')
    .option('--json', 'as JSON')
    .action(status);
  stack
    .command('logs')
    .description("a service's own words")
    .argument('<name>', 'the stack')
    .argument('<service>', 'the service')
    .option('--tail <lines>', 'how many of the last lines', '200')
    .option('--follow', 'until interrupted')
    .action(logs);
  stack
    .command('down')
    .description('take a stack away, with its networks and volumes; without a name, what ended commands left behind')
    .argument('[name]', 'the stack')
    .option('--all', 'everything that is ours, also what other commands are using')
    .action(down);
}

async function up(ref: string, flags: RoleFlags & { env?: string[] }): Promise<void> {
  const [{ openStack }, { Stack }, { connect }, { newRunId }, { assignments }] = await Promise.all([
    import('../lab/docker/locate.js'),
    import('../lab/docker/stack.js'),
    import('../lab/docker/engine.js'),
    import('../lab/docker/run-id.js'),
    import('../plan/stack.js'),
  ]);
  const spec = openStack(ref, { ...process.env, ...assignments(flags.env) }, rolesOf(flags));
  const docker = await connect();
  const interrupt = onInterrupt();
  try {
    const started = await new Stack(spec, docker).up({
      run: newRunId(spec.name),
      keep: true,
      signal: interrupt.signal,
      tell,
      nowMs: () => performance.now(),
    });
    const parts = `${spec.services.length} services`;
    const how = started.reused ? 'was up already' : `ready in ${(started.readyMs / 1000).toFixed(1)} s`;
    printResult(`stack ${spec.name}: ${how}, ${parts}; deadair stack down ${spec.name} takes it away`);
  } finally {
    interrupt.release();
  }
}

async function status(name: string | undefined, flags: { json?: boolean }): Promise<void> {
  const [{ stackNames, stackStatus }, { connect }] = await Promise.all([
    import('../lab/docker/started.js'),
    import('../lab/docker/engine.js'),
  ]);
  const docker = await connect();
  const names = name === undefined ? await stackNames(docker) : [name];
  const all = await Promise.all(names.map(async (stack) => ({ stack, services: await stackStatus(docker, stack) })));
  if (flags.json) printResult(JSON.stringify(all, null, 2));
  else if (all.every((s) => s.services.length === 0))
    printResult(name === undefined ? 'no stack is up' : `stack ${name} is not up`);
  else {
    const rows = all.flatMap(({ stack, services }) =>
      services.map((s) => [stack, s.service, s.role, s.state, s.health, s.addresses.join(' ')]),
    );
    printResult(table([['stack', 'service', 'role', 'state', 'health', 'addresses'], ...rows]));
  }
}

async function logs(name: string, service: string, flags: { tail: string; follow?: boolean }): Promise<void> {
  const [{ serviceLog }, { containerName }, { connect }] = await Promise.all([
    import('../lab/docker/started.js'),
    import('../lab/docker/container.js'),
    import('../lab/docker/engine.js'),
  ]);
  const tail = Number(flags.tail);
  if (!Number.isInteger(tail) || tail < 1) {
    throw new HarnessError('BAD_STACK', `--tail ${flags.tail}: must be a whole number from 1`);
  }
  const interrupt = new AbortController();
  process.once('SIGINT', () => interrupt.abort());
  const options = { tail, follow: flags.follow ?? false, signal: interrupt.signal, out: process.stdout };
  if (await serviceLog(await connect(), containerName(name, service), options)) return;
  throw new HarnessError(
    'BAD_STACK',
    `stack ${name} has no service ${service} that is up; deadair stack status ${name}`,
  );
}

async function down(name: string | undefined, flags: { all?: boolean }): Promise<void> {
  if (name !== undefined && flags.all)
    throw new HarnessError('BAD_STACK', 'stack down: a name and --all exclude each other');
  const [{ takeDown }, { sweepOrphans }, { connect }] = await Promise.all([
    import('../lab/docker/stack.js'),
    import('../lab/docker/sweep.js'),
    import('../lab/docker/engine.js'),
  ]);
  const docker = await connect();
  const swept = await sweepOrphans(docker);
  if (name !== undefined || flags.all) add(swept, await takeDown(docker, name ?? null));
  const { containers, networks, volumes } = swept;
  const what = name === undefined ? 'stack down' : `stack ${name}`;
  printResult(`${what}: ${containers} containers, ${networks} networks and ${volumes} volumes removed`);
}

function add(total: Swept, more: Swept): void {
  total.containers += more.containers;
  total.networks += more.networks;
  total.volumes += more.volumes;
}
