import type { SipMessage } from './parse.js';
import type { TransactionUser } from './stack.js';

/** A transaction user that does nothing of its own accord: cores of the platform override what concerns them. */
export abstract class QuietUser implements TransactionUser {
  abstract onRequest(msg: SipMessage, tx: number, srcIp: number, srcPort: number, nowUs: number): void;
  /** Called for what fits nothing that is under way. */
  stray(): void {
    // ignored, unless a core counts it
  }
  onAck(_msg: SipMessage, _nowUs: number): void {
    this.stray();
  }
  onCancel(_user: number, _tx: number, _msg: SipMessage, _nowUs: number): void {
    this.stray();
  }
  onResponse(_user: number, _tx: number, _msg: SipMessage, _nowUs: number): void {
    // sends no requests of its own
  }
  onStrayResponse(_msg: SipMessage, _nowUs: number): void {
    // as above
  }
  onTimeout(_user: number, _tx: number, _method: number, _nowUs: number): void {
    // as above
  }
  onTransportError(user: number, tx: number, method: number, _why: string, nowUs: number): void {
    this.onTimeout(user, tx, method, nowUs);
  }
  onRetransmit(_user: number, _method: number): void {
    // counted by the stack
  }
  onNoAck(_user: number, _tx: number, _accepted: boolean, _nowUs: number): void {
    this.stray();
  }
  onRepeat(_user: number, _status: number): void {
    // counted by the stack
  }
  onRequestAgain(_user: number, _method: number): void {
    // counted by the stack
  }
}
