import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ['*.test.ts'],
    testTimeout: 150_000,
    hookTimeout: 180_000,
    expect: { poll: { timeout: 20_000 } },
    fileParallelism: false,
    // One journey: what comes later needs what came before.
    sequence: { concurrent: false, shuffle: false },
    bail: 1,
  },
});
