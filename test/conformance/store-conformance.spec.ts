import { migrate, ORCHESTRATE_FLOW_ENTITIES } from 'orchestrate-flow';
import { DataSource } from 'typeorm';

import { Committer } from '../../lib/persistence/committer.js';
import { SqlRunArchive } from '../../lib/persistence/sql-run-archive.js';
import { SqlStepTransactions } from '../../lib/persistence/sql-step-transactions.js';
import { SqlRunStore } from '../../lib/persistence/sql-run-store.js';
import { SimulatedDoor } from '../simulation/simulated-door.js';
import { SimulatedLimits } from '../simulation/simulated-limits.js';
import { SimulatedSchedules } from '../simulation/simulated-schedules.js';
import { SimulatedStepTransactions } from '../simulation/simulated-step-transactions.js';
import { SimulatedArchive, SimulatedStore } from '../simulation/simulated-store.js';
import { Tables } from '../simulation/tables.js';
import { DIRECT_WIRE } from '../simulation/wire.js';
import { connect } from '../support/connect.js';
import { createDatabase } from '../support/create-database.js';
import { describeLimits } from './limit-conformance.js';
import { describeChildren } from './child-conformance.js';
import { describeSchedules } from './schedule-conformance.js';
import { describeStore, type StoreUnderTest } from './store-conformance.js';

const LEASE_MS = 10_000;

describeStore('PostgreSQL', openSqlStore);
describeStore('the simulated store', openSimulatedStore);
describeLimits('PostgreSQL', openSqlStore);
describeLimits('the simulated store', openSimulatedStore);
describeChildren('PostgreSQL', openSqlStore);
describeChildren('the simulated store', openSimulatedStore);
describeSchedules('PostgreSQL', openSqlStore);
describeSchedules('the simulated store', openSimulatedStore);

async function openSqlStore(): Promise<StoreUnderTest> {
  const database = await createDatabase();
  const { host, port, user: username, database: name } = database.connection;
  const entities = [...ORCHESTRATE_FLOW_ENTITIES];
  const dataSource = await new DataSource({
    ...{ type: 'postgres', host, port, username, database: name, entities },
  }).initialize();
  await migrate(dataSource);
  const db = await connect(database);
  const options = { schema: 'orchestrate_flow', leaseMs: LEASE_MS };
  const door = new Committer(database.connection, { ...options, onHealth: () => {} });
  const store = new SqlRunStore(database.connection, { ...options, onUnavailable: () => {} });
  return {
    door,
    store,
    schedules: store.schedules,
    limits: store.limits,
    archive: new SqlRunArchive(dataSource),
    transactions: new SqlStepTransactions(dataSource, { ...options, onRefused: () => {} }),
    // The server's clock cannot be turned: what it is compared with is.
    pass: async (ms) => {
      const earlier = `- $1 * interval '1 millisecond'`;
      const shift = (table: string, columns: readonly string[]) =>
        db.query(
          `UPDATE orchestrate_flow.${table} SET ${columns.map((column) => `${column} = ${column} ${earlier}`).join()}`,
          [ms],
        );
      await shift('workflow_run', ['due_at', 'admit_at', 'deadline_at', 'created_at', 'updated_at']);
      await shift('workflow_step', ['due_at', 'start_by', 'paused_at', 'created_at']);
      await shift('workflow_schedule', ['next_at']);
      await shift('workflow_worker', ['lease_until']);
    },
    hold: async (runId) => {
      const holder = await connect(database);
      await holder.query('BEGIN');
      await holder.query('SELECT 1 FROM orchestrate_flow.workflow_run WHERE id = $1 FOR UPDATE', [runId]);
      await holder.query('SELECT 1 FROM orchestrate_flow.workflow_step WHERE run_id = $1 FOR UPDATE', [runId]);
      return () => holder.close();
    },
    close: async () => {
      await Promise.all([door.close(), store.close(), db.close(), dataSource.destroy()]);
      await database.drop();
    },
  };
}

async function openSimulatedStore(): Promise<StoreUnderTest> {
  let passed = 0;
  const tables = new Tables(() => passed + performance.now());
  return {
    door: new SimulatedDoor(tables, DIRECT_WIRE, LEASE_MS),
    store: new SimulatedStore(tables, DIRECT_WIRE),
    schedules: new SimulatedSchedules(tables, DIRECT_WIRE),
    limits: new SimulatedLimits(tables, DIRECT_WIRE),
    archive: new SimulatedArchive(tables, DIRECT_WIRE),
    transactions: new SimulatedStepTransactions(tables, DIRECT_WIRE),
    pass: async (ms) => void (passed += ms),
    hold: async (runId) => {
      const holder = {};
      tables.lock(runId, holder);
      return async () => tables.release(holder);
    },
    close: async () => {},
  };
}
