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
  /** From now on to this address: what an SDP within the dialog says. */
  setRemote(leg: number, ip: number, port: number): void;
  /** A hold, or its end (RFC 3264 8.4). `resumes`: the other side speaks again, and the silence before was agreed on. */
  direct(leg: number, sends: boolean, resumes: boolean): void;
  /** Another pair of ports to send from and to hear on; the old one is heard too, until settle(). False: none is free. */
  move(leg: number): boolean;
  /** After move(): the new ports stay, or the old ones do. */
  settle(leg: number, moved: boolean): void;
  /** Ends sending, writes the last statistics. */
  stop(leg: number, nowUs: number): void;
  /** Gives the ports back. */
  close(leg: number): void;
}
