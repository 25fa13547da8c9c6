import { CORPUS } from './corpus.js';
import type { TortureMessage } from './notation.js';
import { isResponse, parserSays, seenBy } from './probe.js';

const cell = (text: string): string => text.replaceAll('|', '\\|');

function row(m: TortureMessage): string {
  const seen = `${parserSays(m).code}; ${seenBy(m).what}`;
  const expected = `${m.parse}; ${m.seen}`;
  const advised = m.asAdvised ? 'yes' : '**no**';
  const cells = [m.name, m.section.split(' ')[1]!, m.advice, expected, seen, advised, m.why ?? ''];
  return `| ${cells.map(cell).join(' | ')} |`;
}

const HEAD = `| message | section | the RFC's advice | expected: parser; answer | seen | as advised | remark |
| --- | --- | --- | --- | --- | --- | --- |`;

/** docs/torture.md, made anew from what the parser, the callee and the caller do now. */
export function torturePage(): string {
  const part = (rfc: string): string => [HEAD, ...CORPUS.filter((m) => m.section.startsWith(rfc)).map(row)].join('\n');
  const differing = CORPUS.filter((m) => !m.asAdvised);
  const unexpected = CORPUS.filter((m) => parserSays(m).code !== m.parse || seenBy(m).what !== m.seen);
  return `# SIP torture messages

Every message of RFC 4475 and RFC 5118, rebuilt in \`test/torture/\` in the RFCs' own notation, through our parser and
then over the in-memory network: a request to a real callee (\`agents/uas.ts\`), a response (${CORPUS.filter(isResponse).length} of them) onto a pending
INVITE of a real caller (\`agents/uac.ts\`), with its Via, From, To, Call-ID and CSeq made to fit and all else as it is.

This page is written by \`DEADAIR_WRITE=1 npx vitest run test/torture.test.ts\`; the same test without the variable
fails when the page is not what the code does.

${CORPUS.length} messages: ${CORPUS.length - unexpected.length} as expected, ${unexpected.length} not. ${CORPUS.length - differing.length} are treated as the RFC advises,
${differing.length} otherwise: ${differing.map((m) => m.name).join(', ')}.

How to read it: the parser's part is a code of \`PARSE\` (\`agents/sip/parse.ts\`). Answers go to the source address, at
the port of the topmost Via (5060 if none is said). What cannot be parsed but has a Via that can be read is answered
statelessly (\`agents/sip/refuse.ts\`); what a callee objects to is in \`agents/sip/objection.ts\`.

## RFC 4475

${part('4475')}

## RFC 5118

${part('5118')}
`;
}
