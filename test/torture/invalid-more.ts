import { sdp, type TortureMessage } from './notation.js';

const CALL = '180 Ringing, 200 OK';

/** RFC 4475 3.1.2.12 to 3.1.2.19, and 3.2. */
export const INVALID_MORE: readonly TortureMessage[] = [
  {
    name: 'baddate',
    section: '4475 3.1.2.12',
    text: `INVITE sip:user@example.com SIP/2.0
To: sip:user@example.com
From: sip:caller@example.net;tag=2234923
Max-Forwards: 70
Call-ID: baddate.239423mnsadf3j23lj42--sedfnm234
CSeq: 1392934 INVITE
Via: SIP/2.0/UDP host.example.com;branch=z9hG4bKkdjuw
Date: Fri, 01 Jan 2010 16:00:00 EST
Contact: <sip:caller@host5.example.net>
Content-Type: application/sdp
Content-Length: 150

${sdp('192.0.2.5')}`,
    advice: 'A Date that is not GMT: not to be rejected by an element that does not use the Date.',
    parse: 'OK',
    seen: CALL,
    asAdvised: true,
    why: 'We do not read Date.',
  },
  {
    name: 'regbadct',
    section: '4475 3.1.2.13',
    text: `REGISTER sip:example.com SIP/2.0
To: sip:user@example.com
From: sip:user@example.com;tag=998332
Max-Forwards: 70
Call-ID: regbadct.k345asrl3fdbv@10.0.0.1
CSeq: 1 REGISTER
Via: SIP/2.0/UDP 135.180.130.133:5060;branch=z9hG4bKkdjuw
Contact: sip:user@example.com?Route=%3Csip:sip.example.com%3E
l: 0

`,
    advice: 'Contact with escaped headers and without brackets: 400 is reasonable.',
    parse: 'OK',
    seen: '405 Method Not Allowed',
    asAdvised: true,
    why: 'Rejected, for its method: we are no registrar, and look no further (RFC 3261 8.2).',
  },
  {
    name: 'badaspec',
    section: '4475 3.1.2.14',
    text: `OPTIONS sip:user@example.org SIP/2.0
Via: SIP/2.0/UDP host4.example.com:5060;branch=z9hG4bKkdju43234
Max-Forwards: 70
From: "Bell, Alexander" <sip:a.g.bell@example.com>;tag=433423
To: "Watson, Thomas" < sip:t.watson@example.org >
Call-ID: badaspec.sdf0234n2nds0a099u23h3hnnw009cdkne3
Accept: application/sdp
CSeq: 3923239 OPTIONS
l: 0

`,
    advice: 'Spaces inside the brackets of To: 400, or ignore them.',
    parse: 'OK',
    seen: '200 OK',
    asAdvised: true,
    why: 'We ignore them, and echo the To as it came.',
    reads: { fromTag: '433423', toTag: '' },
  },
  {
    name: 'baddn',
    section: '4475 3.1.2.15',
    text: `OPTIONS sip:t.watson@example.org SIP/2.0
Via:     SIP/2.0/UDP c.example.com:5060;branch=z9hG4bKkdjuw
Max-Forwards:      70
From:    Bell, Alexander <sip:a.g.bell@example.com>;tag=43
To:      Watson, Thomas <sip:t.watson@example.org>
Call-ID: baddn.31415@c.example.com
Accept: application/sdp
CSeq:    3923239 OPTIONS
l: 0

`,
    advice: 'Display names that need quotes and have none: 400, or infer the quotes.',
    parse: 'OK',
    seen: '200 OK',
    asAdvised: true,
    why: 'We take them as quoted, and echo From and To as they came. The empty line at the end is ours: the RFC’s archive leaves it out.',
    reads: { fromTag: '43', toTag: '' },
  },
  {
    name: 'badvers',
    section: '4475 3.1.2.16',
    text: `OPTIONS sip:t.watson@example.org SIP/7.0
Via:     SIP/7.0/UDP c.example.com;branch=z9hG4bKkdjuw
Max-Forwards:     70
From:    A. Bell <sip:a.g.bell@example.com>;tag=qweoiqpe
To:      T. Watson <sip:t.watson@example.org>
Call-ID: badvers.31417@c.example.com
CSeq:    1 OPTIONS
l: 0

`,
    advice: 'Version 7.0: 505.',
    parse: 'BAD_VERSION',
    seen: '505 Version Not Supported',
    asAdvised: true,
  },
  {
    name: 'mismatch01',
    section: '4475 3.1.2.17',
    text: `OPTIONS sip:user@example.com SIP/2.0
To: sip:j.user@example.com
From: sip:caller@example.net;tag=34525
Max-Forwards: 6
Call-ID: mismatch01.dj0234sxdfl3
CSeq: 8 INVITE
Via: SIP/2.0/UDP host.example.com;branch=z9hG4bKkdjuw
l: 0

`,
    advice: 'The methods of request line and CSeq differ: 400.',
    parse: 'BAD_CSEQ',
    seen: '400 Bad CSeq',
    asAdvised: true,
  },
  {
    name: 'mismatch02',
    section: '4475 3.1.2.18',
    text: `NEWMETHOD sip:user@example.com SIP/2.0
To: sip:j.user@example.com
From: sip:caller@example.net;tag=34525
Max-Forwards: 6
Call-ID: mismatch02.dj0234sxdfl3
CSeq: 8 INVITE
Contact: <sip:caller@host.example.net>
Via: SIP/2.0/UDP host.example.net;branch=z9hG4bKkdjuw
Content-Type: application/sdp
l: 138

v=0
o=mhandley 29739 7272939 IN IP4 192.0.2.1
c=IN IP4 192.0.2.1
m=audio 49217 RTP/AVP 0 12
m=video 3227 RTP/AVP 31
a=rtpmap:31 LPC
`,
    advice: 'The same with an unknown method: 501 (400 is acceptable).',
    parse: 'BAD_CSEQ',
    seen: '501 Not Implemented',
    asAdvised: true,
  },
  {
    name: 'bigcode',
    section: '4475 3.1.2.19',
    text: `SIP/2.0 4294967301 better not break the receiver
Via: SIP/2.0/UDP 192.0.2.105;branch=z9hG4bK2398ndaoe
Call-ID: bigcode.asdof3uj203asdnf3429uasdhfas3ehjasdfas9i
CSeq: 353494 INVITE
From: <sip:user@example.com>;tag=39ansfi3
To: <sip:user@example.edu>;tag=902jndnke3
Content-Length: 0
Contact: <sip:user@host105.example.com>

`,
    advice: 'A status above 699: drop it.',
    parse: 'BAD_START_LINE',
    seen: 'discarded',
    asAdvised: true,
  },
  {
    name: 'badbranch',
    section: '4475 3.2.1',
    text: `OPTIONS sip:user@example.com SIP/2.0
To: sip:user@example.com
From: sip:caller@example.org;tag=33242
Max-Forwards: 3
Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK
Accept: application/sdp
Call-ID: badbranch.sadonfo23i420jv0as0derf3j3n
CSeq: 8 OPTIONS
l: 0

`,
    advice: 'The branch is the magic cookie alone: 400, or match transactions as RFC 2543 does.',
    parse: 'OK',
    seen: '200 OK',
    asAdvised: true,
    why: 'Matched by Call-ID, CSeq and From tag; another request with the same branch is another transaction.',
    reads: { branch: 'z9hG4bK' },
  },
];
