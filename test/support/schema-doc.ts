import { readFileSync } from 'node:fs';

/** What docs/schema.md says of a column that has no line of its own in the code. Every derived column is here. */
const WORDS: Record<string, Record<string, string>> = {
  legs: {
    outcome_name: '`outcome` in words',
    ended_by_name: '`endedBy` in words: nobody, us, them, timer',
    role_name: 'caller or callee',
  },
  registrations: { outcome_name: '`outcome` in words', reason_name: '`reason` in words: wave, refresh, retry' },
  causes: {
    callNo: 'a bad call',
    cause: 'its cause, or unknown',
    confidence: '0..1; 0 for unknown',
  },
  telemetry: {
    tMs: 'ms of the run',
    source:
      'nat, edge, node, relay, trunk, cdr, registrar; of machines and stacks also cpu, host, own, net, db, queue, pulse',
    instance: 'node-1, trunk-2, ...',
    metric:
      'name; `_total` counts up, everything else is the value at that instant (harness/collect/schema.ts lists them)',
    value: '',
  },
  cdrs: {
    callId: 'of the caller’s leg; empty where the platform does not write it down',
    callee: 'number that was called: its last nine digits are the call’s number',
    caller: 'number of the caller',
    tenant: 'who pays; empty where the record does not say',
    instance: 'the part that wrote it',
    startMs: 'ms of the run',
    answeredMs: 'ms of the run; NULL: never answered',
    endedMs: 'ms of the run',
    resolutionMs: 'how finely the record tells time: 1000 for whole seconds',
  },
  billing: {
    callNo: 'number of the call',
    callId: 'of the caller’s leg',
    finding: 'missing, duplicate, wrong-duration, never-answered, wrong-tenant',
    talk_ms: 'from the answer to the end, as the caller saw it',
    billed_ms: 'from the answer to the end, as the (shortest) record has it',
    records: 'records that say that the call was answered',
    tenant: 'who pays, by the record',
  },
  logs: {
    tMs: 'ms of the run',
    instance: 'the service that said it',
    callId: 'when the line names one of ours; empty otherwise',
    line: 'without colours, at most 400 characters',
  },
  frames: {
    tMs: 'ms of the run',
    worker: 'agents-0, ...',
    name: "a counter of the generator (agents/counters.ts), counting up from the run's start",
    value: '',
  },
  calls: {
    callNo: 'number of the call in the run',
    has_caller: 'the caller’s leg was recorded',
    has_callee: 'the callee’s leg was recorded: false when the target answers itself, or nobody was reached',
    duration_ms: 'of the whole run',
    media: 'the run had audio',
    started_ms: 'INVITE sent, ms of the run',
    answered_ms: '200 OK received',
    bye_ms: 'BYE sent or received',
    ended_ms: 'the leg was over',
    outcome: 'of the caller’s leg; the callee’s where that is all there is',
    final_code: 'final status of the INVITE; 0 = none',
    q850: 'Reason: Q.850;cause=',
    sip_cause: 'Reason: SIP;cause=',
    answered: 'a 200 came',
    lateness_ms: 'how late the call was placed: ours',
    talk_end_ms: 'BYE, or the end of the leg or of the run',
    talk_ms: 'answer to talk_end_ms (RFC 6076 4.5.1, SDT, for completed calls)',
    pdd_ms: 'INVITE to the first 18x',
    srd_ms: 'INVITE to the first 18x or 200 (RFC 6076 4.3.1)',
    srd_failed_ms: 'INVITE to 4xx-6xx but 401, 402, 407 (RFC 6076 4.3.2)',
    setup_ms: 'INVITE to 200 OK',
    sdd_ms: 'BYE to its answer or timer F (RFC 6076 4.4)',
    expected_pkts: 'packets that were sent while the hearing leg was there, or 50 a second',
    recv: 'packets heard, without duplicates',
    jitter_ms: 'interarrival jitter (RFC 3550 6.4.1)',
    max_gap_ms: 'longest time between two packets',
    first_ms: 'from the answer to the first packet',
    judged: 'enough audio to say anything of it',
    seq_loss: 'share lost by sequence number, 0..1',
    silence: 'share of packets that were digital silence',
    loss: 'share missing, by sequence number or never seen at all, 0..1',
    late: 'share too late for a 60 ms jitter buffer',
    dead: 'under 5 % of the packets came',
    burst_r: 'BurstR of ITU-T G.107 7.5',
    delay_ms: 'mouth to ear: packet, jitter buffer, half the round trip',
    lost_pct: 'Ppl of G.107: missing and late, 0..100',
    mos: 'mean opinion score, 1..4.5 (G.107); of the call: the worse direction',
    dead_air: 'neither side heard the other',
    one_way: 'one side heard nothing',
    poor_mos: 'audio both ways, and MOS below 3.6 in one of them',
    crossed_audio: 'half a second or more of another call was heard',
    dropped: 'hung up by neither party’s wish',
    failed: 'timeout, 408 or 5xx that the callee did not say itself',
    cancelled_slow: 'given up: the phone never rang, rang too late, or was answered meanwhile',
    no_ack: 'the callee’s 200 was never acknowledged',
    bye_failed: 'a BYE was refused or not answered',
    completed: 'answered and ended by a party’s wish (RFC 6076 4.9)',
    bad: 'any defect',
  },
};

const FILES: Record<string, string> = {
  calls:
    'One row per call: a view over legs.parquet. `caller_` and `callee_` before a name of `legs` is that leg’s column; `a2b_` is audio from caller to callee, `b2a_` the other way.',
  legs: 'legs.parquet: one row per end of a call that is ours.',
  causes: 'causes.parquet: one row per bad call.',
  telemetry: 'telemetry.parquet: what the platform said of itself.',
  frames: 'frames.parquet: the generator’s counters, once a second and worker.',
  cdrs: 'cdrs.parquet: what the platform billed, read when the run is over; empty where its records are out of reach.',
  billing: 'One row per thing that was billed wrongly: a view over calls and cdrs.',
  logs: 'logs.parquet: the last lines of the logs of a stack’s services.',
  registrations: 'registrations.parquet: one row per attempt to register; only in runs with phones.',
  webphones:
    'webphones.parquet: one row per end of a call between webphones (sip.js); its columns are those of `legs`.',
  webphone_registrations:
    'webphone_registrations.parquet: one row per attempt of a webphone to register; its columns are those of `registrations`.',
};

/** `name: 'f64', // meaning` of a field list. */
function meaningsIn(file: string): Record<string, string> {
  const source = readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');
  const found: Record<string, string> = {};
  for (const m of source.matchAll(/^ {2}(\w+): (?:'\w+'|\{ text: \d+ \}),(?: \/\/ (.*))?$/gm))
    found[m[1]!] = m[2] ?? '';
  return found;
}

/** docs/schema.md. Throws when a column has no meaning. */
export function schemaDoc(tables: Record<string, [column: string, type: string][]>): string {
  const fields: Record<string, Record<string, string>> = {
    legs: meaningsIn('agents/record.ts'),
    registrations: meaningsIn('agents/registration-record.ts'),
  };
  const out = [
    '# Tables of a run',
    '',
    'What `deadair query <run> "select …"` can ask, in DuckDB’s SQL; `deadair query <run>` lists the columns. Times are ms since',
    'the run’s t0, and NULL until they happen. Made from the code: `npx vitest run test/schema-doc.test.ts -u` writes it anew.',
    '',
    '    deadair query results/<run> "select cause, count(*) as calls from causes group by all"',
    '    deadair query results/<run> "select callNo, mos, a2b_loss, b2a_loss from calls where poor_mos order by mos limit 10"',
    '    deadair query results/<run> "select tMs, value from telemetry where metric = \'ports_used\'" --format csv',
    '',
  ];
  for (const [table, columns] of Object.entries(tables)) {
    out.push(`## ${table}`, '', FILES[table]!, '');
    if (table.startsWith('webphone')) continue;
    out.push('| column | type | meaning |', '| --- | --- | --- |');
    for (const [column, type] of columns) {
      if (table === 'calls' && /^calle[re]_/.test(column)) continue;
      const name = table === 'calls' ? column.replace(/^(a2b|b2a)_/, '') : column;
      if (table === 'calls' && column.startsWith('b2a_')) continue;
      const shown = column.startsWith('a2b_') ? `a2b_${name}, b2a_${name}` : column;
      const meaning = WORDS[table]?.[name] ?? fields[table]?.[name];
      if (meaning === undefined)
        throw new Error(`column ${column} of ${table} has no meaning: say it in test/support/schema-doc.ts`);
      out.push(`| ${shown} | ${type} | ${meaning} |`);
    }
    out.push('');
  }
  return out.join('\n');
}
