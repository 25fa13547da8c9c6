import fc from 'fast-check';

/** What a generated message says, before any of the ways of writing it down was chosen. */
export interface Said {
  request: boolean;
  methodName: string;
  uri: string;
  status: number;
  phrase: string;
  vias: { value: string; branch: string; sentBy: string }[];
  from: string;
  fromTag: string;
  to: string;
  toTag: string;
  callId: string;
  cseq: number;
  maxForwards: number;
  contact: string;
  body: string;
  extra: [name: string, value: string][];
}

const TOKEN = "abcXYZ019-.!%*_+`'~";
const token = (min = 1): fc.Arbitrary<string> =>
  fc.string({ unit: fc.constantFrom(...TOKEN), minLength: min, maxLength: 12 });
/** Inside quotes anything goes, once escaped: separators of every kind, and what looks like a parameter. */
const quoted = fc
  .array(fc.constantFrom('a', ' ', ';tag=no', ',', '<', '>', '"', '\\', ':', '@', ';branch=no', '\xe9'), {
    maxLength: 6,
  })
  .map((parts) => `"${parts.join('').replace(/["\\]/g, '\\$&')}"`);
const host = fc.constantFrom('192.0.2.1', 'h.example', 'h');
const parameter = fc.oneof(
  token().map((name) => `;x${name}`),
  fc.tuple(token(), fc.oneof(token(), quoted)).map(([name, value]) => `;x${name}=${value}`),
);
const parameters = fc.array(parameter, { maxLength: 3 }).map((list) => list.join(''));
const uri = fc
  .tuple(fc.constantFrom('sip:', 'sip:user@', 'sips:1234;phone-context=x@'), host, fc.constantFrom('', ':5070'))
  .map((parts) => parts.join(''));
/** Inside brackets the URI may have parameters and headers of its own. */
const nameAddr = fc
  .tuple(fc.oneof(fc.constant(''), quoted, token()), uri, fc.constantFrom('', ';tag=no;lr', '?Subject=a,b'))
  .map(([name, u, more]) => `${name} <${u}${more}>`.trim());
const addr = fc.oneof(nameAddr, uri);

function tagged(present: fc.Arbitrary<boolean>): fc.Arbitrary<[value: string, tag: string]> {
  return fc
    .tuple(addr, parameters, present, token(), fc.constantFrom(';tag=', ';TAG = ', ' ; Tag='), parameters)
    .map(([a, before, has, tag, name, after]) => [
      has ? `${a}${before}${name}${tag}${after}` : `${a}${before}`,
      has ? tag : '',
    ]);
}

const via = fc
  .tuple(
    fc.constantFrom('SIP/2.0/UDP', 'sip / 2.0 / TCP'),
    host,
    fc.constantFrom('', ':5062'),
    parameters,
    token(),
    parameters,
  )
  .map(([protocol, h, port, before, branch, after]) => ({
    value: `${protocol} ${h}${port}${before};branch=z9hG4bK${branch}${after}`,
    branch: `z9hG4bK${branch}`,
    sentBy: `${h}${port}`,
  }));
const extra = fc.tuple(
  token().map((t) => `X-${t}`),
  fc
    .string({ unit: fc.constantFrom('a', ' ', ':', ';', ',', '"', '\\', '<', '\xff'), maxLength: 20 })
    .map((v) => v.trim()),
);

export const said: fc.Arbitrary<Said> = fc
  .record({
    request: fc.boolean(),
    methodName: fc.oneof(fc.constantFrom('INVITE', 'ACK', 'BYE', 'CANCEL', 'REGISTER', 'PUBLISH'), token()),
    uri,
    status: fc.integer({ min: 100, max: 699 }),
    phrase: fc.constantFrom('', 'OK', 'Not Found', 'sip:a SIP/2.0'),
    vias: fc.array(via, { minLength: 1, maxLength: 4 }),
    fromPair: tagged(fc.boolean()),
    toPair: tagged(fc.boolean()),
    callId: fc.tuple(token(), fc.constantFrom('', '@h')).map((p) => p.join('')),
    cseq: fc.integer({ min: 0, max: 0x7fffffff }),
    maxForwards: fc.integer({ min: -1, max: 255 }),
    contact: fc.oneof(fc.constant(''), fc.constant('*'), nameAddr),
    body: fc.string({ unit: fc.constantFrom('a', '\r', '\n', ':', '\0', '\xff'), maxLength: 30 }),
    extra: fc.array(extra, { maxLength: 3 }),
  })
  .map(({ fromPair: [from, fromTag], toPair: [to, toTag], ...others }) => ({ ...others, from, fromTag, to, toTag }));

const COMPACT: Record<string, string> = { Via: 'v', From: 'f', To: 't', 'Call-ID': 'i', Contact: 'm' };

/** Writes it down in one of the many ways that RFC 3261 allows; `pick(n)` chooses one of n. */
export function written(s: Said, pick: (n: number) => number): string {
  const eol = pick(4) === 0 ? '\n' : '\r\n';
  const line = (name: string, value: string): string => {
    const short = COMPACT[name];
    const form = short !== undefined && pick(2) === 0 ? short : name;
    const cased = [form, form.toUpperCase(), form.toLowerCase()][pick(3)]!;
    const gap = [':', ': ', ' :\t', `:${eol} `][pick(4)]!;
    return `${cased}${gap}${value}${['', '  ', `${eol}\t`][pick(3)]!}${eol}`;
  };
  const headers: string[] = [];
  for (let i = 0; i < s.vias.length; ) {
    let value = s.vias[i++]!.value;
    while (i < s.vias.length && pick(2) === 0) value += `${[',', ' , ', `,${eol} `][pick(3)]!}${s.vias[i++]!.value}`;
    headers.push(line('Via', value));
  }
  const others = [
    line('From', s.from),
    line('To', s.to),
    line('Call-ID', s.callId),
    line('CSeq', `${s.cseq}${[' ', '\t', `${eol} `][pick(3)]!}${s.methodName}`),
    ...s.extra.map(([name, value]) => line(name, value)),
  ];
  if (s.maxForwards >= 0) others.push(line('Max-Forwards', String(s.maxForwards)));
  if (s.contact !== '') others.push(line('Contact', s.contact));
  const counted = pick(2) === 0;
  if (counted) others.push(line(['Content-Length', 'l'][pick(2)]!, String(s.body.length)));
  // Via lines keep their order among each other; everything else may stand anywhere.
  for (const other of others) headers.splice(pick(headers.length + 1), 0, other);
  const start = s.request ? `${s.methodName} ${s.uri} SIP/2.0` : `SIP/2.0 ${s.status} ${s.phrase}`;
  const before = ['', '\r\n', '\n\r\n'][pick(3)]!;
  return `${before}${start}${eol}${headers.join('')}${eol}${s.body}${counted && pick(2) === 0 ? 'beyond' : ''}`;
}
