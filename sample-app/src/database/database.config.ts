/** Where the shop's tables and its workflows live. */
export type DatabaseConfig =
  | { readonly url: string }
  | { readonly host: string; readonly port: number; readonly username: string; readonly database: string }
  | { readonly embeddedIn: string };

/** DATABASE_URL, else the variables psql knows, else an embedded PostgreSQL in a folder of its own. */
export function readDatabaseConfig(env: NodeJS.ProcessEnv): DatabaseConfig {
  if (env['DATABASE_URL']) return { url: env['DATABASE_URL'] };
  if (env['PGHOST']) {
    return {
      host: env['PGHOST'],
      port: Number(env['PGPORT'] ?? 5432),
      username: env['PGUSER'] ?? 'postgres',
      database: env['PGDATABASE'] ?? 'postgres',
    };
  }
  return { embeddedIn: env['SHOP_DATA_DIR'] ?? '.orchestrate-flow/shop' };
}
