import { SipMessage } from '../../agents/sip/parse.js';

/** Lines with CRLF between them, an empty line, the body. */
export function sip(lines: readonly string[], body = ''): string {
  return `${lines.join('\r\n')}\r\n\r\n${body}`;
}

export function bytesOf(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'latin1'));
}

/** The five headers that every request has (RFC 3261 8.1.1), and Max-Forwards. */
export function basics(method: string, cseq = 1): string[] {
  return [
    'Via: SIP/2.0/UDP 192.0.2.1:5062;branch=z9hG4bKbasic',
    'Max-Forwards: 70',
    'From: <sip:alice@atlanta.example>;tag=a1',
    'To: <sip:bob@biloxi.example>',
    'Call-ID: basic@192.0.2.1',
    `CSeq: ${cseq} ${method}`,
  ];
}

/** Bytes that a reader beside the message would take for its continuation. */
const POISON = bytesOf('\n\r\n;tag=poison"<>: 9,z9hG4bKpoison\r\nContent-Length: 7\r\n\r\n');

export interface Placed {
  bytes: Uint8Array;
  off: number;
  len: number;
  /** Indexes that were read and are not the message's. */
  outside: Set<number>;
}

/** The message in the middle of poison; with `watch`, behind a proxy that notes every index read outside of it. */
export function placed(message: Uint8Array, watch = false, shift = 0): Placed {
  const off = POISON.length;
  const all = new Uint8Array(2 * off + message.length);
  for (let i = 0; i < all.length; i++) all[i] = POISON[(i + shift) % POISON.length]!;
  all.set(message, off);
  const outside = new Set<number>();
  if (!watch) return { bytes: all, off, len: message.length, outside };
  const end = off + message.length;
  const bytes = new Proxy(all, {
    get(target, key): unknown {
      if (typeof key === 'string' && key.charCodeAt(0) < 58) {
        const index = Number(key);
        if (index < off || index >= end) outside.add(index);
      }
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return { bytes, off, len: message.length, outside };
}

/** Parses text as a datagram in a used buffer. */
export function parse(text: string): { code: number; msg: SipMessage } {
  const msg = new SipMessage();
  const { bytes, off, len } = placed(bytesOf(text));
  return { code: msg.parse(bytes, off, len), msg };
}

/** All that the parser says of a message, as text, for comparing two parses. */
export function view(msg: SipMessage): Record<string, unknown> {
  const text = (off: number, len: number): string => msg.text(off, len);
  return {
    request: msg.isRequest,
    method: msg.method,
    methodName: msg.isRequest ? text(msg.methodOff, msg.methodLen) : '',
    uri: msg.isRequest ? text(msg.uriOff, msg.uriLen) : '',
    status: msg.status,
    phrase: msg.isRequest ? '' : text(msg.phraseOff, msg.phraseLen),
    cseq: msg.cseq,
    callId: text(msg.callIdOff, msg.callIdLen),
    from: text(msg.fromOff, msg.fromLen),
    fromTag: text(msg.fromTagOff, msg.fromTagLen),
    to: text(msg.toOff, msg.toLen),
    toTag: text(msg.toTagOff, msg.toTagLen),
    via: text(msg.viaOff, msg.viaLen).trim(),
    branch: text(msg.branchOff, msg.branchLen),
    sentBy: text(msg.sentByOff, msg.sentByLen),
    contact: text(msg.contactOff, msg.contactLen),
    maxForwards: msg.maxForwards,
    body: text(msg.bodyOff, msg.bodyLen),
    headers: Array.from({ length: msg.headerCount }, (_, i) => text(msg.valueOff[i]!, msg.valueLen[i]!)),
  };
}
