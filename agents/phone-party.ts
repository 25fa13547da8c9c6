import type { Inviting, Party } from './call/party.js';
import type { Population } from './identity.js';
import type { PhoneBook } from './phone-book.js';
import type { PhoneCalls } from './phone-calls.js';
import { IDENTITY } from './record.js';
import type { PhoneSockets } from './registrant-sockets.js';
import type { Route, ServiceRoutes } from './service-route.js';
import type { DigestSecret } from './sip/digest.js';
import { localOf } from './sip/local.js';
import type { SipMessage } from './sip/parse.js';
import { uriOf } from './sip/scan.js';
import { ascii, equalsBytes, readUint } from './sip/text.js';
import { UriView } from './sip/uri.js';
import { isLoopbackIp, type UdpPort } from './wire/types.js';

/** What the registering phones of one worker are made of. */
export interface PhoneParts {
  population: Population;
  /** This worker's phones: first, first + stride, ... */
  first: number;
  stride: number;
  phones: number;
  book: PhoneBook;
  sockets: PhoneSockets;
  routes: ServiceRoutes;
}

const NOTHING = new Uint8Array(0);
/** URI parameter of a phone's contact: its index, so that a call finds it without a table. */
export const LINE = ascii('line');

/** The phones of one worker as parties of calls: each with its own name, contact, secret and way out. */
export class PhoneParty implements Party {
  readonly #uri = new UriView();
  readonly #range = new Int32Array(2);
  readonly #inviting: { -readonly [K in keyof Inviting]: Inviting[K] };

  constructor(
    private readonly of: PhoneParts,
    private readonly calls: PhoneCalls,
    /** Where requests go unless a route says otherwise: the outbound proxy, or the platform. */
    private readonly hop: { ip: number; port: number },
    private readonly proxy: Route | null,
    /** The plan's calls are theirs. */
    private readonly calling: boolean,
  ) {
    this.#inviting = { aor: NOTHING, routes: NOTHING, hopIp: hop.ip, hopPort: hop.port };
  }

  portOf(phone: number): UdpPort {
    return this.of.sockets.portOf(phone);
  }
  secret(phone: number): DigestSecret {
    return this.of.book.secret(phone);
  }
  number(phone: number): number {
    return this.of.first + phone * this.of.stride;
  }
  callerOf(callNo: number): number {
    return (this.calls.callerOf(callNo) - this.of.first) / this.of.stride;
  }

  contact(phone: number): Uint8Array {
    const { host, params } = localOf(this.portOf(phone));
    return ascii(`Contact: <sip:${this.of.population.user(this.number(phone)).user}@${host}${params}>\r\n`);
  }

  inviting(phone: number): Inviting {
    const { hop, proxy } = this;
    const to = this.#inviting;
    to.aor = this.#aor(this.number(phone));
    const route = this.of.routes.of(phone);
    to.hopIp = hop.ip;
    to.hopPort = hop.port;
    // A registrar must not make us flood somebody else: loopback, or where we were told to send.
    if (proxy === null && route !== null && route.ip >= 0 && (isLoopbackIp(route.ip) || route.ip === hop.ip)) {
      to.hopIp = route.ip;
      to.hopPort = route.port;
    }
    // The proxy that we were given is the first hop (RFC 3261 8.1.2), and is not named twice.
    const twice = proxy !== null && route !== null && route.ip === proxy.ip && route.port === proxy.port;
    const lines = [proxy === null || twice ? NOTHING : proxy.lines, route === null ? NOTHING : route.lines];
    to.routes = lines[0]!.length === 0 ? lines[1]! : new Uint8Array(Buffer.concat(lines));
    return to;
  }

  calledBy(callNo: number): Uint8Array {
    return this.#aor(this.calls.calledOf(callNo));
  }

  calledIn(msg: SipMessage): number {
    const uri = this.#uri;
    if (!uri.parse(msg.bytes, msg.uriOff, msg.uriLen)) return -1;
    const at = uri.param(LINE);
    const phone = at < 0 ? -1 : readUint(msg.bytes, at, at + uri.valueLen);
    if (phone < 0 || phone >= this.of.phones) return -1;
    const user = this.of.book.user(phone);
    return equalsBytes(msg.bytes, uri.userOff, uri.userLen, user) ? phone : -1;
  }

  identityOf(callNo: number, phone: number, msg: SipMessage): number {
    if (!this.calling) return IDENTITY.UNKNOWN;
    const uri = this.#uri;
    if (this.calls.calledOf(callNo) !== this.number(phone)) return IDENTITY.WRONG;
    if (!uriOf(msg.bytes, msg.fromOff, msg.fromLen, this.#range)) return IDENTITY.WRONG;
    if (!uri.parse(msg.bytes, this.#range[0]!, this.#range[1]!)) return IDENTITY.WRONG;
    const { user } = this.of.population.user(this.calls.callerOf(callNo));
    return equalsBytes(msg.bytes, uri.userOff, uri.userLen, ascii(user)) ? IDENTITY.RIGHT : IDENTITY.WRONG;
  }

  #aor(number: number): Uint8Array {
    const { user, domain } = this.of.population.user(number);
    return ascii(`${user}@${domain}`);
  }
}
