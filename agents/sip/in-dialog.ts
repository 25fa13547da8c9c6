import type { UdpPort } from '../wire/types.js';
import { DialogStore } from './dialog.js';
import { localOf } from './local.js';
import { METHOD } from './names.js';
import { EMPTY_BODY } from './respond.js';
import type { SipStack } from './stack.js';
import { ascii, writeBytes, writeHex } from './text.js';

const ACK_BRANCH = ascii('z9hG4bKdack');

/**
 * Requests inside dialogs (RFC 3261 12.2.1): the dialogs of a UA core, and the requests that it sends in them. Used by
 * callers, callees and B2BUAs alike.
 */
export class InDialog {
  readonly dialogs: DialogStore;
  /** Writes the Via branch of the transaction given to use(). Made once: nothing is allocated per request. */
  readonly branch: (to: Uint8Array, at: number) => number;
  readonly #ackBranch: (to: Uint8Array, at: number) => number;
  #tx = -1;
  #at = 0;
  #dialog = 0;
  #viaPort: UdpPort | null = null;
  #via: Uint8Array = EMPTY_BODY;
  #ackSerial = 0;

  constructor(
    private readonly stack: SipStack,
    dialogs: number,
    salt: number,
  ) {
    this.dialogs = new DialogStore(dialogs);
    this.branch = (to, at) => stack.client.writeBranch(this.#tx, to, at);
    // An ACK to a 2xx is no transaction of ours, but wants a branch that no other request has (RFC 3261 8.1.1.7).
    this.#ackBranch = (to, at) =>
      writeHex(to, writeHex(to, writeBytes(to, at, ACK_BRANCH), salt, 4), this.#ackSerial, 8);
  }

  /** Of the port at hand. */
  #ourVia(): Uint8Array {
    const { port } = this.stack;
    if (port !== this.#viaPort) {
      this.#viaPort = port;
      this.#via = localOf(port).via;
    }
    return this.#via;
  }

  /** branch() speaks for this transaction from now on. */
  use(tx: number): void {
    this.#tx = tx;
  }

  /**
   * Acknowledges a 2xx (13.2.2.4); `cseq` is the INVITE's, and `extra` its credentials (22.1) or null. `body` is a
   * Content-Type line and what follows it, for the answer to an offer that came in the 2xx.
   */
  ack(dialog: number, cseq: number, extra: Uint8Array | null = null, body: Uint8Array = EMPTY_BODY): void {
    this.#ackSerial++;
    const { dialogs } = this;
    const { port } = this.stack;
    const at = port.slot();
    let p = dialogs.writeHead(dialog, METHOD.ACK, cseq, this.#ourVia(), this.#ackBranch, port.tx, at);
    if (extra !== null) p = writeBytes(port.tx, p, extra);
    p = writeBytes(port.tx, p, body);
    port.commit(p - at, dialogs.hopIp(dialog), dialogs.hopPort(dialog));
  }

  /**
   * Begins a request for transaction user `user`, -1 when nobody waits for its answer: where its header lines go in
   * stack.port.tx, or -1 at a limit. send() must follow.
   */
  begin(dialog: number, user: number, method: number): number {
    const { dialogs } = this;
    const { client, port } = this.stack;
    const tx = client.open(user, method);
    if (tx < 0) return -1;
    this.#tx = tx;
    this.#dialog = dialog;
    this.#at = port.slot();
    const cseq = dialogs.nextCseq(dialog);
    return dialogs.writeHead(dialog, method, cseq, this.#ourVia(), this.branch, port.tx, this.#at);
  }

  /** Sends what was begun and written up to `end`, its body too. The transaction, or -1 at a limit. */
  send(end: number, nowUs: number): number {
    const { dialogs } = this;
    const { client } = this.stack;
    const tx = this.#tx;
    const at = this.#at;
    const dialog = this.#dialog;
    if (client.send(tx, at, end - at, dialogs.hopIp(dialog), dialogs.hopPort(dialog), nowUs)) return tx;
    client.drop(tx);
    return -1;
  }

  /** BYE (15.1.1). */
  bye(dialog: number, user: number, extra: Uint8Array | null, nowUs: number): number {
    let p = this.begin(dialog, user, METHOD.BYE);
    if (p < 0) return -1;
    const { tx } = this.stack.port;
    if (extra !== null) p = writeBytes(tx, p, extra);
    return this.send(writeBytes(tx, p, EMPTY_BODY), nowUs);
  }
}
