import { SdpView, sdpLength, writeSdp } from '../sip/sdp.js';

export const SDP = 'application/sdp';

/** The offer or answer of one leg: PCMU on plain RTP/AVP, as text, which is what sip.js takes. */
export function sdpText(ip: number, port: number, session: number): string {
  const bytes = new Uint8Array(sdpLength(ip, port, session));
  return Buffer.from(bytes.subarray(0, writeSdp(bytes, 0, ip, port, session))).toString('latin1');
}

const view = new SdpView();

/** Where the other side wants its audio; null when its SDP has no usable audio stream. */
export function audioOf(sdp: string): { ip: number; port: number } | null {
  const bytes = Buffer.from(sdp, 'latin1');
  return view.read(bytes, 0, bytes.length) ? { ip: view.ip, port: view.port } : null;
}
