export {
  createTestDatabase,
  type TestDatabase,
  type TestDatabaseOptions,
  type TestHomeOptions,
} from './test-database.js';
export { createTestingFlow, type TestingFlowSetup } from './create-testing-flow.js';
export { OrchestrateFlowTestingModule, type OrchestrateFlowTestingOptions } from './testing.module.js';
export { endedChild } from '../definition/child-request.js';
export { stepContext } from './step-context.js';
export type { StepName, StepStub, StubFor } from './step-stubs.js';
export { TestingFlow, type AdvanceOptions, type DrainOptions } from './testing-flow.js';
export type { Waiting } from './waiting.js';
export type { VirtualTimeOptions } from './virtual-time.js';
export { withVirtualTime } from './with-virtual-time.js';
