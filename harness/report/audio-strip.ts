import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Row } from '../verdict/read.js';
import { duration } from './format.js';
import { at, n } from './timeline.js';

/**
 * Each direction of a call's audio over time, a character per bin:
 *
 *     callee hears  ████████▓▓████████····················
 *     caller hears  ········································
 *                   0 s                              31.2 s
 *
 * Where the call's packets were kept (--pcap) they are counted; else the strip is drawn from its record, which knows the first
 * and the last packet and how many are missing between them, but not where.
 */
const BINS = 60;
const PACKETS_PER_MS = 1 / 20;
/** A path that is being made or torn down: nothing that anybody would call silence. */
const SETTLE_MS = 200;

/** Share of the packets that should have come -> character. */
function shade(share: number): string {
  if (share <= 0) return '·';
  if (share < 0.5) return '░';
  if (share < 0.9) return '▒';
  return share < 0.97 ? '▓' : '█';
}

export const LEGEND = '█ whole  ▓ 3 % missing  ▒ 10 %  ░ half  · nothing';

type End = 'caller' | 'callee';

export function audioStrips(row: Row, runDir: string): string[] {
  const from = at(row, 'answered_ms');
  const to = at(row, 'talk_end_ms');
  if (from === null || to === null || to - from < 1 || row.media !== true) return [];
  const packets = packetsOf(row, runDir);
  const lines: string[] = [];
  for (const end of ['callee', 'caller'] as const) {
    if (row[`has_${end}`] !== true) continue;
    const shares = packets === null ? fromRecord(row, end, from, to) : fromPackets(packets[end], from, to);
    lines.push(`${end} hears  ${shares.map(shade).join('')}`);
  }
  if (lines.length === 0) return [];
  const end = duration(to - from);
  lines.push(`${' '.repeat(14)}0 s${end.padStart(BINS - 3)}`);
  lines.push(`${' '.repeat(14)}${LEGEND}${packets === null ? ' (in the mean; --pcap shows where)' : ''}`);
  return lines;
}

function fromPackets(timesMs: readonly number[], from: number, to: number): number[] {
  const width = (to - from) / BINS;
  const counts = new Array<number>(BINS).fill(0);
  for (const tMs of timesMs) {
    const bin = Math.floor((tMs - from) / width);
    if (bin >= 0 && bin < BINS) counts[bin]!++;
  }
  return counts.map((count) => count / Math.max(1, width * PACKETS_PER_MS));
}

function fromRecord(row: Row, end: End, from: number, to: number): number[] {
  const first = at(row, `${end}_firstRtpMs`);
  const last = at(row, `${end}_lastRtpMs`);
  const direction = end === 'caller' ? 'b2a' : 'a2b';
  // What is missing before the first packet and after the last one is drawn as nothing, not as loss.
  const seqLoss = n(row, `${direction}_seq_loss`);
  const width = (to - from) / BINS;
  return Array.from({ length: BINS }, (_, i) => {
    if (first === null || last === null) return 0;
    const begins = from + i * width;
    const heard = Math.min(last + SETTLE_MS, begins + width) - Math.max(first - SETTLE_MS, begins);
    return heard <= 0 ? 0 : Math.min(1, heard / width) * (1 - seqLoss);
  });
}

/** When each end heard a packet, ms of the run, from pcap/call-<number>.pcap; null where that is missing or ambiguous. */
function packetsOf(row: Row, runDir: string): Record<End, number[]> | null {
  const file = join(runDir, 'pcap', `call-${n(row, 'callNo')}.pcap`);
  // Without a relay between the phones, what one sends and what the other hears look alike.
  const direct = row.has_callee === true && n(row, 'caller_remoteMediaPort') === n(row, 'callee_mediaPort');
  if (direct || !existsSync(file)) return null;
  const bytes = readFileSync(file);
  const heard: Record<End, number[]> = { caller: [], callee: [] };
  let startUs: number | null = null;
  // File and packet headers as harness/collect/pcap.ts writes them.
  for (let p = 24; p + 16 <= bytes.length; p += 16 + bytes.readUInt32LE(p + 8)) {
    const us = bytes.readUInt32LE(p) * 1e6 + bytes.readUInt32LE(p + 4);
    // The first is the INVITE that the caller sends.
    startUs ??= us;
    const dstPort = bytes.readUInt16BE(p + 16 + 22);
    const tMs = n(row, 'started_ms') + (us - startUs) / 1000;
    if (dstPort === n(row, 'caller_mediaPort')) heard.caller.push(tMs);
    else if (row.has_callee === true && dstPort === n(row, 'callee_mediaPort')) heard.callee.push(tMs);
  }
  return heard;
}
