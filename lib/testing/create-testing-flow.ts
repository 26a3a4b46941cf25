import type { ModuleMetadata, Provider } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';

import type { WorkflowClass } from '../definition/workflow-class.js';
import { TestingFlow } from './testing-flow.js';
import { OrchestrateFlowTestingModule, type OrchestrateFlowTestingOptions } from './testing.module.js';

/**
 * What the app of `createTestingFlow()` is made of.
 *
 * @publicApi
 */
export interface TestingFlowSetup extends OrchestrateFlowTestingOptions {
  readonly workflows: readonly WorkflowClass[];
  /** What the workflows inject. */
  readonly providers?: readonly Provider[];
  readonly imports?: ModuleMetadata['imports'];
}

class TestingFlowApp {}

/**
 * Starts an app with these workflows, virtual time and a database of its own: for tests that need no more of an app than
 * what the workflows inject. Close it after the tests.
 *
 * @example
 * const flow = await createTestingFlow({ workflows: [OrderWorkflow], providers: [StockService] });
 * afterAll(() => flow.close());
 *
 * @throws OrchestrateFlowError `OF_OPTIONS_INVALID`, `OF_DATABASE_UNAVAILABLE`, `OF_TEST_SETUP`; DefinitionError
 *
 * @publicApi
 */
export async function createTestingFlow(setup: TestingFlowSetup): Promise<TestingFlow> {
  const { workflows, providers = [], imports = [], ...options } = setup;
  const app = {
    module: TestingFlowApp,
    imports: [...imports, OrchestrateFlowTestingModule.forRoot(options)],
    providers: [...(workflows as readonly Provider[]), ...providers],
  };
  return TestingFlow.of(await NestFactory.createApplicationContext(app, { logger: ['error'], abortOnError: false }));
}
