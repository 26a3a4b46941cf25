import type { DataSource } from 'typeorm';

import { OrchestrateFlowError } from '../engine/errors.js';
import type { SqlReader } from './migrator.js';

/** What the connection's role lacks on what there is in some schemas. */
const FIND_MISSING = `
SELECT current_user AS role, n.nspname AS schema, 'USAGE on schema ' || n.nspname AS missing
FROM pg_namespace n
WHERE n.nspname = ANY ($1) AND NOT has_schema_privilege(n.oid, 'USAGE')
UNION ALL
SELECT current_user, n.nspname, 'CREATE on schema ' || n.nspname
FROM pg_namespace n
WHERE n.nspname = ANY ($2) AND NOT has_schema_privilege(n.oid, 'CREATE')
UNION ALL
SELECT current_user, n.nspname, string_agg(p.name, ', ') || ' on ' || n.nspname || '.' || c.relname
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL unnest(
  CASE WHEN c.relkind = 'S' THEN ARRAY['USAGE'] ELSE ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE'] END) AS p (name)
WHERE n.nspname = ANY ($1) AND c.relkind IN ('r', 'p', 'S')
  AND NOT CASE WHEN c.relkind = 'S' THEN has_sequence_privilege(c.oid, p.name) ELSE has_table_privilege(c.oid, p.name) END
GROUP BY n.nspname, c.relname
ORDER BY 3`;

/** How many lacking rights an error lists. */
const SHOWN = 3;

/** What a role lacks, and the statements that give it. */
export interface MissingRights {
  readonly role: string;
  /** A few of them, and how many more there are. */
  readonly rights: string;
  readonly grants: string;
}

/**
 * What the role may not do that the app will, or null.
 *
 * @param createdIn the schemas in which things are made while the app runs
 */
export async function findMissingRights(
  reader: SqlReader,
  schemas: readonly string[],
  createdIn: readonly string[] = [],
): Promise<MissingRights | null> {
  const rows = (await reader.query(FIND_MISSING, [schemas, createdIn])) as readonly MissingRight[];
  if (rows.length === 0) return null;
  const missing = rows.map((row) => row.missing);
  const more = missing.length > SHOWN ? ` and ${missing.length - SHOWN} more` : '';
  const inNeed = [...new Set(rows.map(({ schema }) => schema))];
  const { role } = rows[0]!;
  return { role, rights: `${missing.slice(0, SHOWN).join('; ')}${more}`, grants: grantsOf(inNeed, createdIn, role) };
}

interface MissingRight {
  readonly role: string;
  readonly schema: string;
  readonly missing: string;
}

/**
 * Refuses a role that may not use the tables there are, at boot and with the statements that let it.
 *
 * @param createdIn those in which things are made while the app runs
 * @throws OrchestrateFlowError `OF_DATABASE_UNSUITABLE`
 */
export async function assertRights(
  dataSource: DataSource,
  schemas: readonly string[],
  createdIn: readonly string[] = [],
): Promise<void> {
  const missing = await findMissingRights(dataSource, schemas, createdIn);
  if (!missing) return;
  throw new OrchestrateFlowError(
    'OF_DATABASE_UNSUITABLE',
    `Cannot use the tables of workflows as role "${missing.role}": it lacks ${missing.rights}. ` +
      `Let their owner run: ${missing.grants}`,
  );
}

/** The statements that let a role use the tables. */
function grantsOf(schemas: readonly string[], createdIn: readonly string[], role: string): string {
  const list = schemas.join(', ');
  const to = `TO "${role.replaceAll('"', '""')}";`;
  return [
    `GRANT USAGE ON SCHEMA ${list} ${to}`,
    ...schemas.filter((schema) => createdIn.includes(schema)).map((schema) => `GRANT CREATE ON SCHEMA ${schema} ${to}`),
    `GRANT ALL ON ALL TABLES IN SCHEMA ${list} ${to}`,
    `GRANT ALL ON ALL SEQUENCES IN SCHEMA ${list} ${to}`,
  ].join(' ');
}
