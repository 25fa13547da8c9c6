import { createHash } from 'node:crypto';
import { describe, expect, it, test } from 'vitest';
import { prng } from '../../harness/prng.js';
import { AuthView, type Challenge, challengesOf, DigestClient, parseChallenge, verify } from './auth.js';
import { ALGORITHM, ALGORITHM_NAMES, type Algorithm, DigestUser, ha1Of, QOP, writeHash } from './digest.js';
import { H } from './names.js';
import { PARSE, SipMessage } from './parse.js';
import { ascii, latin1 } from './text.js';

const CNONCE = ascii('0a4f113b');
const NOTHING = { bytes: CNONCE, off: 0, len: 0 };

function challenge(value: string): Challenge {
  const bytes = ascii(`x: ${value}`);
  const parsed = parseChallenge(bytes, 3, bytes.length - 3);
  if (parsed === null) throw new Error(`no challenge: ${value}`);
  return parsed;
}

function refused(value: string): boolean {
  return parseChallenge(ascii(value), 0, value.length) === null;
}

interface Ask {
  user?: string;
  password?: string;
  method?: string;
  uri?: string;
  nc?: number;
  cnonce?: string;
  body?: string;
}
function answer(value: string, ask: Ask = {}): string {
  const { user = 'Mufasa', password = 'Circle Of Life', method = 'GET', uri = '/dir/index.html', nc = 1 } = ask;
  const to = new Uint8Array(4096);
  const body = ask.body === undefined ? null : { bytes: ascii(ask.body), off: 0, len: ask.body.length };
  const who = new DigestUser(ascii(user), ascii(password));
  const cnonce = ask.cnonce === undefined ? CNONCE : ascii(ask.cnonce);
  const uriBytes = ascii(`<${uri}>`);
  const end = new DigestClient().respond(
    challenge(value),
    who,
    ascii(method),
    uriBytes,
    1,
    uri.length,
    nc,
    cnonce,
    to,
    10,
    to.length,
    body,
  );
  return latin1(to, 10, end - 10);
}
const responseIn = (value: string): string | undefined => /response="([0-9a-f]*)"/.exec(value)?.[1];

/** The formulae of RFC 7616 3.4, in strings, by node:crypto: another implementation. */
function plainly(algorithm: Algorithm, q: Required<Ask> & { realm: string; nonce: string; qop: string }): string {
  const h = (text: string): string =>
    createHash(algorithm >= 2 ? 'sha256' : 'md5')
      .update(text, 'latin1')
      .digest('hex');
  let ha1 = h(`${q.user}:${q.realm}:${q.password}`);
  if ((algorithm & 1) !== 0) ha1 = h(`${ha1}:${q.nonce}:${q.cnonce}`);
  const ha2 = h(q.qop === 'auth-int' ? `${q.method}:${q.uri}:${h(q.body)}` : `${q.method}:${q.uri}`);
  if (q.qop === '') return h(`${ha1}:${q.nonce}:${ha2}`);
  return h(`${ha1}:${q.nonce}:${q.nc.toString(16).padStart(8, '0')}:${q.cnonce}:${q.qop}:${ha2}`);
}

test("our MD5 and node's agree on every length up to several blocks, and on random bytes", () => {
  const chance = prng(7);
  const to = new Uint8Array(80);
  for (let len = 0; len < 700; len++) {
    const bytes = Uint8Array.from({ length: len + 3 }, () => chance.below(256));
    for (const [algorithm, name] of [
      [ALGORITHM.MD5, 'md5'],
      [ALGORITHM.SHA_256, 'sha256'],
    ] as const) {
      const end = writeHash(algorithm, bytes, 2, len, to, 5);
      expect(latin1(to, 5, end - 5)).toBe(
        createHash(name)
          .update(bytes.subarray(2, len + 2))
          .digest('hex'),
      );
    }
  }
  // RFC 1321 A.5.
  expect(latin1(to, 5, writeHash(ALGORITHM.MD5, ascii('message digest'), 0, 14, to, 5) - 5)).toBe(
    'f96b697d7cb7938d525a2f31aaf161d0',
  );
});

describe('vectors', () => {
  it('RFC 2617 3.5', () => {
    const value = answer(
      'Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"',
    );
    expect(value).toBe(
      'Digest username="Mufasa",realm="testrealm@host.com",nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093",uri="/dir/index.html",response="6629fae49393a05397450978507c4ef1",cnonce="0a4f113b",qop=auth,nc=00000001,opaque="5ccc069c403ebaf9f0171e9517f40e41"',
    );
  });

  // RFC 8760 has no vectors of its own: it takes RFC 7616's algorithms as they are (2.1).
  it.each([
    ['MD5', '8ca523f5e9506fed4657c9700eebdbec'],
    ['SHA-256', '753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1'],
  ])('RFC 7616 3.9.1, %s', (algorithm, response) => {
    const value = answer(
      `Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=${algorithm}, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"`,
      { password: 'Circle of Life', cnonce: 'f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ' },
    );
    expect(responseIn(value)).toBe(response);
    expect(value).toContain(`",algorithm=${algorithm},`);
  });
});

test('every algorithm and qop as the formulae say, and the server agrees; one wrong byte and it does not', () => {
  const view = new AuthView();
  for (const algorithm of [0, 1, 2, 3] as Algorithm[]) {
    for (const qop of ['', 'auth', 'auth-int']) {
      const name = ALGORITHM_NAMES[algorithm];
      const ask = {
        user: 'p"1\\',
        password: 'päss',
        method: 'REGISTER',
        uri: 'sip:a.test',
        nc: 0xab,
        cnonce: 'c',
        body: 'B',
      };
      const realm = 'r "quoted" \\ realm';
      const offered = `Digest nonce="n/1=",algorithm=${name},realm="r \\"quoted\\" \\\\ realm"${qop && `,qop="${qop}"`}`;
      const value = answer(offered, ask);
      expect(responseIn(value)).toBe(plainly(algorithm, { ...ask, realm, nonce: 'n/1=', qop }));
      expect(value.includes('cnonce=')).toBe(qop !== '' || (algorithm & 1) !== 0);
      expect(value.includes('nc=000000ab')).toBe(qop !== '');
      expect(value).toContain('username="p\\"1\\\\",realm="r \\"quoted\\" \\\\ realm"');

      const bytes = ascii(value);
      expect(view.parse(bytes, 0, bytes.length)).toBe(true);
      expect(latin1(view.username.bytes, view.username.off, view.username.len)).toBe(ask.user);
      expect(latin1(view.realm.bytes, view.realm.off, view.realm.len)).toBe(realm);
      const body = { bytes: ascii('B'), off: 0, len: 1 };
      const ha1 = ha1Of((algorithm & 2) as Algorithm, ascii(ask.user), ascii(realm), ascii(ask.password));
      const method = ascii('REGISTER');
      expect(verify(view, ha1, method, body)).toBe(true);
      expect(verify(view, ha1, ascii('INVITE'), body)).toBe(false);
      expect(verify(view, ha1, method, NOTHING)).toBe(qop !== 'auth-int');
      expect(verify(view, ha1.slice(0, 31), method, body)).toBe(false);
      const other = ha1.slice();
      other[3]! ^= 1;
      expect(verify(view, other, method, body)).toBe(false);
      const long = ascii(value.replace('response="', 'response="0'));
      expect(view.parse(long, 0, long.length) && verify(view, ha1, method, body)).toBe(false);
    }
  }
});

test('HA1 and HA2 that are remembered do not leak into another realm, algorithm, method or URI', () => {
  const user = new DigestUser(ascii('u'), ascii('p'));
  const client = new DigestClient();
  const to = new Uint8Array(2048);
  const seen = new Set<string>();
  for (let round = 0; round < 2; round++) {
    for (const realm of ['a', 'b']) {
      for (const algorithm of ['MD5', 'SHA-256']) {
        for (const method of ['REGISTER', 'INVITE']) {
          for (const uri of ['sip:x', 'sip:y']) {
            const offered = challenge(`Digest realm="${realm}",nonce="n",algorithm=${algorithm},qop="auth"`);
            const end = client.respond(offered, user, ascii(method), ascii(uri), 0, 5, 1, CNONCE, to, 0, to.length);
            const response = responseIn(latin1(to, 0, end))!;
            const body = '';
            const ask = { user: 'u', password: 'p', method, uri, nc: 1, cnonce: '0a4f113b', body, realm, nonce: 'n' };
            expect(response).toBe(plainly(algorithm === 'MD5' ? 0 : 2, { ...ask, qop: 'auth' }));
            seen.add(response);
          }
        }
      }
    }
  }
  expect(seen.size).toBe(16);
});

test('challenges are read with any case, spacing and order; those that we cannot answer are none', () => {
  expect(
    challenge('dIGEST  QOP = auth-int , Nonce="x",\r\n realm="",STALE=TRUE,algorithm="sha-256", new="1,2"'),
  ).toEqual({
    algorithm: ALGORITHM.SHA_256,
    named: true,
    qop: QOP.AUTH_INT,
    stale: true,
    realm: new Uint8Array(0),
    nonce: Uint8Array.of(120),
    opaque: null,
  });
  expect(challenge('Digest realm="r",nonce="n",qop="auth-int,token,auth"').qop).toBe(QOP.AUTH);
  expect(challenge('Digest realm="r",nonce="n",stale="false",opaque=""')).toMatchObject({ stale: false, named: false });
  for (const bad of [
    'Basic realm="r"',
    'Digest realm="r"',
    'Digest nonce="n"',
    'Digest realm="r",nonce="n',
    'Digest realm="r",nonce="n\\',
    'Digest realm="r",nonce="n",nonce="m"',
    'Digest realm="r",nonce="n",algorithm=SHA-512-256',
    'Digest realm="r",nonce="n",qop="token"',
    'Digest',
    '',
  ]) {
    expect(refused(bad), bad).toBe(true);
  }
});

test('of several challenges the strongest for each realm; unknown ones beside them do not matter', () => {
  const msg = new SipMessage();
  const digest = (rest: string): string => `WWW-Authenticate: Digest ${rest}\r\n`;
  const bytes = ascii(
    'SIP/2.0 401 Unauthorized\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nFrom: <sip:a@x>;tag=1\r\nTo: <sip:a@x>;tag=2\r\n' +
      'Call-ID: c\r\nCSeq: 1 REGISTER\r\n' +
      digest('realm="x",nonce="sha512",algorithm=SHA-512-256') +
      digest('realm="x",nonce="md5",algorithm=MD5') +
      digest('realm="x",nonce="sha256",algorithm=SHA-256') +
      digest('realm="x",nonce="later",algorithm=SHA-256') +
      digest('realm="y",nonce="one",Digest realm="z",nonce="two"') +
      'Proxy-Authenticate: Digest realm="p",nonce="p"\r\nContent-Length: 0\r\n\r\n',
  );
  expect(msg.parse(bytes, 0, bytes.length)).toBe(PARSE.OK);
  const nonces = (header: number): string[] => challengesOf(msg, header).map((c) => Buffer.from(c.nonce).toString());
  expect(nonces(H.WWW_AUTHENTICATE)).toEqual(['sha256', 'one', 'two']);
  expect(nonces(H.PROXY_AUTHENTICATE)).toEqual(['p']);
});

test('where there may be no room nothing is written', () => {
  const to = new Uint8Array(300);
  const user = new DigestUser(ascii('u'), ascii('p'));
  const offered = challenge('Digest realm="r",nonce="n"');
  const ask = (end: number): number =>
    new DigestClient().respond(offered, user, ascii('REGISTER'), ascii('sip:x'), 0, 5, 1, CNONCE, to, 0, end);
  expect(ask(200)).toBe(-1);
  expect(to.every((b) => b === 0)).toBe(true);
  expect(ask(300)).toBeGreaterThan(90);
});
