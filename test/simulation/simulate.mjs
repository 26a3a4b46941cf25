import { register } from 'node:module';

// The sources as they are, without a build: TypeScript is compiled file by file while it is loaded.
register('../support/typescript-loader.mjs', import.meta.url);
await import('./simulate.ts');
