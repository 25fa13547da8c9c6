/**
 * Media packets in and out per CPU-second: two media pools in one thread send 20 ms audio at each other, paced as calls
 * are. A leg is one port that sends 50 and receives 50 packets a second; half of the legs on each side. CPU time is this
 * process's, user and system: on loopback it includes the kernel's whole path from sendmmsg to the receiving socket.
 */
import { LinuxWire } from '../agents/wire/linux.js';
import { rawRefusal } from '../agents/wire/media.js';
import { ipFromString, type MediaPorts } from '../agents/wire/types.js';

export interface MediaFigure {
  media: 'raw' | 'sockets';
  legs: number;
  sent: number;
  received: number;
  /** Sent and never received, of all sent. */
  lossRatio: number;
  kernelDropped: number;
  packetsPerCpuSecond: number;
  /** CPU seconds per second: near 1, the pace could not be kept. */
  cpuShare: number;
  /** Sends against their instants. */
  latenessP99Ms: number;
}

const PTIME_US = 20_000;
/** How often a side looks what is due: larger batches, at the price of up to this much lateness. */
const PACE_US = 1000;
/** After a pause a side catches up in steps of so many packets, fewer than a receive buffer holds. */
const CATCH_UP = 2000;
/** RTP header and 20 ms of G.711 (RFC 3551 4.5.14). */
const PACKET_BYTES = 172;
const PORT_MIN = 20_000;

interface Side {
  media: MediaPorts;
  ports: number[];
  peerIp: number;
  peerPorts: number[];
  /** Packets that this side is due to have sent is a function of time; this many it has sent. */
  sent: number;
}

/** Sends what is due on one side: leg i of n at i/n of each 20 ms. Lateness goes into a histogram of 100 us. */
function sendDue(side: Side, elapsedUs: number, lateness: Int32Array): void {
  const n = side.ports.length;
  const due = Math.min(Math.floor((elapsedUs * n) / PTIME_US), side.sent + CATCH_UP);
  const { media, ports, peerPorts, peerIp } = side;
  const tx = media.tx;
  for (; side.sent < due; side.sent++) {
    const leg = side.sent % n;
    const at = media.slot();
    tx[at] = 0x80;
    tx[at + 2] = side.sent & 255;
    media.commit(PACKET_BYTES, ports[leg]!, peerIp, peerPorts[leg]!);
    const late = (elapsedUs - ((side.sent + 1) * PTIME_US) / n) / 100;
    lateness[late < lateness.length ? late | 0 : lateness.length - 1]!++;
  }
}

export function measureMedia(media: 'raw' | 'sockets', legs: number, seconds: number): MediaFigure {
  const wire = new LinuxWire({ media });
  let received = 0;
  const sink = (): void => {
    received++;
  };
  const [ipA, ipB] = [ipFromString('127.0.0.81'), ipFromString('127.0.0.82')];
  const n = legs >> 1;
  const portMax = PORT_MIN + 2 * n + 1;
  const a = wire.openMedia({ ip: ipA, portMin: PORT_MIN, portMax }, sink);
  const b = wire.openMedia({ ip: ipB, portMin: PORT_MIN, portMax }, sink);
  const open = (pool: MediaPorts): number[] => Array.from({ length: n }, () => pool.openPair());
  const [portsA, portsB] = [open(a), open(b)];
  if (portsA.includes(0) || portsB.includes(0)) throw new Error('not enough ports or file descriptors: ulimit -n');
  const sides: Side[] = [
    { media: a, ports: portsA, peerIp: ipB, peerPorts: portsB, sent: 0 },
    { media: b, ports: portsB, peerIp: ipA, peerPorts: portsA, sent: 0 },
  ];
  const lateness = new Int32Array(1000);
  const run = (forUs: number): void => {
    for (const side of sides) side.sent = 0;
    const startUs = wire.nowUs();
    for (let nowUs = startUs; nowUs - startUs < forUs; nowUs = wire.nowUs()) {
      for (const side of sides) sendDue(side, nowUs - startUs, lateness);
      wire.flush();
      wire.poll(nowUs + PACE_US - wire.nowUs());
      // Receiving first: a pace that cannot be kept shows as lateness, not as loss.
      while (wire.poll(0) > 0);
    }
    for (let i = 0; i < 50; i++) wire.poll(1000);
  };
  run(500_000); // the compiler's warm-up
  lateness.fill(0);
  received = 0;
  const sentBefore = wire.counters.sent;
  const droppedBefore = wire.counters.receiveDropped;
  const cpu = process.cpuUsage();
  const startUs = wire.nowUs();
  run(seconds * 1_000_000);
  const { user, system } = process.cpuUsage(cpu);
  const wallUs = wire.nowUs() - startUs;
  const sent = wire.counters.sent - sentBefore;
  wire.close();
  return {
    media,
    legs,
    sent,
    received,
    lossRatio: (sent - received) / sent,
    kernelDropped: wire.counters.receiveDropped - droppedBefore,
    packetsPerCpuSecond: Math.round(((sent + received) * 1e6) / (user + system)),
    cpuShare: (user + system) / wallUs,
    latenessP99Ms: quantile(lateness, 0.99) / 10,
  };
}

function quantile(histogram: Int32Array, q: number): number {
  const total = histogram.reduce((sum, count) => sum + count, 0);
  let seen = 0;
  return histogram.findIndex((count) => {
    seen += count;
    return seen >= q * total;
  });
}

/** Raw where it is allowed, and sockets, at 1,000 and 4,000 legs. */
export function measureWire(seconds = 5): MediaFigure[] {
  const kinds = rawRefusal() === undefined ? (['raw', 'sockets'] as const) : (['sockets'] as const);
  return kinds.flatMap((kind) => [1000, 4000].map((legs) => measureMedia(kind, legs, seconds)));
}
