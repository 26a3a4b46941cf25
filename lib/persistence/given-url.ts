// Apart from the database, because the types of the options reach here: there they must not need the types of `pg`, which
// an app need not have.

/** A connection string, and who gave it: in the words of an error. */
export interface GivenUrl {
  readonly text: string;
  readonly source: string;
}

/** Whether a text is the address of a PostgreSQL database. Without the slashes a password in it is read as a name, and shown. */
export function isPostgresUrl(text: unknown): text is string {
  return typeof text === 'string' && /^postgres(ql)?:\/\//.test(text);
}

/** What runs an embedded database. */
export type EmbeddedEngine = 'postgres' | 'pglite';
