import type { CallCredentials } from '../../harness/plan/types.js';
import { challengesOf, DigestClient } from '../sip/auth.js';
import { type DigestSecret, DigestUser } from '../sip/digest.js';
import { H } from '../sip/names.js';
import type { SipMessage } from '../sip/parse.js';
import { ascii, writeBytes, writeHex } from '../sip/text.js';

const AUTHORIZATION = ascii('Authorization: ');
const PROXY_AUTHORIZATION = ascii('Proxy-Authorization: ');
const CRLF = ascii('\r\n');
/** Longest set of header lines that answers one refusal; a datagram has no room for more. */
const ROOM = 1024;

/**
 * Answers 401 and 407 (RFC 3261 22). Calls are challenged one by one, and rarely; so lines are allocated as they are
 * needed and kept for the ACK.
 */
export class Credentials {
  readonly #digest = new DigestClient();
  readonly #cnonce = new Uint8Array(8);
  readonly #scratch = new Uint8Array(ROOM);

  constructor(
    /** By the call's slot. */
    private readonly secretOf: (slot: number) => DigestSecret,
    private readonly seed: number,
  ) {}

  static of(who: CallCredentials, seed: number): Credentials {
    const user = new DigestUser(ascii(who.user), ascii(who.password));
    return new Credentials(() => user, seed);
  }

  /**
   * Header lines for the same request once more, one for each realm that asks; null when there is nothing that we can
   * answer: `again`, and it is not for a stale nonce. `uri` is the Request-URI. `key` makes the cnonce differ.
   */
  answer(
    slot: number,
    msg: SipMessage,
    method: Uint8Array,
    uri: Uint8Array,
    off: number,
    len: number,
    key: number,
    again: boolean,
  ): Uint8Array | null {
    const proxy = msg.status === 407;
    const challenges = challengesOf(msg, proxy ? H.PROXY_AUTHENTICATE : H.WWW_AUTHENTICATE);
    if (challenges.length === 0 || (again && !challenges.some((c) => c.stale))) return null;
    const secret = this.secretOf(slot);
    let p = 0;
    for (const challenge of challenges) {
      writeHex(this.#cnonce, 0, (Math.imul(key + 1, 0x9e3779b1) ^ this.seed) >>> 0, 8);
      p = writeBytes(this.#scratch, p, proxy ? PROXY_AUTHORIZATION : AUTHORIZATION);
      const end = ROOM - CRLF.length;
      p = this.#digest.respond(challenge, secret, method, uri, off, len, 1, this.#cnonce, this.#scratch, p, end);
      if (p < 0) return null;
      p = writeBytes(this.#scratch, p, CRLF);
    }
    return this.#scratch.slice(0, p);
  }
}
