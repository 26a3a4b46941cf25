import { describe, expect, it } from '@jest/globals';
import { DataSource } from 'typeorm';

import { migrateWorkflowTables } from '../../lib/persistence/migrator.js';
import { MIGRATIONS } from '../../lib/persistence/migrations/index.js';
import { RaceTrack } from './race-track.js';
import { named } from './turnstile.js';

const track = new RaceTrack();

describe('two migrators', () => {
  it('make the tables once', async () => {
    const { host, port, user: username, database: name } = track.database.connection;
    const [first, second] = await Promise.all(
      ['first', 'second'].map((migrator) => {
        const extra = named({}, migrator);
        return new DataSource({ type: 'postgres', host, port, username, database: name, extra }).initialize();
      }),
    );
    let heats = 0;
    await track.everyOrder(() => {
      const schema = `race_${heats++}`;
      return Promise.resolve({
        racers: {
          first: { process: 'first', act: () => migrateWorkflowTables(first!, schema) },
          second: { process: 'second', act: () => migrateWorkflowTables(second!, schema) },
        },
        check: async () => {
          const [row] = await track.db.query<{ applied: number; relations: number }>(
            `SELECT (SELECT count(*)::int FROM ${schema}.workflow_migration) AS applied, count(*)::int AS relations
             FROM pg_class WHERE relnamespace = $1::regnamespace`,
            [schema],
          );
          const [once] = await track.db.query<{ relations: number }>(
            `SELECT count(*)::int AS relations FROM pg_class WHERE relnamespace = 'orchestrate_flow'::regnamespace`,
          );
          expect(row).toEqual({ applied: MIGRATIONS.length, ...once });
        },
      });
    });
    await Promise.all([first, second].map((dataSource) => dataSource!.destroy()));
  });
});
