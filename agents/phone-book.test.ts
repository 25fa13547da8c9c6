import { describe, expect, it } from 'vitest';
import type { RegistrationPlan } from '../harness/plan/types.js';
import { ChallengeBook } from './challenge-book.js';
import { Population, type User } from './identity.js';
import { PhoneBook } from './phone-book.js';
import type { Challenge } from './sip/auth.js';
import { ALGORITHM, ha1Of, QOP } from './sip/digest.js';
import { ascii, latin1 } from './sip/text.js';

const text = (bytes: Uint8Array): string => latin1(bytes, 0, bytes.length);
const PHONES = 500;
const users: User[] = Array.from({ length: PHONES }, (_, i) => ({
  user: `u${i}`,
  domain: `d${i % 7}.test`,
  password: `${'secret'.repeat(1 + (i % 9))}-${i}`,
  tenant: i % 7,
  ...(i % 3 === 0 ? { authUser: `auth-${i}` } : {}),
}));
const plan = { phones: PHONES, tenants: 7 } as RegistrationPlan;

describe('the book of one worker’s phones', () => {
  it('has every name and secret, in whatever order it is asked, for each realm and algorithm', () => {
    const book = new PhoneBook(new Population(plan, 1, users), 1, 2, PHONES / 2);
    for (const [realm, algorithm] of [
      ['one', ALGORITHM.MD5],
      ['two', ALGORITHM.MD5],
      ['two', ALGORITHM.SHA_256],
      ['two', ALGORITHM.MD5],
      ['two', ALGORITHM.SHA_256_SESS],
    ] as const) {
      for (let k = 0; k < PHONES / 2; k++) {
        const phone = (k * 91) % (PHONES / 2);
        const { user, domain, password, authUser = user } = users[1 + phone * 2]!;
        expect(text(book.user(phone))).toBe(user);
        expect(text(book.domain(1 + phone * 2))).toBe(domain);
        const secret = book.secret(phone);
        expect(text(secret.name)).toBe(authUser);
        const plain = algorithm === ALGORITHM.MD5 ? ALGORITHM.MD5 : ALGORITHM.SHA_256;
        const expected = ha1Of(plain, ascii(authUser), ascii(realm), ascii(password));
        for (const again of [secret.ha1(algorithm, ascii(realm)), secret.ha1(algorithm, ascii(realm))]) {
          expect(text(again)).toBe(text(expected));
        }
      }
    }
  });

  it('keeps a challenge for each phone, of any length, until it is forgotten', () => {
    const book = new ChallengeBook(4);
    const realm = ascii('r');
    const of = (nonce: string, more: Partial<Challenge> = {}): Challenge => ({
      ...{ algorithm: ALGORITHM.MD5, named: true, qop: QOP.AUTH, stale: false, realm, opaque: null },
      nonce: ascii(nonce),
      ...more,
    });
    const said = (phone: number) => {
      const c = book.get(phone)!;
      return [text(c.nonce), c.algorithm, c.qop, c.opaque === null ? null : text(c.opaque), text(c.realm)];
    };
    book.keep(0, of('a'));
    book.keep(1, of('bb', { opaque: ascii('o'), algorithm: ALGORITHM.SHA_256 }));
    book.keep(2, of('c'.repeat(200)));
    book.keep(3, of('d', { realm: ascii('other'), qop: QOP.NONE }));
    expect(said(0)).toEqual(['a', ALGORITHM.MD5, QOP.AUTH, null, 'r']);
    expect(said(1)).toEqual(['bb', ALGORITHM.SHA_256, QOP.AUTH, 'o', 'r']);
    expect(said(2)[0]).toBe('c'.repeat(200));
    expect(said(3)).toEqual(['d', ALGORITHM.MD5, QOP.NONE, null, 'other']);
    book.keep(2, of('short'));
    expect(said(2)[0]).toBe('short');
    book.forget(1);
    expect([book.get(1), said(0)[0]]).toEqual([null, 'a']);
  });
});
