/** @type {import('jest').Config} */
const project = {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '\\.ts$': [
      '@swc/jest',
      {
        jsc: {
          target: 'es2022',
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: true },
          keepClassNames: true,
        },
        module: { type: 'es6' },
        sourceMaps: 'inline',
      },
    ],
  },
  moduleNameMapper: {
    '^orchestrate-flow$': '<rootDir>/lib/index.ts',
    '^orchestrate-flow/testing$': '<rootDir>/lib/testing/index.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/sample-app/dist/'],
};

const onOneDatabase = {
  ...project,
  globalSetup: '<rootDir>/test/support/global-setup.mjs',
  globalTeardown: '<rootDir>/test/support/global-teardown.mjs',
};

/** @type {import('jest').Config} */
export default {
  maxWorkers: 2,
  // A bound for what hangs: long, because machines are shared. What takes long is told by no test.
  testTimeout: 180_000,
  projects: [
    { ...project, displayName: 'unit', testMatch: ['<rootDir>/lib/**/*.spec.ts'] },
    {
      ...onOneDatabase,
      displayName: 'database',
      testMatch: ['<rootDir>/test/**/*.spec.ts'],
      testPathIgnorePatterns: [
        '/node_modules/',
        '<rootDir>/test/chaos/',
        '<rootDir>/test/services/',
        '<rootDir>/test/package/',
      ],
    },
    // What needs several processes or servers of its own.
    { ...onOneDatabase, displayName: 'services', testMatch: ['<rootDir>/test/{chaos,services}/**/*.spec.ts'] },
  ],
};
