import { join } from 'node:path';
import type pg from 'pg';
import { DataSource, type DataSourceOptions } from 'typeorm';

import { OrchestrateFlowError } from '../engine/errors.js';
import type { ConnectionConfig } from './connection.js';
import { openEmbeddedPostgres, type EmbeddedPostgres } from './embedded/embedded-postgres.js';
import { ORCHESTRATE_FLOW_ENTITIES, WorkflowRun } from './entities/index.js';

/** Where embedded PostgreSQL keeps its data unless the options say otherwise, below the working directory. */
export const DEFAULT_DATA_DIR = join('.orchestrate-flow', 'postgres');

/** The database a process keeps its workflows in, and how to open connections of the library's own to it. */
export class Database {
  private constructor(
    readonly dataSource: DataSource,
    /** Whether the library opened the DataSource itself. */
    readonly isOwned: boolean,
    private readonly embedded: EmbeddedPostgres | null,
  ) {}

  /** The app's own DataSource. It stays the app's to close. */
  static async ofApp(dataSource: DataSource, schema: string): Promise<Database> {
    assertPostgres(dataSource);
    if (!dataSource.isInitialized) await dataSource.initialize();
    assertEntities(dataSource);
    adoptSchema(dataSource, schema);
    return new Database(dataSource, false, null);
  }

  /** A database for an app without TypeORM. */
  static async ofUrl(url: string, schema: string): Promise<Database> {
    const dataSource = await initialize(
      { type: 'postgres', url, entities: [...ORCHESTRATE_FLOW_ENTITIES] },
      'the url given',
    );
    adoptSchema(dataSource, schema);
    return new Database(dataSource, true, null);
  }

  /** Embedded PostgreSQL, shared by all processes that name the same folder. */
  static async ofFolder(dataDir: string, schema: string): Promise<Database> {
    const embedded = await openEmbeddedPostgres({ dataDir });
    const { host, port, user, database } = embedded.connection;
    const entities = [...ORCHESTRATE_FLOW_ENTITIES];
    const options = { type: 'postgres', host, port, username: user, database, entities } as const;
    const dataSource = await initialize(options, `the embedded database in ${embedded.dataDir}`);
    adoptSchema(dataSource, schema);
    return new Database(dataSource, true, embedded);
  }

  /** The folder of embedded PostgreSQL, or null. */
  get folder(): string | null {
    return this.embedded?.dataDir ?? null;
  }

  get connectionConfig(): ConnectionConfig {
    return connectionConfigOf(this.dataSource);
  }

  async close(): Promise<void> {
    if (this.isOwned && this.dataSource.isInitialized) await this.dataSource.destroy();
    await this.embedded?.stop();
  }
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

async function initialize(options: DataSourceOptions, where: string): Promise<DataSource> {
  try {
    return outlive(await new DataSource(options).initialize());
  } catch (error) {
    const reason = error instanceof Error ? error.message || error.name : String(error);
    throw new OrchestrateFlowError(
      'OF_DATABASE_UNAVAILABLE',
      `Cannot connect to ${where}: ${reason}. See that the server runs and that user, password and database are right.`,
      { cause: error },
    );
  }
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
