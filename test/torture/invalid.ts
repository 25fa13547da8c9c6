import { sdp, type TortureMessage } from './notation.js';

const CALL = '180 Ringing, 200 OK';
const BAD_LINE = '400 Malformed Request-Line';

/** RFC 4475 3.1.2.1 to 3.1.2.10; the rest of the invalid messages is in invalid-lines.ts. */
export const INVALID: readonly TortureMessage[] = [
  {
    name: 'badinv01',
    section: '4475 3.1.2.1',
    text: `INVITE sip:user@example.com SIP/2.0
To: sip:j.user@example.com
From: sip:caller@example.net;tag=134161461246
Max-Forwards: 7
Call-ID: badinv01.0ha0isndaksdjasdf3234nas
CSeq: 8 INVITE
Via: SIP/2.0/UDP 192.0.2.15;;,;,,
Contact: "Joe" <sip:joe@example.org>;;;;
Content-Length: 152
Content-Type: application/sdp

${sdp('192.0.2.15')}`,
    advice: 'Via and Contact with empty parameters and values: 400.',
    parse: 'BAD_PARAMETER',
    seen: '400 Malformed Via, From or To',
    asAdvised: true,
  },
  {
    name: 'clerr',
    section: '4475 3.1.2.2',
    text: `INVITE sip:user@example.com SIP/2.0
Max-Forwards: 80
To: sip:j.user@example.com
From: sip:caller@example.net;tag=93942939o2
Contact: <sip:caller@hungry.example.net>
Call-ID: clerr.0ha0isndaksdjweiafasdk3
CSeq: 8 INVITE
Via: SIP/2.0/UDP host5.example.com;branch=z9hG4bK-39234-23523
Content-Type: application/sdp
Content-Length: 9999

${sdp('192.0.2.155')}`,
    advice: 'Content-Length is more than the datagram holds: 400 over UDP.',
    parse: 'BAD_LENGTH',
    seen: '400 Bad Content-Length',
    asAdvised: true,
  },
  {
    name: 'ncl',
    section: '4475 3.1.2.3',
    text: `INVITE sip:user@example.com SIP/2.0
Max-Forwards: 254
To: sip:j.user@example.com
From: sip:caller@example.net;tag=32394234
Call-ID: ncl.0ha0isndaksdj2193423r542w35
CSeq: 0 INVITE
Via: SIP/2.0/UDP 192.0.2.53;branch=z9hG4bKkdjuw
Contact: <sip:caller@example53.example.net>
Content-Type: application/sdp
Content-Length: -999

${sdp('192.0.2.53')}`,
    advice: 'Content-Length is negative: an error answer; it must never be a counter or an index.',
    parse: 'BAD_LENGTH',
    seen: '400 Bad Content-Length',
    asAdvised: true,
  },
  {
    name: 'scalar02',
    section: '4475 3.1.2.4',
    text: `REGISTER sip:example.com SIP/2.0
Via: SIP/2.0/TCP host129.example.com;branch=z9hG4bK342sdfoi3
To: <sip:user@example.com>
From: <sip:user@example.com>;tag=239232jh3
CSeq: 36893488147419103232 REGISTER
Call-ID: scalar02.23o0pd9vanlq3wnrlnewofjas9ui32
Max-Forwards: 300
Expires: 1<repeat count=100>0</repeat>
Contact: <sip:user@host129.example.com>
  ;expires=280297596632815
Content-Length: 0

`,
    advice: 'CSeq, Max-Forwards and expiries beyond their ranges: 400 for the CSeq.',
    parse: 'BAD_CSEQ',
    seen: '400 Bad CSeq',
    asAdvised: true,
  },
  {
    name: 'scalarlg',
    section: '4475 3.1.2.5',
    text: `SIP/2.0 503 Service Unavailable
<allOneLine>
Via: SIP/2.0/TCP host129.example.com
;branch=z9hG4bKzzxdiwo34sw
;received=192.0.2.129
</allOneLine>
To: <sip:user@example.com>
From: <sip:other@example.net>;tag=2easdjfejw
CSeq: 9292394834772304023312 OPTIONS
Call-ID: scalarlg.noase0of0234hn2qofoaf0232aewf2394r
Retry-After: 949302838503028349304023988
Warning: 1812 overture "In Progress"
Content-Length: 0

`,
    advice: 'A response with a CSeq beyond its range: discard it.',
    parse: 'BAD_CSEQ',
    seen: 'discarded',
    asAdvised: true,
  },
  {
    name: 'quotbal',
    section: '4475 3.1.2.6',
    text: `INVITE sip:user@example.com SIP/2.0
To: "Mr. J. User <sip:j.user@example.com>
From: sip:caller@example.net;tag=93334
Max-Forwards: 10
Call-ID: quotbal.aksdj
Contact: <sip:caller@host59.example.net>
CSeq: 8 INVITE
Via: SIP/2.0/UDP 192.0.2.59:5050;branch=z9hG4bKkdjuw39234
Content-Type: application/sdp
Content-Length: 152

${sdp('192.0.2.15')}`,
    advice: 'A quote in To that is never closed: 400.',
    parse: 'BAD_PARAMETER',
    seen: '400 Malformed Via, From or To at port 5050',
    asAdvised: true,
  },
  {
    name: 'ltgtruri',
    section: '4475 3.1.2.7',
    text: `INVITE <sip:user@example.com> SIP/2.0
To: sip:user@example.com
From: sip:caller@example.net;tag=39291
Max-Forwards: 23
Call-ID: ltgtruri.1@192.0.2.5
CSeq: 1 INVITE
Via: SIP/2.0/UDP 192.0.2.5
Contact: <sip:caller@host5.example.net>
Content-Type: application/sdp
Content-Length: 159

${sdp('192.0.2.5', '192.0.2.5', '3149328700 0')}`,
    advice: 'Request-URI in brackets: 400 is always reasonable.',
    parse: 'BAD_START_LINE',
    seen: BAD_LINE,
    asAdvised: true,
  },
  {
    name: 'lwsruri',
    section: '4475 3.1.2.8',
    text: `INVITE sip:user@example.com; lr SIP/2.0
To: sip:user@example.com;tag=3xfe-9921883-z9f
From: sip:caller@example.net;tag=231413434
Max-Forwards: 5
Call-ID: lwsruri.asdfasdoeoi2323-asdfwrn23-asd834rk423
CSeq: 2130706432 INVITE
Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKkdjuw2395
Contact: <sip:caller@host1.example.net>
Content-Type: application/sdp
Content-Length: 159

${sdp('192.0.2.1', '192.0.2.1', '3149328700 0')}`,
    advice: 'White space within the Request-URI: 400.',
    parse: 'BAD_START_LINE',
    seen: BAD_LINE,
    asAdvised: true,
  },
  {
    name: 'lwsstart',
    section: '4475 3.1.2.9',
    text: `INVITE  sip:user@example.com  SIP/2.0
Max-Forwards: 8
To: sip:user@example.com
From: sip:caller@example.net;tag=8814
Call-ID: lwsstart.dfknq234oi243099adsdfnawe3@example.com
CSeq: 1893884 INVITE
Via: SIP/2.0/UDP host1.example.com;branch=z9hG4bKkdjuw3923
Contact: <sip:caller@host1.example.net>
Content-Type: application/sdp
Content-Length: 150

${sdp('192.0.2.1')}`,
    advice: 'More than one space in the request line: may be rejected.',
    parse: 'BAD_START_LINE',
    seen: BAD_LINE,
    asAdvised: true,
  },
  {
    name: 'trws',
    section: '4475 3.1.2.10',
    text: `OPTIONS sip:remote-target@example.com SIP/2.0<hex>2020</hex>
Via: SIP/2.0/TCP host1.examle.com;branch=z9hG4bK299342093
To: <sip:remote-target@example.com>
From: <sip:local-resource@example.com>;tag=329429089
Call-ID: trws.oicu34958239neffasdhr2345r
Accept: application/sdp
CSeq: 238923 OPTIONS
Max-Forwards: 70
Content-Length: 0

`,
    advice: 'Spaces behind the version: may be rejected.',
    parse: 'BAD_START_LINE',
    seen: BAD_LINE,
    asAdvised: true,
  },
  {
    name: 'escruri',
    section: '4475 3.1.2.11',
    text: `INVITE sip:user@example.com?Route=%3Csip:example.com%3E SIP/2.0
To: sip:user@example.com
From: sip:caller@example.net;tag=341518
Max-Forwards: 7
Contact: <sip:caller@host39923.example.net>
Call-ID: escruri.23940-asdfhj-aje3br-234q098w-fawerh2q-h4n5
CSeq: 149209342 INVITE
Via: SIP/2.0/UDP host-of-the-hour.example.com;branch=z9hG4bKkdjuw
Content-Type: application/sdp
Content-Length: 150

${sdp('192.0.2.1')}`,
    advice: 'Request-URI with escaped headers: 400, or ignore them; never follow them.',
    parse: 'OK',
    seen: CALL,
    asAdvised: true,
    why: 'We ignore them.',
    reads: { uriHost: 'example.com' },
  },
];
