import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

// As a user's project has it. The package is found by its own name, and so it is what has been built.
export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  test: {
    include: ['*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    // A package is loaded by Node itself, not by Vitest.
    server: { deps: { external: [/\/dist\//] } },
  },
});
