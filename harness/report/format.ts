/** Numbers as people read them. */

export function count(n: number): string {
  return Math.round(n).toLocaleString('en-US');
}

export function plural(n: number, one: string, many = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}

export function percent(share: number | null): string {
  return share === null ? '-' : `${(100 * share).toFixed(1)} %`;
}

/** 0.3 ms, 205 ms, 1.25 s, 30.2 s. */
export function duration(ms: number | null): string {
  if (ms === null) return '-';
  const size = Math.abs(ms);
  if (size < 10) return `${ms.toFixed(1)} ms`;
  if (size < 1000) return `${Math.round(ms)} ms`;
  return `${(ms / 1000).toFixed(size < 10_000 ? 2 : 1)} s`;
}

export function decimals(x: number | null, digits = 2): string {
  return x === null ? '-' : x.toFixed(digits);
}

/**
 * What a stranger wrote (Call-ID, reason phrase), for a terminal or a file: control characters would move the cursor, forge
 * lines, or end an XML parser (XML 1.0 2.2).
 */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\ufffe\uffff]/gu, '\ufffd');
}

export function escapeXml(text: string): string {
  // Tab, LF and CR are allowed in XML.
  return text
    .replace(/(?![\t\n\r])[\p{Cc}\ufffe\uffff]/gu, '\ufffd')
    .replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

/** What stands for an IPv6 address in the records: 127.240.0.0/20, in the order of env.json's list. */
const FIRST_IPV6 = 0x7ff00000;

/** Address and port. */
export function endpoint(ip: number, port: number, ipv6: readonly string[] = []): string {
  const text = ipv6[ip - FIRST_IPV6];
  if (text !== undefined) return `[${text}]:${port}`;
  return `${[24, 16, 8, 0].map((shift) => (ip >>> shift) & 255).join('.')}:${port}`;
}
