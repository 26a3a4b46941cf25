import { join } from 'node:path';
import type pg from 'pg';
import { DataSource, type DataSourceOptions } from 'typeorm';

import { OrchestrateFlowError } from '../engine/errors.js';
import { cannotConnect } from './connect-failure.js';
import type { ConnectionConfig } from './connection.js';
import { hasBinaries } from './embedded/binaries.js';
import { openEmbeddedPostgres, type EmbeddedPostgres } from './embedded/embedded-postgres.js';
import { unavailable } from './embedded/unavailable.js';
import { ORCHESTRATE_FLOW_ENTITIES, WorkflowRun } from './entities/index.js';
import type { EmbeddedEngine, GivenUrl } from './given-url.js';
import { findPglite, openPglite } from './pglite/pglite.js';
import { assertSessions } from './session-check.js';

/** Where embedded PostgreSQL keeps its data unless the options say otherwise, below the working directory. */
export const DEFAULT_DATA_DIR = join('.orchestrate-flow', 'postgres');

/** Who names the database of an app with TypeORM, in the words of an error. */
const APP = 'the DataSource of the app';

/** Milliseconds after which a server that does not answer is given up at boot. */
const CONNECT_WITHIN_MS = 10_000;

type PostgresOptions = Extract<DataSourceOptions, { type: 'postgres' }>;

interface Embedded {
  readonly engine: EmbeddedEngine;
  readonly dataDir: string;
  stop(): Promise<void>;
}

/** The database a process keeps its workflows in, and how to open connections of the library's own to it. */
export class Database {
  /** What is to be done once the connections are closed. */
  private cleanUp: () => Promise<void> = async () => {};

  private constructor(
    readonly dataSource: DataSource,
    /** Whether the library opened the DataSource itself. */
    readonly isOwned: boolean,
    /** Who named the database. */
    private readonly source: string,
    private readonly direct: GivenUrl | null,
    private readonly embedded: Embedded | null,
  ) {}

  /** The app's own DataSource. It stays the app's to close. */
  static async ofApp(dataSource: DataSource, schema: string, direct: GivenUrl | null): Promise<Database> {
    assertPostgres(dataSource);
    if (!dataSource.isInitialized) {
      await initialize(dataSource.options as PostgresOptions, () => dataSource, APP);
    }
    assertEntities(dataSource);
    adoptSchema(dataSource, schema);
    return new Database(dataSource, false, APP, direct, null);
  }

  /** A database for an app without TypeORM. */
  static async ofUrl(
    { text: url, source }: GivenUrl,
    schema: string,
    direct: GivenUrl | null = null,
  ): Promise<Database> {
    const dataSource = await open({ url, connectTimeoutMS: CONNECT_WITHIN_MS }, source);
    adoptSchema(dataSource, schema);
    return new Database(dataSource, true, source, direct, null);
  }

  /**
   * An embedded database: PostgreSQL, shared by all processes that name the same folder; where there are no binaries for the
   * platform PGlite, if it is installed, for one process.
   */
  static async ofFolder(dataDir: string, engine: EmbeddedEngine | null, schema: string): Promise<Database> {
    const pglite = engine === 'pglite' || (engine === null && !hasBinaries()) ? await findPglite() : null;
    if (engine === 'pglite' && !pglite)
      throw unavailable('PGlite is not installed', 'Run `npm install @electric-sql/pglite`.');
    const embedded = pglite ? await openPglite(pglite, dataDir) : await openEmbeddedPostgres({ dataDir });
    try {
      const reach = 'connect' in embedded ? { extra: { stream: embedded.connect } } : addressOf(embedded);
      const source = `the embedded database in ${embedded.dataDir}`;
      const dataSource = await open(reach, source);
      adoptSchema(dataSource, schema);
      const running = Object.assign(embedded, { engine: pglite ? 'pglite' : 'postgres' } as const);
      return new Database(dataSource, true, source, null, running);
    } catch (error) {
      await embedded.stop();
      throw error;
    }
  }

  /** The embedded database's engine and folder, or null. */
  get home(): Pick<Embedded, 'engine' | 'dataDir'> | null {
    return this.embedded;
  }

  /** How connections of the library's own reach it: as sessions. */
  get connectionConfig(): ConnectionConfig {
    const config = connectionConfigOf(this.dataSource);
    // TLS as the DataSource has it, where the url does not say otherwise: both servers are of one house.
    return this.direct ? { connectionString: this.direct.text, ssl: config.ssl } : config;
  }

  /**
   * Whether what the library needs can be had over its own connections.
   *
   * @throws OrchestrateFlowError `OF_SESSION_NEEDED`, `OF_DATABASE_UNSUITABLE`, `OF_DATABASE_UNAVAILABLE`
   */
  async assertUsable(): Promise<void> {
    // PGlite has one backend, whose clients take turns: see persistence/pglite.
    if (this.embedded) return;
    await assertSessions(this.connectionConfig, this.direct?.source ?? this.source);
    if (!this.direct) return;
    const [one, other] = [await identify(this.dataSource), await this.directly(identify)];
    if (one !== other) throw otherDatabase(this.source);
  }

  /** Hands out a DataSource whose connections are sessions: for migrations. */
  async directly<T>(use: (dataSource: DataSource) => Promise<T>): Promise<T> {
    if (!this.direct) return use(this.dataSource);
    const ssl = this.connectionConfig.ssl as PostgresOptions['ssl'];
    const dataSource = await open(
      { url: this.direct.text, ssl, connectTimeoutMS: CONNECT_WITHIN_MS },
      this.direct.source,
    );
    try {
      return await use(dataSource);
    } finally {
      await dataSource.destroy();
    }
  }

  /** Does something more when it is closed, last of all. */
  whenClosed(cleanUp: () => Promise<void>): this {
    this.cleanUp = cleanUp;
    return this;
  }

  async close(): Promise<void> {
    if (this.isOwned && this.dataSource.isInitialized) await this.dataSource.destroy();
    await this.embedded?.stop();
    await this.cleanUp();
  }
}

function addressOf({ connection }: EmbeddedPostgres) {
  const { host, port, user, database } = connection;
  // Over a Unix socket there is no TLS, whatever the environment says.
  return { host, port, username: user, database, ssl: false };
}

/** Which database it is, of which running server. */
async function identify(dataSource: DataSource): Promise<string> {
  const runner = dataSource.createQueryRunner('master');
  try {
    const select = 'SELECT current_database() AS name, pg_postmaster_start_time()::text AS started';
    return JSON.stringify(await runner.query(select));
  } finally {
    await runner.release();
  }
}

function otherDatabase(source: string): OrchestrateFlowError {
  return new OrchestrateFlowError(
    'OF_DATABASE_UNSUITABLE',
    `Cannot use the option \`directUrl\`: it leads to another database, or another server, than ${source}. Give the way past the ` +
      'pooler to the very same one: a run that is started in a transaction must be where the workers look.',
  );
}

/** How a DataSource reaches its primary: the same for connections of the library's own. */
export function connectionConfigOf(dataSource: DataSource): ConnectionConfig {
  const { master } = dataSource.driver as unknown as { master: { options: Record<string, unknown> } };
  // pg-pool hides the password from enumeration.
  const config: Record<string, unknown> = { ...master.options, password: master.options['password'] };
  for (const name of POOL_OPTIONS) delete config[name];
  return config;
}

/** Options of a pool, or of its connections in the app's use, that do not concern a connection of ours. */
const POOL_OPTIONS = [
  'max',
  'min',
  'idleTimeoutMillis',
  'maxUses',
  'maxLifetimeSeconds',
  'allowExitOnIdle',
  'Client',
  'Promise',
  'log',
  'verify',
  'onConnect',
  'application_name',
  'statement_timeout',
  'query_timeout',
];

/** A connection that ends between the pool and TypeORM, which listens a moment later, would end the process. */
function outlive(dataSource: DataSource): DataSource {
  const { master } = dataSource.driver as unknown as { master: pg.Pool };
  const ignore = () => {};
  // Not 'connect': one connection was opened while the DataSource was initialized.
  master.on('acquire', (client) => client.off('error', ignore).on('error', ignore));
  return dataSource;
}

/** A DataSource of the library's own. */
async function open(reach: Omit<PostgresOptions, 'type'>, source: string): Promise<DataSource> {
  const options: PostgresOptions = { ...reach, type: 'postgres', entities: [...ORCHESTRATE_FLOW_ENTITIES] };
  return outlive(await initialize(options, () => new DataSource(options), source));
}

async function initialize(options: PostgresOptions, make: () => DataSource, source: string): Promise<DataSource> {
  try {
    return await make().initialize();
  } catch (error) {
    throw cannotConnect(targetOf(options), source, error);
  }
}

/** Where a DataSource that has no pool yet was to connect to. */
function targetOf({ replication, extra, ...options }: PostgresOptions): ConnectionConfig {
  const { url, host, port, username, database, ssl } = replication?.master ?? options;
  const target = { connectionString: url, host, port, user: username, database, ssl, ...(extra as object) };
  return target as ConnectionConfig;
}

function assertPostgres({ options }: DataSource): void {
  if (options.type === 'postgres') return;
  throw new OrchestrateFlowError(
    'OF_DATABASE_UNSUITABLE',
    `Cannot keep workflows in the app's DataSource: it is of type "${options.type}", and PostgreSQL is needed. ` +
      'Name a DataSource of type "postgres" by the option `dataSource`.',
  );
}

function assertEntities(dataSource: DataSource): void {
  if (dataSource.hasMetadata(WorkflowRun)) return;
  throw new OrchestrateFlowError(
    'OF_DATABASE_UNSUITABLE',
    "Cannot read workflows through the app's DataSource: it does not know the library's entities. " +
      'Set `autoLoadEntities: true` in TypeOrmModule.forRoot(), or add ...ORCHESTRATE_FLOW_ENTITIES to its `entities`.',
  );
}

/** The entities name the default schema; a DataSource whose tables lie in another is told before anything is read. */
function adoptSchema(dataSource: DataSource, schema: string): void {
  for (const entity of ORCHESTRATE_FLOW_ENTITIES) {
    const metadata = dataSource.getMetadata(entity);
    metadata.schema = schema;
    metadata.tablePath = `${schema}.${metadata.tableName}`;
  }
}
