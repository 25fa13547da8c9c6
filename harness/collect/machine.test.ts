import { describe, expect, it } from 'vitest';
import { taskprocessors } from './asterisk-core.js';
import { engineReadings, groupOf, quotaReadings, schedstat } from './cgroup.js';
import { hostReadings, readHost } from './host.js';
import { edgeReadings } from './kamailio.js';
import { logRecords } from './logs.js';
import { conntrackReadings, udpReadings } from './namespace.js';
import { billedRecords } from './postgres.js';
import { Pulse } from './pulse.js';
import { streamReadings } from './redis.js';

describe('the machine', () => {
  it('is busy, idle, stolen from, and wanted by more threads than it has processors', () => {
    const stat = 'cpu  100 1 50 800 20 0 9 40 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\nprocs_running 7\n';
    expect(hostReadings(stat, '3.41 1.0 0.5 1/100 7\n', 'some avg10=1.00 avg60=1 avg300=1 total=5000\n')).toEqual({
      busy_ms_total: 1600,
      idle_ms_total: 8200,
      steal_ms_total: 400,
      running: 7,
      load1: 3.41,
      pressure_ms_total: 5,
    });
    // A kernel without PSI, a file system without any of it.
    expect(hostReadings(stat, '', '')).not.toHaveProperty('pressure_ms_total');
    expect(hostReadings('', '', '')).toEqual({});
    if (process.platform === 'linux') expect(readHost()).toMatchObject({ cpus: expect.any(Number) });
  });

  it('groups processes in either version', () => {
    const old = '11:cpuacct:/docker/abc\n10:cpu:/docker/abc\n0::/docker/abc\n';
    expect(groupOf(old)).toEqual({
      version: 1,
      cpu: '/sys/fs/cgroup/cpu/docker/abc',
      usage: '/sys/fs/cgroup/cpuacct/docker/abc',
    });
    expect(groupOf('4:cpu,cpuacct:/docker/abc\n')).toMatchObject({ version: 1, cpu: '/sys/fs/cgroup/cpu/docker/abc' });
    expect(groupOf('0::/system.slice/docker-abc.scope\n')).toMatchObject({
      version: 2,
      cpu: '/sys/fs/cgroup/system.slice/docker-abc.scope',
    });
    expect(groupOf('')).toBeNull();
    expect(quotaReadings('nr_periods 9\nnr_throttled 3\nthrottled_time 5000000\n', 1)).toEqual({
      throttled_ms_total: 5,
      periods_total: 9,
      throttled_periods_total: 3,
    });
    expect(quotaReadings('usage_usec 7000\nthrottled_usec 5000\n', 2)).toEqual({
      throttled_ms_total: 5,
      cpu_ms_total: 7,
    });
    expect([schedstat('2000000 3000000 4\n'), schedstat('')]).toEqual([{ cpuMs: 2, waitMs: 3 }, null]);
    expect(
      engineReadings({ cpu_stats: { cpu_usage: { total_usage: 3e6 }, throttling_data: { throttled_time: 2e6 } } }),
    ).toMatchObject({
      cpu_ms_total: 3,
      throttled_ms_total: 2,
    });
    expect(engineReadings({})).toBeNull();
  });

  it('tracks connections and drops datagrams, by network namespace', () => {
    const text =
      'entries  searched found new invalid ignore delete delete_list insert insert_failed drop early_drop\n0000000a 0 0 0 0 0 0 0 0 1 2 0\n0000000a 0 0 0 0 0 0 0 0 0 3 0\n';
    expect(conntrackReadings(text)).toEqual({ conntrack: 10, conntrack_drops_total: 6 });
    expect(conntrackReadings('')).toEqual({});
    const snmp =
      'Ip: A\nIp: 1\nUdp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors\nUdp: 10 2 3 4 3\nUdpLite: A\n';
    expect(udpReadings(snmp)).toEqual({ udp_received_total: 10, udp_dropped_total: 3, udp_no_port_total: 2 });
  });
});

describe('parts of a stack', () => {
  it('Kamailio: dialogs, nodes, memory, replies; what it does not know is not there', () => {
    const nodes = { RECORDS: [{ SET: { TARGETS: [{ DEST: { FLAGS: 'AP' } }, { DEST: { FLAGS: 'IP' } }] } }] };
    expect(
      edgeReadings([
        { all: 7, starting: 1, connecting: 2 },
        nodes,
        { total: 100, real_used: 40 },
        ['sl:5xx_replies = 3'],
        undefined,
        undefined,
      ]),
    ).toEqual({
      dialogs: 7,
      dialogs_early: 3,
      nodes_up: 1,
      nodes_down: 1,
      memory_used: 40,
      memory_max: 100,
      replies_5xx_total: 3,
    });
    expect(edgeReadings([])).toEqual({});
  });

  it('Asterisk: queues of its taskprocessors', () => {
    const lines = [
      'Processor                                       Processed   In Queue  Max Depth  Low water High water',
      'stasis/m:cdr:aggregator-00000006                      120         44         90       4500       5000',
      'app_voicemail                                           0          0          0        450        500          0          0',
      '107 taskprocessors',
    ];
    expect(taskprocessors(lines.join('\n'))).toEqual([
      { name: 'stasis/m:cdr:aggregator-00000006', depth: 44, highWater: 5000 },
      { name: 'app_voicemail', depth: 0, highWater: 500 },
    ]);
  });

  it('Redis: length of the stream and what is not acknowledged, when both answers are whole', () => {
    expect(streamReadings(':12\r\n*4\r\n:3\r\n$3\r\n1-1\r\n')).toEqual({ length: 12, pending: 3 });
    expect(streamReadings(':12\r\n-NOGROUP No such key\r\n')).toEqual({ length: 12, pending: 0 });
    expect(streamReadings(':12\r\n*4')).toBeNull();
  });

  it('a pulse says how long it has had no answer, and one silence is one', () => {
    let nowMs = 0;
    let asked = 0;
    const pulse = new Pulse(
      'options',
      () => asked++,
      () => nowMs,
      5000,
    );
    expect(pulse.read()).toEqual({ options_waiting_ms: 0, options_failed_total: 0 });
    nowMs = 20;
    pulse.answered();
    nowMs = 1000;
    expect(pulse.read()).toEqual({ options_waiting_ms: 0, options_failed_total: 0, options_ms: 20 });
    nowMs = 7000;
    expect(pulse.read()).toEqual({ options_waiting_ms: 6000, options_failed_total: 1, options_ms: 20 });
    expect(asked).toBe(3);
    pulse.answered();
    nowMs = 8000;
    expect(pulse.read()).toEqual({ options_waiting_ms: 0, options_failed_total: 1, options_ms: 6000 });
  });
});

describe('what is read when a run is over', () => {
  it('log lines on the clock of the run, with the call that they name', () => {
    const text = [
      '2026-11-22T10:00:01.500000000Z \u001b[1;33mWARNING\u001b[0m: no ACK for 1a2b-17@10.0.0.1',
      '2026-11-22T10:00:02.000000000Z ',
      'no stamp',
    ];
    expect(logRecords(text.join('\n'), 'pbx1', Date.parse('2026-11-22T10:00:00Z'))).toEqual([
      { tMs: 1500, instance: 'pbx1', callId: '1a2b-17@10.0.0.1', line: 'WARNING: no ACK for 1a2b-17@10.0.0.1' },
    ]);
  });

  it('call records of this run and no other', () => {
    const row = {
      call_id: 'x',
      tenant: 't',
      src: '1',
      dst: '2',
      started: 100,
      answered: null,
      ended: 130,
      coarse: true,
    };
    expect(billedRecords([row, { ...row, started: 10 }], 99_000)).toEqual([
      {
        callId: 'x',
        callee: '2',
        caller: '1',
        tenant: 't',
        instance: 'node',
        startMs: 1000,
        answeredMs: Number.NaN,
        endedMs: 31_000,
        resolutionMs: 1000,
      },
    ]);
  });
});
