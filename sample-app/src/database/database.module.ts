import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import type { TypeOrmModuleOptions } from '@nestjs/typeorm';
import { openEmbeddedPostgres } from 'orchestrate-flow';

import { ShopConfig } from '../shop.config.js';
import type { DatabaseConfig } from './database.config.js';

/** The shop's ordinary TypeORM set-up. The workflows use the same DataSource: nothing here knows about them. */
@Module({
  imports: [
    TypeOrmModule.forRootAsync({
      inject: [ShopConfig],
      useFactory: async (config: ShopConfig): Promise<TypeOrmModuleOptions> => ({
        type: 'postgres',
        ...(await connectionTo(config.database)),
        autoLoadEntities: true,
        // Fine for a sample; a real shop has migrations. One process does it: two at once would trip over each other.
        synchronize: config.role !== 'worker',
        poolSize: 20,
      }),
    }),
  ],
})
export class DatabaseModule {}

async function connectionTo(database: DatabaseConfig) {
  if (!('embeddedIn' in database)) return database;
  const { connection } = await openEmbeddedPostgres({ dataDir: database.embeddedIn });
  const { host, port, user: username, database: name } = connection;
  return { host, port, username, database: name };
}
