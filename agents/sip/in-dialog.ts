import { DialogStore } from './dialog.js';
import { localOf } from './local.js';
import { METHOD } from './names.js';
import type { SipStack } from './stack.js';
import { ascii, writeBytes, writeHex } from './text.js';

const ACK_BRANCH = ascii('z9hG4bKdack');

/**
 * Requests inside dialogs (RFC 3261 12.2.1): the dialogs of a UA core, and the ACK and BYE that it sends in them. Used by
 * callers, callees and B2BUAs alike.
 */
export class InDialog {
  readonly dialogs: DialogStore;
  /** Writes the Via branch of the transaction given to use(). Made once: nothing is allocated per request. */
  readonly branch: (to: Uint8Array, at: number) => number;
  readonly #ackBranch: (to: Uint8Array, at: number) => number;
  #tx = 0;
  #ourVia: Uint8Array | undefined;
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

  /** Known when the stack is bound, which is after this was made. */
  #via(): Uint8Array {
    this.#ourVia ??= localOf(this.stack.port).via;
    return this.#ourVia;
  }

  /** branch() speaks for this transaction from now on. */
  use(tx: number): void {
    this.#tx = tx;
  }

  /** Acknowledges a 2xx (13.2.2.4); `cseq` is the INVITE's. */
  ack(dialog: number, cseq: number): void {
    this.#ackSerial++;
    const { dialogs } = this;
    const { port } = this.stack;
    const at = port.slot();
    const end = dialogs.writeRequest(dialog, METHOD.ACK, cseq, this.#via(), this.#ackBranch, null, port.tx, at);
    port.commit(end - at, dialogs.hopIp(dialog), dialogs.hopPort(dialog));
  }

  /** BYE (15.1.1) for transaction user `user`, -1 when nobody waits for its answer. The transaction, or -1 at a limit. */
  bye(dialog: number, user: number, reason: Uint8Array | null, nowUs: number): number {
    const { dialogs, branch } = this;
    const { client, port } = this.stack;
    const tx = client.open(user, METHOD.BYE);
    if (tx < 0) return -1;
    this.#tx = tx;
    const at = port.slot();
    const cseq = dialogs.nextCseq(dialog);
    const end = dialogs.writeRequest(dialog, METHOD.BYE, cseq, this.#via(), branch, reason, port.tx, at);
    if (client.send(tx, at, end - at, dialogs.hopIp(dialog), dialogs.hopPort(dialog), nowUs)) return tx;
    client.drop(tx);
    return -1;
  }
}
