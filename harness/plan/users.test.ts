import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { EXIT, HarnessError } from '../errors.js';
import { loadScenario } from './load.js';
import { resolvePlan } from './resolve.js';
import { parseUsers, readUsers } from './users.js';

const dir = mkdtempSync(join(tmpdir(), 'deadair-users-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const file = (name: string, text: string): string => {
  writeFileSync(join(dir, name), text);
  return join(dir, name);
};
const parse = (text: string): ReturnType<typeof parseUsers> => parseUsers(text, 'u.csv', 'pbx.test', 1);

describe('users from a CSV', () => {
  it('reads every kind of row', () => {
    const rows = parse(
      [
        'SEQUENTIAL',
        '# a note',
        '1001;secret',
        '1002;a.test;se cret',
        '1003;a.test;name;x=y',
        '1004;[authentication username=joe password=schmo]',
        '1005;b.test;[authentication username=1005 password="two words"];',
        '',
      ].join('\r\n'),
    );
    expect(rows).toEqual([
      { user: '1001', domain: 'pbx.test', password: 'secret', tenant: 0 },
      { user: '1002', domain: 'a.test', password: 'se cret', tenant: 1 },
      { user: '1003', domain: 'a.test', authUser: 'name', password: 'x=y', tenant: 1 },
      { user: '1004', domain: 'pbx.test', authUser: 'joe', password: 'schmo', tenant: 0 },
      { user: '1005', domain: 'b.test', password: 'two words', tenant: 2 },
    ]);
  });

  it('RANDOM is the same rows in an order of the seed, USER that of the file', () => {
    const body = Array.from({ length: 50 }, (_, i) => `u${i};p${i}`).join('\n');
    const names = (rows: { user: string }[]): string[] => rows.map((r) => r.user);
    const random = names(parse(`RANDOM\n${body}`));
    expect(random).not.toEqual(names(parse(`USER\n${body}`)));
    expect([...random].sort()).toEqual(names(parse(`SEQUENTIAL\n${body}`)).sort());
    expect(names(parse(`RANDOM\n${body}`))).toEqual(random);
    expect(names(parseUsers(`RANDOM\n${body}`, 'u.csv', 'pbx.test', 2))).not.toEqual(random);
  });

  it('PRINTF makes many of one line', () => {
    const rows = parse('SEQUENTIAL,PRINTF=3,PRINTFOFFSET=7,PRINTFMULTIPLE=2\nu%03d;s%d');
    expect(rows.map((r) => [r.user, r.password])).toEqual([
      ['u007', 's7'],
      ['u009', 's9'],
      ['u011', 's11'],
    ]);
  });

  it.each([
    ['', 'u.csv:1: the first line must be SEQUENTIAL, RANDOM or USER, as in SIPp; found ""'],
    ['1001;x', 'u.csv:1: the first line must be SEQUENTIAL, RANDOM or USER, as in SIPp; found "1001;x"'],
    ['SEQUENTIAL,PRINTF=x\n1;x', 'u.csv:1: the first line must be'],
    ['SEQUENTIAL\n\n# none\n', 'u.csv:4: no users; write one a line, for example 1001;secret'],
    ['SEQUENTIAL\n1001', 'u.csv:2: one field; write user;password,'],
    ['SEQUENTIAL\n1001,secret', 'u.csv:2: one field; write user;password,'],
    ['SEQUENTIAL\n1;b.test;c;d;e', 'u.csv:2: 5 fields; write user;password,'],
    ['SEQUENTIAL\n1001;', 'u.csv:2: the password is empty'],
    ['SEQUENTIAL\n;x', 'u.csv:2: the user is empty'],
    ['SEQUENTIAL\na b;x', 'u.csv:2: user "a b" cannot stand in a SIP URI'],
    ['SEQUENTIAL\n1;not a host;x', 'u.csv:2: domain "not a host" is no host name or address'],
    ['SEQUENTIAL\n1;x\n2;y\n1;z', 'u.csv:4: 1@pbx.test is in line 2 already; a phone is one line'],
    ['SEQUENTIAL\n1;[authentication username=a]', 'u.csv:2: [authentication …] has no password='],
    ['SEQUENTIAL\n1;é', 'u.csv:2: only printable ASCII'],
    [`SEQUENTIAL\n${'1'.repeat(101)};x`, 'u.csv:2: a field of 101 characters'],
    ['SEQUENTIAL,PRINTF=2\n1;x', 'u.csv:2: PRINTF needs %d'],
  ])('%j is refused with its line', (text, said) => {
    expect(() => parse(text)).toThrow(HarnessError);
    expect(() => parse(text)).toThrow(said);
  });

  it('makes the phones of a plan, and their secrets stay out of it', async () => {
    const csv = file('users.csv', 'SEQUENTIAL\n1001;hush-hush\n1002;other.test;hush-hush\n');
    const storm = await loadScenario('registration-storm');
    const embedded = resolvePlan(storm, { set: [`users=${csv}`] });
    expect(embedded.registrations).toMatchObject({ phones: 2, tenants: 2 });
    expect(JSON.stringify(embedded)).not.toContain('hush');
    const one = resolvePlan(storm, { set: [`users=${csv}`, 'phones=1'] });
    expect(one.registrations).toMatchObject({ phones: 1, tenants: 1 });
    const away = resolvePlan(storm, { target: 'sip:127.0.0.1:5070', set: [`users=${csv}`] });
    const rows = readUsers(away.registrations!.users!, 1).rows;
    expect(rows.map((r) => r.domain)).toEqual(['127.0.0.1', 'other.test']);
    file('users.csv', 'SEQUENTIAL\n1001;new\n');
    expect(() => readUsers(away.registrations!.users!, 1)).toThrow(/was changed since/);
  });

  it('a file that is not there, or that the embedded registrar cannot serve, is exit 104', async () => {
    const storm = await loadScenario('registration-storm');
    const refused = (set: string[]): HarnessError => {
      try {
        resolvePlan(storm, { set });
      } catch (error) {
        if (error instanceof HarnessError) return error;
      }
      throw new Error('it was not refused');
    };
    const missing = refused([`users=${join(dir, 'none.csv')}`]);
    expect(missing.exitCode).toBe(EXIT.BAD_CONFIG);
    expect(missing.message).toMatch(/none\.csv: cannot be read \(ENOENT\)/);
    const other = refused([`users=${file('auth.csv', 'USER\n1;[authentication username=2 password=x]\n')}`]);
    expect(other.message).toMatch(/a registrar that we bring up knows users by the name of their address/);
  });
});
