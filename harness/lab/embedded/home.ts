import { Counters } from '../../../agents/counters.js';
import { METHOD } from '../../../agents/sip/names.js';
import type { SipMessage } from '../../../agents/sip/parse.js';
import { uriOf } from '../../../agents/sip/scan.js';
import { SipStack } from '../../../agents/sip/stack.js';
import { ascii } from '../../../agents/sip/text.js';
import { UriView } from '../../../agents/sip/uri.js';
import { QuietUser } from '../../../agents/sip/user.js';
import { ipToString, type Wire } from '../../../agents/wire/types.js';
import { forwardRequest, forwardResponse } from './forward.js';
import type { Binding } from './location.js';

export interface HomeOptions {
  ip: number;
  port: number;
  /** Address-of-record of a called number; undefined: nobody has it. */
  aorOf: (user: string) => string | undefined;
  lookup: (aor: string, nowUs: number) => readonly Binding[];
}

const TAG = ascii('home');
/** Header lines of one message: a Path of a few proxies. */
const LINE = 'Route: ';

/**
 * The home proxy: a call for a subscriber goes to the contact that it registered (RFC 3261 16.5), by the Path that its
 * REGISTER came (RFC 3327 5.3). It stands where a trunk would, and is as stateless.
 */
export class Home extends QuietUser {
  attemptsTotal = 0;
  /** Calls for nobody (404), and for phones without a contact (480). */
  unknownTotal = 0;
  absentTotal = 0;
  readonly #o: HomeOptions;
  readonly #stack: SipStack;
  readonly #recordRoute: Uint8Array;
  readonly #uri = new UriView();
  readonly #range = new Int32Array(2);
  #status = 404;

  constructor(wire: Wire, options: HomeOptions, salt: number) {
    super();
    this.#o = options;
    this.#recordRoute = ascii(`Record-Route: <sip:${ipToString(options.ip)}:${options.port};lr>\r\n`);
    const limits = { clientTransactions: 16, serverTransactions: 16_384, messages: 16_384 };
    this.#stack = new SipStack(this, new Counters(), limits, salt, wire.nowUs());
    this.#stack.port = wire.bind(options.ip, options.port, (bytes, off, len, srcIp, srcPort, nowUs) =>
      this.#receive(bytes, off, len, srcIp, srcPort, nowUs),
    );
  }

  tick(nowUs: number): number {
    return this.#stack.tick(nowUs);
  }

  #receive(bytes: Uint8Array, off: number, len: number, srcIp: number, srcPort: number, nowUs: number): void {
    const stack = this.#stack;
    const { msg } = stack;
    if (msg.parse(bytes, off, len) !== 0) return;
    if (!msg.isRequest) {
      forwardResponse(msg, stack.port);
      return;
    }
    if (!this.#uri.parse(msg.bytes, msg.uriOff, msg.uriLen)) return;
    const { ip, port } = this.#uri;
    if (ip !== this.#o.ip || port !== this.#o.port) {
      // Within a dialog: the Request-URI is the other end's contact, and the Route is ours.
      if (ip >= 0) this.#forward(srcIp, srcPort, ip, port, null, null);
      return;
    }
    const refused = stack.server.match(msg, METHOD.INVITE) >= 0;
    const binding = refused ? null : this.#find(nowUs);
    if (binding === null)
      stack.receive(bytes, off, len, srcIp, srcPort, nowUs); // to onRequest, or the ACK to what it said
    else this.#toContact(binding, srcIp, srcPort);
  }

  /** Of the called number; null with the status to say so. */
  #find(nowUs: number): Binding | null {
    const { msg } = this.#stack;
    const aor = this.#o.aorOf(msg.text(this.#uri.userOff, this.#uri.userLen));
    const binding = aor === undefined ? undefined : this.#o.lookup(aor, nowUs)[0];
    if (msg.method === METHOD.INVITE) {
      this.attemptsTotal++;
      if (aor === undefined) this.unknownTotal++;
      else if (binding === undefined) this.absentTotal++;
    }
    this.#status = aor === undefined ? 404 : 480;
    return binding ?? null;
  }

  onRequest(_msg: SipMessage, tx: number, srcIp: number, srcPort: number, nowUs: number): void {
    this.#stack.reply(tx, this.#status, srcIp, srcPort, TAG, null, nowUs);
  }

  #toContact({ uri, path, receivedIp, receivedPort }: Binding, srcIp: number, srcPort: number): void {
    const next = ascii(path[0] ?? `<${uri}>`);
    const there = uriOf(next, 0, next.length, this.#range) && this.#uri.parse(next, this.#range[0]!, this.#range[1]!);
    // A contact by name: back to where its REGISTER came from.
    const [ip, port] = there && this.#uri.ip >= 0 ? [this.#uri.ip, this.#uri.port] : [receivedIp, receivedPort];
    const route = path.length === 0 ? null : ascii(path.map((value) => `${LINE}${value}\r\n`).join(''));
    this.#forward(srcIp, srcPort, ip, port, ascii(uri), route);
  }

  #forward(
    srcIp: number,
    srcPort: number,
    dstIp: number,
    dstPort: number,
    uri: Uint8Array | null,
    route: Uint8Array | null,
  ): void {
    const { msg, port } = this.#stack;
    forwardRequest(msg, port, {
      ...{ srcIp, srcPort, dstIp, dstPort, uri, route },
      recordRoute: msg.toTagLen === 0 ? this.#recordRoute : null,
      dropTopRoute: uri === null,
      aliasContact: false,
      stripAlias: false,
    });
  }
}
