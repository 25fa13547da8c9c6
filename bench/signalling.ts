/** Calls per CPU-second: our caller and SIPp's, seven messages a call, the same rate, the same SIPp answering. */
import { runAgent } from './child.js';
import { type Addresses, nextAddresses, SIP_PORT } from './net.js';
import { sippPeer } from './peer.js';
import { cpuOf, cpuOfEndedChildren } from './proc.js';
import { countsOf, ended, startSipp, stopSipp } from './sipp.js';

/** Calls that may be up at once, of either generator. */
const MAX_CALLS = 8192;

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
  const { calls } = load;
  const uas = await sippPeer(at, dir);
  const before = cpuOfEndedChildren();
  const run = generator === 'deadair' ? ourTrial : sippTrial;
  const result = await run(at, load, dir);
  const processCpuS = cpuOfEndedChildren() - before;
  const peerCpuS = cpuOf(String(uas.child.pid));
  await stopSipp(uas);
  const { loadCpuS, threadCpuS } = result;
  return {
    generator,
    calls,
    failed: calls - result.completed,
    retransmits: result.retransmits,
    processCpuS,
    loadCpuS: loadCpuS ?? processCpuS,
    threadCpuS: threadCpuS ?? processCpuS,
    peerCpuS,
  };
}

interface Result {
  completed: number;
  retransmits: number;
  loadCpuS?: number;
  threadCpuS?: number;
}

async function ourTrial(at: Addresses, { calls, rateCps }: SignallingLoad): Promise<Result> {
  return runAgent({
    localIp: at.caller,
    targetIp: at.callee,
    targetPort: SIP_PORT,
    calls,
    rateCps,
    holdMs: 0,
    maxCalls: MAX_CALLS,
    media: 'none',
    backend: 'auto',
  });
}

async function sippTrial(at: Addresses, load: SignallingLoad, dir: string): Promise<Result> {
  const { calls, rateCps } = load;
  const uac = startSipp('uac.xml', 'uac', dir, [
    ...[`${at.callee}:${SIP_PORT}`, '-i', at.caller, '-p', String(SIP_PORT)],
    ...['-r', String(rateCps), '-m', String(calls), '-l', String(MAX_CALLS)],
  ]);
  await ended(uac, (calls / rateCps) * 1000 + 60_000);
  const { successful, retransmits } = countsOf(uac);
  return { completed: successful, retransmits };
}
