import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ip6Bytes, isIp6 } from '../../agents/wire/ip6.js';
import { openTap, TAP_PHONES, type Tap, type TapBuffers, type TapRecord, tapBuffers } from '../../agents/wire/tap.js';
import { makeDir } from '../collect/make-dir.js';
import { type CaptureKey, type Packet, pcapOf } from '../collect/pcap.js';

/** Taps of the run's workers, for whoever wants packets; the engine fills it in. */
export class Recorder {
  /** By worker. */
  readonly taps: Tap[] = [];
  /** The instant that is 0 ms of the run. */
  t0Us = 0;

  /** Buffers of the next worker. */
  open(): TapBuffers {
    const buffers = tapBuffers();
    this.taps.push(openTap(buffers));
    return buffers;
  }

  /** Packets that had to go for younger ones. */
  get forgotten(): number {
    return this.taps.reduce((sum, tap) => sum + tap.sip.forgotten + tap.rtp.forgotten, 0);
  }
}

/** A straggler on a port whose call is over is still that call's. */
const AFTER_MS = 200;
/** Call-ID or its compact form (RFC 3261 7.3.3), at the start of a line. */
const CALL_ID = /^(?:call-id|i)[ \t]*:[ \t]*(\S+)/im;

/**
 * Writes pcap/call-<number>.pcap for each call of `keys`, or pcap/all.pcap without; returns their paths in the run. `epochUs` is
 * what the clock of the taps is behind the Unix epoch.
 */
export function writeCaptures(
  runDir: string,
  { taps, t0Us }: Recorder,
  keys: readonly CaptureKey[] | null,
  epochUs: number,
): string[] {
  const files = new Map<string, Packet[]>();
  const add = (name: string, r: TapRecord): void => {
    let packets = files.get(name);
    if (packets === undefined) {
      packets = [];
      files.set(name, packets);
    }
    packets.push({ ...r, srcIp: addressOf(r.srcIp), dstIp: addressOf(r.dstIp), epochUs: epochUs + r.tUs });
  };
  for (const [worker, tap] of taps.entries()) {
    if (keys === null) {
      for (const ring of [tap.sip, tap.rtp]) for (const r of ring.records()) add('all.pcap', r);
    } else
      pick(
        tap,
        t0Us,
        keys.filter((k) => k.worker === worker),
        add,
      );
  }
  if (files.size > 0) makeDir(join(runDir, 'pcap'));
  const names = [...files.keys()].sort();
  for (const name of names) {
    const packets = files.get(name)!.sort((a, b) => a.epochUs - b.epochUs);
    writeFileSync(join(runDir, 'pcap', name), pcapOf(packets));
  }
  return names.map((name) => join('pcap', name));
}

function addressOf(ip: number): number | Uint8Array {
  return isIp6(ip) ? ip6Bytes(ip) : ip;
}

export function captureName(callNo: number): string {
  return `call-${callNo}.pcap`;
}

/** A message by its Call-ID, a packet by its port while the call had it. */
function pick(tap: Tap, t0Us: number, keys: readonly CaptureKey[], add: (name: string, r: TapRecord) => void): void {
  const byCallId = new Map(keys.map((k) => [k.callId, k]));
  const byPort = new Map<number, CaptureKey[]>();
  for (const k of keys) {
    for (const role of [k.role, TAP_PHONES]) {
      const at = (role << 16) | (k.mediaPort & 0xfffe);
      byPort.set(at, [...(byPort.get(at) ?? []), k]);
    }
  }
  if (keys.length === 0) return;
  for (const r of tap.sip.records()) {
    const callId = CALL_ID.exec(
      Buffer.from(r.bytes.buffer, r.bytes.byteOffset, r.bytes.length).toString('latin1'),
    )?.[1];
    // A record's text is cut at its field's length; nobody's Call-ID is a prefix of another's.
    const key = callId === undefined ? undefined : (byCallId.get(callId) ?? byCallId.get(callId.slice(0, 64)));
    if (key !== undefined) add(captureName(key.callNo), r);
  }
  for (const r of tap.rtp.records()) {
    const port = r.sent ? r.srcPort : r.dstPort;
    const tMs = (r.tUs - t0Us) / 1000;
    const key = byPort
      .get((r.role << 16) | (port & 0xfffe))
      ?.find((k) => tMs >= k.startedMs && tMs <= k.endedMs + AFTER_MS);
    if (key !== undefined) add(captureName(key.callNo), r);
  }
}
