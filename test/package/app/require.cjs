const { Orchestrator, OrchestrateFlowModule } = require('orchestrate-flow');

if (typeof Orchestrator !== 'function' || typeof OrchestrateFlowModule.forRoot !== 'function') {
  throw new Error('require() gave something else than the package.');
}
