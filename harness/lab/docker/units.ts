/** Compose's ways to write durations, sizes and command lines. */

const UNIT_NS: Record<string, number> = { ns: 1, us: 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3600e9 };

/** '1m30s' in nanoseconds; undefined when it is not a duration. A plain number is seconds. */
export function durationNs(text: string | number): number | undefined {
  if (typeof text === 'number') return text * 1e9;
  if (!/^(\d+(\.\d+)?(ns|us|ms|s|m|h))+$/.test(text)) return undefined;
  let ns = 0;
  for (const [, n, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ns|us|ms|s|m|h)/g)) ns += Number(n) * UNIT_NS[unit!]!;
  return Math.round(ns);
}

const UNIT_BYTES: Record<string, number> = { '': 1, b: 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

/** '64m', '1gb' in bytes; undefined when it is not a size. */
export function sizeBytes(text: string | number): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([kmg]?)(b?)$/i.exec(String(text).trim());
  if (match === null) return undefined;
  return Math.round(Number(match[1]) * UNIT_BYTES[match[2]!.toLowerCase()]!);
}

/** A command line as words, quotes and backslashes as a shell has them; undefined when a quote is left open. */
export function shellWords(line: string): string[] | undefined {
  const words: string[] = [];
  let word: string | null = null;
  let quote = '';
  for (let i = 0; i < line.length; i++) {
    const c = line[i]!;
    if (quote === "'" && c !== "'") word += c;
    else if (c === '\\' && i + 1 < line.length) word = (word ?? '') + line[++i];
    else if (quote !== '') {
      if (c === quote) quote = '';
      else word += c;
    } else if (c === '"' || c === "'") {
      quote = c;
      word ??= '';
    } else if (/\s/.test(c)) {
      if (word !== null) words.push(word);
      word = null;
    } else word = (word ?? '') + c;
  }
  if (quote !== '') return undefined;
  if (word !== null) words.push(word);
  return words;
}
