import net from 'node:net';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Step, Workflow } from 'orchestrate-flow';
import { DataSource } from 'typeorm';

import type { RunWrite } from '../../lib/engine/ports.js';
import { COMMIT_BATCH, commitParameters } from '../../lib/persistence/commit-statement.js';
import { Committer } from '../../lib/persistence/committer.js';
import { ORCHESTRATE_FLOW_ENTITIES } from '../../lib/persistence/entities/index.js';
import { migrate } from '../../lib/orchestrate-flow.migrations.js';
import { runWrite } from '../support/commit-drafts.js';
import { connect, type TestConnection } from '../support/connect.js';
import { createDatabase, type TestDatabase } from '../support/create-database.js';
import { Gate } from '../support/gate.js';
import { startApp } from '../support/start-app.js';
import { waitFor } from '../support/wait-for.js';

let gate = new Gate();

@Workflow({ name: 'held-up' })
class HeldUp {
  static readonly output = 'last';

  @Step()
  async first(): Promise<void> {
    await gate.pass();
  }

  @Step()
  last(): string {
    return 'done';
  }
}

/** When the commits that wait for a lock were sent. */
const WAITING_COMMITS = `
  SELECT query_start::text AS at FROM pg_stat_activity
  WHERE datname = current_database() AND application_name = 'orchestrate-flow commits' AND wait_event_type = 'Lock'`;

describe('a commit whose locks somebody holds', () => {
  let database: TestDatabase;
  let connection: TestConnection;

  beforeAll(async () => {
    database = await createDatabase();
    connection = await connect(database);
  });

  afterAll(async () => {
    await connection.close();
    await database.drop();
  });

  it('is made once the lock is gone, and forgets no outcome: somebody creates an index', async () => {
    gate = new Gate();
    const app = await startApp({ database, workflows: [HeldUp], lease: '1s' });
    try {
      gate.open();
      await app.orchestrator.execute(HeldUp);
      // The processor is awake: what starts now is claimed in the run's own state.
      gate = new Gate();
      const runs = await Promise.all(Array.from({ length: 20 }, () => app.orchestrator.start(HeldUp)));
      await gate.arrival(20);
      await connection.query('BEGIN');
      await connection.query('LOCK TABLE orchestrate_flow.workflow_run IN SHARE MODE');
      gate.open();
      // Held up for longer than it waits for locks, so that it is sent again.
      const sent = new Set<string>();
      await waitFor('the commit has been sent twice', async () => {
        // Inside a transaction the view would show what it showed first.
        await connection.query('SELECT pg_stat_clear_snapshot()');
        for (const { at } of await connection.query<{ at: string }>(WAITING_COMMITS)) sent.add(at);
        return sent.size > 1;
      });
      await connection.query('COMMIT');
      const outputs = await Promise.all(runs.map((run) => run.result({ timeout: '10s' })));
      expect(outputs).toEqual(runs.map(() => 'done'));
      expect(gate.arrived).toBe(20);
    } finally {
      await app.close();
    }
  });
});

describe('a commit whose answer is lost', () => {
  let database: TestDatabase;
  let admin: TestConnection;
  let proxy: Proxy;
  let committer: Committer;

  beforeAll(async () => {
    database = await createDatabase();
    admin = await connect(database);
    const { host, port, user: username, database: name } = database.connection;
    const dataSource = new DataSource({
      type: 'postgres',
      host,
      port,
      username,
      database: name,
      entities: [...ORCHESTRATE_FLOW_ENTITIES],
    });
    await migrate(await dataSource.initialize());
    await dataSource.destroy();
    proxy = await startProxy(`${host}/.s.PGSQL.${port}`);
    const config = { host: '127.0.0.1', port: proxy.port, user: username, database: name };
    committer = new Committer(config, { schema: 'orchestrate_flow', leaseMs: 1_000, onHealth: () => {} });
  });

  afterAll(async () => {
    await committer.close();
    await proxy.close();
    await admin.close();
    await database.drop();
  });

  // The old backend still holds the lane's row when the lane is asked what became of the commit.
  it('is neither taken for the answer of the next commit nor for one that was not made', async () => {
    const [slow, next] = [await createRun(), await createRun()];
    expect(await committer.submit(() => advance(slow, 0))).toMatchObject({ kind: 'applied' });

    await admin.query(`CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN IF NEW.id = '${slow}' THEN PERFORM pg_sleep(2); END IF; RETURN NEW; END $$`);
    await admin.query(
      'CREATE TRIGGER dawdle BEFORE UPDATE ON orchestrate_flow.workflow_run FOR EACH ROW EXECUTE FUNCTION dawdle()',
    );
    const first = committer.submit(() => advance(slow, 1));
    await waitFor('the commit is on its way', async () => (await findSleepers()) > 0);
    proxy.cut();
    // What is submitted now leaves with the next commit of the lane.
    const second = committer.submit(() => advance(next, 0));
    expect([(await first).kind, (await second).kind]).toEqual(['applied', 'applied']);
    expect(await revisions([slow, next])).toEqual([2, 1]);
    await expectNothingLateComesIn();
  });

  /** The lane has another epoch: what was sent under the old one can never come in, and nothing comes in twice. */
  async function expectNothingLateComesIn(): Promise<void> {
    const run = await createRun();
    const lanes = await admin.query<{ id: string; epoch: number; commit_no: string }>(
      'SELECT id, epoch, commit_no FROM orchestrate_flow.workflow_lane WHERE epoch > 0',
    );
    expect(lanes).toHaveLength(1);
    const { id, epoch, commit_no: commitNo } = lanes[0]!;
    const send = (at: number, number: number) =>
      admin.query(COMMIT_BATCH, [id, at, number, ...commitParameters([advance(run, 0)], [])]);
    expect(await send(epoch - 1, Number(commitNo))).toEqual([]);
    expect(await send(epoch, Number(commitNo) - 1)).toEqual([]);
    expect(await revisions([run])).toEqual([0]);
    expect(await send(epoch, Number(commitNo))).toHaveLength(1);
    expect(await revisions([run])).toEqual([1]);
  }

  async function findSleepers(): Promise<number> {
    return (await admin.query("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'")).length;
  }

  async function createRun(): Promise<string> {
    const [row] = await admin.query<{ id: string }>(
      `INSERT INTO orchestrate_flow.workflow_run (id, workflow, definition, status, state, input)
       VALUES (gen_random_uuid(), 'any', 1, 'running', 'h', '') RETURNING id`,
    );
    return row!.id;
  }

  async function revisions(ids: readonly string[]): Promise<number[]> {
    const rows = await admin.query<{ id: string; revision: number }>(
      'SELECT id, revision FROM orchestrate_flow.workflow_run',
    );
    return ids.map((id) => rows.find((row) => row.id === id)!.revision);
  }
});

function advance(id: string, revision: number): RunWrite {
  return runWrite({ id, revision, definition: 1, state: 'h' });
}

interface Proxy {
  readonly port: number;
  /** Breaks every connection towards the client. The server is told nothing and goes on. */
  cut(): void;
  close(): Promise<void>;
}

/** Stands between client and server, so that the one can be cut off while the other works. */
async function startProxy(path: string): Promise<Proxy> {
  const clients = new Set<net.Socket>();
  const servers = new Set<net.Socket>();
  const proxy = net.createServer((client) => {
    const server = net.connect(path);
    clients.add(client);
    servers.add(server);
    client.on('error', () => {}).on('data', (data) => server.write(data));
    server.on('error', () => {}).on('data', (data) => void (client.destroyed || client.write(data)));
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  return {
    port: (proxy.address() as net.AddressInfo).port,
    cut() {
      for (const client of clients) client.destroy();
      clients.clear();
    },
    async close() {
      for (const socket of [...clients, ...servers]) socket.destroy();
      await new Promise((resolve) => proxy.close(resolve));
    },
  };
}
