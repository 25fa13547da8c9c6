import { fileURLToPath } from 'node:url';

/**
 * Arguments for `node` that start another thread or process of ours: `[file]` when we run compiled. When we run from
 * sources, as tests do, a small runner comes first; so that tests never meet a stale build.
 */
export function entryArgs(name: string, importMetaUrl: string): [string, ...string[]] {
  const source = importMetaUrl.endsWith('.ts');
  const file = fileURLToPath(new URL(`${name}.${source ? 'ts' : 'js'}`, importMetaUrl));
  if (!source) return [file];
  return [fileURLToPath(new URL('../test/support/run-source.mjs', import.meta.url)), file];
}
