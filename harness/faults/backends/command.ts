/** What a part of the platform does when it is told to, by a command in its own container. */
import { HarnessError } from '../../errors.js';
import type { FaultKind } from '../../plan/fault-kinds.js';
import type { Backend, FaultContext, Step, Work } from '../lease.js';
import { numberOf, tagOf, textOf } from './tools.js';

/** The table `limit` of docker/trunk: calls a second, channels, and a code for every call (0: none). */
const TRUNK = {
  'trunk-cps-limit': { key: 'cps', param: 'cps' },
  'trunk-channel-limit': { key: 'channels', param: 'channels' },
  'trunk-reject': { key: 'reject', param: 'code' },
} as const;
type TrunkKind = keyof typeof TRUNK;

const get = (key: string): string[] => ['kamcmd', 'htable.get', 'limit', key];
const valueIn = (words: string | null): number | null => {
  const match = words === null ? null : /value: (\d+)/.exec(words);
  return match === null ? null : Number(match[1]);
};

async function trunkWork(context: FaultContext): Promise<Work> {
  const { key, param } = TRUNK[context.plan.kind as TrunkKind];
  const { container } = context.target;
  const before = valueIn(await context.ask(container, get(key)));
  if (before === null)
    throw new HarnessError('BAD_PLAN', `${context.plan.kind}: ${context.target.name} has no limit ${key}`);
  const set = (value: number): Step => ({
    do: 'exec',
    container,
    cmd: ['kamcmd', 'htable.seti', 'limit', key, String(Math.round(value))],
  });
  const is = (value: number): Step => ({
    do: 'exec',
    container,
    cmd: get(key),
    sees: `value: ${Math.round(value)}\\b`,
  });
  const { ramp } = context.plan;
  const first = ramp === undefined ? numberOf(context, param) : ramp.from;
  return {
    prepare: [],
    apply: [set(first), is(first)],
    verify: [],
    turn: (params) => [set(Number(params[param]))],
    undo: [set(before)],
    // Its limits are its environment's when it starts.
    fallbacks: [
      {
        what: 'restarting it',
        steps: [
          { do: 'restart', container },
          { do: 'is', container, state: 'running' },
        ],
      },
    ],
    proof: [is(before)],
    byHand: `docker exec ${container} kamcmd htable.seti limit ${key} ${before}`,
  };
}

/** Reads its configuration anew, and is done. */
const RELOADS: Readonly<Record<string, string[]>> = {
  node: ['asterisk', '-rx', 'module reload res_pjsip.so'],
  edge: ['kamcmd', 'dispatcher.reload'],
};

async function reloadWork({ target }: FaultContext): Promise<Work> {
  return {
    prepare: [],
    apply: [{ do: 'exec', container: target.container, cmd: RELOADS[target.role]! }],
    verify: [],
    undo: [],
    fallbacks: [],
    proof: [],
    anchors: [],
    byHand: '',
  };
}

/** A lock on the call records, held by a session that has our name. It lets go by itself some time after its end. */
async function lockWork(context: FaultContext): Promise<Work> {
  const { container, env } = context.target;
  const user = env.POSTGRES_USER ?? 'pbx';
  const name = tagOf(context).slice(-60);
  const psql = (...sql: string[]): string[] => [
    'env',
    `PGPASSWORD=${env.POSTGRES_PASSWORD ?? 'pbx'}`,
    `PGAPPNAME=${name}`,
    ...['psql', '-h', '127.0.0.1', '-U', user, '-d', env.POSTGRES_DB ?? 'pbx', '-At', '-v', 'ON_ERROR_STOP=1'],
    ...sql.flatMap((line) => ['-c', line]),
  ];
  const table = textOf(context, 'table') || 'cdr';
  if (!/^[A-Za-z_][\w.]*$/.test(table))
    throw new HarnessError('BAD_PLAN', `db-stall: table ${table} is no name of a table`);
  const ownS = Math.ceil(context.plan.forMs / 1000) + 30;
  const held = `SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE a.application_name = '${name}' AND l.mode = 'AccessExclusiveLock' AND l.granted`;
  const sessions = `SELECT count(*) FROM pg_stat_activity WHERE application_name = '${name}' AND pid <> pg_backend_pid()`;
  const end = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '${name}' AND pid <> pg_backend_pid()`;
  return {
    prepare: [],
    apply: [
      {
        do: 'exec-detached',
        container,
        cmd: psql('BEGIN', `LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE`, `SELECT pg_sleep(${ownS})`),
      },
      { do: 'exec', container, cmd: psql(held), sees: '^[1-9]', soon: true },
    ],
    verify: [{ do: 'exec', container, cmd: psql(held), sees: '^[1-9]' }],
    undo: [{ do: 'exec', container, cmd: psql(end) }],
    fallbacks: [
      {
        what: 'restarting the database',
        steps: [
          { do: 'restart', container },
          { do: 'is', container, state: 'running' },
        ],
      },
    ],
    proof: [{ do: 'exec', container, cmd: psql(sessions), sees: '^0' }],
    byHand: `docker exec ${container} ${psql(end).slice(0, -1).join(' ')} "${end}"`,
  };
}

export const command: Backend = {
  name: 'command',
  kinds: [...(Object.keys(TRUNK) as FaultKind[]), 'config-reload'],
  preference: 10,
  lacks: async ({ plan, target, ask }) => {
    if (plan.kind === 'config-reload') {
      return RELOADS[target.role] === undefined
        ? `nothing is known that reloads a ${target.role || 'foreign part'}`
        : null;
    }
    const words = await ask(target.container, get(TRUNK[plan.kind as TrunkKind].key));
    return valueIn(words) === null ? `${target.name} is no trunk of ours (kamcmd, table limit)` : null;
  },
  work: (context) => (context.plan.kind === 'config-reload' ? reloadWork(context) : trunkWork(context)),
};

export const postgres: Backend = {
  name: 'postgres',
  kinds: ['db-stall'],
  preference: 40,
  lacks: async (context) => {
    const by = textOf(context, 'by');
    if (by !== 'auto' && by !== 'lock') return `by=${by}`;
    if (textOf(context, 'mode') !== 'stall') return 'a lock is held or not';
    return (await context.ask(context.target.container, ['psql', '--version'])) === null
      ? 'there is no psql in it'
      : null;
  },
  work: lockWork,
};
