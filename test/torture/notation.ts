import type { PARSE } from '../../agents/sip/parse.js';

/**
 * One message of RFC 4475 or RFC 5118, and what becomes of it here. The text is written in the RFCs' own notation
 * (RFC 4475 2); line ends are CRLF on the wire.
 */
export interface TortureMessage {
  name: string;
  /** '4475 3.1.1.1' */
  section: string;
  text: string;
  /** What the RFC says an element should do, in our words. */
  advice: string;
  parse: keyof typeof PARSE;
  /** What our callee (a request) or our caller (a response put onto its own INVITE) makes of it. */
  seen: string;
  /** false: we do otherwise than the RFC advises, and `why` gives the reason. */
  asAdvised: boolean;
  why?: string;
  /** Parts that the parser must have read so; names are those of support/sip-text.ts `view`. */
  reads?: Record<string, unknown>;
}

/** <repeat count=N>, <allOneLine> and <hex> expanded, LF made CRLF; the bytes as they go on the wire. */
export function expand(text: string): Uint8Array {
  const out = text
    .replace(/<repeat count=(\d+)>([^<]*)<\/repeat>/g, (_, count: string, what: string) => what.repeat(Number(count)))
    .replace(/<allOneLine>\n([\s\S]*?)\n<\/allOneLine>/g, (_, lines: string) => lines.replaceAll('\n', ''))
    .replaceAll('\n', '\r\n')
    .replace(/<hex>([0-9A-Fa-f\s]*)<\/hex>/g, (_, hex: string) =>
      Buffer.from(hex.replace(/\s/g, ''), 'hex').toString('latin1'),
    );
  return new Uint8Array(Buffer.from(out, 'latin1'));
}

/** The session description that most of RFC 4475's requests carry. */
export function sdp(origin: string, connection = origin, time = '0 0'): string {
  return `v=0
o=mhandley 29739 7272939 IN IP4 ${origin}
s=-
c=IN IP4 ${connection}
t=${time}
m=audio 49217 RTP/AVP 0 12
m=video 3227 RTP/AVP 31
a=rtpmap:31 LPC
`;
}
