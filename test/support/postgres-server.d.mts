import type { DatabaseConnection } from './create-database.js';

export interface PostgresServerOptions {
  readonly binaries?: string;
  readonly settings?: Readonly<Record<string, string | number>>;
  readonly hba?: readonly string[];
  readonly files?: Readonly<Record<string, string>>;
}

export interface PostgresServer {
  readonly connection: DatabaseConnection;
  readonly version: string;
  getPid(): number;
  start(): Promise<void>;
  halt(signal?: NodeJS.Signals): Promise<void>;
  stop(): Promise<void>;
}

export function startPostgresServer(options?: PostgresServerOptions): Promise<PostgresServer>;

export function findOwner(): { readonly uid: number; readonly gid: number } | undefined;
