import 'reflect-metadata';

import type { INestApplicationContext, ModuleMetadata, Provider } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import {
  type FlowEvent,
  Orchestrator,
  OrchestrateFlowModule,
  type OrchestrateFlowOptions,
  type WorkflowClass,
} from 'orchestrate-flow';
import { DataSource } from 'typeorm';

import type { TestDatabase } from './create-database.js';

export interface AppSetup extends OrchestrateFlowOptions {
  readonly database: TestDatabase;
  readonly workflows?: readonly WorkflowClass[];
  readonly providers?: readonly Provider[];
  readonly imports?: ModuleMetadata['imports'];
  /** Entities of the app's own: with them (or `[]`) it has a TypeORM DataSource, which the library then uses. */
  // eslint-disable-next-line @typescript-eslint/no-unsafe-function-type -- as TypeORM types its entities
  readonly entities?: readonly Function[];
}

/** A Nest application on a test database, and what it has announced. */
export interface TestApp {
  readonly context: INestApplicationContext;
  readonly orchestrator: Orchestrator;
  readonly events: readonly FlowEvent[];
  /** The app's own DataSource, where `entities` were given. */
  readonly dataSource: DataSource;
  close(): Promise<void>;
}

class TestModule {}

/** Starts a Nest application with these workflows. */
export async function startApp({ entities, database, ...setup }: AppSetup): Promise<TestApp> {
  const { workflows = [], providers = [], imports = [], ...options } = setup;
  const app = {
    module: TestModule,
    imports: [
      ...(entities ? [appDatabase(database, entities)] : []),
      OrchestrateFlowModule.forRoot(entities ? options : { url: database.url, ...options }),
      ...imports,
    ],
    providers: [...(workflows as readonly Provider[]), ...providers],
  };
  return follow(await NestFactory.createApplicationContext(app, { logger: false, abortOnError: false }));
}

/** Starts an application from the modules alone. */
export async function startModules(metadata: Pick<ModuleMetadata, 'imports' | 'providers'>): Promise<TestApp> {
  const app = { module: TestModule, ...metadata };
  return follow(await NestFactory.createApplicationContext(app, { logger: false, abortOnError: false }));
}

/** TypeORM as an app sets it up, on a test database. */
// eslint-disable-next-line @typescript-eslint/no-unsafe-function-type -- as TypeORM types its entities
export function appDatabase({ connection }: TestDatabase, entities: readonly Function[] = [], name = 'default') {
  const { host, port, user: username, database } = connection;
  return TypeOrmModule.forRoot({
    ...{ type: 'postgres', host, port, username, database, name },
    ...{ entities: [...entities], autoLoadEntities: true, synchronize: true, retryAttempts: 1 },
  });
}

function follow(context: INestApplicationContext): TestApp {
  const orchestrator = context.get(Orchestrator, { strict: false });
  const events: FlowEvent[] = [];
  orchestrator.events$.subscribe((event) => events.push(event));
  return {
    ...{ context, orchestrator, events, close: () => context.close() },
    get dataSource() {
      return context.get(DataSource, { strict: false });
    },
  };
}
