/**
 * Who the phones are, from a CSV in SIPp's injection format: a first line SEQUENTIAL, RANDOM or USER (with PRINTF=n, where
 * one line stands for n), then `;` between fields; lines that begin with # are notes. A row is
 *
 *   user;password    user;domain;password    user;domain;authentication name;password
 *   user;[authentication username=U password=P]    user;domain;[authentication username=U password=P]
 *
 * RANDOM shuffles the rows by the seed; each is still one phone. Errors: BAD_PLAN, one line with file:line and the mend.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { HarnessError } from '../errors.js';
import { KeyedPrng, subSeed } from '../prng.js';
import type { RunPlan, UsersFile } from './types.js';

export interface UserRow {
  user: string;
  domain: string;
  password: string;
  /** Domains in order of appearance. */
  tenant: number;
  authUser?: string;
}

/** As many phones as a plan may have; and a file that is no list of users is not read to its end. */
const ROWS_MAX = 100_000;
const BYTES_MAX = 32 << 20;
/** A REGISTER holds user and domain several times, in 2,048 bytes. */
const NAME_MAX = 100;

/** RFC 3261 25.1: unreserved, escaped and user-unreserved, but for the semicolon, which ends a field. */
const USER = /^(?:[\w\-.!~*'()&=+$,?/]|%[0-9A-Fa-f]{2})+$/;
const HOST = /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/;
const SECRET = /^[\x20-\x7e]*$/;
const AUTHENTICATION = /^\[\s*authentication\b([^\]]*)\]$/i;

/** The rows of a file, and its hash; with `expected` of an earlier reading, a file that was changed since is refused. */
export function readUsers(of: UsersFile, seed: number): { rows: UserRow[]; sha256: string } {
  let bytes: Buffer;
  try {
    bytes = readFileSync(of.file);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? 'unreadable';
    throw new HarnessError('BAD_PLAN', `users ${of.file}: cannot be read (${code}); give the path of a CSV`, { cause });
  }
  if (bytes.length > BYTES_MAX) throw new HarnessError('BAD_PLAN', `users ${of.file}: longer than 32 MB; split it`);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  if (of.sha256 !== '' && of.sha256 !== sha256) {
    throw new HarnessError('BAD_PLAN', `users ${of.file}: was changed since the plan was made; start the run again`);
  }
  return { rows: parseUsers(bytes.toString('utf8'), of.file, of.domain, seed), sha256 };
}

/** Who the phones are, read again from the file that the plan names; null when they are generated, or there are none. */
export function plannedUsers({ registrations, seed }: RunPlan): UserRow[] | null {
  if (registrations?.users === undefined) return null;
  return readUsers(registrations.users, seed).rows.slice(0, registrations.phones);
}

/** What `tenants csv` of a stack of ours prints (docker/common/tenants): domain,extension,password,cap in each line. */
export function tenantRows(csv: string): UserRow[] {
  const tenants = new Map<string, number>();
  return csv
    .trim()
    .split(/\r?\n/)
    .map((line) => {
      const [domain = '', user = '', password = ''] = line.split(',');
      if (!tenants.has(domain)) tenants.set(domain, tenants.size);
      return { user, domain, password, tenant: tenants.get(domain)! };
    });
}

/** `file` is for the errors. */
export function parseUsers(text: string, file: string, domain: string, seed: number): UserRow[] {
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/);
  const bad = (line: number, why: string): HarnessError => new HarnessError('BAD_PLAN', `${file}:${line + 1}: ${why}`);
  const head = headOf(lines[0] ?? '');
  if (head === null) {
    throw bad(0, `the first line must be SEQUENTIAL, RANDOM or USER, as in SIPp; found "${excerpt(lines[0] ?? '')}"`);
  }
  const rows: UserRow[] = [];
  const tenants = new Map<string, number>();
  const seen = new Map<string, number>();
  const add = (line: number, written: string): void => {
    const fields = fieldsOf(written);
    if (typeof fields === 'string') throw bad(line, fields);
    const row = { ...fields, domain: fields.domain ?? domain };
    const why = misfitOf(row);
    if (why !== null) throw bad(line, why);
    const address = `${row.user}@${row.domain.toLowerCase()}`;
    const before = seen.get(address);
    if (before !== undefined) throw bad(line, `${address} is in line ${before + 1} already; a phone is one line`);
    if (rows.length >= ROWS_MAX) throw bad(line, `more than ${ROWS_MAX} phones; leave some out`);
    seen.set(address, line);
    if (!tenants.has(row.domain)) tenants.set(row.domain, tenants.size);
    rows.push({ ...row, tenant: tenants.get(row.domain)! });
  };
  const written = [...lines.entries()].filter(([i, line]) => i > 0 && line.trim() !== '' && !line.startsWith('#'));
  if (written.length === 0) throw bad(lines.length - 1, 'no users; write one a line, for example 1001;secret');
  if (head.printf === 0) for (const [i, line] of written) add(i, line);
  for (let n = 0; n < head.printf; n++) {
    const [i, line] = written[n % written.length]!;
    if (!/%0?\d*d/.test(line)) throw bad(i, 'PRINTF needs %d or %04d in the line, for the number');
    add(
      i,
      line.replace(/%(0?)(\d*)d/g, (_, zero: string, width: string) => numbered(head, n, zero, width)),
    );
  }
  return head.order === 'RANDOM' ? shuffled(rows, seed) : rows;
}

interface Head {
  order: 'SEQUENTIAL' | 'RANDOM' | 'USER';
  printf: number;
  offset: number;
  multiple: number;
}

/** `SEQUENTIAL`, `RANDOM,PRINTF=1000,PRINTFOFFSET=100,PRINTFMULTIPLE=2`; null when it is neither. */
function headOf(line: string): Head | null {
  const [order = '', ...options] = line.trim().split(',');
  if (order !== 'SEQUENTIAL' && order !== 'RANDOM' && order !== 'USER') return null;
  const value = (name: string, otherwise: number): number => {
    const at = options.find((o) => o.trim().startsWith(`${name}=`));
    return at === undefined ? otherwise : Number(at.trim().slice(name.length + 1));
  };
  const head = { printf: value('PRINTF', 0), offset: value('PRINTFOFFSET', 0), multiple: value('PRINTFMULTIPLE', 1) };
  const good = Object.values(head).every((n) => Number.isInteger(n) && n >= 0) && head.printf <= ROWS_MAX;
  return good && options.every((o) => /^\s*PRINTF(OFFSET|MULTIPLE)?=/.test(o)) ? { order, ...head } : null;
}

function numbered({ offset, multiple }: Head, n: number, zero: string, width: string): string {
  return String(offset + n * multiple).padStart(Number(width), zero === '0' ? '0' : ' ');
}

interface Fields {
  user: string;
  domain?: string;
  password: string;
  authUser?: string;
}

/** The fields of a row, or why it is none. */
function fieldsOf(line: string): Fields | string {
  const cells = line.split(';').map((cell) => cell.trim());
  if (cells.at(-1) === '' && cells.length > 2) cells.pop();
  const at = cells.findIndex((cell) => AUTHENTICATION.test(cell));
  if (at >= 0) {
    const inside = AUTHENTICATION.exec(cells[at]!)![1]!;
    const username = /\busername=("?)([^"\s]*)\1/i.exec(inside)?.[2];
    const password = /\bpassword=(?:"([^"]*)"|(\S*))/i.exec(inside);
    const [user, domain] = cells.filter((_, i) => i !== at);
    if (password === null) return '[authentication …] has no password=; write [authentication username=U password=P]';
    const name = user ?? username;
    if (name === undefined || name === '') return 'no user; write user;[authentication username=U password=P]';
    return fields(name, domain, username, password[1] ?? password[2]!);
  }
  const [a, b, c, d] = cells;
  if (cells.length === 2) return fields(a!, undefined, undefined, b!);
  if (cells.length === 3) return fields(a!, b!, undefined, c!);
  if (cells.length === 4) return fields(a!, b!, c!, d!);
  const found = cells.length === 1 ? 'one field' : `${cells.length} fields`;
  return `${found}; write user;password, user;domain;password, or user;[authentication username=U password=P]`;
}

function fields(
  user: string,
  domain: string | undefined,
  authUser: string | undefined,
  password: string,
): Fields | string {
  return {
    user,
    password,
    ...(domain === undefined || domain === '' ? {} : { domain }),
    ...(authUser === undefined || authUser === '' || authUser === user ? {} : { authUser }),
  };
}

function misfitOf({ user, domain, password, authUser = user }: Omit<UserRow, 'tenant'>): string | null {
  if (user === '') return 'the user is empty; every line begins with one';
  if (!USER.test(user)) return `user "${excerpt(user)}" cannot stand in a SIP URI; write other characters as %20`;
  if (domain === '') return 'no domain; add one to the line, or give --set domain=NAME';
  if (!HOST.test(domain)) return `domain "${excerpt(domain)}" is no host name or address`;
  if (password === '') return 'the password is empty; leave the line out if the phone has none';
  if (!SECRET.test(password) || !SECRET.test(authUser)) return 'only printable ASCII can be in names and passwords';
  const longest = Math.max(user.length, domain.length, password.length, authUser.length);
  return longest > NAME_MAX ? `a field of ${longest} characters; at most ${NAME_MAX} fit a REGISTER` : null;
}

function excerpt(text: string): string {
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}

function shuffled(rows: UserRow[], seed: number): UserRow[] {
  const chance = new KeyedPrng(subSeed(seed, 'users'));
  const keys = rows.map((_, i) => chance.at(i).next());
  return rows
    .map((_, i) => i)
    .sort((a, b) => keys[a]! - keys[b]! || a - b)
    .map((i) => rows[i]!);
}
