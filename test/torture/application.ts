import { sdp, type TortureMessage } from './notation.js';

const NO_REGISTRAR = 'We are no registrar: 405 with Allow. The parser’s part is as advised.';

/** RFC 4475 3.3 and 3.4: application-layer semantics, and the peer of RFC 2543. */
export const APPLICATION: readonly TortureMessage[] = [
  {
    name: 'insuf',
    section: '4475 3.3.1',
    text: `INVITE sip:user@example.com SIP/2.0
CSeq: 193942 INVITE
Via: SIP/2.0/UDP 192.0.2.95;branch=z9hG4bKkdj.insuf
Content-Type: application/sdp
l: 152

${sdp('192.0.2.95')}`,
    advice: 'No Call-ID, From or To: must not break, ideally 400.',
    parse: 'MISSING_HEADER',
    seen: '400 Missing From, To, Call-ID',
    asAdvised: true,
  },
  {
    name: 'unkscm',
    section: '4475 3.3.2',
    text: `OPTIONS nobodyKnowsThisScheme:totallyopaquecontent SIP/2.0
To: sip:user@example.com
From: sip:caller@example.net;tag=384
Max-Forwards: 3
Call-ID: unkscm.nasdfasser0q239nwsdfasdkl34
CSeq: 3923423 OPTIONS
Via: SIP/2.0/TCP host9.example.com;branch=z9hG4bKkdjuw39234
Content-Length: 0

`,
    advice: 'Request-URI of a scheme that nobody knows: 416.',
    parse: 'OK',
    seen: '416 Unsupported URI Scheme',
    asAdvised: true,
  },
  {
    name: 'novelsc',
    section: '4475 3.3.3',
    text: `OPTIONS soap.beep://192.0.2.103:3002 SIP/2.0
To: sip:user@example.com
From: sip:caller@example.net;tag=384
Max-Forwards: 3
Call-ID: novelsc.asdfasser0q239nwsdfasdkl34
CSeq: 3923423 OPTIONS
Via: SIP/2.0/TCP host9.example.com;branch=z9hG4bKkdjuw39234
Content-Length: 0

`,
    advice: 'Request-URI of a known scheme that SIP does not use: 416.',
    parse: 'OK',
    seen: '416 Unsupported URI Scheme',
    asAdvised: true,
  },
  {
    name: 'unksm2',
    section: '4475 3.3.4',
    text: `REGISTER sip:example.com SIP/2.0
To: isbn:2983792873
From: <http://www.example.com>;tag=3234233
Call-ID: unksm2.daksdj@hyphenated-host.example.com
CSeq: 234902 REGISTER
Max-Forwards: 70
Via: SIP/2.0/UDP 192.0.2.21:5060;branch=z9hG4bKkdjuw
Contact: <name:John_Smith>
l: 0

`,
    advice: 'Other schemes in To, From and Contact: the parser must not fail; a registrar answers 400.',
    parse: 'OK',
    seen: '405 Method Not Allowed',
    asAdvised: true,
    why: NO_REGISTRAR,
    reads: { fromTag: '3234233' },
  },
  {
    name: 'bext01',
    section: '4475 3.3.5',
    text: `OPTIONS sip:user@example.com SIP/2.0
To: sip:j_user@example.com
From: sip:caller@example.net;tag=242etr
Max-Forwards: 6
Call-ID: bext01.0ha0isndaksdj
Require: nothingSupportsThis, nothingSupportsThisEither
Proxy-Require: noProxiesSupportThis, norDoAnyProxiesSupportThis
CSeq: 8 OPTIONS
Via: SIP/2.0/TLS fold-and-staple.example.com;branch=z9hG4bKkdjuw
Content-Length: 0

`,
    advice: 'Require of unknown extensions: a UAS answers 420 and lists them in Unsupported.',
    parse: 'OK',
    seen: '420 Bad Extension [Unsupported: nothingSupportsThis, nothingSupportsThisEither]',
    asAdvised: true,
  },
  {
    name: 'invut',
    section: '4475 3.3.6',
    text: `INVITE sip:user@example.com SIP/2.0
Contact: <sip:caller@host5.example.net>
To: sip:j.user@example.com
From: sip:caller@example.net;tag=8392034
Max-Forwards: 70
Call-ID: invut.0ha0isndaksdjadsfij34n23d
CSeq: 235448 INVITE
Via: SIP/2.0/UDP somehost.example.com;branch=z9hG4bKkdjuw
Content-Type: application/unknownformat
Content-Length: 40

<audio>
 <pcmu port="443"/>
</audio>
`,
    advice: 'INVITE with a body of an unknown type: 415 with Accept.',
    parse: 'OK',
    seen: '415 Unsupported Media Type [Accept: application/sdp]',
    asAdvised: true,
    reads: { bodyLength: 40 },
  },
  {
    name: 'regaut01',
    section: '4475 3.3.7',
    text: `REGISTER sip:example.com SIP/2.0
To: sip:j.user@example.com
From: sip:j.user@example.com;tag=87321hj23128
Max-Forwards: 8
Call-ID: regaut01.0ha0isndaksdj
CSeq: 9338 REGISTER
Via: SIP/2.0/TCP 192.0.2.253;branch=z9hG4bKkdjuw
Authorization: NoOneKnowsThisScheme opaque-data=here
Content-Length:0

`,
    advice: 'Unknown authorization scheme: a registrar treats it as unauthenticated.',
    parse: 'OK',
    seen: '405 Method Not Allowed',
    asAdvised: true,
    why: NO_REGISTRAR,
  },
  {
    name: 'multi01',
    section: '4475 3.3.8',
    text: `INVITE sip:user@company.com SIP/2.0
Contact: <sip:caller@host25.example.net>
Via: SIP/2.0/UDP 192.0.2.25;branch=z9hG4bKkdjuw
Max-Forwards: 70
CSeq: 5 INVITE
Call-ID: multi01.98asdh@192.0.2.1
CSeq: 59 INVITE
Call-ID: multi01.98asdh@192.0.2.2
From: sip:caller@example.com;tag=3413415
To: sip:user@example.com
To: sip:other@example.net
From: sip:caller@example.net;tag=2923420123
Content-Type: application/sdp
l: 154
Contact: <sip:caller@host36.example.net>
Max-Forwards: 5

${sdp('192.0.2.25')}
`,
    advice: 'CSeq, Call-ID, From, To, Max-Forwards twice: 400.',
    parse: 'BAD_HEADER',
    seen: '400 Malformed or Repeated Header Field',
    asAdvised: true,
  },
  {
    name: 'mcl01',
    section: '4475 3.3.9',
    text: `OPTIONS sip:user@example.com SIP/2.0
Via: SIP/2.0/UDP host5.example.net;branch=z9hG4bK293423
To: sip:user@example.com
From: sip:other@example.net;tag=3923942
Call-ID: mcl01.fhn2323orihawfdoa3o4r52o3irsdf
CSeq: 15932 OPTIONS
Content-Length: 13
Max-Forwards: 60
Content-Length: 5
Content-Type: text/plain

There's no way to know how many octets are supposed to be here.

`,
    advice: 'Two Content-Lengths that differ: 400.',
    parse: 'BAD_LENGTH',
    seen: '400 Bad Content-Length',
    asAdvised: true,
  },
  {
    name: 'bcast',
    section: '4475 3.3.10',
    text: `SIP/2.0 200 OK
Via: SIP/2.0/UDP 192.0.2.198;branch=z9hG4bK1324923
Via: SIP/2.0/UDP 255.255.255.255;branch=z9hG4bK1saber23
Call-ID: bcast.0384840201234ksdfak3j2erwedfsASdf
CSeq: 35 INVITE
From: sip:user@example.com;tag=11141343
To: sip:user@example.edu;tag=2229
Content-Length: 154
Content-Type: application/sdp
Contact: <sip:user@host28.example.com>

${sdp('192.0.2.198')}`,
    advice: 'A response with a second Via, to the broadcast address: an endpoint discards it.',
    parse: 'OK',
    seen: 'discarded',
    asAdvised: true,
    reads: { moreVias: true },
  },
  {
    name: 'zeromf',
    section: '4475 3.3.11',
    text: `OPTIONS sip:user@example.com SIP/2.0
To: sip:user@example.com
From: sip:caller@example.net;tag=3ghsd41
Call-ID: zeromf.jfasdlfnm2o2l43r5u0asdfas
CSeq: 39234321 OPTIONS
Via: SIP/2.0/UDP host1.example.com;branch=z9hG4bKkdjuw2349i
Max-Forwards: 0
Content-Length: 0

`,
    advice: 'Max-Forwards 0: a proxy answers 483; an endpoint handles it as any other.',
    parse: 'OK',
    seen: '200 OK',
    asAdvised: true,
    reads: { maxForwards: 0 },
  },
  {
    name: 'cparam01',
    section: '4475 3.3.12',
    text: `REGISTER sip:example.com SIP/2.0
Via: SIP/2.0/UDP saturn.example.com:5060;branch=z9hG4bKkdjuw
Max-Forwards: 70
From: sip:watson@example.com;tag=DkfVgjkrtMwaerKKpe
To: sip:watson@example.com
Call-ID: cparam01.70710@saturn.example.com
CSeq: 2 REGISTER
Contact: sip:+19725552222@gw1.example.net;unknownparam
l: 0

`,
    advice: 'A Contact parameter outside of brackets is the header’s; a registrar must accept it.',
    parse: 'OK',
    seen: '405 Method Not Allowed',
    asAdvised: true,
    why: NO_REGISTRAR,
    reads: { contactUri: 'sip:+19725552222@gw1.example.net' },
  },
  {
    name: 'cparam02',
    section: '4475 3.3.13',
    text: `REGISTER sip:example.com SIP/2.0
Via: SIP/2.0/UDP saturn.example.com:5060;branch=z9hG4bKkdjuw
Max-Forwards: 70
From: sip:watson@example.com;tag=838293
To: sip:watson@example.com
Call-ID: cparam02.70710@saturn.example.com
CSeq: 3 REGISTER
Contact: <sip:+19725552222@gw1.example.net;unknownparam>
l: 0

`,
    advice: 'The same inside of brackets is the URI’s.',
    parse: 'OK',
    seen: '405 Method Not Allowed',
    asAdvised: true,
    why: NO_REGISTRAR,
    reads: { contactUri: 'sip:+19725552222@gw1.example.net;unknownparam' },
  },
  {
    name: 'regescrt',
    section: '4475 3.3.14',
    text: `REGISTER sip:example.com SIP/2.0
To: sip:user@example.com
From: sip:user@example.com;tag=8
Max-Forwards: 70
Call-ID: regescrt.k345asrl3fdbv@192.0.2.1
CSeq: 14398234 REGISTER
Via: SIP/2.0/UDP host5.example.com;branch=z9hG4bKkdjuw
M: <sip:user@example.com?Route=%3Csip:sip.example.com%3E>
L:0

`,
    advice: 'Contact whose URI has an escaped Route: well formed; a registrar keeps it whole.',
    parse: 'OK',
    seen: '405 Method Not Allowed',
    asAdvised: true,
    why: NO_REGISTRAR,
    reads: { contactUri: 'sip:user@example.com?Route=%3Csip:sip.example.com%3E' },
  },
  {
    name: 'sdp01',
    section: '4475 3.3.15',
    text: `INVITE sip:user@example.com SIP/2.0
To: sip:j_user@example.com
Contact: <sip:caller@host15.example.net>
From: sip:caller@example.net;tag=234
Max-Forwards: 5
Call-ID: sdp01.ndaksdj9342dasdd
Accept: text/nobodyKnowsThis
CSeq: 8 INVITE
Via: SIP/2.0/UDP 192.0.2.15;branch=z9hG4bKkdjuw
Content-Length: 150
Content-Type: application/sdp

${sdp('192.0.2.5')}`,
    advice: 'INVITE whose Accept leaves out SDP: 406 with Warning (400 is acceptable).',
    parse: 'OK',
    seen: '406 Not Acceptable [Warning: 399 deadair "Accept leaves out application/sdp"]',
    asAdvised: true,
  },
  {
    name: 'inv2543',
    section: '4475 3.4.1',
    text: `INVITE sip:UserB@example.com SIP/2.0
Via: SIP/2.0/UDP iftgw.example.com
From: <sip:+13035551111@ift.client.example.net;user=phone>
Record-Route: <sip:UserB@example.com;maddr=ss1.example.com>
To: sip:+16505552222@ss1.example.net;user=phone
Call-ID: inv2543.1717@ift.client.example.com
CSeq: 56 INVITE
Content-Type: application/sdp

${sdp('192.0.2.5')
  .replace('AVP 0 12', 'AVP 0')
  .replace(/m=video[\s\S]*/, '')}`,
    advice: 'RFC 2543: no branch, From tag, Max-Forwards, Contact or Content-Length. Accept it.',
    parse: 'OK',
    seen: '180 Ringing, 200 OK',
    asAdvised: true,
    reads: { branch: '', fromTag: '', maxForwards: -1, bodyLength: 105 },
  },
];
