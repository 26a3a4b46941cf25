import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

interface Manifest {
  readonly version: string;
  readonly peerDependencies: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta: Readonly<Record<string, unknown>>;
}

/** The folder of an app that is nothing but names: what the doctor sees from outside. */
export interface TestAppFolder {
  readonly dir: string;
  write(file: string, content: string | object): void;
  /** Puts a package there, in `node_modules` or below another package. */
  install(name: string, version: string, inside?: string): void;
  remove(path: string): void;
  delete(): void;
}

/** Makes the folder of an app in which nothing is wrong, for a test to break. */
export function makeAppFolder(): TestAppFolder {
  const dir = mkdtempSync(join(tmpdir(), 'of-app-'));
  const write = (file: string, content: string | object) => {
    mkdirSync(dirname(join(dir, file)), { recursive: true });
    writeFileSync(join(dir, file), typeof content === 'string' ? content : JSON.stringify(content, null, 2));
  };
  const folder: TestAppFolder = {
    dir,
    write,
    install: (name, version, inside = '.') =>
      write(join(inside, 'node_modules', name, 'package.json'), { name, version }),
    remove: (path) => rmSync(join(dir, path), { recursive: true }),
    delete: () => rmSync(dir, { recursive: true, force: true }),
  };
  const own = JSON.parse(readFileSync(join(import.meta.dirname, '..', '..', 'package.json'), 'utf8')) as Manifest;
  folder.install('orchestrate-flow', own.version);
  for (const [name, range] of Object.entries(own.peerDependencies)) {
    if (own.peerDependenciesMeta[name] === undefined) folder.install(name, /[\d.]+$/.exec(range)![0]);
  }
  write('package.json', { name: 'shop', type: 'module' });
  write('tsconfig.json', { compilerOptions: { experimentalDecorators: true, emitDecoratorMetadata: true } });
  write('src/main.ts', 'const app = await NestFactory.create(AppModule);\napp.enableShutdownHooks();\n');
  return folder;
}
