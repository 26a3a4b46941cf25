import { readFileSync } from 'node:fs';

import { TypeOrmModule } from '@nestjs/typeorm';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { migrate, OrchestrateFlowModule, Step, Workflow } from 'orchestrate-flow';

import { Database } from '../../lib/persistence/database.js';
import { Authority, readPair, type Certificate } from '../support/certificates.js';
import { connect, type TestConnection } from '../support/connect.js';
import { findFreePort } from '../support/free-port.js';
import { startPostgresServer, type PostgresServer } from '../support/postgres-server.mjs';
import { untilThreadStepsIn } from '../support/lease-thread.js';
import { runCli } from '../support/run-cli.js';
import { startApp, startModules, type TestApp } from '../support/start-app.js';

@Workflow({ name: 'guarded' })
class Guarded {
  static readonly output = 'step';

  @Step() step(): string {
    return 'done';
  }
}

let authority: Authority;
let stranger: Authority;
let person: Certificate;
let server: PostgresServer;
let port: number;
let db: TestConnection;
const apps: TestApp[] = [];

beforeAll(async () => {
  [authority, stranger] = [new Authority(), new Authority()];
  const own = readPair(authority.issue('server'));
  person = authority.issue('shop');
  port = await findFreePort();
  server = await startPostgresServer({
    binaries: 'system',
    // Nobody gets in without TLS, nor without a certificate of our own authority.
    hba: ['hostssl all all 127.0.0.1/32 trust clientcert=verify-ca'],
    files: { 'server.key': own.key, 'server.crt': own.cert, 'ca.crt': readFileSync(authority.ca.cert, 'utf8') },
    settings: { port, listen_addresses: '127.0.0.1', ssl: 'on', ssl_ca_file: 'ca.crt' },
  });
  db = await connect({ connection: server.connection });
});

afterEach(async () => {
  await Promise.all(apps.splice(0).map((app) => app.close()));
  await db.query('DROP SCHEMA IF EXISTS orchestrate_flow, bullmq CASCADE');
});

afterAll(async () => {
  await db?.close();
  await server?.stop();
  authority?.remove();
  stranger?.remove();
});

/** The address with the paths of what TLS needs, as libpq has it. */
function addressFor(root: Certificate): string {
  const { user, database } = server.connection;
  const tls = { sslmode: 'verify-full', sslrootcert: root.cert, sslcert: person.cert, sslkey: person.key };
  return `postgres://${user}@127.0.0.1:${port}/${database}?${new URLSearchParams(tls).toString()}`;
}

/** Runs a workflow, and looks at every connection of the app meanwhile. */
async function expectGuarded(app: TestApp): Promise<void> {
  apps.push(app);
  await expect(app.orchestrator.execute(Guarded)).resolves.toBe('done');
  const connections = await findConnections();
  const names = connections.map(({ name }) => name);
  for (const part of ['commits', 'claims', 'heartbeat', 'queue']) expect(names).toContain(`orchestrate-flow ${part}`);
  expect(connections.filter(({ ssl }) => !ssl)).toEqual([]);
}

/** Who else is connected, and how. */
function findConnections() {
  return db.query<{ name: string; ssl: boolean }>(
    `SELECT application_name AS name, ssl FROM pg_stat_activity JOIN pg_stat_ssl USING (pid)
     WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'`,
  );
}

describe('a server that takes nobody without TLS', () => {
  it('is reached by a url', async () => {
    const database = { connection: server.connection, url: addressFor(authority.ca), drop: () => Promise.resolve() };
    await expectGuarded(await startApp({ database, workflows: [Guarded] }));
  });

  it('is reached by the thread that keeps a lease', async () => {
    const own = await Database.ofUrl({ text: addressFor(authority.ca), source: 'the test' }, 'orchestrate_flow');
    await migrate(own.dataSource);
    const thread = await untilThreadStepsIn(own.connectionConfig, db, async () =>
      (await findConnections()).find(({ name }) => name === 'orchestrate-flow lease'),
    );
    expect(thread.ssl).toBe(true);
    await own.close();
  });

  it("is reached by the options of the app's DataSource", async () => {
    const { user: username, database } = server.connection;
    const ssl = { ca: readFileSync(authority.ca.cert, 'utf8'), ...readPair(person) };
    const imports = [
      TypeOrmModule.forRoot({
        ...{ type: 'postgres', host: '127.0.0.1', port, username, database, ssl },
        ...{ autoLoadEntities: true, retryAttempts: 1 },
      }),
      OrchestrateFlowModule.forRoot(),
    ];
    await expectGuarded(await startModules({ imports, providers: [Guarded] }));
  });

  it('is reached by the command line', async () => {
    const env = { DATABASE_URL: addressFor(authority.ca) };
    expect(await runCli(['migrate', 'up'], { env })).toMatchObject({ code: 0 });
    expect((await runCli(['migrate', 'status'], { env })).code).toBe(0);
  });

  it('is not believed where another authority vouches for it, and that is said', async () => {
    const database = { connection: server.connection, url: addressFor(stranger.ca), drop: () => Promise.resolve() };
    await expect(startApp({ database, workflows: [Guarded] })).rejects.toMatchObject({
      code: 'OF_DATABASE_UNAVAILABLE',
      message: expect.stringMatching(/certificate/i) as unknown,
    });
  });

  it('is not entered without TLS, and that is said', async () => {
    const { user, database: name } = server.connection;
    const url = `postgres://${user}@127.0.0.1:${port}/${name}?sslmode=disable`;
    const database = { connection: server.connection, url, drop: () => Promise.resolve() };
    await expect(startApp({ database, workflows: [Guarded] })).rejects.toMatchObject({
      code: 'OF_DATABASE_UNAVAILABLE',
      message: expect.stringMatching(/sslmode|ssl|TLS/) as unknown,
    });
  });
});
