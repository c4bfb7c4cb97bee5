import { defineConfig } from 'vitest/config';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { icons } from './scripts/icons.mjs';

// File names carry no hash: the bundle is committed and embedded, and the server tells versions apart by ETag.
export default defineConfig({
  plugins: [svelte(), icons()],
  base: '/',
  build: {
    target: 'es2022',
    outDir: 'dist',
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 200,
    rolldownOptions: {
      output: {
        entryFileNames: 'assets/[name].js',
        chunkFileNames: 'assets/[name].js',
        assetFileNames: 'assets/[name][extname]',
        // Two small parts of nearly every screen in one chunk: by themselves they cost more than they are.
        codeSplitting: { groups: [{ name: 'Screen', test: /parts\/(Screen|Dialog)\.svelte/ }] },
      },
    },
  },
  server: {
    proxy: { '/api': { target: process.env.GOC_SERVER ?? 'http://127.0.0.1:8420', ws: true } },
  },
  resolve: process.env.VITEST ? { conditions: ['browser'] } : {},
  test: {
    environment: 'happy-dom',
    include: ['test/**/*.test.ts'],
  },
});
