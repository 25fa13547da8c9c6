import { splitValues } from './sip/dialog.js';
import { H } from './sip/names.js';
import type { SipMessage } from './sip/parse.js';
import { uriOf } from './sip/scan.js';
import { ascii, latin1 } from './sip/text.js';
import { UriView } from './sip/uri.js';

/** What a request begins its way by (RFC 3261 8.1.2, a pre-loaded route set). */
export interface Route {
  /** Whole Route lines. */
  lines: Uint8Array;
  /** Of the first; ip is -1 when it is a name. */
  ip: number;
  port: number;
}

/** As many as are shared: phones of one edge have the same. Those beyond have each its own. */
const SHARED_MAX = 4096;

/** The route that a registrar gave to each phone of a worker for its requests (RFC 3608 5). */
export class ServiceRoutes {
  /** Absent until a registrar gives one. */
  #of: (Route | null)[] | null = null;
  readonly #shared = new Map<string, Route>();
  readonly #uri = new UriView();
  readonly #range = new Int32Array(2);

  constructor(private readonly phones: number) {}

  /** Null: none. */
  of(phone: number): Route | null {
    return this.#of?.[phone] ?? null;
  }

  /** A 200 to its REGISTER says it anew each time: without the header there is none (RFC 3608 6.1). */
  keep(phone: number, msg: SipMessage): void {
    if (msg.find(H.SERVICE_ROUTE) < 0) {
      if (this.#of !== null) this.#of[phone] = null;
      return;
    }
    this.#of ??= new Array<Route | null>(this.phones).fill(null);
    let text = '';
    for (let n = 0, i = msg.find(H.SERVICE_ROUTE); i >= 0; i = msg.find(H.SERVICE_ROUTE, ++n)) {
      for (const { off, len } of splitValues(msg.bytes, msg.valueOff[i]!, msg.valueLen[i]!)) {
        text += `Route: ${latin1(msg.bytes, off, len)}\r\n`;
      }
    }
    this.#of[phone] = this.#route(text);
  }

  #route(text: string): Route {
    const known = this.#shared.get(text);
    if (known !== undefined) return known;
    const lines = ascii(text);
    const from = text.indexOf(' ') + 1;
    const found = uriOf(lines, from, text.indexOf('\r') - from, this.#range);
    const there = found && this.#uri.parse(lines, this.#range[0]!, this.#range[1]!);
    const route = { lines, ip: there ? this.#uri.ip : -1, port: there ? this.#uri.port : 0 };
    if (this.#shared.size < SHARED_MAX) this.#shared.set(text, route);
    return route;
  }
}
