import { rmSync } from 'node:fs';
import { afterAll, expect, test } from 'vitest';
import { describeTables } from '../harness/verdict/query.js';
import { goodCall, SyntheticRun } from '../harness/verdict/testing.js';
import { schemaDoc } from './support/schema-doc.js';

const run = new SyntheticRun().addPair(goodCall(1, 0)).calm(5000);
const dir = await run.finish();
afterAll(() => rmSync(dir, { recursive: true }));

test('docs/schema.md is what the code says (npx vitest run test/schema-doc.test.ts -u writes it)', async () => {
  await expect(schemaDoc(await describeTables(dir))).toMatchFileSnapshot('../docs/schema.md');
});
