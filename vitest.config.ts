import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    exclude: ['test/real/**'],
    include: ['harness/**/*.test.ts', 'agents/**/*.test.ts', 'scenarios/**/*.test.ts', 'test/**/*.test.ts'],
    // Two cores is the smallest machine we promise; real-socket tests would starve each other with more.
    maxWorkers: 2,
    testTimeout: 120_000,
    hookTimeout: 60_000,
  },
});
