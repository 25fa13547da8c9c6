import type { BodyAndContentType, SessionDescriptionHandler } from 'sip.js';
import type { MediaEngine } from '../rtp/media.js';
import { audioOf, SDP, sdpText } from './sdp.js';

/** Of which call the audio is: known when the session is, before any SDP. */
export interface Speaker {
  /** Record of the leg. */
  slot: number;
  callNo: number;
  role: number;
  ssrc: number;
}

/**
 * What sip.js asks of a browser's peer connection, on plain RTP: an offer is a pair of ports, an answer starts the audio.
 * Ports and packets are the engine's own (agents/rtp), so that both witnesses hear with the same ears.
 */
export class Audio implements SessionDescriptionHandler {
  #leg = -1;
  #remote: { ip: number; port: number } | null = null;
  #offered = false;
  #started = false;
  #closed = false;

  constructor(
    private readonly media: MediaEngine,
    private readonly ip: number,
    private readonly speaker: Speaker,
    private readonly nowUs: () => number,
    private readonly poke: () => void,
  ) {}

  /** Our offer, or our answer when theirs is here. Rejects when no port is free. */
  async getDescription(): Promise<BodyAndContentType> {
    if (this.#closed) throw new Error('the call is over');
    if (this.#leg < 0) this.#leg = this.media.open();
    if (this.#leg < 0) throw new Error('no media port is free');
    this.#offered = true;
    this.#start();
    return { body: sdpText(this.ip, this.media.port(this.#leg), this.speaker.slot + 1), contentType: SDP };
  }

  /** Theirs. Rejects when there is no audio in it. */
  async setDescription(sdp: string): Promise<void> {
    if (this.#closed) throw new Error('the call is over');
    this.#remote = audioOf(sdp);
    if (this.#remote === null) throw new Error('no audio in their SDP');
    if (this.#started) this.media.setRemote(this.#leg, this.#remote.ip, this.#remote.port);
    else this.#start();
  }

  hasDescription(contentType: string): boolean {
    return contentType.toLowerCase().startsWith(SDP);
  }

  sendDtmf(): boolean {
    return false;
  }

  async rollbackDescription(): Promise<void> {
    this.#remote = null;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#leg < 0) return;
    this.media.stop(this.#leg, this.nowUs());
    this.media.close(this.#leg);
  }

  /** Both sides have spoken. */
  #start(): void {
    if (this.#started || !this.#offered || this.#remote === null) return;
    this.#started = true;
    const { ip, port } = this.#remote;
    this.media.start(this.#leg, { ...this.speaker, remoteIp: ip, remotePort: port }, this.nowUs());
    this.poke();
  }
}
