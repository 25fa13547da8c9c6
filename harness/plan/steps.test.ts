import { describe, expect, it } from 'vitest';
import { parseSteps } from './steps.js';

describe('steps', () => {
  it('says who does what, when, and to whom', () => {
    expect(parseSteps('hold@2s, resume@4.5s,callee:update@500ms,refer@6s>sip:100@192.0.2.1')).toEqual([
      { at: 'answer+2s', do: 'hold' },
      { at: 'answer+4.5s', do: 'resume' },
      { at: 'answer+500ms', by: 'callee', do: 'update' },
      { at: 'answer+6s', do: 'refer', to: 'sip:100@192.0.2.1' },
    ]);
    expect(parseSteps('')).toEqual([]);
  });

  it.each([
    ['hold', "steps: 'hold': expected [callee:]ACTION@TIME"],
    ['hold@2', "steps: 'hold@2': expected"],
    ['hold@2s,,resume@3s', "steps: '': expected"],
    ['dance@2s', "steps: 'dance@2s': there is no dance; there are hold, resume, reinvite, media, update, refer, bye"],
    ['hold@2s>sip:a@b', 'only refer has a URI'],
    ['refer@2s>bob', 'bob is not a SIP URI'],
  ])('%s is refused in one line that says what would do', (text, why) => {
    expect(() => parseSteps(text)).toThrow(why);
  });
});
