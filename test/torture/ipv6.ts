import type { TortureMessage } from './notation.js';

const NO_REGISTRAR = 'We are no registrar: 405. The parser’s part is as advised.';
const RECOUNTED = 'The Content-Length printed in the RFC does not fit the body printed there: counted anew.';

interface Parts {
  line: string;
  /** Header lines before Content-Length, in the RFC's order. */
  headers: string;
  body?: string;
}
const message = ({ line, headers, body = '' }: Parts): string =>
  `${line}\n${headers}\nContent-Length: ${body.length + body.split('\n').length - 1}\n\n${body}`;

const register = (uri: string): string =>
  message({
    line: `REGISTER ${uri} SIP/2.0`,
    headers: `To: sip:user@example.com
From: sip:user@example.com;tag=81x2
Via: SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKas3-111
Call-ID: SSG9559905523997077@hlau_4100
Max-Forwards: 70
Contact: "Caller" <sip:caller@[2001:db8::1]>
CSeq: 98176 REGISTER`,
  });

const threeColons = (uri: string): string =>
  message({
    line: `OPTIONS ${uri} SIP/2.0`,
    headers: `To: ${uri}
From: sip:user@example.com;tag=810x2
Via: SIP/2.0/UDP lab1.east.example.com;branch=z9hG4bKas3-111
Call-ID: G9559905523997077@hlau_4100
CSeq: 689 OPTIONS
Max-Forwards: 70`,
  });

/** RFC 5118 4. */
export const IPV6: readonly TortureMessage[] = [
  {
    name: 'ipv6-good',
    section: '5118 4.1',
    text: register('sip:[2001:db8::10]'),
    advice: 'Well formed: IPv6 references in Request-URI, Via and Contact.',
    parse: 'OK',
    seen: '405 Method Not Allowed',
    asAdvised: true,
    why: NO_REGISTRAR,
    reads: { uriHost: '[2001:db8::10]', uriPort: 5060, sentBy: '[2001:db8::9:1]' },
  },
  {
    name: 'ipv6-bad',
    section: '5118 4.2',
    text: register('sip:2001:db8::10'),
    advice: 'The same without brackets in the Request-URI: 400.',
    parse: 'OK',
    seen: '400 Bad Request [Warning: 399 deadair "Malformed Request-URI"]',
    asAdvised: true,
  },
  {
    name: 'port-ambiguous',
    section: '5118 4.3',
    text: register('sip:[2001:db8::10:5070]'),
    advice: 'Well formed; 5070 is a part of the address, and there is no port.',
    parse: 'OK',
    seen: '405 Method Not Allowed',
    asAdvised: true,
    why: NO_REGISTRAR,
    reads: { uriHost: '[2001:db8::10:5070]', uriPort: 5060 },
  },
  {
    name: 'port-unambiguous',
    section: '5118 4.4',
    text: register('sip:[2001:db8::10]:5070'),
    advice: 'Well formed; the port is 5070.',
    parse: 'OK',
    seen: '405 Method Not Allowed',
    asAdvised: true,
    why: NO_REGISTRAR,
    reads: { uriHost: '[2001:db8::10]', uriPort: 5070 },
  },
  {
    name: 'via-received-param-with-delim',
    section: '5118 4.5',
    text: message({
      line: 'BYE sip:[2001:db8::10] SIP/2.0',
      headers: `To: sip:user@example.com;tag=bd76ya
From: sip:user@example.com;tag=81x2
<allOneLine>
Via: SIP/2.0/UDP [2001:db8::9:1];received=[2001:db8::9:255]
;branch=z9hG4bKas3-111
</allOneLine>
Call-ID: SSG9559905523997077@hlau_4100
Max-Forwards: 70
CSeq: 321 BYE`,
    }),
    advice: 'received with brackets, against the grammar: accept it.',
    parse: 'OK',
    seen: '481 Call/Transaction Does Not Exist',
    asAdvised: true,
    why: 'No such dialog.',
    reads: { branch: 'z9hG4bKas3-111' },
  },
  {
    name: 'via-received-param-no-delim',
    section: '5118 4.5',
    text: message({
      line: 'OPTIONS sip:[2001:db8::10] SIP/2.0',
      headers: `To: sip:user@example.com
From: sip:user@example.com;tag=81x2
<allOneLine>
Via: SIP/2.0/UDP [2001:db8::9:1];received=2001:db8::9:255
;branch=z9hG4bKas3
</allOneLine>
Call-ID: SSG95523997077@hlau_4100
Max-Forwards: 70
Contact: "Caller" <sip:caller@[2001:db8::9:1]>
CSeq: 921 OPTIONS`,
    }),
    advice: 'received without brackets, as the grammar has it: accept it.',
    parse: 'OK',
    seen: '200 OK',
    asAdvised: true,
    reads: { branch: 'z9hG4bKas3' },
  },
  {
    name: 'ipv6-in-sdp',
    section: '5118 4.6',
    text: message({
      line: 'INVITE sip:user@[2001:db8::10] SIP/2.0',
      headers: `To: sip:user@[2001:db8::10]
From: sip:user@example.com;tag=81x2
Via: SIP/2.0/UDP [2001:db8::20];branch=z9hG4bKas3-111
Call-ID: SSG9559905523997077@hlau_4100
Contact: "Caller" <sip:caller@[2001:db8::20]>
CSeq: 8612 INVITE
Max-Forwards: 70
Content-Type: application/sdp`,
      body: `v=0
o=assistant 971731711378798081 0 IN IP6 2001:db8::20
s=Live video feed for today's meeting
c=IN IP6 2001:db8::20
t=3338481189 3370017201
m=audio 6000 RTP/AVP 2
a=rtpmap:2 G726-32/8000
m=video 6024 RTP/AVP 107
a=rtpmap:107 H263-1998/90000
`,
    }),
    advice: 'Well formed, addresses in the body are IPv6 without brackets.',
    parse: 'OK',
    seen: '180 Ringing, 200 OK [media to nobody]',
    asAdvised: false,
    why: `Accepted, but our media is IPv4 only: audio is neither refused (488) nor sent. ${RECOUNTED}`,
    reads: { uriUser: 'user', uriHost: '[2001:db8::10]' },
  },
  {
    name: 'mult-ip-in-header',
    section: '5118 4.7',
    text: message({
      line: 'BYE sip:user@host.example.net SIP/2.0',
      headers: `Via: SIP/2.0/UDP [2001:db8::9:1]:6050;branch=z9hG4bKas3-111
Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKjhja8781hjuaij65144
<allOneLine>
Via: SIP/2.0/TCP [2001:db8::9:255];branch=z9hG4bK451jj
;received=192.0.2.200
</allOneLine>
Call-ID: 997077@lau_4100
Max-Forwards: 70
CSeq: 89187 BYE
To: sip:user@example.net;tag=9817--94
From: sip:user@example.com;tag=81x2`,
    }),
    advice: 'Well formed: Vias of both address families.',
    parse: 'OK',
    seen: '481 Call/Transaction Does Not Exist at port 6050',
    asAdvised: true,
    why: 'No such dialog.',
    reads: { sentBy: '[2001:db8::9:1]:6050', moreVias: true },
  },
  {
    name: 'mult-ip-in-sdp',
    section: '5118 4.8',
    text: message({
      line: 'INVITE sip:user@[2001:db8::10] SIP/2.0',
      headers: `To: sip:user@[2001:db8::10]
From: sip:user@example.com;tag=81x2
Via: SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKas3-111
Call-ID: SSG9559905523997077@hlau_4100
Contact: "Caller" <sip:caller@[2001:db8::9:1]>
Max-Forwards: 70
CSeq: 8912 INVITE
Content-Type: application/sdp`,
      body: `v=0
o=bob 280744730 28977631 IN IP4 host.example.com
s=
t=0 0
m=audio 22334 RTP/AVP 0
c=IN IP4 192.0.2.1
m=video 6024 RTP/AVP 107
c=IN IP6 2001:db8::1
a=rtpmap:107 H263-1998/90000
`,
    }),
    advice: 'Well formed: audio over IPv4, video over IPv6.',
    parse: 'OK',
    seen: '180 Ringing, 200 OK [media to 192.0.2.1:22334]',
    asAdvised: true,
    why: RECOUNTED,
  },
  {
    name: 'ipv4-mapped-ipv6',
    section: '5118 4.9',
    text: message({
      line: 'INVITE sip:user@example.com SIP/2.0',
      headers: `To: sip:user@example.com
From: sip:user@east.example.com;tag=81x2
Via: SIP/2.0/UDP [::ffff:192.0.2.10]:19823;branch=z9hG4bKbh19
Via: SIP/2.0/UDP [::ffff:192.0.2.2];branch=z9hG4bKas3-111
Call-ID: SSG9559905523997077@hlau_4100
Contact: "T. desk phone" <sip:ted@[::ffff:192.0.2.2]>
CSeq: 612 INVITE
Max-Forwards: 70
Content-Type: application/sdp`,
      body: `v=0
o=assistant 971731711378798081 0 IN IP6 ::ffff:192.0.2.2
s=Call me soon, please!
c=IN IP6 ::ffff:192.0.2.2
t=3338481189 3370017201
m=audio 6000 RTP/AVP 2
a=rtpmap:2 G726-32/8000
m=video 6024 RTP/AVP 107
a=rtpmap:107 H263-1998/90000
`,
    }),
    advice: 'Well formed: IPv4-mapped addresses are IPv6 addresses.',
    parse: 'OK',
    seen: '180 Ringing, 200 OK at port 19823 [media to nobody]',
    asAdvised: false,
    why: `As ipv6-in-sdp: accepted without media. ${RECOUNTED}`,
    reads: { sentBy: '[::ffff:192.0.2.10]:19823' },
  },
  {
    name: 'ipv6-bug-abnf-3-colons',
    section: '5118 4.10',
    text: threeColons('sip:user@[2001:db8:::192.0.2.1]'),
    advice: 'Three colons, as a bug of RFC 3261’s grammar has it: must be tolerated.',
    parse: 'OK',
    seen: '200 OK',
    asAdvised: true,
    reads: { uriHost: '[2001:db8:::192.0.2.1]' },
  },
  {
    name: 'ipv6-correct-abnf-2-colons',
    section: '5118 4.10',
    text: threeColons('sip:user@[2001:db8::192.0.2.1]'),
    advice: 'The same with two colons, as it should be.',
    parse: 'OK',
    seen: '200 OK',
    asAdvised: true,
    reads: { uriHost: '[2001:db8::192.0.2.1]' },
  },
];
