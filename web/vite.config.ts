import { readFileSync } from 'node:fs';
import tailwind from '@tailwindcss/vite';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';
import { compressed } from './build/compressed.ts';
import { sizes } from './build/sizes.ts';

// `npm run dev` talks to a running system: CAFFEINE_URL=http://127.0.0.1:8080 CAFFEINE_TOKEN_FILE=…/admin-token
const gateway = process.env.CAFFEINE_URL ?? 'http://127.0.0.1:8080';
const tokenFile = process.env.CAFFEINE_TOKEN_FILE;
const headers = tokenFile ? { authorization: `Bearer ${readFileSync(tokenFile, 'utf8').trim()}` } : undefined;
const target = { target: gateway, changeOrigin: true, headers };

export default defineConfig({
  plugins: [react(), tailwind(), sizes(), compressed()],
  build: {
    target: ['chrome123', 'firefox121', 'safari17.5'],
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 600,
    reportCompressedSize: false,
  },
  server: { host: '127.0.0.1', proxy: { '/api': target, '/login': target } },
  test: { include: ['src/**/*.test.ts', 'src/**/*.test.tsx', 'build/**/*.test.ts'] },
} as Parameters<typeof defineConfig>[0]);
