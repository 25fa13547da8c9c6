import { AuthView, verify, writeQuoted } from '../../../agents/sip/auth.js';
import { ALGORITHM, ALGORITHM_NAMES, type Algorithm, plain, type Span } from '../../../agents/sip/digest.js';
import type { SipMessage } from '../../../agents/sip/parse.js';
import { ascii, latin1 } from '../../../agents/sip/text.js';
import type { Ha1 } from './credentials.js';
import { NONCE, NONCE_LENGTH, Nonces } from './credentials-nonce.js';
import { headerNamed } from './location.js';

export interface GateOptions {
  /** Offered in this order, each in a header of its own (RFC 8760 2.3), and accepted. */
  algorithms: readonly Algorithm[];
  nonceLifeS: number;
  secret: string;
}

const AUTHORIZATION = ascii('authorization');

/** Asks for credentials and judges them; reads them from one message at a time. */
export class DigestGate {
  readonly #algorithms: readonly Algorithm[];
  readonly #nonces: Nonces;
  readonly #auth = new AuthView();
  readonly #nonce = new Uint8Array(NONCE_LENGTH);
  readonly #body: Span = { bytes: new Uint8Array(0), off: 0, len: 0 };

  constructor({ algorithms, nonceLifeS, secret }: GateOptions) {
    this.#algorithms = algorithms;
    this.#nonces = new Nonces(secret, nonceLifeS * 1e6);
  }

  /** Reads the credentials for `realm` (RFC 3261 22.3: there may be others); false when there are none. */
  read(msg: SipMessage, realm: string): boolean {
    for (let i = headerNamed(msg, AUTHORIZATION); i >= 0; i = headerNamed(msg, AUTHORIZATION, i + 1)) {
      const found = this.#auth.parse(msg.bytes, msg.valueOff[i]!, msg.valueLen[i]!);
      if (found && text(this.#auth.realm) === realm) return true;
    }
    return false;
  }

  get user(): string {
    return text(this.#auth.username);
  }

  /**
   * May the password be looked at? `again`: an algorithm that we did not offer. `stale`: a nonce that is not valid, or not
   * any more (RFC 7616 3.3); that is known without a look-up, so it costs none.
   */
  state(nowUs: number): 'fresh' | 'stale' | 'again' {
    const { nonce } = this.#auth;
    const algorithm = this.#auth.algorithmOf();
    if (algorithm < 0 || !this.#algorithms.includes(algorithm as Algorithm)) return 'again';
    return nonce.len >= 0 && this.#nonces.check(nonce, nowUs) === NONCE.FRESH ? 'fresh' : 'stale';
  }

  /** Do the credentials that were read from this message prove the password? */
  admits(msg: SipMessage, ha1: Ha1): boolean {
    const md5 = plain(this.#auth.algorithmOf() as Algorithm) === ALGORITHM.MD5;
    this.#body.bytes = msg.bytes;
    this.#body.off = msg.bodyOff;
    this.#body.len = msg.bodyLen;
    const method = msg.bytes.subarray(msg.methodOff, msg.methodOff + msg.methodLen);
    return verify(this.#auth, md5 ? ha1.md5 : ha1.sha256, method, this.#body);
  }

  /** Header lines of a 401. */
  challenge(realm: string, stale: boolean, nowUs: number): string {
    const nonce = latin1(this.#nonce, 0, this.#nonces.write(nowUs, this.#nonce, 0));
    const rest = `qop="auth"${stale ? ',stale=true' : ''}\r\n`;
    let lines = '';
    for (const algorithm of this.#algorithms) {
      const name = ALGORITHM_NAMES[algorithm];
      lines += `WWW-Authenticate: Digest realm="${quoted(realm)}",nonce="${nonce}",algorithm=${name},${rest}`;
    }
    return lines;
  }
}

function text(span: Span): string {
  return span.len < 0 ? '' : latin1(span.bytes, span.off, span.len);
}

function quoted(value: string): string {
  const to = new Uint8Array(value.length * 2);
  return latin1(to, 0, writeQuoted(to, 0, ascii(value), 0, value.length));
}
