/** What only the Linux wire can be asked: what the kernel drops, what the system refuses, many legs, and the loops. */
import { expect, test } from 'vitest';
import { HarnessError } from '../../harness/errors.js';
import { DgramWire } from './dgram.js';
import { LinuxWire } from './linux.js';
import { runBlocking, runEvented } from './loop.js';
import { chooseMedia, rawRefusal, syscallRefusal } from './media.js';
import { openWire } from './open.js';
import { RING_FRAMES } from './packet-ring.js';
import { type Hold, LINGER, PairPool } from './pair-pool.js';
import { type Actor, ipFromString, type Wire } from './types.js';

// As in contract.test.ts: a net of our own where there are many.
const NET = `127.${64 + ((process.pid >> 8) & 63)}.${process.pid & 255}`;
const A = ipFromString(process.platform === 'linux' ? `${NET}.73` : '127.0.0.1');
const B = ipFromString(process.platform === 'linux' ? `${NET}.74` : '127.0.0.1');
const ignore = (): void => undefined;
const noSyscalls = syscallRefusal();
const noRaw = rawRefusal();

test('the choice of media names its reason, and what was asked for by name is not silently replaced', () => {
  expect(chooseMedia('dgram')).toEqual({ kind: 'dgram', why: 'asked for' });
  const auto = chooseMedia('auto');
  expect(auto.why).not.toBe('');
  if (noRaw === undefined) expect(auto.kind).toBe('raw');
  else {
    expect(auto).toEqual({ kind: noSyscalls === undefined ? 'sockets' : 'dgram', why: noRaw });
    expect(() => chooseMedia('raw')).toThrow(HarnessError);
  }
  const { wire, media } = openWire('dgram');
  expect([wire.kind, media.kind]).toEqual(['dgram', 'dgram']);
  wire.close();
});

test('a freed pair lingers, then goes to the back of the queue; a refused system call is not the end of a pair', () => {
  const held = new Set<number>();
  let refuse = false;
  const pool = new PairPool(
    { ip: A, portMin: 10_001, portMax: 12_002 },
    {
      hold: (even): Hold => {
        if (refuse) return 'refused';
        held.add(even);
        return 'held';
      },
      release: (even) => held.delete(even),
      reuse: ignore,
    },
  );
  // The first port is odd: the first pair is 10002 and 10003; the last is 12000 and 12001.
  for (let i = 0; i < 1000; i++) expect(pool.open()).toBe(10_002 + 2 * i);
  expect(pool.open()).toBe(0);
  for (let i = 0; i < 300; i++) pool.close(10_002 + 2 * i);
  expect(held.size).toBe(700 + LINGER);
  expect(pool.isOpen(10_003)).toBe(false);
  // 44 pairs are free; the first freed comes first.
  expect(pool.open()).toBe(10_002);
  refuse = true;
  expect(pool.open()).toBe(10_002 + 2 * 44);
  pool.closeAll();
  expect(held.size).toBe(0);
});

test.skipIf(noSyscalls !== undefined && !process.env.CI)(
  'what the kernel drops for want of room is counted: nothing vanishes',
  () => {
    const wire = new LinuxWire({ media: 'sockets', bufferBytes: 20_000 });
    try {
      const b = wire.bind(B, 0, ignore);
      const a = wire.bind(A, 0, ignore);
      for (let i = 0; i < 2000; i++) a.commit(1000, B, b.port);
      wire.flush();
      while (wire.poll(1000) > 0);
      wire.sampleDrops();
      const { sent, received, receiveDropped } = wire.counters;
      expect(sent).toBe(2000);
      expect(receiveDropped).toBeGreaterThan(0);
      expect(received + receiveDropped).toBe(2000);
    } finally {
      wire.close();
    }
  },
);

test.skipIf(noRaw !== undefined && !process.env.CI)(
  `what finds no room in the ring of raw media is counted${noRaw ? `: ${noRaw}` : ''}`,
  () => {
    const wire = new LinuxWire({ media: 'raw' });
    try {
      const range = { portMin: 31_000, portMax: 31_001 };
      let got = 0;
      const b = wire.openMedia({ ip: B, ...range }, () => got++);
      const a = wire.openMedia({ ip: A, ...range }, ignore);
      expect([a.openPair(), b.openPair()]).toEqual([31_000, 31_000]);
      const count = RING_FRAMES + 1000;
      for (let i = 0; i < count; i++) a.commit(172, 31_000, B, 31_000);
      wire.flush();
      while (wire.poll(1000) > 0);
      wire.sampleDrops();
      expect(got).toBe(RING_FRAMES);
      expect(wire.counters).toMatchObject({ sent: count, received: RING_FRAMES, receiveDropped: 1000, sendDropped: 0 });
    } finally {
      wire.close();
    }
  },
);

test.skipIf(noSyscalls !== undefined && !process.env.CI)(
  'poll waits no longer than asked, and wakes for a packet',
  () => {
    const wire = new LinuxWire();
    try {
      let got = 0;
      const b = wire.bind(B, 0, () => got++);
      const startUs = wire.nowUs();
      expect(wire.poll(3000)).toBe(0);
      const tookUs = wire.nowUs() - startUs;
      expect(tookUs).toBeGreaterThanOrEqual(3000);
      expect(wire.idleUs).toBeGreaterThan(2500);
      b.send(Buffer.alloc(5), 0, 5, B, b.port);
      wire.flush();
      expect(wire.poll(1_000_000)).toBe(1);
      expect(got).toBe(1);
    } finally {
      wire.close();
    }
  },
);

test('an address that is not of this machine is the plan’s mistake', () => {
  const elsewhere = ipFromString('192.0.2.1');
  for (const wire of [new DgramWire(), ...(noSyscalls === undefined ? [new LinuxWire({ media: 'sockets' })] : [])]) {
    expect(() => wire.bind(elsewhere, 5060, ignore)).toThrow(/192\.0\.2\.1:5060 cannot be bound/);
    wire.close();
  }
});

for (const [media, refusal] of [
  ['raw', noRaw],
  ['sockets', noSyscalls],
] as const) {
  test.skipIf(refusal !== undefined && !process.env.CI)(
    `400 legs on ${media}${refusal ? `: ${refusal}` : ''}: none lost or misled`,
    () => {
      const wire = new LinuxWire({ media });
      try {
        let wrong = 0;
        const seen = new Int32Array(65_536);
        const range = { portMin: 30_000, portMax: 30_799 };
        const b = wire.openMedia({ ip: B, ...range }, (bytes, off, _len, localPort, srcIp, srcPort) => {
          if (((bytes[off + 2]! << 8) | bytes[off + 3]!) !== localPort || srcPort !== localPort || srcIp !== A) wrong++;
          seen[localPort]!++;
        });
        const a = wire.openMedia({ ip: A, ...range }, ignore);
        const ports = Array.from({ length: 400 }, () => (b.openPair() === a.openPair() ? 0 : 1));
        expect(ports).not.toContain(1);
        for (let packet = 0; packet < 25; packet++) {
          for (let port = 30_000; port < 30_800; port += 2) {
            const at = a.slot();
            a.tx[at + 2] = port >> 8;
            a.tx[at + 3] = port & 255;
            a.commit(172, port, B, port);
            if (port % 100 === 0) {
              wire.flush();
              while (wire.poll(0) > 0);
            }
          }
        }
        wire.flush();
        while (wire.poll(1000) > 0);
        expect(wrong).toBe(0);
        expect(wire.counters).toEqual({
          sent: 10_000,
          received: 10_000,
          sendDropped: 0,
          receiveDropped: 0,
          unreachable: 0,
        });
        expect(seen.every((n, port) => n === (port >= 30_000 && port < 30_800 && port % 2 === 0 ? 25 : 0))).toBe(true);
      } finally {
        wire.close();
      }
    },
  );
}

/** Sends `count` pings a millisecond apart and counts the echoes. */
function pinger(wire: Wire, count: number): Actor & { echoes: number } {
  const echo = wire.bind(B, 0, (bytes, off, len, ip, port) => echo.send(bytes, off, len, ip, port));
  const actor = { echoes: 0, tick };
  const ping = wire.bind(A, 0, () => actor.echoes++);
  let sent = 0;
  let nextUs = wire.nowUs();
  function tick(nowUs: number): number {
    for (; nextUs <= nowUs && sent < count; nextUs += 1000, sent++) ping.commit(100, B, echo.port);
    return sent < count ? nextUs : Number.POSITIVE_INFINITY;
  }
  return actor;
}

test.skipIf(noSyscalls !== undefined && !process.env.CI)(
  'runBlocking ticks at deadlines, and tells work from waiting',
  () => {
    const wire = new LinuxWire();
    try {
      const actor = pinger(wire, 50);
      let turns = 0;
      const endUs = wire.nowUs() + 5_000_000;
      const times = runBlocking(
        wire,
        [actor],
        () => actor.echoes === 50 || wire.nowUs() > endUs,
        () => turns++,
      );
      expect(actor.echoes).toBe(50);
      expect(turns).toBe(times.turns);
      expect(times.idleUs + times.busyUs).toBeGreaterThan(45_000);
      expect(times.idleUs).toBeGreaterThan(0);
    } finally {
      wire.close();
    }
  },
);

test('runEvented does the same on the event loop, and rejects with what a tick threw', async () => {
  const wire = new DgramWire();
  try {
    const actor = pinger(wire, 50);
    await wire.ready();
    const endUs = wire.nowUs() + 5_000_000;
    const times = await runEvented(wire, [actor], () => actor.echoes === 50 || wire.nowUs() > endUs);
    expect(actor.echoes).toBe(50);
    expect(times.idleUs + times.busyUs).toBeGreaterThan(45_000);
    const broken: Actor = {
      tick: () => {
        throw new Error('a bug');
      },
    };
    await expect(runEvented(wire, [broken], () => false)).rejects.toThrow('a bug');
  } finally {
    wire.close();
  }
});
