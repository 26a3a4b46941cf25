import { TIMEOUTS } from '../orchestrate-flow.providers.js';
import { virtualTimeFactory } from './testing.module.js';
import type { VirtualTimeOptions } from './virtual-time.js';

/** What is used of @nestjs/testing's TestingModuleBuilder. */
interface ModuleBuilder {
  overrideProvider(token: symbol): {
    useFactory(factory: { factory: (...dependencies: never[]) => unknown; inject: symbol[] }): unknown;
  };
}

/**
 * Gives virtual time to an app whose own modules import `OrchestrateFlowModule.forRoot()`. The app's database is used: give it
 * one of the test's own, `createTestDatabase()`.
 *
 * @example
 * const builder = Test.createTestingModule({ imports: [AppModule] }).overrideProvider(PaymentsService).useValue(payments);
 * const app = (await withVirtualTime(builder).compile()).createNestApplication();
 * await app.init();
 * const flow = TestingFlow.of(app);
 *
 * @returns the same builder
 *
 * @publicApi
 */
export function withVirtualTime<Builder extends ModuleBuilder>(
  builder: Builder,
  options: VirtualTimeOptions = {},
): Builder {
  const { inject, useFactory } = virtualTimeFactory(options);
  builder.overrideProvider(TIMEOUTS).useFactory({ factory: useFactory, inject });
  return builder;
}
