import { sdp, type TortureMessage } from './notation.js';

/** "v: SIP/2.0/TCP sip32.example.com": the header's name in every spelling, counting down. */
const NAMES = ['Via:', 'v:', 'V:', 'Via:', 'ViA:', 'VIa:', 'VIA:', 'via:', 'viA:', 'vIa:', 'vIA:', 'V : ', 'v : '];
const LATER = ['V  :', 'v  :', 'Via :', 'Via  :', ...Array<string>(16).fill('Via:')];
const VIAS = [...NAMES, ...LATER].map((name, i) => `${name} SIP/2.0/TCP sip${33 - i}.example.com`).join('\n');

/** RFC 4475 3.1.1: the two valid messages that are long. */
export const VALID_LONG: readonly TortureMessage[] = [
  {
    name: 'longreq',
    section: '4475 3.1.1.7',
    text: `INVITE sip:user@example.com SIP/2.0
<allOneLine>
To: "I have a user name of
 <repeat count=10>extreme</repeat> proportion"
<sip:user@example.com:6000;unknownparam1=very<repeat count=20>long</repeat>value
;longparam<repeat count=25>name</repeat>=shortvalue
;very<repeat count=25>long</repeat>ParameterNameWithNoValue>
</allOneLine>
<allOneLine>
F: sip:
<repeat count=5>amazinglylongcallername</repeat>@example.net
;tag=12<repeat count=50>982</repeat>424
;unknownheaderparam<repeat count=20>name</repeat>=
unknowheaderparam<repeat count=15>value</repeat>
;unknownValueless<repeat count=10>paramname</repeat>
</allOneLine>
Call-ID: longreq.one<repeat count=20>really</repeat>longcallid
CSeq: 3882340 INVITE
<allOneLine>
Unknown-<repeat count=20>Long</repeat>-Name:
 unknown-<repeat count=20>long</repeat>-value;
 unknown-<repeat count=20>long</repeat>-parameter-name =
 unknown-<repeat count=20>long</repeat>-parameter-value
</allOneLine>
${VIAS}
<allOneLine>
Via: SIP/2.0/TCP host.example.com;received=192.0.2.5
;branch=very<repeat count=50>long</repeat>branchvalue
</allOneLine>
Max-Forwards: 70
<allOneLine>
Contact: <sip:
<repeat count=5>amazinglylongcallername</repeat>@host5.example.net>
</allOneLine>
Content-Type: application/sdp
l: 150

${sdp('192.0.2.1')}`,
    advice: 'Well formed, with very long values and 34 Vias.',
    parse: 'OK',
    seen: 'nothing',
    asAdvised: false,
    why:
      'The parser accepts it. Its 3,515 bytes are more than DATAGRAM_MAX (2,048): a UDP socket of ours drops and counts ' +
      'it (receiveDropped), and an answer that must echo all Vias would not fit into a datagram of ours either.',
    reads: { cseq: 3882340, sentBy: 'sip33.example.com', maxForwards: 70, fromTag: `12${'982'.repeat(50)}424` },
  },
  {
    name: 'mpart01',
    section: '4475 3.1.1.11',
    text: `MESSAGE sip:kumiko@example.org SIP/2.0
<allOneLine>
Via: SIP/2.0/UDP 127.0.0.1:5070
;branch=z9hG4bK-d87543-4dade06d0bdb11ee-1--d87543-;rport
</allOneLine>
Max-Forwards: 70
Route: <sip:127.0.0.1:5080>
<allOneLine>
Identity: r5mwreLuyDRYBi/0TiPwEsY3rEVsk/G2WxhgTV1PF7hHuLIK0YWVKZhKv9Mj8UeXqkMVbnVq37CD+
813gvYjcBUaZngQmXc9WNZSDNGCzA+fWl9MEUHWIZo1CeJebdY/XlgKeTa0Olvq0rt70Q5jiSfbqMJmQFteeivU
hkMWYUA=
</allOneLine>
Contact: <sip:fluffy@127.0.0.1:5070>
To: <sip:kumiko@example.org>
From: <sip:fluffy@example.com>;tag=2fb0dcc9
Call-ID: 3d9485ad0c49859b@Zmx1ZmZ5LW1hYy0xNi5sb2NhbA..
CSeq: 1 MESSAGE
Content-Transfer-Encoding: binary
Content-Type: multipart/mixed;boundary=7a9cbec02ceef655
Date: Sat, 15 Oct 2005 04:44:56 GMT
User-Agent: SIPimp.org/0.2.5 (curses)
Content-Length: 553

--7a9cbec02ceef655
Content-Type: text/plain
Content-Transfer-Encoding: binary

Hello
--7a9cbec02ceef655
Content-Type: application/octet-stream
Content-Transfer-Encoding: binary

<hex>
3082015206092A864886F70D010702A08201433082013F0201013109300706052B0E0302
1A300B06092A864886F70D010701318201203082011C020101307C3070310B3009060355
040613025553311330110603550408130A43616C69666F726E69613111300F0603550407
130853616E204A6F7365310E300C060355040A1305736970697431293027060355040B13
205369706974205465737420436572746966696361746520417574686F72697479020801
95007102330113300706052B0E03021A300D06092A864886F70D01010105000481808EF4
66F948F0522DD2E5978E9D95AAE9F2FE15A06659716292E8DA2AA8D8350A68CEFFAE3CBD
2BFF1675DDD5648E593DD64728F26220F7E941749E330D9A15EDABDB93D10C42102E7B72
89D29CC0C9AE2EFBC7C0CFF9172F3B027E4FC027E1546DE4B6AA3ABB3E66CCCB5DD6C64B
8383149CB8E6FF182D944FE57B65BC99D005
</hex>
--7a9cbec02ceef655--
`,
    advice: 'Well formed; the second body part is binary and has NULs in it.',
    parse: 'OK',
    seen: '405 Method Not Allowed at port 40000',
    asAdvised: true,
    why: 'MESSAGE is a method that we know and do not take. The answer goes to the source port: its Via has rport.',
    reads: { methodName: 'MESSAGE', bodyLength: 553, sentBy: '127.0.0.1:5070' },
  },
];
