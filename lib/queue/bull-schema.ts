import { BULLMQ_MAJOR_VERSION, LATEST_SCHEMA_VERSION } from 'bullmq';

/** BullMQ's tables as they stand in a database. */
export interface BullSchema {
  /** The number of the last migration that was applied; 0 where there are no tables. */
  readonly version: number;
  /** The number of the last one that the installed BullMQ knows. */
  readonly latest: number;
  /** The oldest major version of BullMQ that these tables serve. */
  readonly servesFrom: number;
  /** `too new`: the installed BullMQ refuses them. */
  readonly state: 'missing' | 'behind' | 'current' | 'too new';
}

/** What answers questions. */
interface SqlReader {
  query(sql: string, values?: unknown[]): Promise<unknown>;
}

/** Reads BullMQ's own ledger. */
export async function readBullSchema(reader: SqlReader, schema: string): Promise<BullSchema> {
  const [{ name }] = (await reader.query('SELECT to_regclass($1)::text AS name', [`${schema}.migration`])) as [
    { name: string | null },
  ];
  if (name === null) return describe(0, BULLMQ_MAJOR_VERSION);
  // An old ledger has no such column: by way of JSON its absence is no error.
  const [row] = (await reader.query(
    `SELECT coalesce(max(version), 0)::int AS version,
       coalesce(max((to_jsonb(m) ->> 'min_client_version')::int), 0) AS serves_from
     FROM ${schema}.migration m`,
  )) as [{ version: number; serves_from: number }];
  return describe(row.version, row.serves_from);
}

function describe(version: number, servesFrom: number): BullSchema {
  return { version, latest: LATEST_SCHEMA_VERSION, servesFrom, state: stateOf(version, servesFrom) };
}

function stateOf(version: number, servesFrom: number): BullSchema['state'] {
  if (version === 0) return 'missing';
  if (servesFrom > BULLMQ_MAJOR_VERSION) return 'too new';
  return version < LATEST_SCHEMA_VERSION ? 'behind' : 'current';
}
