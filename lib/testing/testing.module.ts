import type { DynamicModule, Provider } from '@nestjs/common';

import { OrchestrateFlowModule } from '../orchestrate-flow.module.js';
import {
  resolveOptions,
  type OrchestrateFlowOptions,
  type ResolvedOptions,
  type WorkerOptions,
} from '../orchestrate-flow.options.js';
import { DATABASE, databaseProvider, OPTIONS, TIMEOUTS } from '../orchestrate-flow.providers.js';
import type { Database } from '../persistence/database.js';
import { openTestHome, type TestHomeOptions } from './test-database.js';
import { VirtualTime, type VirtualTimeOptions } from './virtual-time.js';

/** A step that does not end by itself must not hold up the end of the test. */
const WORKER: WorkerOptions = { shutdownTimeout: '1s' };

/**
 * Options of `OrchestrateFlowTestingModule.forRoot()`: those of the module, and those of virtual time. `worker.shutdownTimeout`
 * is 1 s unless given.
 *
 * @publicApi
 */
export interface OrchestrateFlowTestingOptions
  extends Omit<OrchestrateFlowOptions, 'embedded'>, VirtualTimeOptions, TestHomeOptions {}

/**
 * Stands in for `OrchestrateFlowModule` in a test: the same, with virtual time, and with a database of its own on the embedded
 * server of all tests, dropped when the app is closed. An app's TypeORM DataSource, or a `url`, is used where there is one;
 * the environment's DATABASE_URL never.
 *
 * @example
 * const app = await Test.createTestingModule({
 *   imports: [OrchestrateFlowTestingModule.forRoot()],
 *   providers: [OrderWorkflow, PaymentsService],
 * }).compile();
 * await app.init();
 * const flow = TestingFlow.of(app);
 *
 * @publicApi
 */
export class OrchestrateFlowTestingModule {
  /** @throws OrchestrateFlowError `OF_OPTIONS_INVALID`; at boot `OF_TEST_SETUP`, `OF_DATABASE_UNAVAILABLE` */
  static async forRoot(given: OrchestrateFlowTestingOptions = {}): Promise<DynamicModule> {
    const { now, onTime, dataDir, engine, ...written } = given;
    const options = {
      ...written,
      worker: written.worker === false ? (false as const) : { ...WORKER, ...written.worker },
    };
    const name = typeof options.dataSource === 'string' ? options.dataSource : 'default';
    const { providers = [], ...module } = await OrchestrateFlowModule.forRoot(options);
    return {
      ...module,
      providers: [
        ...providers,
        // Nest takes the last one. Nothing comes from the environment: DATABASE_URL may be the developer's own data.
        { provide: OPTIONS, useValue: resolveOptions(options, {}) },
        databaseProvider(name, ({ schema }) => openTestHome(schema, { dataDir, engine })),
        virtualTimeProvider({ now, onTime }),
      ],
    };
  }
}

/** Holds the time from when the tables are up to date until the app is closed. */
function virtualTimeProvider(options: VirtualTimeOptions): Provider & ReturnType<typeof virtualTimeFactory> {
  return { provide: TIMEOUTS, ...virtualTimeFactory(options) };
}

/** @internal */
export function virtualTimeFactory(options: VirtualTimeOptions) {
  const hold = (database: Database, { schema }: ResolvedOptions) => VirtualTime.hold(database, schema, options);
  return { inject: [DATABASE, OPTIONS], useFactory: hold };
}
