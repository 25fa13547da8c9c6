import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { CaptureWish } from '../harness/collect/pcap.js';
import { loadScenario } from '../harness/plan/load.js';
import { resolvePlan } from '../harness/plan/resolve.js';
import { type RunResult, runPlan } from '../harness/run.js';
import { queryRun } from '../harness/verdict/query.js';
import type { Verdict } from '../harness/verdict/types.js';
import { runCommand } from './support/cli.js';
import { describeWithTshark, tshark } from './support/tshark.js';

/** The packets of a call, judged by a program that we did not write. */
const OUT = mkdtempSync(join(tmpdir(), 'deadair-pcap-'));
afterAll(() => rmSync(OUT, { recursive: true, force: true }));

const SMALL = ['quietCps=2', 'quietMs=2000', 'burst=20'];

async function played(incident: string, pcap: CaptureWish, set: string[] = []): Promise<RunResult> {
  const loaded = await loadScenario('peak-dial');
  const plan = resolvePlan(loaded, { incident, simulate: true, set: [...SMALL, ...set] });
  return runPlan(plan, { outDir: OUT, pcap, reports: false });
}

describeWithTshark('the PCAP of a dropped call', () => {
  let run: RunResult;
  let file: string;
  let callNo: number;

  beforeAll(async () => {
    run = await played('nat-table', { kind: 'bad' }, ['nat.maxSessions=20']);
    const { rows } = await queryRun(run.runDir, 'SELECT callNo FROM calls WHERE dropped AND dead_air ORDER BY callNo');
    callNo = Number(rows[0]![0]);
    file = join(run.runDir, 'pcap', `call-${callNo}.pcap`);
  });

  it('is there for each bad call and for no other', async () => {
    const { rows } = await queryRun(run.runDir, 'SELECT callNo FROM calls WHERE bad');
    const names = rows.map(([n]) => `call-${n}.pcap`).sort();
    expect(names.length).toBeGreaterThan(3);
    expect(readdirSync(join(run.runDir, 'pcap')).sort()).toEqual(names);
    expect(run.captures).toEqual({ files: names.map((n) => join('pcap', n)), forgotten: 0 });
  });

  it('opens with every packet dissected, none malformed', () => {
    const all = tshark(file, 'frame', ['frame.protocols']).map(([p]) => p!.split(':').at(-1)!);
    expect(new Set(all.map((p) => (p === 'sdp' ? 'sip' : p)))).toEqual(new Set(['sip', 'rtp', 'rtcp']));
    expect(tshark(file, '_ws.malformed || _ws.expert.severity == "Error"', ['frame.number'])).toEqual([]);
    expect(tshark(file, 'ip.checksum.status == "Bad"', ['frame.number'])).toEqual([]);
  });

  it('tells the call: INVITE and BYE at both ends, audio that leaves and none that comes', () => {
    const methods = tshark(file, 'sip.Method', ['sip.Method', 'sip.Call-ID']);
    const of = (method: string): number => methods.filter(([m]) => m === method).length;
    expect([of('INVITE'), of('ACK'), of('BYE')]).toEqual([2, 2, 2]);
    expect(new Set(methods.map(([, id]) => id)).size).toBe(2);
    expect(tshark(file, 'sip.reason_cause_q850 == 44 || sip.Reason contains "44"', ['frame.number'])).toHaveLength(2);
    const [caller] = tshark(file, 'sip.Method == "INVITE"', ['ip.src'])[0]!;
    expect(tshark(file, `rtp && ip.src == ${caller}`, ['rtp.seq']).length).toBeGreaterThan(1000);
    expect(tshark(file, `rtp && ip.dst == ${caller}`, ['rtp.seq'])).toEqual([]);
  });
});

describeWithTshark('the PCAP of a run on real sockets', () => {
  it('holds every call, at the time of day', async () => {
    const before = Date.now() / 1000;
    const set = [...SMALL, 'holdMsMin=1000', 'holdMsMax=1500'].flatMap((assignment) => ['--set', assignment]);
    const { stdout, stderr } = await runCommand(['run', 'peak-dial', '--json', '--pcap', 'all', '--out', OUT, ...set]);
    expect(stderr).not.toContain('forgotten');
    const verdict = JSON.parse(stdout) as Verdict;
    const file = join(OUT, verdict.run.id, 'pcap', 'all.pcap');
    expect(tshark(file, '_ws.malformed', ['frame.number'])).toEqual([]);
    const invites = tshark(file, 'sip.Method == "INVITE"', ['sip.Call-ID', 'frame.time_epoch']);
    expect(new Set(invites.map(([id]) => id)).size).toBe(2 * verdict.load.started);
    for (const [, epoch] of invites) {
      expect(Number(epoch)).toBeGreaterThan(before);
      expect(Number(epoch)).toBeLessThan(Date.now() / 1000);
    }
    const rtp = tshark(file, 'rtp', ['rtp.p_type']);
    expect(new Set(rtp.map(([type]) => type))).toEqual(new Set(['0']));
    expect(rtp.length).toBe(verdict.generator.rtpSent + verdict.generator.rtpReceived);
  });
});

it('nothing is written where nothing was asked for, and the worst of a healthy run are healthy calls', async () => {
  const run = await played('none', { kind: 'worst', calls: 2 }, ['holdMsMin=500', 'holdMsMax=600']);
  expect(run.captures?.files).toHaveLength(2);
  const loaded = await loadScenario('peak-dial');
  const plain = await runPlan(resolvePlan(loaded, { simulate: true, set: ['burst=2', 'quietCps=0'] }), { outDir: OUT });
  expect(plain.captures).toBeNull();
  expect(existsSync(join(plain.runDir, 'pcap'))).toBe(false);
});
