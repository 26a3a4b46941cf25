// A process of its own that opens an embedded server, for embedded-postgres.spec.ts: tells its parent by IPC, and does
// what it is told. Loads the library's TypeScript as it is, because a process to be killed cannot be one of Jest's.
import { register } from 'node:module';

const HOOKS = `
import { readFile } from 'node:fs/promises';
import { transform } from ${JSON.stringify(import.meta.resolve('@swc/core'))};
export async function resolve(specifier, context, next) {
  const ours = context.parentURL?.endsWith('.ts') && /^\\.{1,2}\\//.test(specifier);
  return next(ours ? specifier.replace(/\\.js$/, '.ts') : specifier, context);
}
export async function load(url, context, next) {
  if (!url.endsWith('.ts')) return next(url, context);
  const { code } = await transform(await readFile(new URL(url), 'utf8'), {
    configFile: false, swcrc: false, module: { type: 'es6' }, jsc: { target: 'es2022', parser: { syntax: 'typescript' } },
  });
  return { format: 'module', source: code, shortCircuit: true };
}`;
register(`data:text/javascript,${encodeURIComponent(HOOKS)}`);

const { openEmbeddedPostgres } = await import('../../lib/persistence/embedded/embedded-postgres.ts');

const [dataDir] = process.argv.slice(2);
try {
  const server = await openEmbeddedPostgres(dataDir === undefined ? {} : { dataDir });
  process.on('message', async (order) => {
    if (order === 'stop') await server.stop();
    // Neither stops nor exits: ends only if the server does not keep it alive.
    process.disconnect();
  });
  process.send({ connection: server.connection, dataDir: server.dataDir });
} catch (error) {
  process.send({ error: { code: error.code, message: error.message } });
  process.disconnect();
}
