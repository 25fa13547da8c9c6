import type { DigestSecret } from '../sip/digest.js';
import type { SipMessage } from '../sip/parse.js';
import type { UdpPort } from '../wire/types.js';

/** What an INVITE says of the phone that it is from. Good until the next is asked for. */
export interface Inviting {
  /** user@domain of its address-of-record. */
  aor: Uint8Array;
  /** Header lines: its way out, and who it is at that. */
  routes: Uint8Array;
  /** Where it goes first. */
  hopIp: number;
  hopPort: number;
}

/** The phones that one agent calls and answers for, by their index in the worker. */
export interface Party {
  portOf(phone: number): UdpPort;
  /** 'Contact: …' and the end of the line. */
  contact(phone: number): Uint8Array;
  /** What it answers challenges with; good until the next is asked for. */
  secret(phone: number): DigestSecret;
  inviting(phone: number): Inviting;
  /** Whose call a number of the plan's is, and 'user@domain' of whom it calls. */
  callerOf(callNo: number): number;
  calledBy(callNo: number): Uint8Array;
  /** Who an INVITE is for, by its Request-URI; -1 when it is none of these phones. */
  calledIn(msg: SipMessage): number;
  /** Its number in the population. */
  number(phone: number): number;
  /**
   * Is this call between whom the plan says: the phone that got it, and the user that its From names? 1 yes, 2 no; 0 when the
   * plan's calls are not from phones. The record's `identity`.
   */
  identityOf(callNo: number, phone: number, msg: SipMessage): number;
}
