import { DIRECTION, reversed, sdpLength, writeSdp } from '../sip/sdp.js';
import { ascii, writeBytes, writeUint } from '../sip/text.js';
import type { CallTable } from './table.js';

const SDP_HEAD = ascii('Content-Type: application/sdp\r\nContent-Length: ');
const CRLF2 = ascii('\r\n\r\n');

/**
 * Offer and answer (RFC 3264) of a table of calls: what each side last said, and the SDPs that we write. One audio stream.
 */
export class OfferAnswer {
  /** What we want, as we offer it: SENDONLY while this side holds the other. */
  readonly #will: Uint8Array;
  /** The direction in our last SDP, and its version (RFC 3264 8: one more with each change). */
  readonly #said: Uint8Array;
  readonly #version: Uint16Array;
  readonly #port: Uint16Array;
  /** The other side holds us. */
  readonly #held: Uint8Array;

  constructor(private readonly table: CallTable) {
    const n = table.capacity;
    this.#will = new Uint8Array(n);
    this.#said = new Uint8Array(n);
    this.#version = new Uint16Array(n);
    this.#port = new Uint16Array(n);
    this.#held = new Uint8Array(n);
  }

  /** A new call: its first SDP is version 1 and a=sendrecv. */
  reset(slot: number): void {
    this.#will[slot] = DIRECTION.SENDRECV;
    this.#said[slot] = DIRECTION.SENDRECV;
    this.#version[slot] = 1;
    this.#port[slot] = this.table.mediaPort(slot);
    this.#held[slot] = 0;
  }

  /** From now on we hold the other side, or do not. */
  want(slot: number, hold: boolean): void {
    this.#will[slot] = hold ? DIRECTION.SENDONLY : DIRECTION.SENDRECV;
  }
  holds(slot: number): boolean {
    return this.#will[slot] !== DIRECTION.SENDRECV;
  }
  isHeld(slot: number): boolean {
    return this.#held[slot] === 1;
  }

  /** Writes our offer as the body of a message, with the headers that are a body's. */
  writeOffer(slot: number, to: Uint8Array, at: number): number {
    return this.#write(slot, this.#will[slot]!, to, at);
  }

  /** The answer to the offer that the table's `sdp` view holds (RFC 3264 6.1), and its effect on the audio. */
  writeAnswer(slot: number, to: Uint8Array, at: number, nowUs: number): number {
    const offered = this.table.sdp.direction;
    this.#held[slot] = (offered & DIRECTION.RECVONLY) === 0 ? 1 : 0;
    const ours = reversed(offered) & this.#will[slot]!;
    this.table.hear(slot, ours, nowUs);
    return this.#write(slot, ours, to, at);
  }

  /** Their answer to our offer, in the table's `sdp` view. */
  answered(slot: number, nowUs: number): void {
    this.table.hear(slot, this.#will[slot]! & reversed(this.table.sdp.direction), nowUs);
  }

  /** Our SDP again, as it was said last. */
  writeAgain(slot: number, to: Uint8Array, at: number): number {
    return this.#write(slot, this.#said[slot]!, to, at);
  }

  #write(slot: number, direction: number, to: Uint8Array, at: number): number {
    const { table } = this;
    const port = table.mediaPort(slot);
    if (direction !== this.#said[slot] || port !== this.#port[slot]) this.#version[slot]!++;
    this.#said[slot] = direction;
    this.#port[slot] = port;
    const version = this.#version[slot]!;
    const session = table.callNo[slot]!;
    let p = writeBytes(to, at, SDP_HEAD);
    p = writeUint(to, p, sdpLength(table.ip, port, session, version));
    p = writeBytes(to, p, CRLF2);
    return writeSdp(to, p, table.ip, port, session, version, direction);
  }
}
