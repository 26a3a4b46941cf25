import type { InjectionToken, Provider } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import type { DataSource } from 'typeorm';

import { OrchestrateFlowError } from './engine/errors.js';
import { EventHub } from './events/event-hub.js';
import { assertSuitable, dataSourceToken, openDatabase, openEmbedded } from './orchestrate-flow.database.js';
import { prepareSchema } from './orchestrate-flow.migrations.js';
import {
  resolveOptions,
  type OrchestrateFlowAsyncOptions,
  type OrchestrateFlowOptionsFactory,
  type ResolvedOptions,
} from './orchestrate-flow.options.js';
import { BULL_MODULE_CONFIG, openBullBackend, type BullModuleConfig } from './orchestrate-flow.queue.js';
import type { Database } from './persistence/database.js';
import { ORCHESTRATE_FLOW_ENTITIES } from './persistence/entities/index.js';
import type { BullQueue } from './queue/bull-backend.js';
import { BullQueues } from './queue/bull-queues.js';
import type { Timeouts } from './runtime/step-runner.js';
import { SYSTEM_CLOCK } from './runtime/system-clock.js';

export const OPTIONS = Symbol('orchestrate-flow:options');
export const DATABASE = Symbol('orchestrate-flow:database');
export const BULL = Symbol('orchestrate-flow:bull');
export const TIMEOUTS = Symbol('orchestrate-flow:timeouts');

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

/** Beside the provider of the database, because that one waits for the app's DataSource to be made. */
export const SUITABILITY_PROVIDER: Provider = {
  provide: Symbol('orchestrate-flow:suitability'),
  inject: [OPTIONS, ModulesContainer],
  useFactory: (options: ResolvedOptions, modules: ModulesContainer) => assertSuitable(options, modules),
};

/**
 * The app's DataSource is injected, where there is one, so that Nest makes it before it makes this.
 *
 * @param openHome opens a database for an app that has none and names none
 */
export function databaseProvider(name: string, openHome = openEmbedded): Provider {
  return {
    provide: DATABASE,
    inject: [OPTIONS, ModulesContainer, { token: dataSourceToken(name), optional: true }],
    useFactory: async (options: ResolvedOptions, modules: ModulesContainer, injected?: DataSource) => {
      const database = await openDatabase(options, { injected, modules }, openHome);
      try {
        await database.assertUsable();
        await prepareSchema(database, options);
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
  inject: [OPTIONS, DATABASE, EventHub, { token: BULL_MODULE_CONFIG, optional: true }],
  useFactory: async (
    { queue }: ResolvedOptions,
    database: Database,
    events: EventHub,
    appConfig?: BullModuleConfig,
  ) => {
    const { connectionConfig } = database;
    const backend = await openBullBackend(queue, { connectionConfig, appConfig, events }).catch(async (error) => {
      await database.close();
      throw error;
    });
    return new BullQueues(backend, (name, error) => events.announceQueueFailure(name, error));
  },
};

/** A provider, so that a test can put a clock of its own in its place. */
export const TIMEOUTS_PROVIDER: Provider = { provide: TIMEOUTS, useValue: SYSTEM_CLOCK satisfies Timeouts };

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
