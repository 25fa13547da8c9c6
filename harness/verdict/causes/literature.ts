import type { Cause } from '../../plan/causes.js';

/** Where a call of this cause dies, and where to read on. The cure itself is with each rule. */
export interface Literature {
  /** The hop, as one would draw it on a whiteboard. */
  hop: string;
  /** Clauses and manuals, the most useful first. */
  see: string;
}

export const LITERATURE: Readonly<Record<Cause, Literature>> = {
  'nat-table-full': {
    hop: "the subscribers' router, between the phones and the edge",
    see: 'RFC 4787 (NAT behaviour for UDP), RFC 7857 (its update); Linux: nf_conntrack_max, nf_conntrack_udp_timeout_stream, `conntrack -S` (drop, insert_failed)',
  },
  'nat-mapping-expired': {
    hop: "the subscribers' router, between the phones and the edge",
    see: 'RFC 4787 4.3 (REQ-5: no less than 2 minutes), RFC 5626 3.5.2 and 4.4 (keep-alives), RFC 6263 (RTP keep-alives)',
  },
  'rtp-port-exhausted': {
    hop: 'the media relay, where a call is given its ports',
    see: 'RFC 3550 11 (a pair for each direction); rtpengine: port-min, port-max, rtpengine_ports_free; Q.850 cause 47',
  },
  'packet-loss': {
    hop: 'a network link on the path of the audio',
    see: 'ITU-T G.107 and G.113 appendix I (what loss costs), RFC 3611 (bursts and gaps), RFC 4594 (EF for telephony)',
  },
  'trunk-cps-limit': {
    hop: "the carrier's trunk, when the call is set up",
    see: 'Q.850 cause 42, RFC 3261 21.5.4 and 20.33 (503, Retry-After), RFC 7339 and RFC 7415 (overload and rate control)',
  },
  'trunk-channel-limit': {
    hop: "the carrier's trunk, when the call is set up",
    see: 'Q.850 cause 34, ITU-T E.501 and Erlang B for dimensioning, RFC 3261 21.5.4 (503)',
  },
  'db-stall': {
    hop: "the PBX node's signalling threads, which wait for the database",
    see: 'Asterisk: taskprocessor high-water marks, cdr.conf batch; Kamailio: async workers, mqueue; FreeSWITCH: mod_*_cdr queue-capacity and timeouts',
  },
  'cdr-backlog': {
    hop: 'the queue of call records, before the database',
    see: 'Asterisk: `core show taskprocessors` (stasis/m:cdr:aggregator); FreeSWITCH: max-sessions counts what waits for its record',
  },
  'cpu-starved': {
    hop: 'a node or relay that does not get the processor in time',
    see: 'cgroup cpu.stat (nr_throttled, throttled_usec), /proc/pressure/cpu, steal time; RFC 3550 6.4.1 (jitter)',
  },
  'config-reload': {
    hop: 'a node that loads its configuration',
    see: 'Asterisk: `module reload res_pjsip.so` and sorcery caching; Kamailio: dispatcher.reload; FreeSWITCH: reloadxml',
  },
  'misrouted-in-dialog': {
    hop: 'the edge, which sends requests within a call to a node that does not know it',
    see: 'RFC 3261 12.2 and 16.12 (route sets), 12.2.2 (481); Kamailio: record_route(), loose_route(), ds_select_dst by Call-ID',
  },
  'node-down': {
    hop: 'a PBX node, or the way to it',
    see: 'RFC 3263 4.3 (failover), RFC 3261 17.1.1.2 (timer B); Kamailio: ds_ping_interval, ds_probing_threshold',
  },
  'no-ack': {
    hop: 'the way of the ACK, from the caller to the Contact of the 200 OK',
    see: 'RFC 3261 13.3.1.4 (64*T1 = 32 s) and 17.1.1.3, RFC 5626 and RFC 3581 (Contact behind a NAT)',
  },
  'rtp-timeout': {
    hop: 'unknown: the platform says what ended the call, not where its audio stopped',
    see: 'Q.850 cause 44; Asterisk: rtp_timeout; FreeSWITCH: media_timeout (SIP cause 804); rtpengine: timeout, silent-timeout',
  },
  'session-expired': {
    hop: 'the way of the refresh, or the party that should have sent it',
    see: 'RFC 4028 (10: BYE before the expiry; 4: Min-SE of 90 s), RFC 3311 (UPDATE)',
  },
  'registration-shed': {
    hop: 'the registrar, which lets in only so many',
    see: 'RFC 3261 21.5.4 and 20.33 (503, Retry-After), RFC 5626 4.5 (back-off of phones)',
  },
  'tenant-cap': {
    hop: 'the platform, by the limit of this tenant',
    see: 'RFC 3261 21.4.24 (486); Kamailio: dialog profiles; a policy, so raise the limit or sell more of it',
  },
  'number-collision': {
    hop: 'where two calls share a key: dialplan, or a media port',
    see: 'RFC 3550 8.2 (SSRC collision), RFC 4961 (symmetric RTP); rtpengine: strict-source',
  },
  'generator-limited': {
    hop: 'this machine: our own generator',
    see: 'deadair doctor; net.core.rmem_max, `ulimit -n`, /proc/net/udp (drops)',
  },
  unknown: { hop: 'not known', see: 'deadair autopsy of one of them, and `deadair query`' },
};
