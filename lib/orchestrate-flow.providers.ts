import type { InjectionToken, Provider } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import type { DataSource } from 'typeorm';

import { OrchestrateFlowError } from './engine/errors.js';
import { EventHub } from './events/event-hub.js';
import { dataSourceToken, openDatabase } from './orchestrate-flow.database.js';
import { prepareSchema } from './orchestrate-flow.migrations.js';
import {
  resolveOptions,
  type OrchestrateFlowAsyncOptions,
  type OrchestrateFlowOptionsFactory,
  type ResolvedOptions,
} from './orchestrate-flow.options.js';
import type { Database } from './persistence/database.js';
import { ORCHESTRATE_FLOW_ENTITIES } from './persistence/entities/index.js';
import { BullQueues, type BullQueue } from './queue/bull-queues.js';

export const OPTIONS = Symbol('orchestrate-flow:options');
export const DATABASE = Symbol('orchestrate-flow:database');
export const BULL = Symbol('orchestrate-flow:bull');

export function asyncOptions({
  useFactory,
  inject = [],
  useClass,
  useExisting,
}: OrchestrateFlowAsyncOptions): Provider[] {
  if (useFactory) {
    const make = async (...dependencies: never[]) => resolveOptions(await useFactory(...dependencies));
    return [{ provide: OPTIONS, useFactory: make, inject }];
  }
  const factory = useClass ?? useExisting;
  if (!factory) {
    throw new OrchestrateFlowError(
      'OF_OPTIONS_INVALID',
      'Cannot use these options of OrchestrateFlowModule.forRootAsync(): give one of useFactory, useClass and useExisting.',
    );
  }
  const make = async (made: OrchestrateFlowOptionsFactory) => resolveOptions(await made.createOrchestrateFlowOptions());
  const options: Provider = { provide: OPTIONS, useFactory: make, inject: [factory] };
  return useClass ? [useClass, options] : [options];
}

/** The app's DataSource is injected, where there is one, so that Nest makes it before it makes this. */
export function databaseProvider(name: string): Provider {
  return {
    provide: DATABASE,
    inject: [OPTIONS, ModulesContainer, { token: dataSourceToken(name), optional: true }],
    useFactory: async (options: ResolvedOptions, modules: ModulesContainer, injected?: DataSource) => {
      const database = await openDatabase(options, { injected, modules });
      try {
        await prepareSchema(database, options.migrations, options.schema);
      } catch (error) {
        await database.close();
        throw error;
      }
      return database;
    },
  };
}

export const BULL_PROVIDER: Provider = {
  provide: BULL,
  inject: [DATABASE, EventHub],
  useFactory: ({ connectionConfig }: Database, events: EventHub) =>
    new BullQueues(connectionConfig, (queue, error) => events.announceQueueFailure(queue, error)),
};

/** The token is that of @nestjs/bullmq's `getQueueToken(name)`, so that `@InjectQueue(name)` finds our queues. */
export function queueProvider(name: string): Provider & { provide: string } {
  return {
    provide: `BullQueue_${name}`,
    inject: [BULL],
    useFactory: (bull: BullQueues): BullQueue => bull.queue(name),
  };
}

/** The token is that of @nestjs/typeorm's `getRepositoryToken(entity, name)`, so that `@InjectRepository` finds ours. */
export function repositoryProvider(entity: (typeof ORCHESTRATE_FLOW_ENTITIES)[number], name: string) {
  const token = `${name === 'default' ? '' : `${name}_`}${entity.name}Repository`;
  return {
    provide: token,
    inject: [DATABASE],
    useFactory: ({ dataSource }: Database) => dataSource.getRepository(entity),
  };
}

export function tokensOf(providers: readonly { provide: InjectionToken }[]): InjectionToken[] {
  return providers.map(({ provide }) => provide);
}

/** Makes `autoLoadEntities` of the app's TypeOrmModule load ours. That is all that is used of what forFeature gives. */
export async function registerEntities(dataSourceName: string): Promise<void> {
  const typeorm = await import('@nestjs/typeorm').catch(() => null);
  typeorm?.TypeOrmModule.forFeature([...ORCHESTRATE_FLOW_ENTITIES], dataSourceName);
}
