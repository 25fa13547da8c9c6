import { DialogStore } from '../../../agents/sip/dialog.js';
import { METHOD } from '../../../agents/sip/names.js';
import type { SipStack } from '../../../agents/sip/stack.js';
import { ascii, writeBytes } from '../../../agents/sip/text.js';

/** In-dialog requests of a B2BUA's legs: ACK and BYE (RFC 3261 12.2.1). A leg is a dialog's number. */
export class LegSender {
  readonly dialogs: DialogStore;
  readonly branch: (to: Uint8Array, at: number) => number;
  #tx = 0;
  #ackSerial = 0;

  constructor(
    private readonly stack: SipStack,
    legs: number,
  ) {
    this.dialogs = new DialogStore(legs);
    this.branch = (to, at) => stack.client.writeBranch(this.#tx, to, at);
  }

  /** The next branch() writes this transaction's. */
  branchOf(tx: number): void {
    this.#tx = tx;
  }

  ack(leg: number, cseq: number): void {
    const { port } = this.stack;
    const at = port.slot();
    const serial = ++this.#ackSerial;
    const branch = (to: Uint8Array, p: number): number => writeBytes(to, p, ascii(`z9hG4bKb2back${serial}`));
    const end = this.dialogs.writeRequest(leg, METHOD.ACK, cseq, port.ip, port.port, branch, null, port.tx, at);
    port.commit(end - at, this.dialogs.hopIp(leg), this.dialogs.hopPort(leg));
  }

  /** Nobody waits for its answer: the call is over either way. */
  bye(leg: number, reason: Uint8Array | null, nowUs: number): void {
    const tx = this.stack.client.open(-1, METHOD.BYE);
    if (tx < 0) return;
    this.#tx = tx;
    const { port } = this.stack;
    const at = port.slot();
    const cseq = this.dialogs.nextCseq(leg);
    const { branch, dialogs } = this;
    const end = dialogs.writeRequest(leg, METHOD.BYE, cseq, port.ip, port.port, branch, reason, port.tx, at);
    if (!this.stack.client.send(tx, at, end - at, dialogs.hopIp(leg), dialogs.hopPort(leg), nowUs)) {
      this.stack.client.drop(tx);
    }
  }
}
