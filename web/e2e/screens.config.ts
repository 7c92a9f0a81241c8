import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: { root: import.meta.dirname, include: ['screens.ts'], testTimeout: 400_000, hookTimeout: 180_000 },
});
