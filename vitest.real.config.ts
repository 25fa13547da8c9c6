import { defineConfig } from 'vitest/config';

/** Runs on real sockets at full size: they have the machine to themselves, so no other test file runs beside them. */
export default defineConfig({
  test: {
    include: ['test/real/**/*.test.ts'],
    fileParallelism: false,
    maxConcurrency: 64,
    testTimeout: 1_800_000,
    hookTimeout: 60_000,
  },
});
