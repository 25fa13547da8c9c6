/** Starts the thread that sends every datagram back, and reads its counters: the neutral judge of what a generator sent. */
import { Worker } from 'node:worker_threads';
import { COMMAND, Control, STATE } from '../agents/control.js';
import { entryArgs } from '../harness/entry.js';

export interface EchoData {
  ip: string;
  port: number;
  control: SharedArrayBuffer;
  counts: SharedArrayBuffer;
}

export interface EchoCounts {
  /** Datagrams that reached its socket: those it read and those the kernel had no room for. */
  arrived: number;
  sentBack: number;
}

export interface Echo {
  counts(): EchoCounts;
  stop(): Promise<void>;
}

export async function startEcho(ip: string, port: number): Promise<Echo> {
  const control = new Control();
  const counts = new SharedArrayBuffer(16);
  const [file, ...argv] = entryArgs('./echo-worker', import.meta.url);
  const data: EchoData = { ip, port, control: control.shared, counts };
  const worker = new Worker(file, { argv, execArgv: [], workerData: data });
  const gone = new Promise<void>((resolve) => worker.on('exit', () => resolve()));
  worker.on('error', (error) => {
    throw error;
  });
  while (control.state !== STATE.READY) await new Promise((resolve) => setTimeout(resolve, 5));
  const words = new Float64Array(counts);
  return {
    counts: () => ({ arrived: words[0]!, sentBack: words[1]! }),
    stop: () => {
      control.command = COMMAND.STOP;
      return gone;
    },
  };
}
