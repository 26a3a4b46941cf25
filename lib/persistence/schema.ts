import { OrchestrateFlowError } from '../engine/errors.js';

/** The PostgreSQL schema that holds the library's tables, unless the options name another. */
export const DEFAULT_SCHEMA = 'orchestrate_flow';

const IDENTIFIER = /^[a-z_][a-z0-9_]{0,62}$/;

/** Whether this can name a schema without quoting: statements are qualified by plain replacement. */
export function isSchemaName(name: unknown): name is string {
  return typeof name === 'string' && IDENTIFIER.test(name);
}

/** A statement written for the default schema, for the given one. */
export function qualify(statement: string, schema: string): string {
  if (!isSchemaName(schema)) {
    throw new OrchestrateFlowError(
      'OF_OPTIONS_INVALID',
      `Expected schema to be a lower-case PostgreSQL identifier, got ${JSON.stringify(schema)}.`,
    );
  }
  return schema === DEFAULT_SCHEMA ? statement : statement.replaceAll(`${DEFAULT_SCHEMA}.`, `${schema}.`);
}
