import { sdp, type TortureMessage } from './notation.js';

const TICK = '`';
const CALL = '180 Ringing, 200 OK';
const NO_REGISTRAR = 'No registrar: 405 with Allow. The parser’s part is as advised.';

/** RFC 4475 3.1.1: valid messages. The long ones are in valid-long.ts. */
export const VALID: readonly TortureMessage[] = [
  {
    name: 'wsinv',
    section: '4475 3.1.1.1',
    text: String.raw`INVITE sip:vivekg@chair-dnrc.example.com;unknownparam SIP/2.0
TO :
 sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n
from   : "J Rosenberg \\\""       <sip:jdrosen@example.com>
  ;
  tag = 98asjd8
MaX-fOrWaRdS: 0068
Call-ID: wsinv.ndaksdj@192.0.2.1
Content-Length   : 150
cseq: 0009
  INVITE
Via  : SIP  /   2.0
 /UDP
    192.0.2.2;branch=390skdjuw
s :
NewFangledHeader:   newfangled value
 continued newfangled value
UnknownHeaderWithUnusualValue: ;;,,;;,;
Content-Type: application/sdp
Route:
 <sip:services.example.com;lr;unknownwith=value;unknown-no-value>
v:  SIP  / 2.0  / TCP     spindle.example.com   ;
  branch  =   z9hG4bK9ikj8  ,
 SIP  /    2.0   / UDP  192.168.255.111   ; branch=
 z9hG4bK30239
m:"Quoted string \"\"" <sip:jdrosen@example.com> ; newparam =
      newvalue ;
  secondparam ; q = 0.33

${sdp('192.0.2.3', '192.0.2.4')}`,
    advice: 'Well formed: folding, escapes, short and long names, unknown headers and parameters.',
    parse: 'OK',
    seen: '481 Call/Transaction Does Not Exist',
    asAdvised: true,
    why: 'Its To has a tag, and we have no such dialog (RFC 3261 12.2.2).',
    reads: { toTag: '1918181833n', fromTag: '98asjd8', maxForwards: 68, cseq: 9, branch: '390skdjuw', moreVias: true },
  },
  {
    name: 'intmeth',
    section: '4475 3.1.1.2',
    text: String.raw`<allOneLine>
!interesting-Method0123456789_*+${TICK}.%indeed'~
 sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*
:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)
@example.com SIP/2.0
</allOneLine>
Via: SIP/2.0/TCP host1.example.com;branch=z9hG4bK-.!%66*_+${TICK}'~
<allOneLine>
To: "BEL:\<hex>07</hex> NUL:\<hex>00</hex> DEL:\<hex>7F</hex>"
 <sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*
@example.com>
</allOneLine>
<allOneLine>
From: token1~${TICK} token2'+_ token3*%!.- <sip:mundane@example.com>
;fromParam''~+*_!.-%=
"<hex>D180D0B0D0B1D0BED182D0B0D18ED189D0B8D0B9</hex>"
;tag=_token~1'+${TICK}*%!-.
</allOneLine>
Call-ID: intmeth.word%ZK-!.*_+'@word${TICK}~)(><:\/"][?}{
CSeq: 139122385 !interesting-Method0123456789_*+${TICK}.%indeed'~
Max-Forwards: 255
extensionHeader-!.%*+_${TICK}'~:<hex>EFBBBFE5A4A7E5819CE99BBB</hex>
Content-Length: 0

`,
    advice: 'Well formed; the method is unknown: an endpoint answers 501 with Allow.',
    parse: 'OK',
    seen: '501 Not Implemented',
    asAdvised: true,
    reads: {
      methodName: `!interesting-Method0123456789_*+${TICK}.%indeed'~`,
      fromTag: `_token~1'+${TICK}*%!-.`,
      toTag: '',
      callId: `intmeth.word%ZK-!.*_+'@word${TICK}~)(><:\\/"][?}{`,
    },
  },
  {
    name: 'esc01',
    section: '4475 3.1.1.3',
    text: `INVITE sip:sips%3Auser%40example.com@example.net SIP/2.0
To: sip:%75se%72@example.com
From: <sip:I%20have%20spaces@example.net>;tag=938
Max-Forwards: 87
i: esc01.239409asdfakjkn23onasd0-3234
CSeq: 234234 INVITE
Via: SIP/2.0/UDP host5.example.net;branch=z9hG4bKkdjuw
C: application/sdp
Contact:
  <sip:cal%6Cer@host5.example.net;%6C%72;n%61me=v%61lue%25%34%31>
Content-Length: 150

${sdp('192.0.2.1')}`,
    advice: 'Well formed; escapes mean what they stand for, and are not unescaped twice.',
    parse: 'OK',
    seen: CALL,
    asAdvised: true,
    reads: { uriUser: 'sips%3Auser%40example.com', uriHost: 'example.net', fromTag: '938' },
  },
  {
    name: 'escnull',
    section: '4475 3.1.1.4',
    text: `REGISTER sip:example.com SIP/2.0
To: sip:null-%00-null@example.com
From: sip:null-%00-null@example.com;tag=839923423
Max-Forwards: 70
Call-ID: escnull.39203ndfvkjdasfkq3w4otrq0adsfdfnavd
CSeq: 14398234 REGISTER
Via: SIP/2.0/UDP host5.example.com;branch=z9hG4bKkdjuw
Contact: <sip:%00@host5.example.com>
Contact: <sip:%00%00@host5.example.com>
L:0

`,
    advice: 'Well formed; an escaped NUL does not end the user part.',
    parse: 'OK',
    seen: '405 Method Not Allowed',
    asAdvised: true,
    why: NO_REGISTRAR,
    reads: { from: 'sip:null-%00-null@example.com;tag=839923423', fromTag: '839923423' },
  },
  {
    name: 'esc02',
    section: '4475 3.1.1.5',
    text: `RE%47IST%45R sip:registrar.example.com SIP/2.0
To: "%Z%45" <sip:resource@example.com>
From: "%Z%45" <sip:resource@example.com>;tag=f232jadfj23
Call-ID: esc02.asdfnqwo34rq23i34jrjasdcnl23nrlknsdf
Via: SIP/2.0/TCP host.example.com;branch=z9hG4bK209%fzsnel234
CSeq: 29344 RE%47IST%45R
Max-Forwards: 70
Contact: <sip:alias1@host1.example.com>
C%6Fntact: <sip:alias2@host2.example.com>
Contact: <sip:alias3@host3.example.com>
l: 0

`,
    advice: 'Well formed; % is no escape in a method or header name: unknown method, 501.',
    parse: 'OK',
    seen: '501 Not Implemented',
    asAdvised: true,
    reads: { methodName: 'RE%47IST%45R', contacts: 2 },
  },
  {
    name: 'lwsdisp',
    section: '4475 3.1.1.6',
    text: `OPTIONS sip:user@example.com SIP/2.0
To: sip:user@example.com
From: caller<sip:caller@example.com>;tag=323
Max-Forwards: 70
Call-ID: lwsdisp.1234abcd@funky.example.com
CSeq: 60 OPTIONS
Via: SIP/2.0/UDP funky.example.com;branch=z9hG4bKkdjuw
l: 0

`,
    advice: 'Accept: the missing space before < is a bug of the grammar.',
    parse: 'OK',
    seen: '200 OK',
    asAdvised: true,
    reads: { fromTag: '323' },
  },
  {
    name: 'dblreq',
    section: '4475 3.1.1.8',
    text: `REGISTER sip:example.com SIP/2.0
To: sip:j.user@example.com
From: sip:j.user@example.com;tag=43251j3j324
Max-Forwards: 8
I: dblreq.0ha0isndaksdj99sdfafnl3lk233412
Contact: sip:j.user@host.example.com
CSeq: 8 REGISTER
Via: SIP/2.0/UDP 192.0.2.125;branch=z9hG4bKkdjuw23492
Content-Length: 0


INVITE sip:joe@example.com SIP/2.0
t: sip:joe@example.com
From: sip:caller@example.net;tag=141334
Max-Forwards: 8
Call-ID: dblreq.0ha0isnda977644900765@192.0.2.15
CSeq: 8 INVITE
Via: SIP/2.0/UDP 192.0.2.15;branch=z9hG4bKkdjuw380234
Content-Type: application/sdp
Content-Length: 150

${sdp('192.0.2.15').replace('m=video', 'm =video')}
`,
    advice: 'One REGISTER; the bytes behind its Content-Length look like an INVITE and are noise.',
    parse: 'OK',
    seen: '405 Method Not Allowed',
    asAdvised: true,
    why: NO_REGISTRAR,
    reads: { methodName: 'REGISTER', body: '' },
  },
  {
    name: 'semiuri',
    section: '4475 3.1.1.9',
    text: `OPTIONS sip:user;par=u%40example.net@example.com SIP/2.0
To: sip:j_user@example.com
From: sip:caller@example.org;tag=33242
Max-Forwards: 3
Call-ID: semiuri.0ha0isndaksdj
CSeq: 8 OPTIONS
Accept: application/sdp, application/pkcs7-mime,
        multipart/mixed, multipart/signed,
        message/sip, message/sipfrag
Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKkdjuw
l: 0

`,
    advice: 'Accept; the user part is user;par=u@example.net.',
    parse: 'OK',
    seen: '200 OK',
    asAdvised: true,
    reads: { uriUser: 'user;par=u%40example.net', uriHost: 'example.com' },
  },
  {
    name: 'transports',
    section: '4475 3.1.1.10',
    text: `OPTIONS sip:user@example.com SIP/2.0
To: sip:user@example.com
From: <sip:caller@example.com>;tag=323
Max-Forwards: 70
Call-ID:  transports.kijh4akdnaqjkwendsasfdj
Accept: application/sdp
CSeq: 60 OPTIONS
Via: SIP/2.0/UDP t1.example.com;branch=z9hG4bKkdjuw
Via: SIP/2.0/SCTP t2.example.com;branch=z9hG4bKklasjdhf
Via: SIP/2.0/TLS t3.example.com;branch=z9hG4bK2980unddj
Via: SIP/2.0/UNKNOWN t4.example.com;branch=z9hG4bKasd0f3en
Via: SIP/2.0/TCP t5.example.com;branch=z9hG4bK0a9idfnee
l: 0

`,
    advice: 'Accept: known and unknown transports in the lower Vias change nothing.',
    parse: 'OK',
    seen: '200 OK',
    asAdvised: true,
    reads: { branch: 'z9hG4bKkdjuw', sentBy: 't1.example.com', moreVias: true },
  },
  {
    name: 'unreason',
    section: '4475 3.1.1.12',
    text: `<allOneLine>
SIP/2.0 200 = 2**3 * 5**2<hex>20D0BDD0BE20D181D182D0BE20D0B4D0B5D0B2
D18FD0BDD0BED181D182D0BE20D0B4D0B5D0B2D18FD182D18C202D20D0BFD180D0BED181D182D0BED0B5</hex>
</allOneLine>
Via: SIP/2.0/UDP 192.0.2.198;branch=z9hG4bK1324923
Call-ID: unreason.1234ksdfak3j2erwedfsASdf
CSeq: 35 INVITE
From: sip:user@example.com;tag=11141343
To: sip:user@example.edu;tag=2229
Content-Length: 154
Content-Type: application/sdp
Contact: <sip:user@host198.example.com>

${sdp('192.0.2.198')}`,
    advice: 'Accept: a reason phrase may be any text, UTF-8 too.',
    parse: 'OK',
    seen: 'answered 200, acknowledged',
    asAdvised: true,
    reads: { status: 200, moreVias: false },
  },
  {
    name: 'noreason',
    section: '4475 3.1.1.13',
    text: `SIP/2.0 100<hex>20</hex>
Via: SIP/2.0/UDP 192.0.2.105;branch=z9hG4bK2398ndaoe
Call-ID: noreason.asndj203insdf99223ndf
CSeq: 35 INVITE
From: <sip:user@example.com>;tag=39ansfi3
To: <sip:user@example.edu>;tag=902jndnke3
Content-Length: 0
Contact: <sip:user@host105.example.com>

`,
    advice: 'Accept: the reason phrase may be empty.',
    parse: 'OK',
    seen: 'provisional 100',
    asAdvised: true,
    reads: { status: 100, phrase: '' },
  },
];
