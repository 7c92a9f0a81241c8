import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ['*.test.ts'],
    // Bounds for what hangs, on the slowest machine; what works takes a tenth.
    testTimeout: 600_000,
    hookTimeout: 400_000,
    expect: { poll: { timeout: 60_000 } },
    fileParallelism: false,
    // One journey: what comes later needs what came before.
    sequence: { concurrent: false, shuffle: false },
    bail: 1,
  },
});
