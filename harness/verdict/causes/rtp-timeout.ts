import { stretches } from '../platform.js';
import { type CauseRule, nice, num, seconds } from '../rule.js';

/**
 * The platform heard no audio and hung up. This says what ended the call, not what starved it: any cause that explains
 * the missing audio is more confident and takes the call.
 */
export const rtpTimeout: CauseRule = {
  name: 'rtp-timeout',
  summary: 'The platform hung up for want of audio; what starved it is not in the evidence',
  needs: ['node'],
  cure: 'Do not raise the RTP timeout: find where the audio stops. Compare what each end sent with what each hop received.',
  prepare: [`CREATE OR REPLACE TEMP TABLE rtp_timeouts AS SELECT * FROM ${stretches('node', 'rtp_timeout > 0')}`],
  rule: `
    WITH hits AS (SELECT s.*, EXISTS (FROM rtp_timeouts WHERE bye_ms BETWEEN since - 1000 AND until + 1000) AS seen FROM suspects s)
    SELECT callNo, CASE WHEN starved THEN 0.5 ELSE 0.4 END AS confidence FROM hits
    WHERE dropped
      AND (starved OR bye_ms - least(caller_lastRtpMs, callee_lastRtpMs) > 5000)
      -- 44: Asterisk's word for it; 804: FreeSWITCH's MEDIA_TIMEOUT.
      AND (q850 = 44 OR sip_cause = 804 OR seen OR lower(caller_reasonText) LIKE '%rtp%' OR lower(caller_reasonText) LIKE '%media%timeout%')`,
  evidence: [
    {
      source: 'legs',
      sql: 'SELECT count(*) AS n, quantile_cont(talk_ms, 0.5) AS talk_ms, mode(q850) AS q850, mode(sip_cause) AS sip_cause FROM mine',
      text: (r) =>
        `${nice(num(r, 'n'))} calls were hung up by the platform ${seconds(num(r, 'talk_ms'))} after the answer in the middle case (Reason Q.850 ${num(r, 'q850')}, SIP ${num(r, 'sip_cause')})`,
    },
    {
      source: 'legs',
      sql: 'SELECT sum(a2b_recv) AS callee_heard, sum(a2b_expected_pkts) AS a2b, sum(b2a_recv) AS caller_heard, sum(b2a_expected_pkts) AS b2a FROM mine',
      text: (r) =>
        `callees heard ${nice(num(r, 'callee_heard'))} of ${nice(num(r, 'a2b'))} packets, callers ${nice(num(r, 'caller_heard'))} of ${nice(num(r, 'b2a'))}`,
    },
  ],
};
