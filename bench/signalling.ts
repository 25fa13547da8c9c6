/** Calls per CPU-second: our caller and SIPp's, seven messages a call, the same rate, the same SIPp answering. */
import { setTimeout as sleep } from 'node:timers/promises';
import { runAgent } from './child.js';
import { type Addresses, nextAddresses, SIP_PORT } from './net.js';
import { cpuOf, cpuOfEndedChildren } from './proc.js';
import { countsOf, ended, startSipp, stopSipp } from './sipp.js';

export interface SignallingTrial {
  generator: 'deadair' | 'sipp';
  calls: number;
  failed: number;
  retransmits: number;
  /** CPU of the generator's process from exec to exit, seconds. */
  processCpuS: number;
  /** While the load ran: all threads of the process, and (ours) the agents' thread alone. */
  loadCpuS: number;
  threadCpuS: number;
  peerCpuS: number;
}

export interface SignallingLoad {
  calls: number;
  rateCps: number;
}

/** One trial: a fresh SIPp answers, one generator calls. */
export async function signallingTrial(
  generator: 'deadair' | 'sipp',
  load: SignallingLoad,
  dir: string,
): Promise<SignallingTrial> {
  const at = nextAddresses();
  const { calls, rateCps } = load;
  const uas = startSipp('uas.xml', 'uas', dir, [
    ...['-i', at.callee, '-p', String(SIP_PORT), '-key', 'echo_ip', at.echo, '-key', 'echo_port', '9'],
  ]);
  await sleep(500);
  const before = cpuOfEndedChildren();
  const run = generator === 'deadair' ? ourTrial : sippTrial;
  const result = await run(at, load, dir);
  const processCpuS = cpuOfEndedChildren() - before;
  const peerCpuS = cpuOf(String(uas.child.pid));
  await stopSipp(uas);
  const peer = countsOf(uas);
  const retransmits = result.retransmits + peer.retransmits;
  const { loadCpuS, threadCpuS } = result;
  return {
    generator,
    calls,
    failed: Math.max(calls - result.completed, calls - peer.successful),
    retransmits,
    processCpuS,
    loadCpuS: loadCpuS ?? processCpuS,
    threadCpuS: threadCpuS ?? processCpuS,
    peerCpuS,
  };

  async function ourTrial(a: Addresses): Promise<Result> {
    return runAgent({
      localIp: a.caller,
      targetIp: a.callee,
      targetPort: SIP_PORT,
      calls,
      rateCps,
      holdMs: 0,
      maxCalls: 8192,
      media: 'none',
      backend: 'auto',
    });
  }
}

interface Result {
  completed: number;
  retransmits: number;
  loadCpuS?: number;
  threadCpuS?: number;
}

async function sippTrial(at: Addresses, load: SignallingLoad, dir: string): Promise<Result> {
  const { calls, rateCps } = load;
  const uac = startSipp('uac.xml', 'uac', dir, [
    ...[`${at.callee}:${SIP_PORT}`, '-i', at.caller, '-p', String(SIP_PORT)],
    ...['-r', String(rateCps), '-m', String(calls), '-l', '8192'],
  ]);
  await ended(uac, (calls / rateCps) * 1000 + 60_000);
  const { successful, retransmits } = countsOf(uac);
  return { completed: successful, retransmits };
}
