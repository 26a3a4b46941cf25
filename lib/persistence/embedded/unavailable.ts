import { OrchestrateFlowError } from '../../engine/errors.js';

/** The version this launcher was written against; every version is a beta, hence pinned. */
export const PINNED_VERSION = '18.4.0-beta.17';

/** What to do in place of an embedded server. */
export const ALTERNATIVES = 'set `url` (or DATABASE_URL) to a PostgreSQL of yours, or import TypeOrmModule';

/** The embedded server cannot be used: what is, and what to do. */
export function unavailable(what: string, remedy: string, cause?: unknown): OrchestrateFlowError {
  return new OrchestrateFlowError(
    'OF_DATABASE_UNAVAILABLE',
    `Cannot start the embedded PostgreSQL: ${what}. ${remedy}`,
    { cause },
  );
}
