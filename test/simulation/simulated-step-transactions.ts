import type { StepTransactions, TransactionEnd, TransactionRequest } from '../../lib/engine/ports.js';
import { short } from './simulated-door.js';
import type { Tables } from './tables.js';
import { Disconnected, type Wire } from './wire.js';

/** Steps in transactions: each has one effect, which comes in with its result or not at all. */
export class SimulatedStepTransactions implements StepTransactions<null> {
  constructor(
    private readonly tables: Tables,
    private readonly wire: Wire,
  ) {}

  async run(request: TransactionRequest, work: (manager: null) => Promise<string>): Promise<TransactionEnd> {
    request.signal.throwIfAborted();
    const result = await work(null);
    const { runId, claim } = request;
    try {
      return await this.wire.call(`commit ${claim.step} of ${short(runId)}`, () =>
        this.tables.commitStep(runId, claim, result),
      );
    } catch (error) {
      if (error instanceof Disconnected) return 'unknown';
      throw error;
    }
  }
}
