import { APPLICATION } from './application.js';
import { INVALID } from './invalid.js';
import { INVALID_MORE } from './invalid-more.js';
import { IPV6 } from './ipv6.js';
import type { TortureMessage } from './notation.js';
import { VALID } from './valid.js';
import { VALID_LONG } from './valid-long.js';

/** In the order of the sections. */
export const CORPUS: readonly TortureMessage[] = [
  ...VALID,
  ...VALID_LONG,
  ...INVALID,
  ...INVALID_MORE,
  ...APPLICATION,
  ...IPV6,
].sort((a, b) => a.section.localeCompare(b.section, 'en', { numeric: true }));
