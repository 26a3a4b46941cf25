import * as pg from 'pg';

/** A database as the doctor looks at it: over one connection, and others where two must meet. */
export class DatabaseSession {
  private readonly clients: pg.Client[] = [];

  private constructor(
    private readonly config: pg.ClientConfig,
    /** The schema of the library's tables. */
    readonly schema: string,
    private main: pg.Client | null = null,
  ) {}

  /** Connects, or throws what node-postgres throws. */
  static async open(config: pg.ClientConfig, schema: string): Promise<DatabaseSession> {
    const session = new DatabaseSession(config, schema);
    session.main = await session.connect();
    return session;
  }

  /** The rows that a statement gives. */
  async query<Row extends object>(sql: string, values: unknown[] = []): Promise<Row[]> {
    return (await this.main!.query<Row>(sql, values)).rows;
  }

  /** The one row that a statement gives. */
  async ask<Row extends object>(sql: string, values: unknown[] = []): Promise<Row> {
    const [row] = await this.query<Row>(sql, values);
    if (!row) throw new Error('the database gave no answer');
    return row;
  }

  /** Whether the role may look into a schema; false also where there is none. */
  async mayUse(schema: string): Promise<boolean> {
    const { may } = await this.ask<{ may: boolean | null }>(
      `SELECT has_schema_privilege(to_regnamespace($1)::oid, 'USAGE') AS may`,
      [schema],
    );
    return may ?? false;
  }

  /** One more connection. */
  async connect(): Promise<pg.Client> {
    const client = new pg.Client({ ...this.config, application_name: 'orchestrate-flow doctor' });
    // A connection that ends while nobody waits for it would end the process.
    client.on('error', () => {});
    await client.connect();
    this.clients.push(client);
    return client;
  }

  async close(): Promise<void> {
    await Promise.all(this.clients.map((client) => client.end().catch(() => undefined)));
  }
}
