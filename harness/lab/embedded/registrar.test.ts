import { describe, expect, it, test } from 'vitest';
import { challengesOf, DigestClient } from '../../../agents/sip/auth.js';
import { ALGORITHM, DigestUser } from '../../../agents/sip/digest.js';
import { H } from '../../../agents/sip/names.js';
import { PARSE, SipMessage } from '../../../agents/sip/parse.js';
import { ascii, latin1 } from '../../../agents/sip/text.js';
import { MemoryWorld } from '../../../agents/wire/memory.js';
import { ipFromString, type UdpPort } from '../../../agents/wire/types.js';
import { type Credential, CredentialCache, MemoryCredentials } from './credentials.js';
import { REGISTRAR_DEFAULTS, Registrar, type RegistrarOptions } from './registrar.js';

const SERVER = ipFromString('10.0.0.1');
const SITE = ipFromString('10.0.1.1');
const credential = (i: number): Credential => ({ user: `${1000 + i}`, realm: 'a.test', password: `secret-${i}` });

interface Heard {
  status: number;
  text: string;
  atUs: number;
}

/** A phone that says what the test wants, and remembers what it heard. */
class Phone {
  readonly heard: Heard[] = [];
  readonly port: UdpPort;
  headers: string[] = [];
  cseq = 0;
  /** Also what it answers a challenge with, if any. */
  password: string | null;
  auto = true;
  authorization = '';
  readonly #digest = new DigestClient();
  readonly #msg = new SipMessage();
  #nc = 0;

  constructor(
    readonly lab: Lab,
    readonly i: number,
    ip = SITE + i,
    port = 5062,
  ) {
    this.password = `secret-${i}`;
    this.port = lab.phones.bind(ip, port, (bytes, off, len, _ip, _port, nowUs) => {
      expect(this.#msg.parse(bytes, off, len)).toBe(PARSE.OK);
      this.heard.push({ status: this.#msg.status, text: latin1(bytes, off, len), atUs: nowUs });
      if (this.#msg.status === 401 && this.auto && this.password !== null) this.#answer();
    });
  }

  get last(): Heard {
    return this.heard[this.heard.length - 1]!;
  }
  get statuses(): number[] {
    return this.heard.map((h) => h.status);
  }

  #answer(): void {
    const challenge = challengesOf(this.#msg, H.WWW_AUTHENTICATE)[0]!;
    this.#nc = challenge.stale ? 1 : this.#nc + 1;
    const to = new Uint8Array(2048);
    const user = new DigestUser(ascii(`${1000 + this.i}`), ascii(this.password!));
    const uri = ascii('sip:a.test');
    const method = ascii('REGISTER');
    const end = this.#digest.respond(challenge, user, method, uri, 0, 10, this.#nc, ascii('cn'), to, 0, 2048);
    this.authorization = latin1(to, 0, end);
    this.say();
  }

  /** Sends a REGISTER with the credentials that it has; `fresh` forgets them first. */
  say(fresh = false, again = false): void {
    if (fresh) this.authorization = '';
    if (!again) this.cseq++;
    const user = `${1000 + this.i}`;
    const lines = [
      'REGISTER sip:a.test SIP/2.0',
      `Via: SIP/2.0/UDP 192.168.1.2:5060;branch=z9hG4bK${this.i}-${this.cseq};rport`,
      `From: <sip:${user}@a.test>;tag=f${this.i}`,
      `To: <sip:${user}@A.test;x=y>`,
      `Call-ID: c${this.i}`,
      `CSeq: ${this.cseq} REGISTER`,
      ...this.headers,
      ...(this.authorization === '' ? [] : [`Authorization: ${this.authorization}`]),
      'Content-Length: 0',
    ];
    this.raw(`${lines.join('\r\n')}\r\n\r\n`);
  }

  raw(text: string): void {
    const bytes = ascii(text);
    this.port.send(bytes, 0, bytes.length, SERVER, 5060);
  }
}

class Lab {
  readonly world = new MemoryWorld({ seed: 5 });
  readonly phones = this.world.wire('phones');
  readonly registrar: Registrar;
  readonly db: MemoryCredentials;

  constructor(options: Partial<RegistrarOptions> = {}, db: { serviceUs?: number; latencyUs?: number } = {}) {
    const credentials = Array.from({ length: 10_000 }, (_, i) => credential(i));
    const nowUs = (): number => this.world.nowUs;
    this.db = new MemoryCredentials({ nowUs, limit: 64, credentials, ...db });
    const wire = this.world.wire('registrar');
    this.registrar = new Registrar(wire, {
      ...REGISTRAR_DEFAULTS,
      ip: SERVER,
      port: 5060,
      seed: 1,
      cache: new CredentialCache(credentials),
      db: this.db,
      ...options,
    });
    this.world.add(this.registrar, wire);
  }

  phone(i = 0, contact = `Contact: <sip:${1000 + i}@192.168.1.2:5060>`): Phone {
    const phone = new Phone(this, i);
    phone.headers = [contact];
    return phone;
  }
  run(ms: number): void {
    this.world.runUntil(this.world.nowUs + ms * 1000);
  }
  get metrics(): Registrar['metrics'] {
    return this.registrar.metrics;
  }
}

describe('one phone', () => {
  it('is challenged, registers, and is found at the address that it is heard from', () => {
    const lab = new Lab();
    const phone = lab.phone();
    phone.headers = ['Contact: <sip:1000@192.168.1.2:5060;transport=udp>;q=0.5;+x="a;b"', 'Expires: 600'];
    phone.say();
    lab.run(10);
    expect(phone.statuses).toEqual([401, 200]);
    expect(phone.heard[0]!.text).toMatch(
      /^SIP\/2\.0 401 Unauthorized\r\nVia: .*;rport=5062;received=10\.0\.1\.1\r\n[\s\S]*\r\nTo: <sip:1000@A\.test;x=y>;tag=registrar\r\n/,
    );
    expect(phone.heard[0]!.text).toMatch(
      /\r\nWWW-Authenticate: Digest realm="a\.test",nonce="[0-9a-f]{48}",algorithm=MD5,qop="auth"\r\n/,
    );
    expect(phone.last.text).toContain(
      '\r\nContact: <sip:1000@192.168.1.2:5060;transport=udp>;expires=600;q=0.5;+x="a;b"\r\nContent-Length: 0\r\n\r\n',
    );
    expect(lab.registrar.lookup('1000@a.test', lab.world.nowUs)).toMatchObject([
      { uri: 'sip:1000@192.168.1.2:5060;transport=udp', q: 0.5, receivedIp: SITE, receivedPort: 5062, path: [] },
    ]);
    expect(lab.metrics).toMatchObject({ registersTotal: 2, challenged401Total: 1, ok200Total: 1, bindings: 1 });
    // A refresh with the same nonce costs one request, and a question tells what is left.
    lab.run(100_000);
    phone.headers = [];
    phone.say();
    lab.run(10);
    expect(phone.last.text).toContain(';expires=500;');
    phone.headers = ['Contact: *', 'Expires: 0'];
    phone.say();
    lab.run(10);
    expect(phone.statuses).toEqual([401, 200, 200, 200]);
    expect(phone.last.text).not.toContain('Contact');
    expect(lab.metrics).toMatchObject({ challenged401Total: 1, bindings: 0, expiredTotal: 0 });
  });

  it('expires by itself', () => {
    const lab = new Lab();
    const phone = lab.phone();
    phone.headers.push('Expires: 60');
    phone.say();
    lab.run(59_000);
    expect([lab.metrics.bindings, lab.registrar.lookup('1000@a.test', lab.world.nowUs).length]).toEqual([1, 1]);
    lab.run(2_000);
    expect(lab.metrics).toMatchObject({ bindings: 0, expiredTotal: 1 });
  });

  it('is told stale=true when its nonce has had its life, and goes on with the new one', () => {
    const lab = new Lab({ nonceLifeS: 30 });
    const phone = lab.phone();
    phone.say();
    lab.run(31_000);
    phone.say();
    lab.run(10);
    expect(phone.statuses).toEqual([401, 200, 401, 200]);
    expect(phone.heard[0]!.text).not.toContain('stale');
    expect(phone.heard[2]!.text).toContain(',stale=true\r\n');
    expect(lab.metrics).toMatchObject({ challenged401Total: 2, staleTotal: 1, ok200Total: 2, bindings: 1 });
  });

  it('takes the strongest algorithm that is offered', () => {
    const lab = new Lab({ algorithms: [ALGORITHM.SHA_256, ALGORITHM.MD5] });
    const phone = lab.phone();
    phone.say();
    lab.run(10);
    expect(phone.statuses).toEqual([401, 200]);
    expect(phone.heard[0]!.text.match(/algorithm=[^,]*/g)).toEqual(['algorithm=SHA-256', 'algorithm=MD5']);
    expect(phone.authorization).toMatch(/response="[0-9a-f]{64}",algorithm=SHA-256,/);
    // Credentials of an algorithm that is not offered are no credentials.
    const strict = new Lab({ algorithms: [ALGORITHM.SHA_256] });
    const old = strict.phone();
    old.auto = false;
    old.authorization = phone.authorization.replace('algorithm=SHA-256', 'algorithm=MD5');
    old.say();
    strict.run(10);
    expect(old.statuses).toEqual([401]);
  });

  it.each([
    ['a wrong password', 0, 'wrong'],
    ['a name that nobody has', 50_000, 'secret-50000'],
  ])('with %s is refused', (_, i, password) => {
    for (const credentials of ['cached', 'database'] as const) {
      const lab = new Lab({ credentials });
      const phone = lab.phone(i);
      phone.password = password;
      phone.say();
      lab.run(100);
      expect(phone.statuses).toEqual([401, 403]);
      expect(lab.metrics).toMatchObject({ failed403Total: 1, bindings: 0, threadsBusy: 0 });
    }
  });

  it('may register itself only', () => {
    const lab = new Lab();
    const [one, two] = [lab.phone(0), lab.phone(1)];
    one.say();
    lab.run(10);
    two.authorization = one.authorization;
    two.auto = false;
    two.say();
    lab.run(10);
    expect(two.statuses).toEqual([403]);
  });

  it('is refused what RFC 3261 10.3 refuses, and nothing is changed then', () => {
    const lab = new Lab();
    const phone = lab.phone();
    phone.say();
    lab.run(10);
    const ask = (...headers: string[]): Heard => {
      phone.headers = headers;
      phone.say();
      lab.run(10);
      return phone.last;
    };
    expect(ask('Contact: <sip:x@y>;expires=59').text).toMatch(
      /^SIP\/2.0 423 Interval Too Brief\r\n[\s\S]*\r\nMin-Expires: 60\r\n/,
    );
    expect(ask('Contact: *').status).toBe(400);
    expect(ask('Contact: *, <sip:x@y>', 'Expires: 0').status).toBe(400);
    expect(ask('Contact: nobody').status).toBe(400);
    expect(ask('Contact: <sip:x@y>', 'Require: path, gruu').text).toContain('\r\nUnsupported: gruu\r\n');
    phone.cseq = 0;
    expect(ask('Contact: <sip:1000@192.168.1.2:5060>').status).toBe(500);
    expect(lab.metrics).toMatchObject({ bindings: 1, rejectedTotal: 6 });
    phone.raw(
      'INVITE sip:a.test SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.1.1:5062;branch=z9hG4bKi\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: i\r\nCSeq: 1 INVITE\r\n\r\n',
    );
    lab.run(10);
    expect(phone.last.text).toMatch(/^SIP\/2.0 405 [\s\S]*\r\nAllow: REGISTER, OPTIONS\r\n/);
  });

  it('behind a proxy with Path is told the path when it knows the word (RFC 3327 5.3)', () => {
    const lab = new Lab();
    const phone = lab.phone();
    phone.headers.push('Path: <sip:edge.a.test;lr>, <sip:p2;lr>', 'Supported: gruu, path');
    phone.say();
    lab.run(10);
    expect(phone.last.text).toContain('\r\nPath: <sip:edge.a.test;lr>\r\nPath: <sip:p2;lr>\r\n');
    expect(lab.registrar.lookup('1000@a.test', lab.world.nowUs)[0]!.path).toEqual([
      '<sip:edge.a.test;lr>',
      '<sip:p2;lr>',
    ]);
    phone.headers.pop();
    phone.say();
    lab.run(10);
    expect(phone.last.text).not.toContain('Path:');
  });

  it('that repeats its request gets the same answer, and the binding is made once', () => {
    const lab = new Lab({ credentials: 'database' }, { latencyUs: 50_000 });
    const phone = lab.phone();
    phone.say();
    lab.run(10);
    for (let n = 0; n < 3; n++) {
      phone.say(false, true);
      lab.run(100);
    }
    expect(phone.statuses).toEqual([401, 200, 200, 200]);
    expect(new Set(phone.heard.slice(1).map((h) => h.text)).size).toBe(1);
    expect(lab.metrics).toMatchObject({ registersTotal: 2, ok200Total: 1, retransmitsTotal: 3, bindings: 1 });
  });
});

test('write-through: the answer comes after the rows are written, and a binding that goes takes its row along', () => {
  const lab = new Lab({ dbMode: 1 }, { serviceUs: 10_000 });
  const phone = lab.phone();
  phone.headers = ['Contact: <sip:1000@x>, <sip:1000@y>'];
  phone.say();
  lab.run(15);
  expect(lab.metrics).toMatchObject({ threadsBusy: 1, dbPending: 1, ok200Total: 0 });
  lab.run(50);
  expect(phone.last.status).toBe(200);
  expect(phone.last.atUs - phone.heard[0]!.atUs).toBeGreaterThan(20_000);
  expect([...lab.db.rows.values()]).toMatchObject([
    { contact: 'sip:1000@x' },
    { contact: 'sip:1000@y', received: 'sip:10.0.1.1:5062' },
  ]);
  phone.headers = ['Contact: *', 'Expires: 0'];
  phone.say();
  lab.run(50);
  expect(phone.last.status).toBe(200);
  expect(lab.db.rows.size).toBe(0);
  expect(lab.metrics).toMatchObject({ threadsBusy: 0, dbPending: 0, bindings: 0 });
});

describe('a storm', () => {
  /** All phones at once; each repeats what is not answered at T1, 3*T1, ... up to T2 (RFC 3261 17.1.2.2), for `ms`. */
  function storm(lab: Lab, count: number, ms: number): Phone[] {
    const phones = Array.from({ length: count }, (_, i) => lab.phone(i));
    const due = phones.map(() => ({ atMs: 500, stepMs: 500, cseq: 1 }));
    for (const phone of phones) phone.say();
    for (let at = 100; at <= ms; at += 100) {
      lab.run(100);
      phones.forEach((phone, i) => {
        const timer = due[i]!;
        if (phone.cseq !== timer.cseq) Object.assign(timer, { atMs: at + 500, stepMs: 500, cseq: phone.cseq });
        if (at < timer.atMs || phone.last?.status === 200 || phone.last?.status === 503) return;
        timer.stepMs = Math.min(timer.stepMs * 2, 4_000);
        timer.atMs = at + timer.stepMs;
        phone.say(false, true);
      });
    }
    return phones;
  }
  const back = (phones: Phone[]): number => phones.filter((p) => p.last?.status === 200).length;

  it("of 2,000 phones: at once with cached credentials, at the threads' rate with a database", () => {
    const cached = new Lab({ receiveBufferBytes: 16 << 20 });
    expect(back(storm(cached, 2_000, 400))).toBe(2_000);
    // 4 threads that wait 5 ms each: 800 a second.
    const slow = new Lab({ credentials: 'database', receiveBufferBytes: 16 << 20 }, { latencyUs: 5_000 });
    const phones = storm(slow, 2_000, 1_000);
    expect(back(phones)).toBeGreaterThan(600);
    expect(back(phones)).toBeLessThan(1_000);
    expect(slow.metrics.threadsBusy).toBe(4);
    expect(slow.metrics.inboxDepth).toBeGreaterThan(500);
    expect(slow.metrics.dbLatencyMs).toBeCloseTo(5, 0);
  });

  it('overflows a small receive buffer, and phones come back in waves; a large one spares them', () => {
    const options = { credentials: 'database' as const };
    const small = new Lab({ ...options, receiveBufferBytes: 64 << 10 }, { latencyUs: 5_000 });
    const large = new Lab({ ...options, receiveBufferBytes: 16 << 20 }, { latencyUs: 5_000 });
    const [few, all] = [back(storm(small, 2_000, 6_000)), back(storm(large, 2_000, 6_000))];
    expect(small.metrics.inboxDroppedTotal).toBeGreaterThan(1_000);
    expect(large.metrics.inboxDroppedTotal).toBe(0);
    expect(all).toBe(2_000);
    expect(few).toBeLessThan(1_600);
  });

  it('stands still while the database is locked, and nobody is lost', () => {
    const lab = new Lab({ credentials: 'database', receiveBufferBytes: 16 << 20 }, { latencyUs: 1_000 });
    lab.db.lockBetween(50_000, 3_000_000);
    const phones = storm(lab, 1_000, 2_500);
    expect(back(phones)).toBeLessThan(300);
    expect(lab.metrics).toMatchObject({ threadsBusy: 4, dbPending: 4 });
    lab.run(3_000);
    expect(back(phones)).toBe(1_000);
  });

  it('is shed by the limit on first REGISTERs: Retry-After for the rest, those that were challenged get through', () => {
    const lab = new Lab({
      credentials: 'database',
      receiveBufferBytes: 16 << 20,
      rateLimit: { perSecond: 500, retryAfterS: 7, retryAfterSpreadS: 5 },
    });
    const phones = storm(lab, 1_000, 1_000);
    const refused = phones.filter((p) => p.last.status === 503);
    expect(lab.metrics.refused503Total).toBe(refused.length);
    expect(refused.length).toBeGreaterThan(900);
    expect(back(phones)).toBe(1_000 - refused.length);
    const told = new Set(refused.map((p) => Number(/\r\nRetry-After: (\d+)\r\n/.exec(p.last.text)?.[1])));
    expect([...told].sort((a, b) => a - b)).toEqual([7, 8, 9, 10, 11, 12]);
  });
});
