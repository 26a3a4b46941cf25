import { randomUUID } from 'node:crypto';

import { TypeOrmModule } from '@nestjs/typeorm';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Ctx, OrchestrateFlowModule, Parallel, Result, Step, Workflow, type StepContext } from 'orchestrate-flow';

import { connect, type TestConnection } from '../support/connect.js';
import { createDatabase, type TestDatabase } from '../support/create-database.js';
import { Gate } from '../support/gate.js';
import { startApp, startModules, type TestApp } from '../support/start-app.js';
import { waitFor } from '../support/wait-for.js';

@Workflow({ name: 'order', retry: { attempts: 3, delay: '20ms' } })
class Order {
  static readonly output = 'ship';

  @Step() reserve(): Date {
    return new Date(Date.UTC(2026, 1, 3));
  }
  @Parallel() charge(@Result('reserve') at: Date, @Ctx() { attempt }: StepContext): number {
    if (attempt === 1) throw new Error('The first time always fails.');
    return at.getTime();
  }
  @Parallel() label(@Result('reserve') at: Date): Uint8Array {
    return new Uint8Array([at.getUTCMonth(), 0, 255]);
  }
  @Step() ship(@Result('charge') charge: number, @Result('label') label: Uint8Array): string {
    return `${new Date(charge).toISOString()} ${[...label].join()}`;
  }
}

const gate = new Gate();

@Workflow({ name: 'pair' })
class Pair {
  @Parallel() fast(): void {}
  @Parallel() slow(): Promise<void> {
    return gate.pass();
  }
}

const SHIPPED = '2026-02-03T00:00:00.000Z 1,0,255';

let database: TestDatabase;
let db: TestConnection;
let app: TestApp | undefined;

beforeEach(async () => {
  database = await createDatabase();
  db = await connect(database);
});

afterEach(async () => {
  await app?.close();
  app = undefined;
  await db.close();
  await database.drop();
});

/** What an app does with its database: starts, in transactions too, timers, keys, reads. */
async function expectToWork({ orchestrator, dataSource }: TestApp): Promise<void> {
  await expect(orchestrator.execute(Order)).resolves.toBe(SHIPPED);
  const runs = await Promise.all(
    Array.from({ length: 20 }, (_, n) =>
      dataSource.transaction((manager) => orchestrator.start(Order, undefined, { manager, key: `order ${n}` })),
    ),
  );
  await expect(Promise.all(runs.map((run) => run.result()))).resolves.toEqual(runs.map(() => SHIPPED));
  const later = await orchestrator.start(Order, undefined, { delay: '100ms', key: 'later' });
  await expect(later.result()).resolves.toBe(SHIPPED);
  const { createdAt, endedAt } = await orchestrator.get(later.id);
  expect(Math.abs(Date.now() - endedAt!.getTime())).toBeLessThan(60_000);
  expect(endedAt!.getTime()).toBeGreaterThan(createdAt.getTime());
  expect((await orchestrator.list({ limit: 10 })).runs).toHaveLength(10);
  const next = await orchestrator.start(Order, undefined, { delay: '1h' });
  await orchestrator.cancel(next.id, { reason: "it's over" });
  await expect(orchestrator.get(next.id)).resolves.toMatchObject({ status: 'cancelled' });
}

function typeOrmOf({ connection }: TestDatabase, more: object = {}) {
  const { host, port, user: username, database: name } = connection;
  return TypeOrmModule.forRoot({
    ...{ type: 'postgres', host, port, username, database: name, autoLoadEntities: true, retryAttempts: 1 },
    ...more,
  });
}

describe('a database', () => {
  it.each([
    ['TimeZone', "'Asia/Kathmandu'"],
    ['IntervalStyle', "'sql_standard'"],
    ['bytea_output', "'escape'"],
    ['standard_conforming_strings', 'off'],
    ['extra_float_digits', '-15'],
    ['search_path', "'nowhere'"],
    ['default_transaction_isolation', "'serializable'"],
    ['default_transaction_isolation', "'repeatable read'"],
    ['client_encoding', "'LATIN1'"],
    ['check_function_bodies', 'off'],
    ['enable_indexscan', 'off'],
    ['row_security', 'off'],
    ['idle_session_timeout', "'150ms'"],
  ])('whose %s is %s serves as any other', async (name, value) => {
    const { database: own } = database.connection;
    await db.query(`ALTER DATABASE ${own} SET ${name} = ${value}`);
    app = await startApp({ database, workflows: [Order], entities: [] });
    await expectToWork(app);
  });

  it('may write dates in another way: runs are told the time in one', async () => {
    await db.query(`ALTER DATABASE ${database.connection.database} SET DateStyle = 'German, DMY'`);
    app = await startApp({ database, workflows: [Order, Pair] });
    await expect(app.orchestrator.execute(Order)).resolves.toBe(SHIPPED);
    const run = await app.orchestrator.start(Pair);
    const stateOf = async () => {
      const select = 'SELECT state FROM orchestrate_flow.workflow_run WHERE id = $1';
      return (await db.query<{ state: string }>(select, [run.id]))[0]!.state;
    };
    const state = await waitFor('one of the two has ended', async () => /;slow,1,0,0,.+/.exec(await stateOf()));
    gate.open();
    await run.result();
    expect(state[0]).toMatch(/,\d{4}-\d\d-\d\d[ T]\d\d:\d\d/);
  });

  it('may have a name that has to be quoted, in a url and in options', async () => {
    const name = `of "it's" ünusual ${randomUUID()} %`;
    await db.query(`CREATE DATABASE "${name.replaceAll('"', '""')}"`);
    const connection = { ...database.connection, database: name };
    const { host, port, user } = connection;
    const url = `postgres://${user}@localhost:${port}/${encodeURIComponent(name)}?host=${encodeURIComponent(host)}`;
    const drop = () => Promise.resolve();
    const byUrl = await startApp({ database: { connection, url, drop }, workflows: [Order] });
    await expect(byUrl.orchestrator.execute(Order)).resolves.toBe(SHIPPED);
    await byUrl.close();
    app = await startApp({ database: { connection, url, drop }, workflows: [Order], entities: [] });
    await expectToWork(app);
    await app.close();
    app = undefined;
    await db.query(`DROP DATABASE "${name.replaceAll('"', '""')}" WITH (FORCE)`);
  });

  it('may have replicas for reading: what the library does, it does on the primary', async () => {
    const { host, port, user: username, database: name } = database.connection;
    const primary = { host, port, username, database: name };
    // Whoever asked this one for a run would be refused.
    const replica = { ...primary, database: 'template1' };
    const imports = [
      typeOrmOf(database, { replication: { master: primary, slaves: [replica], defaultMode: 'slave' } }),
      OrchestrateFlowModule.forRoot(),
    ];
    app = await startModules({ imports, providers: [Order] });
    await expect(app.orchestrator.execute(Order)).resolves.toBe(SHIPPED);
    expect((await app.orchestrator.list()).runs).toHaveLength(1);
  });

  it('may belong to a role whose name has to be quoted', async () => {
    const role = `Of "Owner" ${randomUUID()}`;
    const quoted = `"${role.replaceAll('"', '""')}"`;
    await db.query(`CREATE ROLE ${quoted} LOGIN`);
    await db.query(`ALTER DATABASE ${database.connection.database} OWNER TO ${quoted}`);
    const imports = [typeOrmOf(database, { username: role }), OrchestrateFlowModule.forRoot()];
    app = await startModules({ imports, providers: [Order] });
    await expectToWork(app);
    await app.close();
    app = undefined;
    await db.query(`REASSIGN OWNED BY ${quoted} TO CURRENT_USER`);
    await db.query(`DROP OWNED BY ${quoted}`);
    await db.query(`DROP ROLE ${quoted}`);
  });
});
