import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { OrchestrateFlowModule, type OrchestrateFlowOptions } from 'orchestrate-flow';
import { DataSource } from 'typeorm';

import { findIdentity } from '../../lib/persistence/embedded/process-identity.js';
import { connect } from '../support/connect.js';
import { createDatabase, type TestDatabase } from '../support/create-database.js';
import { findFreePort } from '../support/free-port.js';
import { startPostgresServer, type PostgresServer } from '../support/postgres-server.mjs';
import { startModules } from '../support/start-app.js';
import { waitFor } from '../support/wait-for.js';

const DATABASE_URL = process.env['DATABASE_URL'];

beforeEach(() => {
  delete process.env['DATABASE_URL'];
});

afterEach(() => {
  jest.restoreAllMocks();
  delete process.env['DATABASE_URL'];
  if (DATABASE_URL !== undefined) process.env['DATABASE_URL'] = DATABASE_URL;
});

/** How the boot of an app with these options fails. */
async function failureOf(options: OrchestrateFlowOptions): Promise<Error & { code: string }> {
  const booted = startModules({ imports: [OrchestrateFlowModule.forRoot(options)] });
  const outcome = await booted.then(
    () => new Error('It booted.'),
    (error: unknown) => error,
  );
  return outcome as Error & { code: string };
}

const saying = (text: string) => expect.stringContaining(text) as unknown as string;

describe('a server', () => {
  it('that is not there is named by its endpoint and by who gave it', async () => {
    const url = `postgres://shop:SECRET@127.0.0.1:${await findFreePort()}/orders?sslmode=disable`;
    const endpoint = `database "orders" on 127.0.0.1:${new URL(url).port} as user "shop"`;
    const byOption = await failureOf({ url });
    process.env['DATABASE_URL'] = url;
    const byEnvironment = await failureOf({});
    for (const [error, source] of [
      [byOption, 'the option `url`'],
      [byEnvironment, 'DATABASE_URL'],
    ] as const) {
      expect(error).toMatchObject({
        code: 'OF_DATABASE_UNAVAILABLE',
        message: saying(`${endpoint}, given by ${source}:`),
      });
      expect(error.message).toContain('See that the server runs there');
      expect(`${error.message}${error.stack}${JSON.stringify(error)}`).not.toContain('SECRET');
    }
  });

  it('that is not there is named where the app gave a DataSource', async () => {
    const port = await findFreePort();
    const dataSource = new DataSource({
      type: 'postgres',
      host: '127.0.0.1',
      port,
      username: 'shop',
      password: 'SECRET',
    });
    const error = await failureOf({ dataSource });
    expect(error).toMatchObject({
      code: 'OF_DATABASE_UNAVAILABLE',
      message: saying(`on 127.0.0.1:${port} as user "shop"`),
    });
    expect(error.message).not.toContain('SECRET');
  });

  it('whose socket folder is empty is named by that folder', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'of-none-'));
    const error = await failureOf({ url: `postgres://shop@/orders?host=${encodeURIComponent(folder)}` });
    expect(error).toMatchObject({
      code: 'OF_DATABASE_UNAVAILABLE',
      message: saying(`database "orders" on ${folder}:5432`),
    });
    rmSync(folder, { recursive: true });
  });

  it('whose name has several addresses is told with what each of them said', async () => {
    const error = await failureOf({ url: `postgres://shop@localhost:${await findFreePort()}/orders` });
    expect(error).toMatchObject({ code: 'OF_DATABASE_UNAVAILABLE', message: saying('ECONNREFUSED') });
  });
});

describe('a url', () => {
  it('that nobody can read is refused without being shown', async () => {
    for (const url of ['postgres://shop:SEC/RET@127.0.0.1/orders', 'postgres://shop:%ZZSECRET@127.0.0.1/orders']) {
      const error = await failureOf({ url });
      expect(error).toMatchObject({ code: 'OF_DATABASE_UNAVAILABLE', message: saying('percent-encoded') });
      expect(inspect(error, { depth: 10, showHidden: true })).not.toMatch(/SEC\b|SEC\/|RET@|ZZSECRET/);
    }
  });
});

describe('a server that refuses', () => {
  let server: PostgresServer;
  let database: TestDatabase;
  let port: number;

  beforeAll(async () => {
    port = await findFreePort();
    database = await createDatabase();
    server = await startPostgresServer({
      settings: { listen_addresses: '127.0.0.1', port, fsync: 'off' },
      hba: ['host all all 127.0.0.1/32 scram-sha-256'],
    });
    const admin = await connect(server);
    await admin.query(`CREATE ROLE shop LOGIN PASSWORD 'right'`);
    await admin.query(`CREATE ROLE few LOGIN PASSWORD 'right' CONNECTION LIMIT 0`);
    await admin.query('CREATE DATABASE closed');
    await admin.query('REVOKE CONNECT ON DATABASE closed FROM PUBLIC');
    await admin.close();
  });

  afterAll(async () => {
    await server?.stop();
    await database?.drop();
  });

  it.each([
    ['a wrong password', 'shop:SECRET', 'postgres', 'Correct the user and the password.'],
    ['an unknown user', 'SECRETLESS:SECRET', 'postgres', 'Correct the user and the password.'],
    ['no password', 'shop', 'postgres', 'Give a password.'],
    ['an unknown database', 'shop:right', 'nowhere', 'Create the database, or name another one.'],
    ['a database that is closed to the role', 'shop:right', 'closed', 'Grant the role CONNECT'],
    ['a role that has too many connections', 'few:right', 'postgres', 'max_connections'],
    ['TLS where there is none', 'shop:right', 'postgres?sslmode=require', 'Turn TLS on in the server'],
  ])('%s says what to do', async (_, user, name, remedy) => {
    const error = await failureOf({ url: `postgres://${user}@127.0.0.1:${port}/${name}` });
    expect(error).toMatchObject({ code: 'OF_DATABASE_UNAVAILABLE', message: saying(remedy) });
    expect(error.message).toContain(`on 127.0.0.1:${port}`);
    expect(error.message).not.toMatch(/SECRET\b|right/);
  });

  it('a role that does not exist says so', async () => {
    const error = await failureOf({ url: database.url.replace('postgres@', 'stranger@') });
    expect(error).toMatchObject({
      code: 'OF_DATABASE_UNAVAILABLE',
      message: saying('"stranger" does not exist. Correct'),
    });
  });
});

describe('a server that takes connections and says nothing', () => {
  let silent: Server;

  afterEach(() => void silent?.close());

  it('is given up', async () => {
    silent = createServer((socket) => socket.on('error', () => {}));
    const port = await new Promise<number>((resolve) =>
      silent.listen(0, '127.0.0.1', () => resolve((silent.address() as { port: number }).port)),
    );
    const error = await failureOf({ url: `postgres://shop@127.0.0.1:${port}/orders` });
    expect(error).toMatchObject({ code: 'OF_DATABASE_UNAVAILABLE', message: saying('See that the server runs there') });
  });
});

describe('embedded PostgreSQL', () => {
  it('that was started and cannot be used does not stay', async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'of-embedded-'));
    let pid = 0;
    jest.spyOn(DataSource.prototype, 'initialize').mockImplementation(async () => {
      pid = Number.parseInt(readFileSync(join(dataDir, 'server'), 'utf8'), 10);
      throw new Error('It cannot be used.');
    });
    const error = await failureOf({ embedded: { dataDir } });
    expect(error).toMatchObject({
      code: 'OF_DATABASE_UNAVAILABLE',
      message: saying(`the embedded database in ${dataDir}`),
    });
    expect(pid).toBeGreaterThan(0);
    expect(findIdentity(pid)).toBeNull();
    await waitFor('its folder is left', () => !existsSync(join(dataDir, 'server')));
    rmSync(dataDir, { recursive: true, force: true });
  });
});
