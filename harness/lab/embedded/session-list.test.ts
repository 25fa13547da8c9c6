import { expect, test } from 'vitest';
import { SessionList } from './session-list.js';

test('sessions expire in the order of their last packet', () => {
  const list = new SessionList(4);
  const [a, b, c] = [list.add(1, 1, 10), list.add(2, 2, 20), list.add(3, 3, 30)];
  list.touch(a, 40);
  list.remove(c);
  list.touch(b, 50);
  expect(list.oldest).toBe(a);
  list.remove(a);
  expect(list.oldest).toBe(b);
  list.remove(b);
  expect(list.oldest).toBe(-1);
  for (let n = 0; n < 4; n++) list.add(n, n, n);
  expect(list.size).toBe(4);
  expect(list.lastUs[list.oldest]).toBe(0);
});
