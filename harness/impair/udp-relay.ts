import { createSocket, type Socket } from 'node:dgram';
import { monotonicUs } from '../clock.js';
import { HarnessError } from '../errors.js';
import type { FaultPlan } from '../plan/types.js';
import { PacketClock, type PacketFaultReport } from './clock.js';
import { SLOT_BYTES } from './held.js';
import { Line } from './line.js';

/** Clients that are told apart at once: each has a socket towards the service. What comes from more is dropped, and counted. */
const CLIENTS_MAX = 1024;
/** A client that says nothing and is told nothing for this long is forgotten. */
const IDLE_US = 60_000_000;
const SWEEP_MS = 5_000;
const SOON_US = 300;
/** Room in the kernel for bursts, where it gives that much. */
const BUFFER_BYTES = 4 << 20;

export interface Address {
  host: string;
  port: number;
}

export interface RelayPlan {
  listen: Address;
  to: Address;
  faults: readonly FaultPlan[];
  seed: number;
  /** It ends by itself after this. */
  durationMs: number;
  signal: AbortSignal;
  onListening?: (at: Address) => void;
}

export interface RelayReport {
  /** Datagrams from clients, and from the service. */
  in: number;
  out: number;
  forwarded: number;
  clients: number;
  /** From clients beyond the limit, and longer than a slot. */
  refused: number;
  tooLong: number;
  /** For which the relay itself had no room. */
  noRoom: number;
  faults: PacketFaultReport[];
}

interface Client {
  address: string;
  port: number;
  socket: Socket;
  number: number;
  /** Names its flows: the same for the same client address, whoever came before. */
  key: number;
  lastUs: number;
}

/**
 * Stands in front of any UDP service and does to its datagrams what the faults say, from the instant that it listens. `in`
 * is from clients to the service. Resolves when its time is over or the signal says so; then nothing of it is left.
 */
export function relayUdp(plan: RelayPlan): Promise<RelayReport> {
  const t0Us = monotonicUs();
  const report: RelayReport = {
    in: 0,
    out: 0,
    forwarded: 0,
    clients: 0,
    refused: 0,
    tooLong: 0,
    noRoom: 0,
    faults: [],
  };
  const clients = new Map<string, Client>();
  const byNumber: Client[] = [];
  const front = createSocket('udp4');

  const inward = new Line((b, off, len, n) => {
    report.forwarded++;
    byNumber[n]!.socket.send(Buffer.from(b.subarray(off, off + len)), plan.to.port, plan.to.host);
  });
  const outward = new Line((b, off, len, n) => {
    report.forwarded++;
    const { address, port } = byNumber[n]!;
    front.send(Buffer.from(b.subarray(off, off + len)), port, address);
  });
  const clock = new PacketClock(plan.faults, { in: inward, out: outward }, plan.seed, t0Us);

  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined;
    let soon: NodeJS.Immediate | undefined;
    let ended = false;
    const turn = (): void => {
      if (ended) return;
      clearTimeout(timer);
      clearImmediate(soon);
      const nowUs = monotonicUs();
      const due = Math.min(clock.tick(nowUs), inward.tick(nowUs), outward.tick(nowUs));
      const waitUs = due - monotonicUs();
      // A timer is late by up to a millisecond, and never early: what is due sooner waits for the next turn of the event loop.
      if (waitUs < SOON_US) soon = setImmediate(turn);
      else timer = setTimeout(turn, Math.min(waitUs / 1000, SWEEP_MS));
    };
    const take = (line: Line, client: Client, message: Buffer, nowUs: number): void => {
      client.lastUs = nowUs;
      if (message.length > SLOT_BYTES) {
        report.tooLong++;
        return;
      }
      clock.tick(nowUs);
      if (line.pass(message, 0, message.length, client.key, 0, 0, client.number, 0, 0, 0, nowUs)) {
        report.forwarded++;
        if (line === inward) client.socket.send(message, plan.to.port, plan.to.host);
        else front.send(message, client.port, client.address);
      } else turn();
    };
    const admit = (name: string, address: string, port: number): Client | null => {
      if (clients.size >= CLIENTS_MAX) return null;
      const number = byNumber.length;
      const key = ((Number(address.split('.').at(-1)) << 16) | port) >>> 0;
      const client: Client = { address, port, socket: createSocket('udp4'), number, key, lastUs: 0 };
      client.socket.on('message', (message) => {
        report.out++;
        take(outward, client, message, monotonicUs());
      });
      client.socket.on('error', fail);
      byNumber.push(client);
      clients.set(name, client);
      report.clients++;
      return client;
    };
    const close = (): boolean => {
      if (ended) return false;
      ended = true;
      clock.end(monotonicUs());
      clearTimeout(timer);
      clearImmediate(soon);
      clearTimeout(limit);
      clearInterval(sweep);
      plan.signal.removeEventListener('abort', finish);
      front.close();
      for (const client of clients.values()) client.socket.close();
      return true;
    };
    const finish = (): void => {
      if (!close()) return;
      report.noRoom = inward.noRoom + outward.noRoom;
      report.faults = clock.report();
      resolve(report);
    };
    const fail = (error: NodeJS.ErrnoException): void => {
      if (!close()) return;
      const at = `${plan.listen.host}:${plan.listen.port}`;
      const code = error.code === 'EADDRINUSE' ? 'PORT_IN_USE' : 'BAD_PLAN';
      reject(new HarnessError(code, `${at}: the relay cannot work there: ${error.code ?? error.message}`));
    };
    const sweep = setInterval(() => {
      const before = monotonicUs() - IDLE_US;
      for (const [name, client] of clients) {
        if (client.lastUs >= before) continue;
        client.socket.close();
        clients.delete(name);
      }
    }, SWEEP_MS);
    const limit = setTimeout(finish, plan.durationMs);
    front.on('error', fail);
    front.on('message', (message, from) => {
      report.in++;
      const name = `${from.address}:${from.port}`;
      const client = clients.get(name) ?? admit(name, from.address, from.port);
      if (client === null) report.refused++;
      else take(inward, client, message, monotonicUs());
    });
    plan.signal.addEventListener('abort', finish, { once: true });
    front.bind(plan.listen.port, plan.listen.host, () => {
      front.setRecvBufferSize(BUFFER_BYTES);
      const { address, port } = front.address();
      plan.onListening?.({ host: address, port });
      turn();
    });
  });
}
