/** What callers and callees need of the RTP room: one leg is one RTP port pair with its statistics. */
export interface LegStart {
  /** Record that the statistics go to. */
  slot: number;
  callNo: number;
  /** ROLE.CALLER or ROLE.CALLEE. */
  role: number;
  remoteIp: number;
  remotePort: number;
  ssrc: number;
}

export interface LegMedia {
  /** A leg handle, or -1 when no port pair is free. */
  open(): number;
  port(leg: number): number;
  /** Begins to send and to count. */
  start(leg: number, at: LegStart, nowUs: number): void;
  /** Ends sending, writes the last statistics. */
  stop(leg: number, nowUs: number): void;
  /** Gives the ports back. */
  close(leg: number): void;
}
