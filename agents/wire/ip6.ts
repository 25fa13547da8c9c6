/**
 * IPv6 addresses as 32-bit numbers: the rooms above a socket know one kind of address, a number. An IPv6 address gets one of
 * 127.240.0.0/20, in order of appearance, and is looked up again where a socket address or text is written. Were one of
 * these numbers to reach an IPv4 socket by mistake, its datagram would stay on this machine.
 *
 * One table for all threads of a process, in shared memory, so that a number means the same to each, and in a record.
 * Entries are never removed. Peers may fill it: at the limit an address is IP6_NONE, or no address at all, and counted.
 */
import { getEnvironmentData, setEnvironmentData } from 'node:worker_threads';

export const IP6_MAX = 4096;
/** The first entry, `::`: nobody's address. What stands for the source of a datagram when the table is full. */
export const IP6_NONE = 0x7ff00000;
const PREFIX = IP6_NONE >>> 12;
const WORDS = 4;

const LOCK = 0;
const COUNT = 1;
const REFUSED = 2;
const HEAD = 4;
/** Open addressing, at most half full; a place holds an entry's number + 1. */
const PLACES = 2 * IP6_MAX;
const ENTRIES = HEAD + PLACES;
const BYTES = 4 * (ENTRIES + WORDS * IP6_MAX);

const KEY = 'deadair.ip6';
const given = getEnvironmentData(KEY);
const shared = given instanceof SharedArrayBuffer ? given : new SharedArrayBuffer(BYTES);
// Threads that are started from here on are given it.
if (given === undefined || given === null) setEnvironmentData(KEY, shared);
const table = new Int32Array(shared);
const bytesOf = new Uint8Array(shared, ENTRIES * 4);

const texts: (string | undefined)[] = [];
const asciis: (Uint8Array | undefined)[] = [];

/** Is this number an IPv6 address? */
export function isIp6(ip: number): boolean {
  return ip >>> 12 === PREFIX;
}

/** Has any part of this process an IPv6 address? Before that, peers' IPv6 addresses are nothing that we could reach. */
export function hasIp6(): boolean {
  return table[COUNT]! > 1;
}

/** Addresses that found no room. */
export function ip6Refused(): number {
  return Atomics.load(table, REFUSED);
}

/** The number of the address in words[at, at + 4), which are as in a sockaddr; IP6_NONE when there is no room. */
export function ip6Number(words: Int32Array, at: number): number {
  const a = words[at]!;
  const b = words[at + 1]!;
  const c = words[at + 2]!;
  const d = words[at + 3]!;
  const place = find(a, b, c, d);
  const entry = Atomics.load(table, HEAD + place);
  return entry > 0 ? IP6_NONE + entry - 1 : add(a, b, c, d);
}

/** The address of a number, as four words of a sockaddr. */
export function putIp6(words: Int32Array, at: number, ip: number): void {
  const from = ENTRIES + (ip - IP6_NONE) * WORDS;
  for (let i = 0; i < WORDS; i++) words[at + i] = table[from + i]!;
}

/** The sixteen bytes of a number's address. */
export function ip6Bytes(ip: number): Uint8Array {
  const at = (ip - IP6_NONE) * 16;
  return bytesOf.slice(at, at + 16);
}

function find(a: number, b: number, c: number, d: number): number {
  let h = Math.imul(a ^ Math.imul(b, 0x9e3779b1), 0x85ebca6b);
  h = Math.imul(h ^ c ^ Math.imul(d, 0xc2b2ae35), 0x27d4eb2f);
  for (let place = (h ^ (h >>> 15)) & (PLACES - 1); ; place = (place + 1) & (PLACES - 1)) {
    const entry = Atomics.load(table, HEAD + place);
    if (entry === 0) return place;
    const at = ENTRIES + (entry - 1) * WORDS;
    if (table[at] === a && table[at + 1] === b && table[at + 2] === c && table[at + 3] === d) return place;
  }
}

function add(a: number, b: number, c: number, d: number): number {
  while (Atomics.compareExchange(table, LOCK, 0, 1) !== 0) Atomics.wait(table, LOCK, 1, 1);
  // Another thread may have been first.
  const place = find(a, b, c, d);
  let entry = Atomics.load(table, HEAD + place);
  const count = table[COUNT]!;
  if (entry === 0 && count < IP6_MAX) {
    const at = ENTRIES + count * WORDS;
    table[at] = a;
    table[at + 1] = b;
    table[at + 2] = c;
    table[at + 3] = d;
    entry = count + 1;
    table[COUNT] = entry;
    // Last: whoever sees it sees the words.
    Atomics.store(table, HEAD + place, entry);
  } else if (entry === 0) Atomics.add(table, REFUSED, 1);
  Atomics.store(table, LOCK, 0);
  Atomics.notify(table, LOCK);
  return entry === 0 ? IP6_NONE : IP6_NONE + entry - 1;
}

const parsed = new Int32Array(WORDS);
const parsedBytes = new Uint8Array(parsed.buffer);

if (table[COUNT] === 0) {
  parsed.fill(0);
  ip6Number(parsed, 0);
}

const COLON = 58;
const DOT = 46;

/**
 * The number of the address that stands at [off, off + len) (RFC 4291 2.2; RFC 3261 25.1, with or without the brackets of
 * an IPv6reference); -1 when there is none, and for a zone (RFC 4007 11), which means nothing to another machine.
 */
export function readIp6(bytes: Uint8Array, off: number, len: number): number {
  const bracketed = len > 1 && bytes[off] === 91 && bytes[off + len - 1] === 93;
  if (!(bracketed ? parse(bytes, off + 1, off + len - 1) : parse(bytes, off, off + len))) return -1;
  const ip = ip6Number(parsed, 0);
  return ip === IP6_NONE && (parsed[0] !== 0 || parsed[1] !== 0 || parsed[2] !== 0 || parsed[3] !== 0) ? -1 : ip;
}

/** Into `parsed`. */
function parse(bytes: Uint8Array, from: number, end: number): boolean {
  let groups = 0;
  let gap = -1;
  let p = from;
  parsed.fill(0);
  if (bytes[p] === COLON) {
    if (bytes[p + 1] !== COLON) return false;
    gap = 0;
    p += 2;
  }
  while (p < end) {
    let value = 0;
    const start = p;
    for (; p < end && p - start < 4; p++) {
      const digit = hexDigit(bytes[p]!);
      if (digit < 0) break;
      value = value * 16 + digit;
    }
    if (p === start || groups === 8) return false;
    if (p < end && bytes[p] === DOT) {
      if (groups > 6 || !parseQuad(bytes, start, end, groups * 2)) return false;
      groups += 2;
      p = end;
      break;
    }
    parsedBytes[groups * 2] = value >>> 8;
    parsedBytes[groups * 2 + 1] = value;
    groups++;
    if (p === end) break;
    if (bytes[p++] !== COLON || p === end) return false;
    if (bytes[p] === COLON) {
      if (gap >= 0) return false;
      gap = groups;
      p++;
    }
  }
  if (gap < 0) return groups === 8;
  if (groups === 8) return false;
  const tail = (groups - gap) * 2;
  parsedBytes.copyWithin(16 - tail, gap * 2, gap * 2 + tail);
  parsedBytes.fill(0, gap * 2, 16 - tail);
  return true;
}

/** The dotted quad at [off, end), as the last four bytes from `at` on. */
function parseQuad(bytes: Uint8Array, off: number, end: number, at: number): boolean {
  let octet = -1;
  let dots = 0;
  for (let p = off; p <= end; p++) {
    const c = p < end ? bytes[p]! : DOT;
    if (c >= 48 && c <= 57) octet = Math.max(0, octet) * 10 + (c - 48);
    else if (c !== DOT || octet < 0 || dots === 4) return false;
    else {
      parsedBytes[at + dots++] = octet;
      octet = -1;
    }
    if (octet > 255) return false;
  }
  return dots === 4;
}

function hexDigit(c: number): number {
  if (c >= 48 && c <= 57) return c - 48;
  const lower = c | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}

/** As RFC 5952 writes it: lower case, no leading zeros, the longest run of zeros as `::`. */
export function ip6Text(ip: number): string {
  const index = ip - IP6_NONE;
  texts[index] ??= textOf(ip6Bytes(ip));
  return texts[index];
}

/** All of them, in order. */
export function ip6Texts(): string[] {
  return Array.from({ length: table[COUNT]! }, (_, n) => ip6Text(IP6_NONE + n));
}

/** An address's text as bytes, for the writers of SIP and SDP. */
export function ip6Ascii(ip: number): Uint8Array {
  const index = ip - IP6_NONE;
  asciis[index] ??= new Uint8Array(Buffer.from(ip6Text(ip), 'latin1'));
  return asciis[index];
}

function textOf(bytes: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, i) => ((bytes[i * 2]! << 8) | bytes[i * 2 + 1]!).toString(16));
  let [best, length] = [-1, 1];
  for (let start = 0; start < 8; start++) {
    let n = 0;
    while (start + n < 8 && groups[start + n] === '0') n++;
    if (n > length) [best, length] = [start, n];
  }
  if (best < 0) return groups.join(':');
  return `${groups.slice(0, best).join(':')}::${groups.slice(best + length).join(':')}`;
}
